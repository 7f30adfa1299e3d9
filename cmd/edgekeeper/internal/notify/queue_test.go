package notify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// TestMain runs the tests, or is the program that they run.
func TestMain(m *testing.M) {
	if os.Getenv("HOME") == programHome {
		program()
		return
	}
	goleak.VerifyTestMain(m)
}

// recorder is a target that does what it is told and remembers what it was.
type recorder struct {
	mu     sync.Mutex
	got    []string
	busy   bool
	closed int
	do     func(ctx context.Context, n int) error // n counts attempts from 1
	n      int
}

func (r *recorder) Deliver(ctx context.Context, e Event) error {
	r.mu.Lock()
	if r.busy {
		panic("called twice at once")
	}
	r.busy = true
	r.n++
	n := r.n
	r.mu.Unlock()
	var err error
	if r.do != nil {
		err = r.do(ctx, n)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = false
	if err == nil {
		r.got = append(r.got, fmt.Sprintf("%d %s %s", e.Seq, e.Object, e.State))
	}
	return err
}

func (r *recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed++
	return nil
}

func (r *recorder) heard() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// takes makes a delivery last.
func takes(d time.Duration) func(context.Context, int) error {
	return func(ctx context.Context, _ int) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func hang(ctx context.Context, _ int) error {
	<-ctx.Done()
	return ctx.Err()
}

// run runs a queue in a bubble until the test's end.
func run(t *testing.T, q *Queue) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func put(q *Queue, object string, states ...string) {
	for _, s := range states {
		q.Put(Event{Object: object, State: s})
	}
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fast, slow := &recorder{}, &recorder{do: takes(3 * time.Second)}
		q := New(nil)
		q.Set([]Route{{Name: "fast", Target: fast}, {Name: "slow", Target: slow}})
		put(q, "a", "before Run")
		defer run(t, q)()
		for _, object := range []string{"b", "c", "d"} {
			put(q, object, "MASTER")
			synctest.Wait()
		}
		all := []string{"1 a before Run", "2 b MASTER", "3 c MASTER", "4 d MASTER"}
		want(t, "fast target, which does not wait for the slow one", fast.heard(), all...)
		want(t, "slow target", slow.heard())
		if s := q.Status()[1]; s.Queued != 4 || s.Delivered != 0 {
			t.Errorf("slow target's status %+v, want 4 queued", s)
		}
		time.Sleep(12*time.Second + time.Millisecond)
		synctest.Wait()
		want(t, "slow target in the end", slow.heard(), all...)
		if s := q.Status()[1]; s.Queued != 0 || s.Delivered != 4 || s.Failing {
			t.Errorf("slow target's status %+v, want 4 delivered", s)
		}
	})
}

func TestCoalescing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &recorder{do: takes(time.Second)}
		q := New(nil)
		q.Set([]Route{{Name: "slow", Target: slow}})
		defer run(t, q)()
		put(q, "a", "BACKUP")
		synctest.Wait() // is being delivered
		put(q, "a", "MASTER")
		put(q, "b", "BACKUP")
		put(q, "a", "FAULT", "BACKUP", "MASTER")
		q.Put(Event{Kind: Pool, Object: "p", Aspect: "held", State: "HELD"})
		q.Put(Event{Kind: Pool, Object: "p", Aspect: "quorum", State: "LOST"})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		want(t, "what a slow target hears", slow.heard(), "1 a BACKUP", "3 b BACKUP", "6 a MASTER", "7 p HELD", "8 p LOST")
		if s := q.Status()[0]; s.Coalesced != 3 || s.Delivered != 5 {
			t.Errorf("status %+v, want 3 coalesced and 5 delivered", s)
		}
	})
}

func TestBoundedMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(nil)
		stuck := &recorder{do: hang}
		q.Set([]Route{{Name: "stuck", Target: stuck, Timeout: time.Hour}})
		defer run(t, q)()
		put(q, "first", "X")
		synctest.Wait()
		for i := range 3 * maxPending {
			q.Put(Event{Object: fmt.Sprint(i % (2 * maxPending)), State: "X", Reason: strings.Repeat("ü", maxReason)})
		}
		s := q.Status()[0]
		if s.Queued != maxPending+1 || !strings.Contains(s.LastError, "the oldest was given up") {
			t.Errorf("status %+v, want %d queued", s, maxPending+1)
		}
		for _, e := range q.workers[0].pending {
			if len(e.Reason) > maxReason {
				t.Fatalf("a reason of %d bytes waits", len(e.Reason))
			}
		}
	})
}

var errBroken = errors.New("broken")

func TestTimeoutAndRetries(t *testing.T) {
	for _, c := range []struct {
		name     string
		route    Route
		do       func(context.Context, int) error
		attempts int
		failed   uint64
		reports  []string
		within   time.Duration
	}{
		{
			name: "a target that hangs is given up after its timeout", do: hang, route: Route{Timeout: 2 * time.Second},
			attempts: 1, failed: 1, reports: []string{"1 false"}, within: 2 * time.Second,
		},
		{
			name: "retries come later and later, first and last failure are reported", do: func(context.Context, int) error { return errBroken },
			route: Route{Retries: 3}, attempts: 4, failed: 1, reports: []string{"1 true", "4 false"}, within: 9 * time.Second,
		},
		{
			name: "a target that comes back is told", route: Route{Retries: 3},
			do: func(_ context.Context, n int) error {
				if n < 3 {
					return errBroken
				}
				return nil
			},
			attempts: 3, reports: []string{"1 true"}, within: 4 * time.Second,
		},
		{
			name: "a permanent failure is not repeated", route: Route{Retries: 3},
			do:       func(context.Context, int) error { return fmt.Errorf("refused: %w", ErrPermanent) },
			attempts: 1, failed: 1, reports: []string{"1 false"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var reports []string
				r := &recorder{do: c.do}
				q := New(func(f Failure) { reports = append(reports, fmt.Sprint(f.Attempt, " ", f.Again)) })
				c.route.Target = r
				q.Set([]Route{c.route})
				defer run(t, q)()
				begin := time.Now()
				put(q, "a", "MASTER")
				flushed := make(chan struct{})
				go func() { // wait without Flush, which hurries
					for q.Status()[0].Queued > 0 {
						time.Sleep(time.Millisecond)
					}
					close(flushed)
				}()
				<-flushed
				if d := time.Since(begin); d > c.within+10*time.Millisecond {
					t.Errorf("took %s, want at most %s", d, c.within)
				}
				if s := q.Status()[0]; r.n != c.attempts || s.Failed != c.failed || s.Failing != (c.failed > 0) {
					t.Errorf("%d attempts, status %+v; want %d attempts, %d failed", r.n, s, c.attempts, c.failed)
				}
				want(t, "reports", reports, c.reports...)
			})
		})
	}
}

func TestRetriesEndWhenSomethingNewerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		r := &recorder{do: func(context.Context, int) error {
			if broken {
				return errBroken
			}
			return nil
		}}
		q := New(nil)
		q.Set([]Route{{Name: "x", Target: r, Retries: Forever}})
		defer run(t, q)()
		put(q, "a", "MASTER")
		time.Sleep(time.Hour)
		synctest.Wait()
		if r.n < 100 {
			t.Errorf("%d attempts in an hour", r.n)
		}
		broken = false
		put(q, "a", "BACKUP")
		synctest.Wait()
		want(t, "heard", r.heard(), "2 a BACKUP")
	})
}

