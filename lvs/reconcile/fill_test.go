package reconcile_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
)

// large is a virtual server that is filled under another scheduler than its own.
func large() lvs.Pool {
	var dests []lvs.Dest
	for i := range 2048 {
		dests = append(dests, dest(i, 1))
	}
	return pool(web, dests...)
}

// What somebody removed comes back, and the scheduler of a moment is nobody's doing.
func TestRepairsLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, reconcile.Config{}, nil)
		b.reach(b.Set(desired(large())))
		time.Sleep(5 * time.Second)
		b.wantTable(large())
		if got := b.Status().Drift; got != 0 {
			t.Errorf("%d drift, and nobody has touched it", got)
		}
		b.changes()
		b.kernel.Clear()
		time.Sleep(5 * time.Second)
		b.wantTable(large())
		drift := 0
		for _, c := range b.changes() {
			if c.Drift {
				drift++
			}
			if c.Drift == (c.Op.Verb == lvs.SetService) {
				t.Errorf("change %+v", c)
			}
		}
		if drift != 2049 {
			t.Errorf("%d changes repaired something, want 2049", drift)
		}
	})
}

// A kernel without that other scheduler gets the table all the same, and is not
// asked for it again.
func TestFillsWithoutOtherScheduler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, reconcile.Config{}, nil)
		b.kernel.Schedulers = []string{"wrr"}
		b.reach(b.Set(desired(large())))
		b.wantTable(large())
		failed := 0
		for _, c := range b.changes() {
			if c.Err != nil {
				failed++
			}
		}
		if s := b.Status(); failed != 1 || len(s.Errors) != 0 {
			t.Errorf("%d errors, left %v", failed, s.Errors)
		}
		b.ops()
		time.Sleep(time.Minute)
		b.wantOps()
	})
}

// A virtual server that cannot be made is one error.
func TestLargeWithoutScheduler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, reconcile.Config{}, nil)
		b.kernel.Schedulers = []string{"wlc"}
		b.Set(desired(large()))
		time.Sleep(50 * time.Millisecond)
		for i, c := range b.changes() {
			if i > 0 || c.Op.Verb != lvs.AddService {
				t.Fatalf("change %+v", c)
			}
		}
		if s := b.Status(); len(s.Errors) != 1 {
			t.Errorf("errors %v", s.Errors)
		}
	})
}
