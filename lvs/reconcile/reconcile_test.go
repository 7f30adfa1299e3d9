package reconcile_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/lvstest"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
	"github.com/google/go-cmp/cmp"
)

func TestNothingBeforeSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		have := pool(web, dest(4, 1))
		b := start(t, reconcile.Config{}, tableOf(have))
		time.Sleep(time.Minute)
		b.wantTable(have)
		s := b.Status()
		if s.Adopted != nil || s.Applied != 0 || s.ReadAt.IsZero() || len(s.Observed.Table) != 1 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestAdoptsWithoutOps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		theirs := pool(dns, dest(9, 1))
		b := start(t, reconcile.Config{}, tableOf(pool(web, dest(4, 1), dest(5, 1)), theirs))
		b.reach(b.Set(desired(pool(web, dest(4, 1), dest(5, 1)))))
		time.Sleep(time.Minute)
		b.wantOps()
		s := b.Status()
		if d := cmp.Diff(&reconcile.Adopted{Services: 1, Dests: 2, Ops: 0}, s.Adopted); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]lvs.Key{web}, s.Owned, cmp.Comparer(func(a, b lvs.Key) bool { return a == b })); d != "" {
			t.Error(d)
		}
		if s.Drift != 0 || s.Verified != 1 {
			t.Errorf("status %+v", s)
		}
	})
}

// A change is acted on at once, without reading the kernel again, and read back
// soon after.
func TestSetActsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, reconcile.Config{}, nil)
		synctest.Wait()
		reads, began := b.kernel.Reads(), time.Now()
		gen := b.Set(desired(pool(web, dest(4, 1), dest(5, 1))))
		b.reach(gen)
		if took := time.Since(began); took != 0 {
			t.Errorf("took %s", took)
		}
		b.wantTable(pool(web, dest(4, 1), dest(5, 1)))
		b.ops()
		b.reach(b.Set(desired(pool(web, dest(4, 1), dest(5, 7)))))
		b.wantOps("set tcp 61.139.2.1:80 -> 10.0.0.5:80 weight 1 -> 7")
		if n := b.kernel.Reads() - reads; n != 0 {
			t.Errorf("%d readings for two changes", n)
		}
		if s := b.Status(); s.Verified != 0 || s.Applied != 2 {
			t.Errorf("status %+v", s)
		}
		time.Sleep(150 * time.Millisecond)
		if s := b.Status(); s.Verified != 2 {
			t.Errorf("verified %d after reading back, want 2", s.Verified)
		}
	})
}

// busy is a kernel that takes a second for whatever it is asked to do.
type busy struct{ *lvstest.Kernel }

func (b busy) Apply(ctx context.Context, ops []lvs.Op) []error {
	time.Sleep(time.Second)
	return b.Kernel.Apply(ctx, ops)
}

// TestNewestSetWins: what is set while the kernel is at work is skipped but for
// the last.
func TestNewestSetWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &lvstest.Kernel{}
		r := reconcile.New(busy{k}, reconcile.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		r.Set(desired(pool(web, dest(4, 1))))
		synctest.Wait() // in Apply
		var gen uint64
		for w := range uint32(100) {
			gen = r.Set(desired(pool(web, dest(4, w+1))))
		}
		if err := r.WaitFor(ctx, gen); err != nil {
			t.Fatal(err)
		}
		var ops []string
		for _, op := range k.Ops() {
			ops = append(ops, op.String())
		}
		want := []string{"add tcp 61.139.2.1:80 scheduler wrr", "add tcp 61.139.2.1:80 -> 10.0.0.4:80 weight 1, forward dr", "set tcp 61.139.2.1:80 -> 10.0.0.4:80 weight 1 -> 100"}
		if d := cmp.Diff(want, ops); d != "" {
			t.Errorf("ops (-want +have):\n%s", d)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestRemovesOnlyWhatIsOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		theirs := pool(dns, dest(9, 1))
		b := start(t, reconcile.Config{}, tableOf(theirs, pool(alt)))
		b.reach(b.Set(desired(pool(web, dest(4, 1)))))
		d := desired()
		d.Owned = map[lvs.Key]bool{alt: true} // ours from an earlier run
		b.reach(b.Set(d))
		b.wantTable(theirs)
		time.Sleep(2 * time.Second)
		if s := b.Status(); len(s.Owned) != 0 {
			t.Errorf("owned %v after removal", s.Owned)
		}
		// What somebody else makes of that name afterwards is theirs.
		if err := b.kernel.Do(lvs.Op{Verb: lvs.AddService, Service: pool(web).Service}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		b.wantTable(theirs, pool(web))
	})
}

