package vrrptest

import (
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// enter does a change of state on the host.
func (s *sim) enter(r *router, e vrrp.Enter, decided time.Duration) {
	if s.tracing {
		s.trace(&r.process, "%s: %s", e.State, e.Reason)
	}
	s.report.Transitions++
	s.dirty = true
	s.checkEnter(r, e)
	was := r.master
	r.master = e.State == vrrp.Master
	if e.State == vrrp.Backup && r.held != 0 {
		r.leftAt, r.left = s.now, e.Reason
	}
	switch {
	case r.master:
		s.checkTakeover(r, e.Reason)
		s.takeover.by = 0
		r.toMaster++
		r.held, r.tookAt, r.took = r.list, s.now, e.Reason
		s.arm(r, true)
		s.lease(r)
	default:
		if was {
			r.fromMaster++
		}
		if s.opt.Flaw != FlawKeepsAddresses {
			r.held = 0
		}
		s.arm(r, false)
	}
	if e.State == vrrp.Backup && decided == r.local(s.now) { // else noted when the step was interrupted
		r.acceptedLocal, r.acceptedAt, r.fresh, r.lowerSeen = decided, s.now, true, false
		r.ranked = 0
		r.interval = r.cfg.Interval
	}
}

// change makes the addresses on the host those of the configuration.
func (s *sim) change(r *router) {
	if r.held == r.list {
		return
	}
	s.dirty = true
	if s.opt.Flaw == FlawKeepsFormer {
		r.held |= r.list
		return
	}
	r.held = r.list
}

// lease sets the lifetime of the addresses anew.
func (s *sim) lease(r *router) {
	if r.ends != 0 && s.opt.Flaw == FlawNeverRenews && s.now != r.tookAt {
		return
	}
	if r.ends != 0 && s.now >= r.expires { // put back
		s.dirty = true
	}
	s.renew(&r.lifetime, &r.process, r.leaseTime, r.sentLocal)
}

// lost tells a process that its addresses are gone, and not by its own hand. A
// master that is late has lost them to its lease and steps down; else it
// advertises and puts them back.
func (s *sim) lost(r *router) {
	r.ends, r.expires = max(r.local(s.now), 1), s.now // what a renewal puts back
	if r.foreign {                                    // keepalived resigns and elects again
		s.step(r, vrrp.Failed{Why: "addresses deleted"})
		if r.running() {
			s.step(r, vrrp.Recovered{Source: r.source, Why: "elects again"})
		} else {
			r.failed = true // stopped in between: the next calm
		}
		return
	}
	s.step(r, vrrp.Timeout{})
	if r.running() && r.master && !r.holds(s.now) {
		s.trace(&r.process, "puts the addresses back")
		s.step(r, vrrp.Advertise{})
	}
}
