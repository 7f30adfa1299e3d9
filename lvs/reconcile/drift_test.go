package reconcile_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
)

func TestRepairsDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := pool(web, dest(4, 1), dest(5, 1))
		b := start(t, reconcile.Config{}, nil)
		b.reach(b.Set(desired(want)))
		time.Sleep(5 * time.Second)
		b.changes()
		b.ops()
		for _, tt := range []struct {
			name   string
			vandal func()
			ops    []string
		}{
			{"clear", b.kernel.Clear, []string{
				"add tcp 61.139.2.1:80 scheduler wrr",
				"add tcp 61.139.2.1:80 -> 10.0.0.4:80 weight 1, forward dr",
				"add tcp 61.139.2.1:80 -> 10.0.0.5:80 weight 1, forward dr"}},
			{"weight", func() {
				_ = b.kernel.Do(lvs.Op{Verb: lvs.SetDest, Service: want.Service, Dest: dest(4, 9)})
			}, []string{"set tcp 61.139.2.1:80 -> 10.0.0.4:80 weight 9 -> 1"}},
			{"alien real server", func() {
				_ = b.kernel.Do(lvs.Op{Verb: lvs.AddDest, Service: want.Service, Dest: dest(6, 1)})
			}, []string{"remove tcp 61.139.2.1:80 -> 10.0.0.6:80: no longer wanted"}},
			{"scheduler", func() {
				s := want.Service
				s.Scheduler = "rr"
				_ = b.kernel.Do(lvs.Op{Verb: lvs.SetService, Service: s})
			}, []string{"set tcp 61.139.2.1:80 scheduler rr -> wrr"}},
		} {
			before := b.Status()
			tt.vandal()
			time.Sleep(1100 * time.Millisecond)
			b.wantOps(tt.ops...)
			b.wantTable(want)
			for _, c := range b.changes() {
				if !c.Drift || c.Err != nil || c.Generation != 1 {
					t.Errorf("%s: change %+v", tt.name, c)
				}
			}
			s := b.Status()
			if got := s.Drift - before.Drift; got != uint64(len(tt.ops)) {
				t.Errorf("%s: %d drift, want %d", tt.name, got, len(tt.ops))
			}
		}
		// What is ours to change is no drift, and somebody else's doing beside it is.
		before := b.Status().Drift
		b.reach(b.Set(desired(pool(web, dest(4, 2), dest(5, 2)))))
		time.Sleep(5 * time.Second)
		if got := b.Status().Drift - before; got != 0 {
			t.Errorf("%d drift for our own change", got)
		}
	})
}

// A reading that catches somebody's change half way makes ops that cannot be
// done; what the next reading makes of them is drift all the same.
func TestRepairsWhatWasReadHalfWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := pool(web, dest(4, 1), dest(5, 1))
		b := start(t, reconcile.Config{}, nil)
		b.reach(b.Set(desired(want)))
		time.Sleep(5 * time.Second)
		b.changes()
		b.kernel.ClearAmidReading()
		time.Sleep(3 * time.Second)
		b.wantTable(want)
		repaired, conflicts := 0, 0
		for _, c := range b.changes() {
			switch {
			case c.Result == reconcile.Conflict:
				conflicts++
			case c.Result == reconcile.Done && c.Drift:
				repaired++
			default:
				t.Errorf("change %+v", c)
			}
		}
		if repaired != 3 || conflicts != 2 {
			t.Errorf("%d repairs, %d conflicts; want the virtual server and its two real servers repaired, after two conflicts", repaired, conflicts)
		}
	})
}