// A table that was changed behind our back refuses our op: it is read again and
// the op that fits is done.
func TestConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, reconcile.Config{}, tableOf(pool(web, dest(4, 1))))
		b.reach(b.Set(desired(pool(web, dest(4, 1)))))
		time.Sleep(2500 * time.Millisecond)
		began := time.Now()
		if err := b.kernel.Do(lvs.Op{Verb: lvs.AddDest, Service: pool(web).Service, Dest: dest(5, 3)}); err != nil {
			t.Fatal(err)
		}
		b.reach(b.Set(desired(pool(web, dest(4, 1), dest(5, 1)))))
		b.wantTable(pool(web, dest(4, 1), dest(5, 1)))
		if took := time.Since(began); took > 20*time.Millisecond {
			t.Errorf("took %s", took)
		}
		if n := b.Status().Counts[reconcile.Count{Verb: lvs.AddDest, Result: reconcile.Conflict}]; n != 1 {
			t.Errorf("%d conflicts, want 1", n)
		}
		// A removal of what is gone is done.
		if err := b.kernel.Do(lvs.Op{Verb: lvs.RemoveDest, Service: pool(web).Service, Dest: dest(5, 1)}); err != nil {
			t.Fatal(err)
		}
		b.reach(b.Set(desired(pool(web, dest(4, 1)))))
		if n := b.Status().Counts[reconcile.Count{Verb: lvs.RemoveDest, Result: reconcile.Gone}]; n != 1 {
			t.Errorf("%d gone, want 1", n)
		}
	})
}

func TestRetryBacksOffAloneAndClears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, reconcile.Config{RetryMin: 100 * time.Millisecond, RetryMax: 2 * time.Second}, nil)
		fix := b.kernel.Fail(func(op lvs.Op) bool { return op.Verb == lvs.AddDest && op.Dest.Addr == addr(5) }, errBroken)
		began := time.Now()
		gen := b.Set(desired(pool(web, dest(4, 1), dest(5, 1)), pool(dns, dest(4, 1))))
		time.Sleep(10 * time.Second)
		b.wantTable(pool(web, dest(4, 1)), pool(dns, dest(4, 1)))
		var at []time.Duration
		for _, c := range b.changes() {
			if c.Err != nil {
				if c.Again != (len(at) > 0) {
					t.Errorf("failure %d: again %t", len(at), c.Again)
				}
				at = append(at, c.At.Sub(began))
			}
		}
		ms := time.Millisecond
		if d := cmp.Diff([]time.Duration{0, 100 * ms, 300 * ms, 700 * ms, 1500 * ms, 3100 * ms, 5100 * ms, 7100 * ms, 9100 * ms}, at); d != "" {
			t.Errorf("tries: %s", d)
		}
		s := b.Status()
		if len(s.Errors) != 1 || !errors.Is(s.Errors[0].Err, errBroken) || s.Errors[0].ID != (lvs.DestID{Key: web, Addr: addr(5)}) || s.Errors[0].Attempts != 9 {
			t.Errorf("errors %+v", s.Errors)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := b.WaitFor(ctx, gen); !errors.Is(err, errBroken) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitFor: %v", err)
		}
		// Another op for the object: at once.
		b.Set(desired(pool(web, dest(4, 1), dest(5, 2)), pool(dns, dest(4, 1))))
		synctest.Wait()
		if c := b.changes(); len(c) != 1 || b.Status().Errors[0].Attempts != 1 {
			t.Errorf("changes %+v", c)
		}
		// Not wanted any more: forgotten, and told when it is wanted and fails again.
		b.reach(b.Set(desired(pool(web, dest(4, 1)))))
		if s := b.Status(); len(s.Errors) != 0 {
			t.Errorf("errors %+v", s.Errors)
		}
		b.changes()
		b.Set(desired(pool(web, dest(4, 1), dest(5, 2))))
		synctest.Wait()
		if c := b.changes(); len(c) != 1 || c[0].Err == nil || c[0].Again {
			t.Errorf("changes %+v", c)
		}
		// Resync does not wait for the pause.
		b.Set(desired(pool(web, dest(4, 1), dest(5, 3))))
		time.Sleep(5 * time.Second)
		fix()
		b.Resync()
		synctest.Wait()
		b.wantTable(pool(web, dest(4, 1), dest(5, 3)))
	})
}

