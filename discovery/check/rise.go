package check

import "github.com/edgekeeper/edgekeeper/discovery"

// Rise turns results of attempts into a health. The zero value decides on the
// first result either way. It holds no clock and may be copied.
type Rise struct {
	retries, rise int
	health        discovery.Health // Pending: not decided, and nobody vouched for the target
	decided       bool             // by results, not by the seed
	fails, oks    int              // in a row
}

// NewRise makes one that goes down after 1+retries failures in a row and up
// after rise successes in a row. seed is what was believed before the first
// attempt: a target believed up has its first failures forgiven like later
// ones; with Pending the first result decides, which for a failure is what
// keepalived does (checkers start with alpha, or fail at once without).
func NewRise(retries, rise int, seed discovery.Health) Rise {
	return Rise{retries: max(retries, 0), rise: max(rise, 1), health: seed}
}

// Health is Pending until results have decided.
func (r *Rise) Health() discovery.Health {
	if !r.decided {
		return discovery.Pending
	}
	return r.health
}

// Observe takes the result of an attempt. It reports whether the next one
// should follow after the retry delay rather than the interval.
func (r *Rise) Observe(ok bool) (retry bool) {
	if ok {
		r.fails, r.oks = 0, r.oks+1
		if r.health != discovery.Down || r.oks >= r.rise {
			r.health, r.decided = discovery.Up, true
		}
		return false
	}
	r.oks, r.fails = 0, r.fails+1
	if r.health == discovery.Up && r.fails <= r.retries {
		return true
	}
	r.health, r.decided = discovery.Down, true
	return false
}
