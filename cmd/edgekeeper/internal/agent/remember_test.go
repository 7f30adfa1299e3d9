package agent

import (
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// TestWhatTakesLongIsWrittenLater: but it is written.
func TestWhatTakesLongIsWrittenLater(t *testing.T) {
	q := discovery.Query{Service: "web"}
	a := decider(1, []discovery.Query{q})
	a.store = &store{folder: t.TempDir(), recall: &lastKnownGood{}}
	a.source.queries = []discovery.Query{q}
	learn := func(n int) {
		a.known[q] = discovery.Known{Instances: instances(n, func(int) discovery.State { return discovery.Passing })}
		a.learned = true
		a.remember()
	}
	written := func() int {
		good, refused := readLastKnownGood(a.store.folder)
		if refused != "" {
			t.Fatal(refused)
		}
		answer, _ := good.answer(q)
		return len(answer.Instances)
	}
	learn(1)
	if n := written(); n != 1 {
		t.Fatalf("%d instances written, want 1", n)
	}
	if a.store.saveTook <= 0 {
		t.Error("it took no time")
	}
	a.store.saveTook = time.Minute
	learn(2)
	if n := written(); n != 1 || !a.learned {
		t.Errorf("%d instances written within the pause, nothing left to do: %t", n, !a.learned)
	}
	a.store.savedAt, a.store.saveTook = time.Now(), 10*time.Millisecond
	learn(3)
	for late := time.After(10 * time.Second); a.learned; {
		select {
		case <-a.saving.C:
			a.remember()
		case <-late:
			t.Fatal("no time to write was set")
		}
	}
	if n := written(); n != 3 {
		t.Errorf("%d instances written after the pause, want 3", n)
	}
}

// TestWhatIsKnownIsConfirmed: that it is still so is written, but nothing is where
// nothing is known.
func TestWhatIsKnownIsConfirmed(t *testing.T) {
	q := discovery.Query{Service: "web"}
	for what, known := range map[string]bool{"an answer": true, "nothing": false} {
		a := decider(1, []discovery.Query{q})
		a.store = &store{folder: t.TempDir(), recall: &lastKnownGood{}}
		if known {
			a.source.queries = []discovery.Query{q}
			a.known[q] = discovery.Known{Instances: instances(1, func(int) discovery.State { return discovery.Passing })}
		}
		a.learned = true
		a.remember()
		if a.store.savedAt.IsZero() {
			t.Fatalf("%s: not written", what)
		}
		for _, age := range []time.Duration{confirmEvery / 2, 2 * confirmEvery} {
			before := time.Now().Add(-age)
			a.store.savedAt = before
			a.remember()
			if got, want := a.store.savedAt != before, known && age > confirmEvery; got != want {
				t.Errorf("%s: written again after %s: %t, want %t", what, age, got, want)
			}
		}
	}
}
