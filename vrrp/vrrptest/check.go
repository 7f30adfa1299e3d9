package vrrptest

import (
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// check runs after every event.
func (s *sim) check() {
	if s.dirty || s.pairs > 0 {
		s.dirty = false
		s.checkHolders()
	}
	if s.takeover.by != 0 && s.now > s.takeover.by {
		s.violate("nobody has replaced the lost master by %s", s.takeover.by)
	}
	if s.served && (s.last == nil || !s.last.master) {
		for _, r := range s.routers {
			if r.master || r.claiming() {
				s.last = r
				return
			}
		}
		for _, r := range s.routers {
			if r.running() && !r.failed {
				s.violate("there is no master %s after the calm began", s.now-s.calmAt)
				return
			}
		}
	}
}

// checkEnter: r changes its state.
func (s *sim) checkEnter(r *router, e vrrp.Enter) {
	if s.quiet {
		s.violate("%s becomes %s, and nothing has happened: %s", r.name, e.State, e.Reason)
	}
	if s.heard == nil { // interrupted in the middle, and decided long ago
		return
	}
	switch peer := s.heard.priority; e.Reason.Cause {
	case vrrp.CauseHigherPriority:
		if peer <= r.priority {
			s.violate("%s with priority %d yields to priority %d", r.name, r.priority, peer)
		}
	case vrrp.CauseHigherAddress:
		if from := s.routers[s.heard.from]; peer != r.priority || !r.source.Less(from.source) {
			s.violate("%s with priority %d yields to %s with %d", r.name, r.priority, from.name, peer)
		}
	default:
	}
}

// checkLate: a master whose last advert is old enough for somebody else to have
// taken over does not send another. decided is when its machine decided: a
// process stopped between the decision and the send cannot know better.
func (s *sim) checkLate(r *router, decided time.Duration) {
	if age := decided - r.sentLocal; age >= r.replacedAfter {
		s.violate("%s sent an advert %s after its last one and did not elect again", r.name, age)
	}
}

// checkTakeover: r becomes master.
func (s *sim) checkTakeover(r *router, why vrrp.Reason) {
	now := r.local(s.now)
	switch why.Cause {
	case vrrp.CauseLowerMaster:
		s.checkClaim(r, why)
		if !r.preempts() && (r.changed == 0 || s.now-r.changed > s.interval) { // nor does a claim end that runs
			s.violate("%s preempted against NoPreempt", r.name)
		}
		// A claim that runs goes on when the priority changes: the other has yielded.
		// keepalived's timer goes on in any case.
		if !r.foreign && why.PeerPriority >= r.priority && (r.ranked == 0 || s.now-r.ranked > s.interval) {
			s.violate("%s with priority %d preempted priority %d", r.name, r.priority, why.PeerPriority)
		}
		if now-r.lowerLocal < r.cfg.PreemptDelay {
			s.violate("%s preempted %s after it first heard the lower master; the delay is %s", r.name, now-r.lowerLocal, r.cfg.PreemptDelay)
		}
	case vrrp.CauseSilence:
		// A change of priority moves the running timer by the difference of the
		// skews, in both directions; the shortest is that of priority 254.
		p := max(vrrp.PriorityMax, r.cfg.Priority)
		if r.ranked == 0 {
			p = r.priority
		}
		least := r.cfg.Version.MasterDown(r.interval, r.cfg.DownMultiplier, p)
		if waited := now - r.acceptedLocal; r.fresh && r.runsSince <= r.acceptedAt && waited < least {
			s.violate("%s took over %s after it accepted an advert; the shortest master-down time is %s", r.name, waited, least)
		}
		s.checkSilent(r, why)
	case vrrp.CauseResigned:
		s.checkClaim(r, why)
		s.checkResigned(r, why)
	case vrrp.CauseOwner:
	default:
		s.violate("%s became master because of %q", r.name, why)
	}
}

// checkSilent: the silent master was stopped or killed after an advert that r
// heard. Its address must be gone, when its lease, by its clock, is shorter than
// r's timer, by r's.
func (s *sim) checkSilent(r *router, why vrrp.Reason) {
	for _, old := range s.routers {
		if old == r || old.leaseTime == 0 || old.source != why.Peer || old.running() || !r.fresh || old.drifted >= r.acceptedAt {
			continue
		}
		down := r.cfg.Version.MasterDown(r.interval, r.cfg.DownMultiplier, r.priority)
		heardLast := r.heardSeq[old.id] == old.seq && old.rest == nil
		in := lasts(old.lag+vrrp.LeaseEnd(old.leaseTime), old.clock.ppm) < lasts(down, r.clock.ppm)
		if heardLast && in && r.local(s.now)-r.acceptedLocal >= down && r.drifted < r.acceptedAt && old.holds(s.now) && old.held&r.list != 0 {
			s.violate("%s takes over from %s, which is silent and still holds the address", r.name, old.name)
		}
	}
}

// checkResigned: the master died or stopped and priority 0 was said for it. Then
// its address is off: a guardian takes it off first, and a process that stops
// does it before anybody's skew has passed, unless it is held up. Adverts after
// that, which r lost or did not take, are of another term: what r heard says
// nothing about it.
func (s *sim) checkResigned(r *router, why vrrp.Reason) {
	for _, old := range s.routers {
		if old != r && r.heardSeq[old.id] == old.seq && old.source == why.Peer && !old.alive() && old.holds(s.now) && old.guard.kept && !old.guard.runs && !old.resigned && s.settled(r) {
			s.violate("%s succeeds %s, which is dead, has resigned and still holds the address", r.name, old.name)
		}
	}
}

// checkHolders: two running routers that hear each other do not hold an address
// together at all when the one that took it knew that somebody might hold it
// (strict); else not for longer than the advert that tells takes, and its answer.
// Where both had it before they heard each other, or where masters do not answer
// lower ones, that is the next advert.
func (s *sim) checkHolders() {
	n := 0
	for _, r := range s.routers {
		if r.held != 0 && r.running() && !r.failed && r.holds(s.now) {
			n++
		}
	}
	if n < 2 {
		if s.pairs > 0 {
			s.pairs, s.together = 0, [maxRouters][maxRouters]time.Duration{}
		}
		return
	}
	s.pairs = 0
	for i, a := range s.routers {
		holds := a.running() && !a.failed && a.holds(s.now)
		for j, b := range s.routers[:i] {
			if !holds || a.held&b.held == 0 || !b.running() || b.failed || !b.holds(s.now) ||
				!s.lan.perfect(i, j) || !s.lan.perfect(j, i) || !a.hears(b) || !b.hears(a) {
				s.together[i][j] = 0
				continue
			}
			s.pairs++
			if s.together[i][j] == 0 {
				s.together[i][j] = s.now
				s.checkStrict(a, b)
			}
			since := max(s.together[i][j], s.lan.changed, s.ranked, a.runsSince, b.runsSince)
			limit := 2*s.lan.delayMax + slack
			if !s.lan.whole || s.site.NoLowerAnswer || a.cfg.NoLowerAnswer || b.cfg.NoLowerAnswer || s.together[i][j] != max(a.tookAt, b.tookAt) || since != s.together[i][j] {
				limit += lasts(s.interval, s.slowest()) + s.lan.delayMax
			}
			if s.now-since > limit {
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
		if r.stopped || r.alive() && s.lan.delayMax > r.cfg.Interval/20 {
			return false
		}
		calm = max(calm, r.runsSince)
		if r.cfg.NoLowerAnswer { // a higher new priority is not known before the next advert
			calm = max(calm, s.ranked)
		}
	}
	if len(routers) == len(s.routers) {
		calm = max(calm, s.faulted)
	}
	return s.lan.whole && s.now >= calm+lasts(4*s.interval, s.slowest())
}

// checkClaim: between two of these routers a claim costs a round trip. r takes
// the address from one that has yielded to it, at a time without faults. One that
// yields right after it took over is excused: its adverts follow each other as
// those that begin a handover.
func (s *sim) checkClaim(r *router, why vrrp.Reason) {
	if s.foreign || !s.settled(s.routers...) {
		return
	}
	for _, old := range s.routers {
		waited := s.now - old.leftAt
		if old.leftAt-old.tookAt < s.interval {
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
// two claim, its priority 0 seems to answer both. And keepalived does not claim:
// its first advert comes when it has the address.
func (s *sim) checkStrict(a, b *router) {
	if a.tookAt < b.tookAt {
		a, b = b, a
	}
	during := s.now-s.faulted < lasts(s.site.ClaimWait(), s.slowest())
	unheard := b.foreign && s.now-b.tookAt <= s.lan.delayMax
	if a.foreign || unheard || a.tookAt != s.now || during || !s.settled(a, b) {
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

// checkCalm: after the bound there is one master, and it is the right one.
func (s *sim) checkCalm() {
	if s.violation != nil {
		return
	}
	var m *router
	masters, running := 0, 0
	for _, r := range s.routers {
		if r.running() && !r.failed {
			running++
			if r.state() == vrrp.Master {
				m = r
				masters++
			}
		}
		s.checkCounters(r)
	}
	if s.flow.sent != s.flow.arrived+uint64(len(s.wire)) {
		s.violate("%d adverts sent, %d arrived, %d on their way", s.flow.sent, s.flow.arrived, len(s.wire))
	}
	if running == 0 {
		return
	}
	s.report.Calms++
	if masters != 1 {
		s.violate("%d masters of %d routers %s after the calm began", masters, running, s.now-s.calmAt)
		return
	}
	if !m.holds(s.now) || m.held != m.list {
		s.violate("%s is master and does not hold the address", m.name)
	}
	for _, r := range s.routers {
		if r == m || !r.running() || r.failed {
			continue
		}
		if r.preempts() && m.priority < r.priority {
			s.violate("%s is master with priority %d; there is a router with %d", m.name, m.priority, r.priority)
		}
		if r.holds(s.now) {
			s.violate("%s holds the address, %s is master", r.name, m.name)
		}
	}
}

// checkCounters: every term as master that began has ended, but the present one.
func (s *sim) checkCounters(r *router) {
	now := uint64(0)
	if r.master {
		now = 1
	}
	if r.alive() && r.toMaster != r.fromMaster+now {
		s.violate("%s became master %d times and left that %d times", r.name, r.toMaster, r.fromMaster)
	}
}
