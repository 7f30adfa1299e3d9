package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/lvstest"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
	"github.com/google/go-cmp/cmp"
)

// marks is a fake of lvs/fwmark beside the fake kernel; it notes what the
// kernel's table was at each write.
type marks struct {
	kernel *lvstest.Kernel

	mu     sync.Mutex
	have   []lvs.Marking // in the kernel
	left   []lvs.Marking // there by our last call
	err    error
	calls  int
	tables []string
}

func (m *marks) Ensure(_ context.Context, want []lvs.Marking) (bool, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if m.err != nil {
		return false, "", m.err
	}
	if slices.Equal(m.have, want) {
		return false, "", nil
	}
	drift := ""
	if !slices.Equal(m.have, m.left) {
		drift = "changed"
	}
	m.have, m.left = want, want
	m.tables = append(m.tables, m.kernel.Dump())
	return true, drift, nil
}

func (m *marks) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *marks) get() (have []lvs.Marking, calls int, tables []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.have, m.calls, m.tables
}

var (
	group   = lvs.Key{Mark: 65600, Family: lvs.IPv4}
	marking = lvs.Marking{Mark: 65600, Protocol: lvs.TCP, Span: lvs.SpanOf(addr(99))}
)

func startMarks(t *testing.T) (*bench, *marks, func() []reconcile.MarksChange) {
	m := &marks{}
	var mu sync.Mutex
	var seen []reconcile.MarksChange
	// The bench makes the kernel; nothing is asked of it before the first Set.
	b := start(t, reconcile.Config{Marks: m, OnMarks: func(c reconcile.MarksChange) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, c)
	}}, tableOf(pool(web, dest(1, 1))))
	m.set(func() { m.kernel = b.kernel })
	return b, m, func() []reconcile.MarksChange {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

func grouped(pools ...lvs.Pool) lvs.Desired {
	d := desired(pools...)
	d.Marks = []lvs.Marking{marking}
	return d
}

// A virtual server becomes a group: the new one has its real servers before the
// packets go over, and the old one goes after that.
func TestMarksOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m, _ := startMarks(t)
		b.Set(desired(pool(web, dest(1, 1))))
		time.Sleep(5 * time.Second)
		b.Set(grouped(pool(group, dest(1, 1))))
		synctest.Wait()
		_, _, tables := m.get()
		want := []string{lvstest.Dump(tableOf(pool(web, dest(1, 1)), pool(group, dest(1, 1))))}
		if d := cmp.Diff(want, tables); d != "" {
			t.Errorf("tables at the writes of the marks (-want +got):\n%s", d)
		}
		if d := cmp.Diff(lvstest.Dump(tableOf(pool(group, dest(1, 1)))), b.kernel.Dump()); d != "" {
			t.Error(d)
		}
		b.stop()
		if err := b.Release(t.Context()); err != nil {
			t.Error(err)
		}
		if have, _, _ := m.get(); have != nil || b.kernel.Dump() != "" {
			t.Errorf("released, there are %v and\n%s", have, b.kernel.Dump())
		}
	})
}

// Somebody removes the rules: they are back within the time between two
// readings, and the change is told as drift.
func TestMarksRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m, seen := startMarks(t)
		b.Set(grouped(pool(group, dest(1, 1))))
		time.Sleep(10 * time.Second)
		m.set(func() { m.have = nil })
		time.Sleep(1100 * time.Millisecond)
		have, calls, _ := m.get()
		if len(have) != 1 {
			t.Fatal("not repaired")
		}
		got := seen()
		if len(got) != 2 || got[0].Drift != "" || got[1].Drift == "" || b.Status().Drift != 1 {
			t.Errorf("told %+v, drift %d", got, b.Status().Drift)
		}
		if calls > 20 {
			t.Errorf("asked %d times in 11 s", calls)
		}
	})
}

// While the rules cannot be set, the generation is not applied, the virtual
// server that still has the packets stays, and tries go on with growing pauses.
func TestMarksFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m, seen := startMarks(t)
		b.Set(desired(pool(web, dest(1, 1))))
		time.Sleep(5 * time.Second)
		m.set(func() { m.err = errBroken; m.calls = 0 })
		gen := b.Set(grouped(pool(group, dest(1, 1))))
		time.Sleep(10 * time.Second)
		s := b.Status()
		if s.Applied >= gen || !errors.Is(s.MarksErr, errBroken) || s.HeldBack != 1 {
			t.Errorf("applied %d of %d, error %v, held back %d", s.Applied, gen, s.MarksErr, s.HeldBack)
		}
		if d := cmp.Diff(lvstest.Dump(tableOf(pool(web, dest(1, 1)), pool(group, dest(1, 1)))), b.kernel.Dump()); d != "" {
			t.Error(d)
		}
		if _, calls, _ := m.get(); calls < 5 || calls > 25 {
			t.Errorf("%d tries in 10 s", calls)
		}
		if got := seen(); len(got) != 1 || got[0].Err == nil {
			t.Errorf("told %+v, want one failure", got)
		}
		m.set(func() { m.err = nil })
		time.Sleep(31 * time.Second)
		if s := b.Status(); s.Applied != gen || s.MarksErr != nil {
			t.Errorf("applied %d of %d, error %v", s.Applied, gen, s.MarksErr)
		}
		if d := cmp.Diff(lvstest.Dump(tableOf(pool(group, dest(1, 1)))), b.kernel.Dump()); d != "" {
			t.Error(d)
		}
	})
}