func TestFlush(t *testing.T) {
	const limit = 2 * time.Second
	for _, c := range []struct {
		name    string
		do      func(context.Context, int) error
		heard   []string
		takes   time.Duration
		reports int
	}{
		{name: "a fast target", heard: []string{"1 a MASTER", "2 b MASTER", "3 a STOP"}},
		{name: "a slow target", do: takes(300 * time.Millisecond), heard: []string{"1 a MASTER", "2 b MASTER", "3 a STOP"}, takes: 900 * time.Millisecond},
		{
			name: "one that hangs in the first delivery is told the rest after half of the time",
			do: func(ctx context.Context, n int) error {
				if n == 1 {
					return hang(ctx, n)
				}
				return nil
			},
			heard: []string{"2 b MASTER", "3 a STOP"}, takes: limit / 2, reports: 1,
		},
		{name: "one that always hangs", do: hang, takes: limit, reports: 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reports := 0
				q := New(func(Failure) { reports++ })
				r := &recorder{do: c.do}
				q.Set([]Route{{Name: "x", Target: r, Retries: Forever, Timeout: time.Hour}})
				stop := run(t, q)
				put(q, "a", "MASTER")
				synctest.Wait()
				put(q, "b", "MASTER")
				put(q, "a", "STOP")
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				q.Flush(ctx)
				if d := time.Since(begin); d != c.takes {
					t.Errorf("Flush took %s, want %s", d, c.takes)
				}
				stop()
				want(t, "heard", r.heard(), c.heard...)
				if reports != c.reports || r.closed != 1 {
					t.Errorf("%d failures reported, closed %d times; want %d and 1", reports, r.closed, c.reports)
				}
			})
		})
	}
}

func TestSetInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := &recorder{do: func(context.Context, int) error { return errBroken }}
		kept, gone, fresh := &recorder{}, &recorder{do: takes(time.Second)}, &recorder{}
		q := New(nil)
		q.Set([]Route{{Name: "kept", Target: kept}, {Name: "changed", Target: broken, Retries: Forever}, {Name: "gone", Target: gone}})
		stop := run(t, q)
		put(q, "a", "MASTER")
		put(q, "b", "MASTER")
		q.Put(Event{Kind: Pool, Object: "p", State: "HELD"})
		time.Sleep(500 * time.Millisecond)

		mended := &recorder{}
		q.Set([]Route{
			{Name: "changed", Target: mended, Wants: func(e Event) bool { return e.Kind == VRRP }},
			{Name: "kept", Target: kept}, {Name: "fresh", Target: fresh},
		})
		put(q, "c", "MASTER")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		want(t, "kept", kept.heard(), "1 a MASTER", "2 b MASTER", "3 p HELD", "4 c MASTER")
		want(t, "changed, which takes over what waited", mended.heard(), "1 a MASTER", "2 b MASTER", "4 c MASTER")
		want(t, "gone, which finishes what it was at", gone.heard(), "1 a MASTER")
		want(t, "fresh", fresh.heard(), "4 c MASTER")
		for name, r := range map[string]struct {
			*recorder
			closed int
		}{"broken": {broken, 1}, "gone": {gone, 1}, "kept": {kept, 0}, "mended": {mended, 0}} {
			if r.recorder.closed != r.closed {
				t.Errorf("%s was closed %d times, want %d", name, r.recorder.closed, r.closed)
			}
		}
		var names []string
		for _, s := range q.Status() {
			names = append(names, fmt.Sprint(s.Name, " ", s.Delivered))
		}
		want(t, "status", names, "changed 3", "kept 4", "fresh 1")
		stop()
		if kept.closed != 1 || mended.closed != 1 {
			t.Errorf("closed %d and %d times at the end, want once", kept.closed, mended.closed)
		}
	})
}

func TestKindNames(t *testing.T) {
	for k := range Kind(len(kinds)) {
		if got, err := ParseKind(k.String()); err != nil || got != k {
			t.Errorf("ParseKind(%q) = %v, %v", k, got, err)
		}
	}
	if k, err := ParseKind("vrp"); err == nil {
		t.Errorf("vrp is %v", k)
	}
}
