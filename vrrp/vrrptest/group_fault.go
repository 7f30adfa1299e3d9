package vrrptest

import (
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// fault does something to the site.
func (s *groupSim) fault() {
	if s.violation != nil {
		return
	}
	s.report.Faults++
	rng := s.rng
	r := s.routers[rng.IntN(len(s.routers))]
	if rng.IntN(2) == 0 { // the master is where it hurts
		for _, x := range s.routers {
			if x.members[0].master {
				r = x
			}
		}
	}
	i := rng.IntN(len(s.lans))
	l := s.lans[i]
	kind := rng.IntN(17)
	if kind < 13 {
		s.faulted = s.now
	}
	switch kind {
	case 0, 1, 2:
		l.storm(rng, s.now, l.site.Interval, len(s.routers))
		s.changed = s.now
		s.trace(nil, "LAN of %s: loss %.2f, duplicates %.2f, delay up to %s, cuts %v", l.site.Name, l.loss, l.duplicate, l.delayMax, l.cut)
	case 3:
		l.heal(s.now, s.delay)
		s.changed = s.now
		s.trace(nil, "LAN of %s healed", l.site.Name)
	case 4, 5:
		if r.running() {
			s.stop(r, time.Duration(rng.Int64N(int64(8*s.interval))))
		}
	case 6:
		if r.running() {
			r.pauseIn, r.pauseFor = 1+rng.IntN(6), time.Duration(rng.Int64N(int64(8*s.interval)))
		}
	case 7:
		if r.group != nil {
			s.kill(r)
		} else {
			s.start(r)
		}
	case 8:
		if r.running() {
			s.shut(r)
		} else if r.group == nil {
			s.start(r)
		}
	case 9, 10:
		if !r.stopped {
			s.fail(r, i, !r.members[i].failed)
		}
		if j := rng.IntN(len(s.lans)); kind == 10 && !r.stopped && j != i {
			s.fail(r, j, !r.members[j].failed)
		}
	case 11:
		s.reconfigure()
	case 12: // one more router takes over the new configuration
		for _, x := range s.routers {
			if x.stale && x.running() {
				s.follow(x)
				break
			}
		}
	case 13:
		if r.running() {
			priority := uint8(1 + rng.IntN(254))
			s.reranked = s.now
			s.trace(&r.process, "priority %d", priority)
			for j, m := range r.members {
				if s.ranked || j == i {
					m.priority = priority
					if r.running() {
						s.step(r, j, vrrp.SetPriority{Priority: priority})
					}
				}
			}
		}
	case 14:
		if r.running() {
			s.trace(&r.process, "an address of %s is lost", l.site.Name)
			if !r.foreign {
				s.step(r, i, vrrp.StepDown{Why: "the address was removed"})
				break
			}
			s.fail(r, i, true) // keepalived resigns and elects again
			if r.running() {
				s.fail(r, i, false)
			}
		}
	case 16:
		s.turn(r, s.faultRate())
	case 15:
		if r.running() && !r.foreign {
			s.trace(&r.process, "handover")
			s.step(r, i, vrrp.Handover{Hold: s.hold})
			for _, m := range r.members {
				m.fresh = false
			}
		}
	}
}

// fail takes one interface down or up.
func (s *groupSim) fail(r *groupRouter, i int, down bool) {
	m := r.members[i]
	m.failed = down
	s.trace(&r.process, "interface of %s down: %v", m.cfg.Name, down)
	switch {
	case !r.running():
	case down:
		s.step(r, i, vrrp.Failed{Why: "interface is down"})
	default:
		s.step(r, i, vrrp.Recovered{Source: m.source, Why: "interface is up"})
	}
}

// calm ends the storm: the LANs work, everybody runs. Sometimes interfaces stay
// down, as long as a router with all of its own is left.
func (s *groupSim) calm() {
	for _, l := range s.lans {
		l.heal(s.now, s.delay)
	}
	s.changed = s.now
	s.trace(nil, "calm")
	leave := s.rng.IntN(3) == 0
	spare := s.routers[s.rng.IntN(len(s.routers))]
	for _, r := range s.routers {
		r.pauseIn = 0
		s.turn(r, s.calmRate(&r.process))
		if r.stopped {
			s.resume(r)
		}
		if r.stopped { // in the middle of its first step: the next calm
			continue
		}
		for i, m := range r.members {
			if m.failed && (!leave || r == spare) && !r.stopped {
				s.fail(r, i, false)
			}
		}
		switch {
		case r.stopped:
		case r.group != nil && r.stale:
			s.follow(r)
		case r.group == nil:
			if s.rng.IntN(4) > 0 || r == spare {
				s.start(r)
			}
		}
	}
}
