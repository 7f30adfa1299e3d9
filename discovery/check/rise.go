package check

import (
	"math"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// Rise turns results of attempts into a health. The zero value decides on the
// first result either way. It holds no clock and may be copied.
type Rise struct {
	retries, rise uint16
	fails, oks    uint16           // in a row, as far as they are counted
	health        discovery.Health // Pending: not decided, and nobody vouched for the target
	decided       bool             // by results, not by the seed
}

// NewRise makes one that goes down after 1+retries failures in a row and up
// after rise successes in a row; 65,535 are the most of either. seed is what was
// believed before the first attempt: a target believed up has its first failures
// forgiven like later ones; with Pending the first result decides, which for a
// failure is what keepalived does (checkers start with alpha, or fail at once
// without).
func NewRise(retries, rise int, seed discovery.Health) Rise {
	return Rise{retries: small(max(retries, 0)), rise: small(max(rise, 1)), health: seed}
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
		r.fails, r.oks = 0, small(int(r.oks)+1)
		if r.health != discovery.Down || r.oks >= r.rise {
			r.health, r.decided = discovery.Up, true
		}
		return false
	}
	r.oks = 0
	if r.health == discovery.Up && r.fails < r.retries {
		r.fails++
		return true
	}
	r.health, r.decided = discovery.Down, true
	return false
}

// small keeps a count within its type.
func small(n int) uint16 { return uint16(min(n, math.MaxUint16)) }
