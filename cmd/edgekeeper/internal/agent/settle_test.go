package agent

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestSettle: a lone change is acted upon when it has settled, a stream of them
// all the same after a bounded time, and then not for each of them.
func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &agent{settled: time.NewTimer(time.Hour), begun: time.Now().Add(-time.Hour), spoken: map[string]bool{"kv": true}}
		a.settled.Stop()
		// decided gives when something was, of changes at intervals.
		decided := func(changes int, every time.Duration) (at []time.Duration) {
			began := time.Now()
			for i := range changes {
				if i > 0 {
					time.Sleep(every)
				}
				select {
				case <-a.settled.C:
					at, a.dirtySince = append(at, time.Since(began)), time.Time{} // as decide does
				default:
				}
				a.settle()
			}
			for {
				select {
				case <-a.settled.C:
					at, a.dirtySince = append(at, time.Since(began)), time.Time{}
				case <-time.After(time.Minute):
					return at
				}
			}
		}
		if at := decided(1, 0); len(at) != 1 || at[0] != settleMin {
			t.Errorf("one change: decided at %v, want %v", at, settleMin)
		}
		if at := decided(10, time.Millisecond); len(at) != 1 || at[0] != 9*time.Millisecond+settleMin {
			t.Errorf("a burst of ten: decided at %v, want once", at)
		}
		const stream = 3000
		at := decided(stream, time.Millisecond)
		if n := len(at); n < stream*int(time.Millisecond)/int(settleMax) || n > stream*int(time.Millisecond)/int(settleMax)+1 {
			t.Errorf("a stream of %d in as many milliseconds: decided %d times", stream, n)
		}
		before := time.Duration(0)
		for _, now := range at {
			if now-before > settleMax+time.Millisecond {
				t.Errorf("nothing was decided from %v to %v", before, now)
			}
			before = now
		}
	})
}
