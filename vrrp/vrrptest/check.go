package vrrptest

import (
	"fmt"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// violate records the first violation; the run ends with it.
func (s *sim) violate(format string, args ...any) {
	if s.violation == nil {
		s.violation = fmt.Errorf("at %s: "+format, append([]any{s.now}, args...)...)
		if s.tracing {
			s.lines = append(s.lines, s.violation.Error())
		}
	}
}

// checkLate: a master whose last advert is old enough for somebody else to have
// taken over does not send another. decided is when its machine decided: a
// process stopped between the decision and the send cannot know better.
func (s *sim) checkLate(r *router, decided time.Duration) {
	if age := decided - r.sent; age >= s.replacedAfter {
		s.violate("%s sent an advert %s after its last one and did not elect again", r.name, age)
	}
}

// checkTakeover: r becomes master.
func (s *sim) checkTakeover(r *router, why vrrp.Reason) {
	v := s.site
	switch why.Cause {
	case vrrp.CauseLowerMaster:
		s.checkClaim(r, why)
		if r.cfg.NoPreempt {
			s.violate("%s preempted against NoPreempt", r.name)
		}
		if s.now-r.lowerAt < r.cfg.PreemptDelay {
			s.violate("%s preempted %s after it first heard the lower master; the delay is %s", r.name, s.now-r.lowerAt, r.cfg.PreemptDelay)
		}
	case vrrp.CauseSilence:
		// A change of priority moves the running timer by the difference of the
		// skews, in both directions; the shortest is that of priority 254.
		least := v.Version.MasterDown(v.Interval, v.DownMultiplier, vrrp.PriorityMax)
		if waited := s.now - r.accepted; r.fresh && r.runsSince <= r.accepted && waited < least {
			s.violate("%s took over %s after it accepted an advert; the shortest master-down time is %s", r.name, waited, least)
		}
		s.checkSilent(r, why)
	case vrrp.CauseResigned:
		s.checkClaim(r, why)
	case vrrp.CauseOwner:
	default:
		s.violate("%s became master because of %q", r.name, why)
	}
}

// checkSilent: the silent master was stopped or killed after an advert that r
// heard. Its address must be gone, when the lease is shorter than r's timer.
func (s *sim) checkSilent(r *router, why vrrp.Reason) {
	if s.leaseTime == 0 {
		return
	}
	for _, old := range s.routers {
		if old == r || old.source != why.Peer || old.running() || !r.fresh {
			continue
		}
		down := s.site.Version.MasterDown(s.site.Interval, s.site.DownMultiplier, r.priority)
		heardLast := r.heardSeq[old.id] == old.seq && old.rest == nil
		if heardLast && vrrp.LeaseEnd(s.leaseTime) < down && s.now-r.accepted >= down && old.holds(s.now) {
			s.violate("%s takes over from %s, which is silent and still holds the address", r.name, old.name)
		}
	}
}

// checkHolders: two running routers that hear each other do not hold the
// address together at all when the one that took it knew that somebody might
// hold it (strict); else not for longer than an advert takes.
func (s *sim) checkHolders() {
	for i, a := range s.routers {
		if !a.running() || a.failed || !a.holds(s.now) {
			for j := range s.routers {
				s.together[i][j], s.together[j][i] = 0, 0
			}
			continue
		}
		for j := range i {
			b := s.routers[j]
			if !b.running() || !b.holds(s.now) || !s.lan.perfect(i, j) || !s.lan.perfect(j, i) {
				s.together[i][j] = 0
				continue
			}
			if s.together[i][j] == 0 {
				s.together[i][j] = s.now
				s.checkStrict(a, b)
			}
			since := max(s.together[i][j], s.lan.changed, s.ranked, a.runsSince, b.runsSince)
			if limit := s.site.Interval + 3*s.lan.delayMax + slack; s.now-since > limit {
				s.violate("%s and %s hear each other and both hold the address since %s", a.name, b.name, since)
			}
		}
	}
}

// settled reports whether the LAN and these processes have worked for so long
// that nothing is left of a storm: delayed adverts, timers started by the last
// advert that was heard, masters that have not heard each other.
func (s *sim) settled(routers ...*router) bool {
	calm := s.lan.changed
	for _, r := range routers {
		if r.stopped {
			return false
		}
		calm = max(calm, r.runsSince)
	}
	if s.site.NoLowerAnswer { // a higher new priority is not known before the next advert
		calm = max(calm, s.ranked)
	}
	if len(routers) == len(s.routers) {
		calm = max(calm, s.faulted)
	}
	return s.lan.whole && s.now >= calm+4*s.site.Interval
}

// checkClaim: between two of these routers a claim costs a round trip. r takes
// the address from one that has yielded to it, at a time without faults. One that
// yields right after it took over is excused: its adverts follow each other as
// those that begin a handover.
func (s *sim) checkClaim(r *router, why vrrp.Reason) {
	if !s.settled(s.routers...) {
		return
	}
	for _, old := range s.routers {
		waited := s.now - old.leftAt
		if old.leftAt-old.tookAt < s.site.Interval {
			continue
		}
		if old.source == why.Peer && old.left.Peer == r.source && waited > 2*s.lan.delayMax && waited < s.site.ClaimWait() {
			s.violate("%s took the address %s after %s had yielded", r.name, waited, old.name)
		}
	}
}

// checkStrict: a and b hold the address together from now on. Where all is
// settled that must not be, whenever the router that took it had to claim it.
//
// Excused are takeovers that do not wait: two backups of a dead or stopped
// master may succeed it in the same moment, and one of them gives way to the
// first advert it hears. Excused is too when a router stops during the claim: if
// two claim, its priority 0 seems to answer both.
func (s *sim) checkStrict(a, b *router) {
	if a.tookAt < b.tookAt {
		a, b = b, a
	}
	during := s.now-s.faulted < s.site.ClaimWait()
	if a.tookAt != s.now || during || !s.settled(a, b) {
		return
	}
	strict := false
	switch why := a.took; why.Cause {
	case vrrp.CauseLowerMaster, vrrp.CauseOwner:
		strict = true
	case vrrp.CauseResigned: // at a handover
		strict = why.Peer == b.source && b.handingOver()
	case vrrp.CauseSilence: // on a cold start
		strict = !why.Peer.IsValid()
	default: // nobody becomes master for another cause
	}
	if strict {
		s.violate("%s and %s hear each other and both hold the address: %s took it: %s", a.name, b.name, a.name, a.took)
	}
}

// slack is for timers rounded to the nanosecond.
const slack = time.Millisecond

// checkCalm: after the bound there is one master, and it is the right one.
func (s *sim) checkCalm() {
	var masters, running []*router
	best := uint8(0)
	for _, r := range s.routers {
		if !r.running() || r.failed {
			continue
		}
		running = append(running, r)
		best = max(best, r.priority)
		if r.state() == vrrp.Master {
			masters = append(masters, r)
		}
	}
	if len(running) == 0 {
		return
	}
	s.report.Calms++
	if len(masters) != 1 {
		s.violate("%d masters of %d routers %s after the calm began", len(masters), len(running), s.now-s.lan.changed)
		return
	}
	m := masters[0]
	if !m.holds(s.now) {
		s.violate("%s is master and does not hold the address", m.name)
	}
	if !s.site.NoPreempt && m.priority != best {
		s.violate("%s is master with priority %d; there is a router with %d", m.name, m.priority, best)
	}
	for _, r := range running {
		if r != m && r.holds(s.now) {
			s.violate("%s holds the address, %s is master", r.name, m.name)
		}
	}
}
