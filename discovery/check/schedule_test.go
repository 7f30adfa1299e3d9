package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

func TestVerdicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		defer w.stopped()
		w.Set(map[discovery.Check]Seed{target(1): discovery.Pending})
		expect(t, w.after(0), "0s 10.0.0.1 up: ok")
		expect(t, w.after(time.Hour)) // the same all the time
		times := w.attempts(1)
		if n := len(times); n < 599 || n > 602 {
			t.Errorf("%d attempts in an hour at 6s", n)
		}
		for i := 2; i < len(times); i++ {
			if d := times[i] - times[i-1]; d != spec.Interval {
				t.Fatalf("attempt %d started %v after the one before", i, d)
			}
		}

		// Down after 1+3 failures, each retry a second after the one before
		// ended.
		w.set(1, fail(syscall.ECONNREFUSED))
		n := len(times)
		said := w.after(10 * time.Second)
		times = w.attempts(1)[n:]
		if len(said) != 1 || times[3]-times[0] != 3*time.Second {
			t.Fatalf("emitted %q, attempts at %v", said, times)
		}
		if v, _ := w.verdict(1); v.Health != discovery.Down || v.Reason != "connection refused" || v.at != times[3] {
			t.Errorf("verdict %+v", v)
		}
		// While it is down, attempts go on at the interval, and another reason
		// is news.
		w.after(6 * time.Second)
		w.set(1, hang)
		if said := w.after(12 * time.Second); len(said) != 1 || said[0][len(said[0])-len("10.0.0.1 down: timeout after 3s"):] != "10.0.0.1 down: timeout after 3s" {
			t.Fatalf("emitted %q", said)
		}
		times = w.attempts(1)
		if d := times[len(times)-1] - times[len(times)-2]; d != spec.Interval {
			t.Errorf("attempts while down are %v apart", d)
		}
		// Up after two successes.
		n = len(times)
		w.set(1, nil)
		if said := w.after(18 * time.Second); len(said) != 1 {
			t.Fatalf("emitted %q", said)
		}
		if v, _ := w.verdict(1); v.Health != discovery.Up || v.at != w.attempts(1)[n+1] {
			t.Errorf("verdict %+v, attempts %v", v, w.attempts(1)[n:])
		}
	})
}

func TestFirstVerdictsComeAtOnceAndAttemptsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		defer w.stopped()
		const n = 1000
		w.Set(pendings(n))
		if said := w.after(0); len(said) != n {
			t.Fatalf("%d verdicts at once", len(said))
		}
		w.after(30 * time.Second)
		var perSecond [6]int
		for i := range n {
			times := w.attempts(i)
			perSecond[int(times[len(times)-1]/time.Second)%6]++
		}
		for _, k := range perSecond {
			if k < n/6/2 || k > n/6*2 {
				t.Fatalf("attempts by second of the interval: %v", perSecond)
			}
		}
	})
}

func TestConcurrencyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		defer w.stopped()
		for i := range 100 {
			w.set(i, hang)
		}
		w.Set(pendings(100))
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if s := w.Stats(); s.InFlight != 10 || s.Queued != 90 || s.Checks != 100 {
			t.Errorf("stats %+v", s)
		}
		if said := w.after(31 * time.Second); len(said) < 100 {
			t.Errorf("%d verdicts", len(said))
		}
		if w.most != 10 {
			t.Errorf("%d at once, want 10", w.most)
		}
	})
}

func TestSeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		defer w.stopped()
		for i := range 3 {
			w.set(i, fail(syscall.ECONNREFUSED))
		}
		w.Set(map[discovery.Check]Seed{target(0): discovery.Pending, target(1): discovery.Up, target(2): discovery.Down, target(3): discovery.Up})
		said := w.after(0)
		slices.Sort(said)
		expect(t, said, "0s 10.0.0.0 down: connection refused", "0s 10.0.0.2 down: connection refused", "0s 10.0.0.3 up: ok")
		if _, ok := w.verdict(1); ok {
			t.Error("a verdict before one was reached")
		}
		expect(t, w.after(5*time.Second), "3s 10.0.0.1 down: connection refused")
	})
}

func TestWhatIsNotTheTargetsFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		defer w.stopped()
		w.Set(pendings(1))
		w.after(time.Minute)
		w.set(0, fail(fmt.Errorf("dial: %w", syscall.EMFILE)))
		n := len(w.attempts(0))
		said := w.after(time.Minute)
		if len(said) != 1 || !strings.HasSuffix(said[0], "10.0.0.0 up: ok; blocked: dial: too many open files") {
			t.Errorf("emitted %q, want the reason once", said)
		}
		if more := len(w.attempts(0)) - n; more < 50 || more > 62 {
			t.Errorf("%d attempts in a minute without descriptors, want one a second", more)
		}
		if s := w.Stats(); s.Void < 50 || s.Failures != 0 {
			t.Errorf("stats %+v", s)
		}
		w.set(0, nil)
		if said := w.after(time.Minute); len(said) != 1 || !strings.HasSuffix(said[0], "10.0.0.0 up: ok") {
			t.Errorf("emitted %q, want the end of the trouble once", said)
		}

		// The process stops: an attempt ends far behind its timeout. Once that
		// proves nothing, even where no failure is forgiven.
		unforgiving := spec
		unforgiving.Retries = 0
		strict := unforgiving.For(target(7).Target)
		late := true
		w.do[strict] = func(context.Context) (Note, error) {
			if !late {
				return Note{}, nil
			}
			late = false
			time.Sleep(10 * time.Second)
			return Note{}, context.DeadlineExceeded
		}
		w.Set(map[discovery.Check]Seed{strict: discovery.Up})
		expect(t, w.after(30*time.Second), "3m10s 10.0.0.7 up: ok")
		w.mu.Lock()
		w.do[strict] = func(context.Context) (Note, error) {
			time.Sleep(10 * time.Second)
			return Note{}, context.DeadlineExceeded
		}
		w.mu.Unlock()
		if said := w.after(time.Minute); len(said) != 1 {
			t.Errorf("emitted %q after many late failures", said)
		}
		w.Set(nil)
		w.after(20 * time.Second)
	})
}

// After a pause everything is due, and not everything is done at once.
func TestPauseIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 600
		w := &world{do: make(map[discovery.Check]Probe), starts: make(map[discovery.Check][]time.Duration), last: make(map[discovery.Check]stated), began: time.Now()}
		r := &runner{Scheduler: NewScheduler(Config{New: w.probe}), ctx: t.Context(), emit: w.emit, began: w.began, results: make(chan result, n)}
		r.want = pendings(n)
		r.apply()
		for _, e := range r.entries {
			e.begun, e.paced = true, true
		}
		time.Sleep(time.Minute)
		r.start(time.Now())
		if r.flying != 0 || len(r.queue) != 0 || len(r.heap) != n {
			t.Errorf("%d attempts at once after a pause, %d queued, %d waiting", r.flying, len(r.queue), len(r.heap))
		}
		time.Sleep(3 * time.Second)
		r.start(time.Now())
		if r.flying < n/3 || r.flying > n*2/3 {
			t.Errorf("%d of %d attempts in half an interval", r.flying, n)
		}
		// A loop that is always late still makes its checks.
		time.Sleep(time.Minute)
		for before := -1; r.flying != before; {
			before = r.flying
			r.start(time.Now())
			if r.flying-before > atOnce {
				t.Errorf("%d attempts begun together", r.flying-before)
			}
		}
		if r.flying != n {
			t.Errorf("%d of %d attempts", r.flying, n)
		}
		r.wg.Wait()
	})
}

func TestPanicIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		defer w.stopped()
		w.set(0, func(context.Context) (Note, error) { panic("boom") })
		w.Set(pendings(1))
		expect(t, w.after(0), "0s 10.0.0.0 down: probe panicked: boom")
		wrong := spec
		wrong.HTTP.Body = "("
		bad := wrong.For(target(5).Target)
		w.Set(map[discovery.Check]Seed{bad: discovery.Pending})
		expect(t, w.after(0), "0s 10.0.0.5 down: body pattern: missing )")
	})
}

