package vrrptest

import (
	"math/rand/v2"
	"time"
)

// lan is what carries adverts between routers.
type lan struct {
	cut       [maxRouters][maxRouters]bool // cut[a][b]: what a sends does not reach b
	loss      float64                      // probability, per receiver
	duplicate float64
	delayMin  time.Duration
	delayMax  time.Duration
	changed   time.Duration // when it last became what it is
	whole     bool          // as heal leaves it: soon, in order, nothing lost
	last      [maxRouters][maxRouters]time.Duration
}

// perfect reports whether every advert from a reaches b once and soon.
func (l *lan) perfect(a, b int) bool { return l.loss == 0 && !l.cut[a][b] }

// heal mends everything.
func (l *lan) heal(now, delay time.Duration) {
	*l = lan{delayMin: delay / 2, delayMax: delay, changed: now, whole: true}
}

// storm makes it worse than it is.
func (l *lan) storm(rng *rand.Rand, now, interval time.Duration, routers int) {
	l.changed, l.whole = now, false
	switch rng.IntN(6) {
	case 0:
		l.loss = rng.Float64()
	case 1:
		l.duplicate = rng.Float64() / 2
	case 2: // reordering, up to two intervals
		l.delayMin = 0
		l.delayMax = time.Duration(rng.Int64N(int64(2 * interval)))
	case 3: // one cable, one direction
		l.cut[rng.IntN(routers)][rng.IntN(routers)] = true
	case 4: // one router alone
		a := rng.IntN(routers)
		for b := range routers {
			l.cut[a][b], l.cut[b][a] = true, true
		}
	case 5: // two halves
		side := rng.Uint32()
		for a := range routers {
			for b := range routers {
				l.cut[a][b] = side>>a&1 != side>>b&1
			}
		}
	}
}

// arrival draws when an advert that from sends now reaches to.
func (l *lan) arrival(rng *rand.Rand, now time.Duration, from, to int) time.Duration {
	at := now + l.delay(rng)
	if l.whole {
		at = max(at, l.last[from][to])
		l.last[from][to] = at
	}
	return at
}

// delay draws the time one advert is on its way.
func (l *lan) delay(rng *rand.Rand) time.Duration {
	if l.delayMax <= l.delayMin {
		return l.delayMin
	}
	return l.delayMin + time.Duration(rng.Int64N(int64(l.delayMax-l.delayMin)))
}
