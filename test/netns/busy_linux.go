package netns

import (
	"sync"
	"testing"
	"time"
)

// Lateness measures how late the machine lets a sleeping thread run: what a
// timer of any process on it may have been late by, through no fault of its own.
type Lateness struct {
	mu   sync.Mutex
	late []late
}

type late struct {
	at time.Time
	by time.Duration
}

// probe is how often Lateness sleeps.
const probe = 5 * time.Millisecond

// MeasureLateness begins to measure, for as long as the test runs.
func MeasureLateness(t testing.TB) *Lateness {
	l, done := new(Lateness), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			begin := time.Now()
			select {
			case <-done:
				return
			case <-time.After(probe):
			}
			if by := time.Since(begin) - probe; by > probe {
				l.mu.Lock()
				l.late = append(l.late, late{time.Now(), by})
				l.mu.Unlock()
			}
		}
	})
	t.Cleanup(func() { close(done); wg.Wait() })
	return l
}

// Between is the worst since from, up to until.
func (l *Lateness) Between(from, until time.Time) (worst time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.late {
		if x.at.After(from) && x.at.Add(-x.by).Before(until) {
			worst = max(worst, x.by)
		}
	}
	return worst
}
