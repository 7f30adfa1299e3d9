package vrrptest

import (
	"github.com/edgekeeper/edgekeeper/vrrp"
)

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
	m := r.members[i]
	c := m.cfg
	switch why.Cause {
	case vrrp.CauseLowerMaster:
		if m.cfg.NoPreempt && (m.changed == 0 || s.now-m.changed > s.interval) { // a claim that runs goes on
			s.violate("%s preempted on %s against NoPreempt", r.name, m.cfg.Name)
		}
	case vrrp.CauseSilence:
		least := c.Version.MasterDown(m.interval, c.DownMultiplier, vrrp.PriorityMax)
		waited := r.local(s.now) - m.acceptedLocal
		if m.fresh && r.runsSince <= m.acceptedAt && waited < least {
			s.violate("%s took over %s %s after it accepted an advert; the shortest master-down time is %s", r.name, m.cfg.Name, waited, least)
		}
		down := c.Version.MasterDown(m.interval, c.DownMultiplier, m.priority)
		for _, other := range s.routers {
			old := other.members[i]
			if other == r || old.source != why.Peer || other.running() || !m.fresh || old.leaseTime == 0 || max(r.drifted, other.drifted) >= m.acceptedAt {
				continue
			}
			in := lasts(old.lag+vrrp.LeaseEnd(old.leaseTime), other.clock.ppm) < lasts(down, r.clock.ppm)
			if m.heardSeq[other.id] == old.seq && other.rest == nil && in && waited >= down && old.holds(s.now) {
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
				if !a.running() || !b.running() || ma.failed || mb.failed || !ma.holds(s.now) || !mb.holds(s.now) || !l.perfect(i, j) || !l.perfect(j, i) || !hear(ma, mb) {
					l.together[i][j] = 0
					continue
				}
				if l.together[i][j] == 0 {
					l.together[i][j] = s.now
					s.checkStrict(lanID, a, b)
				}
				since := max(l.together[i][j], l.changed, s.reranked, a.runsSince, b.runsSince)
				if limit := lasts(max(ma.cfg.Interval, mb.cfg.Interval), s.slowest()) + 3*l.delayMax + slack; s.now-since > limit {
					s.violate("%s and %s hear each other and both hold the address of %s since %s", a.name, b.name, l.site.Name, since)
				}
			}
		}
	}
}

// settled reports whether nothing is left of a storm, on any LAN.
func (s *groupSim) settled(a, b *groupRouter) bool {
	calm := max(s.changed, a.runsSince, b.runsSince)
	for i, l := range s.lans {
		if !l.whole {
			return false
		}
		// A higher new priority is not known before the next advert.
		if a.members[i].cfg.NoLowerAnswer || b.members[i].cfg.NoLowerAnswer {
			calm = max(calm, s.reranked)
		}
	}
	return s.now >= calm+lasts(4*s.interval, s.slowest())
}

// hear reports whether two members take each other's adverts.
func hear(a, b *groupMember) bool {
	return a.cfg.Version == b.cfg.Version && (a.cfg.Version == vrrp.V3 || a.cfg.Interval == b.cfg.Interval)
}

// checkStrict is that of Run: where a takeover is claimed, two routers do not
// hold an address together at all. A group claims every address when it claims
// one.
func (s *groupSim) checkStrict(lanID int, a, b *groupRouter) {
	if a.members[lanID].tookAt < b.members[lanID].tookAt {
		a, b = b, a
	}
	m := a.members[lanID]
	unheard := b.foreign && s.now-b.members[lanID].tookAt <= s.lans[lanID].delayMax
	if a.foreign || unheard || m.tookAt != s.now || s.now-s.faulted < lasts(s.interval/4, s.slowest()) || !s.settled(a, b) {
		return
	}
	strict := false
	switch why := m.took; why.Cause {
	case vrrp.CauseLowerMaster, vrrp.CauseOwner:
		strict = true
	case vrrp.CauseResigned:
		strict = why.Peer == b.members[lanID].source && b.group.machine(lanID).HandingOver()
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
