package check

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/discovery"
)

var spec = discovery.CheckSpec{
	Type: discovery.TCP, Interval: 6 * time.Second, Timeout: 3 * time.Second, Retries: 3, RetryDelay: time.Second, Rise: 2,
}

func target(i int) discovery.Check {
	return spec.For(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80))
}

// world is a scheduler in virtual time whose probes do what the test says.
type world struct {
	*Scheduler
	mu      sync.Mutex
	do      map[discovery.Check]Probe // nil: succeeds
	starts  map[discovery.Check][]time.Duration
	flying  int
	most    int
	said    []string
	last    map[discovery.Check]stated // that was emitted
	began   time.Time
	stopped func()
}

// stated is a verdict, and when it was emitted, since the world began.
type stated struct {
	discovery.Verdict
	at time.Duration
}

func newWorld(t *testing.T, most int) *world {
	w := &world{do: make(map[discovery.Check]Probe), starts: make(map[discovery.Check][]time.Duration), last: make(map[discovery.Check]stated), began: time.Now()}
	w.Scheduler = NewScheduler(Config{MaxInFlight: most, New: w.probe})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.Run(ctx, w.emit); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	w.stopped = func() {
		before := time.Now()
		cancel()
		wg.Wait()
		if d := time.Since(before); d != 0 {
			t.Errorf("Run took %v to stop", d)
		}
	}
	return w
}

func (w *world) probe(c discovery.Check) (Probe, error) {
	if c.Spec().HTTP.Body == "(" {
		return nil, errors.New("body pattern: missing )")
	}
	return func(ctx context.Context) (Note, error) {
		w.mu.Lock()
		w.starts[c] = append(w.starts[c], time.Since(w.began))
		w.flying++
		w.most = max(w.most, w.flying)
		do := w.do[c]
		w.mu.Unlock()
		defer func() {
			w.mu.Lock()
			w.flying--
			w.mu.Unlock()
		}()
		if do == nil {
			return Note{}, nil
		}
		return do(ctx)
	}, nil
}

func (w *world) emit(s *discovery.Said) {
	c, v := s.Check(), s.Verdict()
	w.mu.Lock()
	defer w.mu.Unlock()
	text := fmt.Sprintf("%v %v %s: %s", time.Since(w.began).Round(10*time.Millisecond), c.Target.Addr(), v.Health, v.Reason)
	if v.Warning != "" {
		text += "; " + v.Warning
	}
	if v.Blocked != "" {
		text += "; blocked: " + v.Blocked
	}
	if v.Weight != (discovery.WeightAdvice{}) {
		text += fmt.Sprintf("; weight %+v", v.Weight)
	}
	w.said = append(w.said, text)
	w.last[c] = stated{v, time.Since(w.began)}
}

// verdict gives the last verdict on a target, and whether there is one.
func (w *world) verdict(i int) (stated, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.last[target(i)]
	return v, ok
}

func (w *world) set(i int, p Probe) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.do[target(i)] = p
}

// after lets time go by and gives what was emitted.
func (w *world) after(d time.Duration) []string {
	time.Sleep(d)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	said := w.said
	w.said = nil
	return said
}

func (w *world) attempts(i int) []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.starts[target(i)])
}

func fail(err error) Probe { return func(context.Context) (Note, error) { return Note{}, err } }

func hang(ctx context.Context) (Note, error) {
	<-ctx.Done()
	return Note{}, ctx.Err()
}

func pendings(n int) map[discovery.Check]Seed {
	m := make(map[discovery.Check]Seed)
	for i := range n {
		m[target(i)] = discovery.Pending
	}
	return m
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("emitted (-want +got):\n%s", diff)
	}
}

// checks counts those that the scheduler knows.
func (w *world) checks() int {
	w.Scheduler.mu.Lock()
	defer w.Scheduler.mu.Unlock()
	return len(w.entries)
}
