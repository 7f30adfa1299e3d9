package discovery

import (
	"fmt"
	"math"
	"time"
)

// SlowStart gives a real server that begins to take connections a growing share
// of its weight, so that a cold one is not met with its full load (and a
// scheduler that counts connections, such as wlc, does not send it everything).
// The formula is Envoy's slow start mode:
//
//	weight * max(min_weight, (age / window) ^ (1 / aggression))
//
// Weights are relative, so the share is that of the real server which has served
// the longest: of a pool that was empty all are as cold as the first, and it has
// its full weight from the beginning.
type SlowStart struct {
	Window     time.Duration // time to the full weight; 0: no slow start
	Aggression float64       // 1 grows evenly, more begins faster; above 0
	MinWeight  float64       // least share, from 0 to 1
}

// slowSteps is the number of steps in a window: each is a request to the kernel.
const slowSteps = 20

// Share gives Envoy's factor for a real server of that age, from 0 to 1.
func (c SlowStart) Share(age time.Duration) float64 {
	if age >= c.Window {
		return 1
	}
	t := float64(max(age, 0)) / float64(c.Window)
	return max(c.MinWeight, math.Pow(t, 1/c.Aggression))
}

// relative gives the share of a real server that has served since then, beside
// one that has served since first (zero: for long), in force at now: the one of
// the step that was last. next is when the next step is due, zero when it has
// its full weight.
func (c SlowStart) relative(since, first, now time.Time) (share float64, next time.Time) {
	age := now.Sub(since)
	if since.IsZero() || age >= c.Window || !since.After(first) {
		return 1, time.Time{}
	}
	step := max(c.Window/slowSteps, 1)
	age = age.Truncate(step)
	beside := 1.0
	if !first.IsZero() {
		beside = c.Share(since.Add(age).Sub(first))
	}
	return min(c.Share(age)/beside, 1), since.Add(min(age+step, c.Window))
}

// ageOf is the age at which a real server has that share: the reverse of Share.
func (c SlowStart) ageOf(share float64) time.Duration {
	return time.Duration(math.Pow(share, c.Aggression) * float64(c.Window))
}

// slowStart notes since when real servers take connections, and lowers the
// weight of those that have begun lately. What counts for quorum is the weight
// without it.
func slowStart(spec Spec, now time.Time, servers []*server, d *Decision) {
	first := now
	for _, s := range servers {
		s.full = s.effective
		if (s.state == HeldBack || s.state == Kept) && !s.fromKV {
			s.full = max(s.effective, int(s.past.Full))
		}
		if !s.in || s.effective == 0 {
			continue
		}
		s.since = s.servesSince(spec.SlowStart, now)
		if s.since.Before(first) {
			first = s.since
		}
	}
	if spec.SlowStart.Window <= 0 {
		return
	}
	var tooLight int
	for _, s := range servers {
		if !s.in || s.state != Serving || s.effective == 0 {
			continue
		}
		if s.full == 1 {
			tooLight++
		}
		share, next := spec.SlowStart.relative(s.since, first, now)
		if next.IsZero() {
			continue
		}
		if d.Next.IsZero() || next.Before(d.Next) {
			d.Next = next
		}
		weight := max(1, int(math.Round(share*float64(s.full))))
		if weight == s.full {
			continue
		}
		s.effective = weight
		s.slow = &SlowStatus{Share: share, Full: s.since.Add(spec.SlowStart.Window)}
		s.reason += fmt.Sprintf("; slow start: %.0f %% of its weight, all of it %s after it began", 100*share, spec.SlowStart.Window)
	}
	if tooLight > 0 {
		d.Warnings = append(d.Warnings, fmt.Sprintf("slow_start changes nothing for a real server of weight 1, and %d have that: weights are whole numbers, so give larger ones (such as weight = 100)", tooLight))
	}
}

// servesSince tells since when a server that is in the pool with a weight takes
// connections; zero is for long.
func (s *server) servesSince(c SlowStart, now time.Time) time.Time {
	past := s.past
	switch {
	case s.panicked:
		return time.Time{} // all are used, and none is spared
	case !past.Live:
		return now
	case past.Adopted && s.state == Serving && int(past.Weight) < s.weight && c.Window > 0:
		// A restart amid a slow start: the kernel's weight tells how far it had come.
		return now.Add(-c.ageOf(float64(past.Weight) / float64(s.weight)))
	}
	return past.Since
}

// SlowStatus is the slow start of a real server.
type SlowStatus struct {
	Share float64   `json:"share"`          // of its weight, now
	Full  time.Time `json:"full_weight_at"` // when it has all of it
}
