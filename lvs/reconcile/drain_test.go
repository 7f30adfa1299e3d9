package reconcile_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
)

func TestDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, reconcile.Config{}, nil)
		d := desired(pool(web, dest(4, 1), dest(5, 1), dest(6, 1)))
		b.reach(b.Set(d))
		four, five := lvs.DestID{Key: web, Addr: addr(4)}, lvs.DestID{Key: web, Addr: addr(5)}
		b.kernel.SetConnections(four, 1, 0)
		b.kernel.SetConnections(five, 1, 0)
		time.Sleep(5 * time.Second)
		b.ops()
		began := time.Now()
		d = desired(pool(web, dest(6, 1)))
		w := d.Pools[web]
		w.Drain = 30 * time.Second
		d.Pools[web] = w
		b.reach(b.Set(d))
		b.wantTable(pool(web, dest(4, 0), dest(5, 0), dest(6, 1)))
		time.Sleep(10 * time.Second)
		s := b.Status()
		if len(s.Draining) != 2 || s.Draining[0].ID != four || !s.Draining[0].Since.Equal(began) ||
			!s.Draining[0].Deadline.Equal(began.Add(30*time.Second)) || s.Draining[0].Active != 1 || !s.Draining[0].Known {
			t.Errorf("draining %+v", s.Draining)
		}
		// A kernel that cannot be read changes nothing of what is said.
		b.kernel.FailTable(errBroken)
		time.Sleep(2 * time.Second)
		if s := b.Status(); s.ReadErr == nil || len(s.Draining) != 2 || !s.Draining[0].Deadline.Equal(began.Add(30*time.Second)) {
			t.Errorf("draining %+v, read error %v", s.Draining, s.ReadErr)
		}
		b.kernel.FailTable(nil)
		time.Sleep(3 * time.Second)
		b.kernel.SetConnections(four, 0, 3)
		time.Sleep(1100 * time.Millisecond)
		b.wantTable(pool(web, dest(5, 0), dest(6, 1)))
		time.Sleep(time.Until(began.Add(30 * time.Second)))
		synctest.Wait()
		b.wantTable(pool(web, dest(6, 1)))
		b.wantOps(
			"set tcp 61.139.2.1:80 -> 10.0.0.4:80 weight 1 -> 0: draining for at most 30s",
			"set tcp 61.139.2.1:80 -> 10.0.0.5:80 weight 1 -> 0: draining for at most 30s",
			"remove tcp 61.139.2.1:80 -> 10.0.0.4:80: drained, no active connections",
			"remove tcp 61.139.2.1:80 -> 10.0.0.5:80: drain deadline of 30s passed with 1 active connections")
		if s := b.Status(); s.Drift != 0 || len(s.Draining) != 0 {
			t.Errorf("drift %d, draining %v", s.Drift, s.Draining)
		}
	})
}

// An idle real server was idle before its weight became 0; only a reading after
// that tells that no connection came in between.
func TestDrainWaitsForAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, reconcile.Config{}, tableOf(pool(web, dest(4, 1), dest(5, 1))))
		b.reach(b.Set(desired(pool(web, dest(4, 1), dest(5, 1)))))
		d := desired(pool(web, dest(5, 1)))
		w := d.Pools[web]
		w.Drain = time.Minute
		d.Pools[web] = w
		b.reach(b.Set(d))
		b.reach(b.Set(d))
		b.wantTable(pool(web, dest(4, 0), dest(5, 1)))
		if s := b.Status(); len(s.Draining) != 1 || s.Draining[0].Known {
			t.Errorf("draining %+v", s.Draining)
		}
		time.Sleep(200 * time.Millisecond)
		b.wantTable(pool(web, dest(5, 1)))
	})
}

// A pool held past a drain's deadline must not make the loop spin.
func TestHeldDrainDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, reconcile.Config{}, tableOf(pool(web, dest(4, 1), dest(5, 1))))
		// Run may have read the table by now: at weight 0 it would have seen the end.
		b.kernel.SetConnections(lvs.DestID{Key: web, Addr: addr(4)}, 1, 0)
		d := desired(pool(web, dest(5, 1)))
		w := d.Pools[web]
		w.Drain = 10 * time.Second
		d.Pools[web] = w
		b.reach(b.Set(d))
		held := desired()
		w.Hold = "no verdict"
		held.Pools[web] = w
		b.reach(b.Set(held))
		time.Sleep(time.Minute)
		b.wantTable(pool(web, dest(4, 0), dest(5, 1)))
		if s := b.Status(); s.Passes > 100 {
			t.Errorf("%d passes in a minute", s.Passes)
		}
	})
}