// TestNotes: what a success says beside that is emitted when it changes, and
// is gone with the success.
func TestNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		defer w.stopped()
		c := spec
		c.Retries = 0
		check := c.For(target(0).Target)
		var mu sync.Mutex
		note, fails := Note{Warning: "certificate expires soon"}, false
		w.do[check] = func(context.Context) (Note, error) {
			mu.Lock()
			defer mu.Unlock()
			if fails {
				return Note{}, syscall.ECONNREFUSED
			}
			return note, nil
		}
		say := func(n Note, f bool) []string {
			mu.Lock()
			note, fails = n, f
			mu.Unlock()
			said := w.after(15 * time.Second)
			for i := range said {
				_, said[i], _ = strings.Cut(said[i], " ")
			}
			return said
		}
		w.Set(map[discovery.Check]Seed{check: discovery.Pending})
		expect(t, say(note, false), "10.0.0.0 up: ok; certificate expires soon")
		expect(t, say(Note{Weight: discovery.WeightAdvice{Replace: true, Value: 3}}, false), "10.0.0.0 up: ok; weight {Replace:true Value:3}")
		expect(t, say(Note{Weight: discovery.WeightAdvice{Replace: true, Value: 3}}, false))
		expect(t, say(Note{}, true), "10.0.0.0 down: connection refused")
		expect(t, say(Note{Weight: discovery.WeightAdvice{Value: -1}}, false), "10.0.0.0 up: ok; weight {Replace:false Value:-1}")
	})
}

// TestBlockedFromTheStart: a check that can never be made says why.
func TestBlockedFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		defer w.stopped()
		w.set(0, fail(&localError{"set mark 7", syscall.EPERM}))
		w.Set(pendings(1))
		expect(t, w.after(time.Minute), "0s 10.0.0.0 pending: ; blocked: set mark 7: operation not permitted")
	})
}

// TestJitter: intervals differ, within what was asked for.
func TestJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		defer w.stopped()
		c := spec
		c.Jitter = 2 * time.Second
		check := c.For(target(0).Target)
		w.Set(map[discovery.Check]Seed{check: discovery.Pending})
		w.after(time.Hour)
		w.mu.Lock()
		defer w.mu.Unlock()
		times := w.starts[check]
		seen := map[time.Duration]bool{}
		for i := 2; i < len(times); i++ {
			d := times[i] - times[i-1]
			seen[d] = true
			if d < spec.Interval || d > spec.Interval+c.Jitter {
				t.Fatalf("%v between two attempts", d)
			}
		}
		if len(seen) < 100 {
			t.Errorf("%d different intervals in %d", len(seen), len(times))
		}
	})
}

// A check without an interval must not turn in circles.
func TestNoBusyLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		defer w.stopped()
		idle := spec
		idle.Interval = 0
		c := idle.For(target(0).Target)
		w.Set(map[discovery.Check]Seed{c: discovery.Pending})
		w.after(time.Second)
		if s := w.Stats(); s.Attempts > 110 {
			t.Errorf("%d attempts in a second", s.Attempts)
		}
	})
}

// TestTogether: checks of one interval share moments to start at, and keep them.
// The process is woken for sixteen at a time where they are few, and 256 times in
// an interval at most, however many they are.
func TestTogether(t *testing.T) {
	for _, c := range []struct{ checks, most int }{{160, 32}, {1000, 62}, {3000, 187}, {8000, 256}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 0)
			defer w.stopped()
			w.Set(pendings(c.checks))
			w.after(10 * spec.Interval)
			w.mu.Lock()
			defer w.mu.Unlock()
			moments, starts := map[time.Duration]bool{}, 0
			for _, times := range w.starts {
				for _, at := range times {
					if at >= 9*spec.Interval {
						moments[at], starts = true, starts+1
					}
				}
			}
			if starts < c.checks || len(moments) > c.most+1 || len(moments) < c.most/2 {
				t.Errorf("%d attempts of %d checks in an interval at %d moments, want %d at the most", starts, c.checks, len(moments), c.most)
			}
		})
	}
}
