package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/lvstest"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestUnreadableTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		have := pool(web, dest(4, 1))
		b := start(t, reconcile.Config{RetryMax: time.Second}, tableOf(have))
		b.reach(b.Set(desired(have)))
		b.kernel.FailTable(errBroken)
		time.Sleep(3 * time.Second)
		b.Set(desired(pool(web, dest(5, 1))))
		time.Sleep(time.Minute)
		b.wantTable(have) // an error is never an empty table
		if s := b.Status(); !errors.Is(s.ReadErr, errBroken) {
			t.Errorf("read error %v", s.ReadErr)
		}
		if n := b.kernel.Reads(); n > 75 {
			t.Errorf("%d readings", n)
		}
		b.kernel.FailTable(nil)
		time.Sleep(time.Second)
		b.wantTable(pool(web, dest(5, 1)))
		if s := b.Status(); s.ReadErr != nil || s.Drift != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

// slow is a kernel whose table takes long to read.
type slow struct {
	*lvstest.Kernel
	took time.Duration
}

func (s slow) Table(ctx context.Context) (lvs.Observed, error) {
	time.Sleep(s.took)
	return s.Kernel.Table(ctx)
}

// Reading a large table must not eat the machine, and still happens.
func TestReadingIsPaced(t *testing.T) {
	for _, tt := range []struct {
		took   time.Duration
		lo, hi int
	}{
		{time.Millisecond, 590, 605},       // each second
		{100 * time.Millisecond, 110, 122}, // 2 % of the time: each 5 s
		{time.Second, 19, 22},              // each 30 s, whatever it costs
	} {
		t.Run(tt.took.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &lvstest.Kernel{}
				r := reconcile.New(slow{k, tt.took}, reconcile.Config{})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				if err := r.Run(ctx); err != nil {
					t.Fatal(err)
				}
				if n := k.Reads(); n < tt.lo || n > tt.hi {
					t.Errorf("%d readings in 10 minutes, want %d to %d", n, tt.lo, tt.hi)
				}
			})
		})
	}
}

// What Status gave out stays as it was.
func TestStatusIsASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, reconcile.Config{}, tableOf(pool(web, dest(4, 1))))
		b.reach(b.Set(desired(pool(web, dest(4, 1)))))
		s := b.Status()
		before := lvstest.Dump(s.Observed.Table)
		b.reach(b.Set(desired(pool(web, dest(4, 9)), pool(dns))))
		if d := cmp.Diff(before, lvstest.Dump(s.Observed.Table)); d != "" {
			t.Errorf("the snapshot changed: %s", d)
		}
		if d := cmp.Diff(b.kernel.Dump(), lvstest.Dump(b.Status().Observed.Table)); d != "" {
			t.Errorf("the status is late: %s", d)
		}
	})
}

func (f fixed) Table(context.Context) (lvs.Observed, error) { return f.o, nil }

// kept is a kernel that remembers what it has shown.
type kept struct {
	*lvstest.Kernel
	shown []lvs.Observed
	was   []string
}

func (k *kept) Table(ctx context.Context) (lvs.Observed, error) {
	o, err := k.Kernel.Table(ctx)
	k.shown, k.was = append(k.shown, o), append(k.was, lvstest.Dump(o.Table)+fmt.Sprint(o.Dests))
	return o, err
}

// A driver may share between readings what is equal, so none is written to, also
// not by the pass that has read it.
func TestReadingsAreNotWrittenTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kept{Kernel: &lvstest.Kernel{}}
		r := reconcile.New(k, reconcile.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		r.Set(desired(pool(web, dest(4, 1), dest(5, 1)), pool(dns, dest(4, 1))))
		time.Sleep(5 * time.Second)
		k.Clear() // the next pass reads, and repairs
		time.Sleep(5 * time.Second)
		if err := k.Do(lvs.Op{Verb: lvs.SetDest, Service: pool(web).Service, Dest: dest(4, 9)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for i, o := range k.shown {
			if d := cmp.Diff(k.was[i], lvstest.Dump(o.Table)+fmt.Sprint(o.Dests)); d != "" {
				t.Errorf("reading %d of %d was written to: %s", i, len(k.shown), d)
			}
		}
	})
}

// What is as wanted is in memory once, as it was wanted, until it changes; and what
// is wanted is not written to.
func TestReadingSharesWhatIsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, reconcile.Config{}, nil)
		want, other := pool(web, dest(4, 1), dest(5, 1)), pool(dns, dest(4, 1))
		was := want.Clone()
		b.reach(b.Set(desired(want, other)))
		shared := func(p lvs.Pool) bool {
			have := b.Status().Observed.Table[p.Service.Key].Dests
			return len(have) == len(p.Dests) && &have[0] == &p.Dests[0]
		}
		time.Sleep(5 * time.Second)
		if !shared(want) || !shared(other) {
			t.Error("a table that is as wanted is there twice")
		}
		if err := b.kernel.Do(lvs.Op{Verb: lvs.SetDest, Service: want.Service, Dest: dest(4, 9)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second) // repaired, and read again
		next := pool(dns, dest(4, 2))
		b.reach(b.Change(map[lvs.Key]lvs.Want{dns: {Pool: next}}))
		time.Sleep(5 * time.Second)
		if !shared(want) || !shared(next) {
			t.Error("a table that is as wanted again is there twice")
		}
		if d := cmp.Diff(was, want, cmpopts.EquateComparable(lvs.Service{}, lvs.Dest{})); d != "" {
			t.Errorf("what is wanted has changed: %s", d)
		}
		if d := cmp.Diff(dest(4, 1), other.Dests[0], cmpopts.EquateComparable(lvs.Dest{})); d != "" {
			t.Errorf("what was wanted has changed: %s", d)
		}
	})
}
