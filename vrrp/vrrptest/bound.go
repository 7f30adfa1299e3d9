package vrrptest

import (
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// slack is for timers rounded to the nanosecond.
const slack = time.Millisecond

// bounds is how long a calm may last before there must be a master (served), and
// before it must be the right one, alone, and nothing changes any more (right).
//
// With MD(p) = DownMultiplier * I + Skew(p), the master-down time of RFC 9568:
//
//	served = W + I + MD(highest) + 2 C + X
//	right  = W + I + MD(lowest) + 2 C + X                       [MD alone in the RFC]
//	         + H + D + (when H or D) I + MD(lowest) + 2 C + X
//
// W: the storm's adverts that are still on their way may restart timers for so
// long. I: a backup that wakes up late listens for one interval. C = I/4: a claim,
// and one more by a router that wakes up late. X = I + 2 d: two masters hear each
// other's next advert and the answer, d being the delay of the LAN. H: what is
// left of a handover and its hold. D: PreemptDelay. All by the slowest clock.
func (s *sim) bounds() (served, right time.Duration) {
	highest, lowest := vrrp.PriorityMin, vrrp.PriorityOwner
	for _, r := range s.routers {
		switch {
		case r.startAt != 0:
			highest, lowest = max(highest, r.rank), min(lowest, r.rank)
		case r.alive():
			highest, lowest = max(highest, r.priority), min(lowest, r.priority)
		}
	}
	v, i, multiplier, preemptDelay := s.site.Version, s.interval, s.site.DownMultiplier, s.site.PreemptDelay
	wire := s.pending()
	x := i + 2*s.delay
	c := i / 4
	served = i + v.MasterDown(i, multiplier, highest) + 2*c + x
	rest := i + v.MasterDown(i, multiplier, lowest) + 2*c + x
	right = rest
	h := time.Duration(0)
	if s.handed != 0 {
		// handoverWait is at most the longest skew and half an interval.
		h = max(0, s.handed+v.Skew(i, 0)+i/2+s.hold-s.now)
	}
	if h > 0 || preemptDelay > 0 {
		right += h + preemptDelay + rest
	}
	slow := s.slowest()
	extra := wire + slack
	for _, r := range s.routers {
		if r.startAt != 0 {
			extra = max(extra, r.startAt-s.now+wire+slack)
		}
	}
	return extra + lasts(served, slow), extra + lasts(right, slow)
}

// expectTakeover: the settled master r is lost, and adverts are silent from now
// on. The best backup takes over when its master-down time ends:
//
//	MD(p) after the last advert, and d for that to arrive
func (s *sim) expectTakeover(r *router) {
	best := s.successor(r)
	if best == nil {
		return
	}
	down := best.cfg.Version.MasterDown(best.interval, best.cfg.DownMultiplier, best.priority)
	s.takeover.by = s.now + s.delay + lasts(down, best.clock.ppm) + slack
	s.report.Takeovers++
}

// expectSuccessor: r, lost and waited for (expectTakeover), has said priority 0,
// itself or by its guardian. Then the best backup takes over after
//
//	Skew(p), and d for the priority 0 to arrive
func (s *sim) expectSuccessor(r *router) {
	best := s.successor(r)
	if s.takeover.by == 0 || best == nil {
		return
	}
	skew := best.cfg.Version.Skew(best.interval, best.priority)
	s.takeover.by = min(s.takeover.by, s.now+s.delay+lasts(skew, best.clock.ppm)+slack)
}

// successor is the running router of the highest priority but r.
func (s *sim) successor(r *router) (best *router) {
	for _, x := range s.routers {
		if x != r && x.running() && !x.failed && (best == nil || x.priority > best.priority) {
			best = x
		}
	}
	return best
}
