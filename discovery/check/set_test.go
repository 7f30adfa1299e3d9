package check

import (
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

func TestSetKeepsWhatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		defer w.stopped()
		w.set(2, fail(syscall.EHOSTUNREACH))
		w.Set(pendings(3))
		if said := w.after(time.Minute); len(said) != 3 {
			t.Fatalf("emitted %q", said)
		}
		before, _ := w.verdict(2)
		n := len(w.attempts(2))
		w.Set(map[discovery.Check]Seed{target(2): discovery.Up, target(3): discovery.Pending})
		expect(t, w.after(0), "1m0s 10.0.0.3 up: ok") // the new one only
		w.after(time.Minute)
		if v, _ := w.verdict(2); v.at != before.at || v.Health != discovery.Down {
			t.Errorf("verdict %+v, before %+v", v, before)
		}
		if more := len(w.attempts(2)) - n; more != 10 {
			t.Errorf("%d attempts in the minute after Set", more)
		}
		if left := w.checks(); left != 2 {
			t.Errorf("%d checks are known, want 2", left)
		}
		gone := len(w.attempts(1))
		w.after(time.Minute)
		if len(w.attempts(1)) != gone {
			t.Error("a check that was taken out goes on")
		}
	})
}

// TestOutAndInAgain: a check that was left out says anew what it says, also when the
// runner has never seen the set without it.
func TestOutAndInAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		defer w.stopped()
		w.Set(pendings(2))
		if said := w.after(0); len(said) != 2 {
			t.Fatalf("emitted %q", said)
		}
		w.Set(map[discovery.Check]Seed{target(1): discovery.Pending})
		w.Set(pendings(2))
		w.Set(pendings(3))
		w.Set(pendings(3))
		said := w.after(0)
		slices.Sort(said)
		expect(t, said, "0s 10.0.0.0 up: ok", "0s 10.0.0.2 up: ok")
		expect(t, w.after(time.Minute))
	})
}

func TestRemovedInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		defer w.stopped()
		w.set(0, hang)
		w.Set(pendings(1))
		time.Sleep(time.Second)
		w.Set(map[discovery.Check]Seed{target(1): discovery.Pending})
		expect(t, w.after(0), "1s 10.0.0.1 up: ok") // the place is free at once
		w.set(0, nil)
		w.Set(pendings(2))
		expect(t, w.after(0), "1s 10.0.0.0 up: ok")
	})
}
