package vrrptest

import (
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// fault does something to the site.
func (s *sim) fault() {
	if s.violation != nil {
		return
	}
	s.report.Faults++
	rng := s.rng
	quiet := s.quiet
	s.quiet, s.served, s.takeover.by = false, false, 0
	r := s.routers[rng.IntN(len(s.routers))]
	if rng.IntN(2) == 0 { // the master is where it hurts
		for _, x := range s.routers {
			if x.master {
				r = x
			}
		}
	}
	// A settled master, whose loss the others must make up for in time.
	lost := quiet && r.master && r.running() && !r.handingOver() && s.now-r.tookAt > s.interval
	kind := rng.IntN(20)
	if kind < 17 {
		s.faulted = s.now
	}
	switch kind {
	case 0, 1, 2:
		s.lan.storm(rng, s.now, s.shortest(), len(s.routers))
		s.trace(nil, "LAN: loss %.2f, duplicates %.2f, delay up to %s, cut %v", s.lan.loss, s.lan.duplicate, s.lan.delayMax, s.lan.cuts())
	case 3:
		s.heal()
		s.trace(nil, "LAN healed")
	case 4, 5:
		if r.running() {
			s.stop(r, s.upTo(8*s.site.Interval))
		}
	case 6:
		if r.running() {
			r.pauseIn, r.pauseFor = 1+rng.IntN(3), s.upTo(8*s.site.Interval)
		}
	case 7, 8: // kill -9
		switch {
		case r.alive():
			if lost {
				s.expectTakeover(r)
			}
			s.kill(r)
			if rng.IntN(3) == 0 { // a supervisor starts it again
				s.takeover.by = 0
				s.start(r)
			}
		case r.startAt == 0:
			s.start(r)
		}
	case 9: // kill -9 of both
		if r.alive() {
			if lost {
				s.expectTakeover(r)
			}
			if r.guard.runs {
				s.guardKilled(r)
			}
			s.kill(r)
		}
	case 10, 11:
		if r.running() {
			if lost {
				s.expectTakeover(r)
			}
			s.shut(r)
			s.expectSuccessor(r)
		} else if !r.alive() && r.startAt == 0 {
			s.start(r)
		}
	case 12:
		if r.running() {
			s.fail(r, !r.failed)
		}
	case 13:
		s.guardFault(r)
	case 14:
		s.reconfigure()
	case 15: // one more router takes over the new configuration
		for _, x := range s.routers {
			if x.stale && x.running() {
				s.follow(x)
				break
			}
		}
	case 16:
		if r.running() && r.held != 0 {
			s.trace(&r.process, "addresses deleted by somebody")
			if r.foreign || !r.master || rng.IntN(2) == 0 {
				s.lost(r)
			} else { // the other policy
				s.step(r, vrrp.StepDown{Why: "address lost"})
			}
		}
	case 17:
		if r.running() {
			r.priority, s.ranked, r.ranked = r.cfg.Priority, s.now, s.now
			if r.priority != vrrp.PriorityOwner {
				r.priority = uint8(1 + rng.IntN(254))
			}
			s.trace(&r.process, "priority %d", r.priority)
			s.step(r, vrrp.SetPriority{Priority: r.priority})
		}
	case 18:
		if r.running() && !r.foreign {
			s.trace(&r.process, "handover")
			s.hold, s.handed = 3*s.interval, s.now
			s.step(r, vrrp.Handover{Hold: s.hold})
			r.fresh = false
		}
	case 19:
		s.turn(r, s.faultRate())
	}
}

func (s *sim) guardFault(r *router) {
	if !r.guard.runs {
		return
	}
	if s.rng.IntN(2) == 0 {
		s.guardKilled(r)
	} else if !r.guard.stopped {
		s.guardStopped(r, s.upTo(8*s.site.Interval))
	}
}

// turn sets the rate of a router's clock.
func (s *sim) turn(r *router, ppm int64) {
	s.drift(&r.process, ppm, []*time.Duration{&r.deadline}, []*lifetime{&r.lifetime})
}

// reconfigure draws a new configuration for the site, or only new priorities,
// which the routers take over one by one.
func (s *sim) reconfigure() {
	if s.opt.Break != nil && s.rng.IntN(2) == 0 {
		return
	}
	s.report.Reconfigure++
	c := s.site
	if s.rng.IntN(2) == 0 {
		c = drawSite(s.rng)
	} else {
		for _, r := range s.routers {
			if r.rank != vrrp.PriorityOwner {
				r.rank = uint8(1 + s.rng.IntN(254))
			}
		}
	}
	s.adopt(c)
}

// follow makes r one of the site's configuration: while it runs, where that is
// possible and the dice say so.
func (s *sim) follow(r *router) {
	if s.opt.Break != nil || r.foreign || s.site.unicast != (r.peers != 0) || s.rng.IntN(4) == 0 || !r.cfg.Reconfigurable(s.configOf(r)) {
		s.restart(r)
		return
	}
	s.report.InPlace++
	old := *r
	s.configure(r)
	r.priority, r.replacedAfter = old.priority, max(r.replacedAfter, old.replacedAfter) // until it has said so
	if r.cfg.PreemptDelay != old.cfg.PreemptDelay {
		r.lowerSeen = false
	}
	if r.cfg.Interval != old.cfg.Interval || r.cfg.DownMultiplier != old.cfg.DownMultiplier {
		r.fresh = false
		if r.cfg.Version == vrrp.V2 {
			r.interval = r.cfg.Interval
		}
	}
	r.changed = s.now
	if s.tracing {
		s.trace(&r.process, "reconfigured, addresses %b, lease %s", r.list, r.leaseTime)
	}
	s.step(r, vrrp.Reconfigure{Config: r.cfg})
	if r.running() && r.master {
		s.arm(r, true)
	}
	if r.running() && r.priority != r.cfg.Priority {
		r.priority, s.ranked, r.ranked = r.cfg.Priority, s.now, s.now
		s.step(r, vrrp.SetPriority{Priority: r.priority})
	}
}

// restart stops the process cleanly, or not, and starts it with the site's configuration.
func (s *sim) restart(r *router) {
	if s.rng.IntN(3) == 0 {
		s.kill(r)
	} else {
		s.shut(r)
	}
	if !r.alive() {
		s.start(r)
	}
}

// fail takes the interface down or up.
func (s *sim) fail(r *router, down bool) {
	r.failed = down
	if down {
		s.step(r, vrrp.Failed{Why: "interface is down"})
		return
	}
	s.step(r, vrrp.Recovered{Source: r.source, Why: "interface is up"})
}

// shortest is the shortest interval in use.
func (s *sim) shortest() time.Duration {
	i := s.site.Interval
	for _, r := range s.routers {
		if r.alive() {
			i = min(i, r.cfg.Interval)
		}
	}
	return i
}

func (s *sim) heal() {
	s.delay = min(s.shortest()/20, 20*time.Millisecond)
	s.lan.heal(s.now, s.delay)
}

// calm ends the storm: the LAN works, everybody runs, with one configuration.
// Clocks are as usual again.
func (s *sim) calm() {
	s.heal()
	s.trace(nil, "calm")
	s.calmAt = s.now
	for _, r := range s.routers {
		r.pauseIn = 0
		if r.guard.stopped {
			s.guardResume(r)
		}
		s.turn(r, s.calmRate(&r.process))
		if r.stopped {
			s.resume(r)
		}
		switch {
		case !r.alive():
			if r.startAt == 0 && s.rng.IntN(4) > 0 {
				s.start(r)
			}
		case r.state() == vrrp.Init: // its clean stop was interrupted
			s.end(r)
			s.guardBye(r)
		case r.stale:
			s.follow(r)
			if r.failed && r.running() {
				s.fail(r, false)
			}
		case r.failed:
			s.fail(r, false)
		}
	}
}
