package vrrptest

import (
	"fmt"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

func (s *groupSim) violate(format string, args ...any) {
	if s.violation == nil {
		s.violation = fmt.Errorf("at %s: "+format, append([]any{s.now}, args...)...)
		if s.tracing {
			s.lines = append(s.lines, s.violation.Error())
		}
	}
}

// checkTogether: the members of a router are masters all or none, and out of the
// election all or none.
func (s *groupSim) checkTogether(r *groupRouter) {
	faults := 0
	for i := range r.members {
		if r.state(i) == vrrp.Fault {
			faults++
		}
	}
	if n := r.masters(); n != 0 && n != len(r.members) {
		s.violate("%d of %d members of %s are masters", n, len(r.members), r.name)
	}
	if faults != 0 && faults != len(r.members) {
		s.violate("%d of %d members of %s have a fault", faults, len(r.members), r.name)
	}
}

// checkTakeover: nobody takes over before its timer has run out, against
// NoPreempt, or while the address of a stopped or killed master is still there.
func (s *groupSim) checkTakeover(r *groupRouter, i int, why vrrp.Reason) {
	m, l := r.members[i], s.lans[i]
	c := l.site
	switch why.Cause {
	case vrrp.CauseLowerMaster:
		if m.cfg.NoPreempt {
			s.violate("%s preempted on %s against NoPreempt", r.name, m.cfg.Name)
		}
	case vrrp.CauseSilence:
		least := c.Version.MasterDown(c.Interval, c.DownMultiplier, vrrp.PriorityMax)
		waited := s.now - m.accepted
		if m.fresh && r.runsSince <= m.accepted && waited < least {
			s.violate("%s took over %s %s after it accepted an advert; the shortest master-down time is %s", r.name, m.cfg.Name, waited, least)
		}
		down := c.Version.MasterDown(c.Interval, c.DownMultiplier, m.priority)
		for _, other := range s.routers {
			old := other.members[i]
			if other == r || old.source != why.Peer || other.running() || !m.fresh || l.lease == 0 {
				continue
			}
			if m.heardSeq[other.id] == old.seq && other.rest == nil && vrrp.LeaseEnd(l.lease) < down && waited >= down && old.holds(s.now) {
				s.violate("%s takes %s over from %s, which is silent and still holds the address", r.name, m.cfg.Name, other.name)
			}
		}
	case vrrp.CauseResigned, vrrp.CauseOwner:
	default:
		s.violate("%s became master of %s because of %q", r.name, m.cfg.Name, why)
	}
}

// checkHolders is that of Run, per LAN.
func (s *groupSim) checkHolders() {
	for lanID, l := range s.lans {
		for i, a := range s.routers {
			ma := a.members[lanID]
			for j, b := range s.routers[:i] {
				mb := b.members[lanID]
				if !a.running() || !b.running() || ma.failed || mb.failed || !ma.holds(s.now) || !mb.holds(s.now) || !l.perfect(i, j) || !l.perfect(j, i) {
					l.together[i][j] = 0
					continue
				}
				if l.together[i][j] == 0 {
					l.together[i][j] = s.now
					s.checkStrict(lanID, a, b)
				}
				since := max(l.together[i][j], l.changed, s.reranked, a.runsSince, b.runsSince)
				if limit := l.site.Interval + 3*l.delayMax + slack; s.now-since > limit {
					s.violate("%s and %s hear each other and both hold the address of %s since %s", a.name, b.name, l.site.Name, since)
				}
			}
		}
	}
}

// settled reports whether nothing is left of a storm, on any LAN.
func (s *groupSim) settled(a, b *groupRouter) bool {
	calm := max(s.changed, a.runsSince, b.runsSince)
	for _, l := range s.lans {
		if !l.whole {
			return false
		}
		if l.site.NoLowerAnswer {
			calm = max(calm, s.reranked)
		}
	}
	return s.now >= calm+4*s.interval
}

// checkStrict is that of Run: where a takeover is claimed, two routers do not
// hold an address together at all. A group claims every address when it claims
// one.
func (s *groupSim) checkStrict(lanID int, a, b *groupRouter) {
	if a.members[lanID].tookAt < b.members[lanID].tookAt {
		a, b = b, a
	}
	m := a.members[lanID]
	if m.tookAt != s.now || s.now-s.faulted < s.interval/4 || !s.settled(a, b) {
		return
	}
	strict := false
	switch why := m.took; why.Cause {
	case vrrp.CauseLowerMaster, vrrp.CauseOwner:
		strict = true
	case vrrp.CauseResigned:
		strict = why.Peer == b.members[lanID].source && b.group.Member(lanID).HandingOver()
	case vrrp.CauseSilence:
		strict = !why.Peer.IsValid()
	default:
	}
	if strict {
		s.violate("%s and %s hear each other and both hold the address of %s: %s took it: %s", a.name, b.name, m.cfg.Name, a.name, m.took)
	}
}

// checkCalm: after the bound one router holds every address, and it is the
// right one.
func (s *groupSim) checkCalm() {
	var masters, candidates []*groupRouter
	best := uint8(0)
	for _, r := range s.routers {
		switch {
		case !r.running():
		case !r.fit():
			for _, m := range r.members {
				if m.holds(s.now) {
					s.violate("%s has a failed interface and holds the address of %s", r.name, m.cfg.Name)
				}
			}
		default:
			candidates = append(candidates, r)
			best = max(best, r.members[0].priority)
			if r.masters() > 0 {
				masters = append(masters, r)
			}
		}
	}
	if len(candidates) == 0 {
		return
	}
	s.report.Calms++
	if len(masters) != 1 {
		s.violate("%d of %d routers have masters %s after the calm began", len(masters), len(candidates), s.now-s.changed)
		return
	}
	for _, r := range candidates {
		for i, m := range r.members {
			if mine := r == masters[0]; m.holds(s.now) != mine || (r.state(i) == vrrp.Master) != mine {
				s.violate("%s: %s is %s, address there: %v; the master is %s", r.name, m.cfg.Name, r.state(i), m.holds(s.now), masters[0].name)
			}
		}
	}
	if s.ranked && !s.noPreempt && masters[0].members[0].priority != best {
		s.violate("%s is master with priority %d; there is a router with %d", masters[0].name, masters[0].members[0].priority, best)
	}
}

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
	kind := rng.IntN(14)
	if kind < 11 {
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
			s.trace(r, "stops cleanly")
			r.ending = true
			s.step(r, 0, vrrp.Stop{})
			if !r.stopped {
				s.kill(r)
			}
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
		if r.running() {
			priority := uint8(1 + rng.IntN(254))
			s.reranked = s.now
			s.trace(r, "priority %d", priority)
			for j, m := range r.members {
				if s.ranked || j == i {
					m.priority = priority
					if r.running() {
						s.step(r, j, vrrp.SetPriority{Priority: priority})
					}
				}
			}
		}
	case 12:
		if r.running() {
			s.trace(r, "an address of %s is lost", l.site.Name)
			s.step(r, i, vrrp.StepDown{Why: "the address was removed"})
		}
	case 13:
		if r.running() {
			s.trace(r, "handover")
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
	s.trace(r, "interface of %s down: %v", m.cfg.Name, down)
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
		case r.group == nil:
			if s.rng.IntN(4) > 0 || r == spare {
				s.start(r)
			}
		}
	}
}
