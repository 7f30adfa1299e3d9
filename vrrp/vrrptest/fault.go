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
	r := s.routers[rng.IntN(len(s.routers))]
	if rng.IntN(2) == 0 { // the master is where it hurts
		for _, x := range s.routers {
			if x.master {
				r = x
			}
		}
	}
	kind := rng.IntN(12)
	if kind < 10 {
		s.faulted = s.now
	}
	switch kind {
	case 0, 1, 2:
		s.lan.storm(rng, s.now, s.site.Interval, len(s.routers))
		s.trace(nil, "LAN: loss %.2f, duplicates %.2f, delay up to %s, cuts %v", s.lan.loss, s.lan.duplicate, s.lan.delayMax, s.lan.cut)
	case 3:
		s.lan.heal(s.now, s.delay)
		s.trace(nil, "LAN healed")
	case 4, 5:
		if r.running() {
			s.stop(r, time.Duration(rng.Int64N(int64(8*s.site.Interval))))
		}
	case 6:
		if r.running() {
			r.pauseIn, r.pauseFor = 1+rng.IntN(3), time.Duration(rng.Int64N(int64(8*s.site.Interval)))
		}
	case 7:
		if r.alive() {
			s.kill(r)
		} else {
			s.start(r)
		}
	case 8:
		if r.running() {
			s.trace(r, "stops cleanly")
			s.step(r, vrrp.Stop{})
			if !r.stopped {
				s.kill(r)
			}
		} else if !r.alive() {
			s.start(r)
		}
	case 9:
		if r.running() {
			s.fail(r, !r.failed)
		}
	case 10:
		if r.running() {
			r.priority, s.ranked = uint8(1+rng.IntN(254)), s.now
			s.trace(r, "priority %d", r.priority)
			s.step(r, vrrp.SetPriority{Priority: r.priority})
		}
	case 11:
		if r.running() {
			s.trace(r, "handover")
			s.step(r, vrrp.Handover{Hold: s.hold})
			r.fresh = false
		}
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

// calm ends the storm: the LAN works, everybody runs.
func (s *sim) calm() {
	s.lan.heal(s.now, s.delay)
	s.trace(nil, "calm")
	for _, r := range s.routers {
		r.pauseIn = 0
		if r.stopped {
			s.resume(r)
		}
		switch {
		case r.stopped: // in the middle of its first step: the next calm
		case !r.alive():
			if s.rng.IntN(4) > 0 {
				s.start(r)
			}
		case r.state() == vrrp.Init: // its clean stop was interrupted
			s.kill(r)
		case r.failed:
			s.fail(r, false)
		}
	}
}