// While what replaces a pool's only real server cannot be added, the old one
// stays.
func TestFailureDoesNotEmptyThePool(t *testing.T) {
	for _, verb := range []lvs.Verb{lvs.AddDest, lvs.SetDest} {
		t.Run(verb.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old := pool(web, dest(4, 1), dest(6, 0))
				next := pool(web, dest(4, 0), dest(5, 1))
				if verb == lvs.SetDest {
					next = pool(web, dest(6, 1))
				}
				b := start(t, reconcile.Config{RetryMax: time.Second}, tableOf(old, pool(dns, dest(4, 1))))
				fix := b.kernel.Fail(func(op lvs.Op) bool { return op.Verb == verb && !op.Lowers() }, errBroken)
				b.Set(desired(next, pool(dns)))
				time.Sleep(time.Minute)
				b.wantTable(old, pool(dns))
				if s := b.Status(); s.HeldBack == 0 || s.Applied != 0 {
					t.Errorf("held back %d, applied %d", s.HeldBack, s.Applied)
				}
				fix()
				time.Sleep(2 * time.Second)
				b.wantTable(next, pool(dns))
				if s := b.Status(); s.HeldBack != 0 || s.Applied != 1 {
					t.Errorf("held back %d, applied %d", s.HeldBack, s.Applied)
				}
			})
		})
	}
}

// A virtual server that cannot be created costs one op, not one for each real
// server, and the rest of the table is served.
func TestMissingScheduler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, reconcile.Config{}, nil)
		p := pool(web, dest(4, 1), dest(5, 1))
		p.Service.Scheduler = "maglev"
		b.Set(desired(p, pool(dns, dest(4, 1))))
		synctest.Wait()
		b.wantTable(pool(dns, dest(4, 1)))
		if c := b.changes(); len(c) != 3 {
			t.Errorf("changes %+v", c)
		}
		if s := b.Status(); len(s.Errors) != 1 || !errors.Is(s.Errors[0].Err, lvs.ErrNoScheduler) {
			t.Errorf("errors %+v", s.Errors)
		}
	})
}

func TestResultNames(t *testing.T) {
	var got []string
	for _, r := range append(reconcile.Results(), 9) {
		b, err := r.MarshalText()
		if err != nil {
			t.Error(err)
		}
		got = append(got, string(b))
	}
	if !slices.Equal(got, []string{"done", "gone", "conflict", "failed", "9"}) {
		t.Errorf("names %v", got)
	}
}

// BenchmarkReconcileNoChange is one whole pass, from Set to WaitFor, over 100
// virtual servers with 100 real servers each, all as wanted.
func BenchmarkReconcileNoChange(b *testing.B) {
	t := lvs.Table{}
	for i := range 100 {
		k := lvs.Key{Protocol: lvs.TCP, Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), Port: 80}
		var ds []lvs.Dest
		for j := range 100 {
			ds = append(ds, dest(j, 1))
		}
		t[k] = pool(k, ds...)
	}
	d := lvs.Desired{Pools: map[lvs.Key]lvs.Want{}}
	for k, p := range t {
		d.Pools[k] = lvs.Want{Pool: p}
	}
	r := reconcile.New(fixed{lvs.Observed{Table: t}}, reconcile.Config{})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	b.ReportAllocs()
	for b.Loop() {
		if err := r.WaitFor(ctx, r.Set(d)); err != nil {
			b.Fatal(err)
		}
	}
	cancel()
	<-done
}

// fixed is a kernel that always reads the same and takes no op.
type fixed struct{ o lvs.Observed }

func (f fixed) Apply(_ context.Context, ops []lvs.Op) []error {
	errs := make([]error, len(ops))
	for i := range errs {
		errs[i] = errBroken
	}
	return errs
}
