package reconcile_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
)

// Change is one op, whatever else is wrong by then; the next reading shows that,
// and it is repaired to what is wanted since the Set.
func TestChangeOfOneAmongOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, reconcile.Config{}, nil)
		b.reach(b.Set(desired(pool(web, dest(1, 1)), pool(alt, dest(1, 1)))))
		time.Sleep(5 * time.Second) // it has been read back
		b.kernel.Ops()
		if err := b.kernel.Do(lvs.Op{Verb: lvs.SetDest, Service: pool(alt).Service, Dest: dest(1, 3)}); err != nil {
			t.Fatal(err)
		}
		b.reach(b.Change(desired(pool(web, dest(1, 2))).Pools))
		b.wantOps("set tcp 61.139.2.1:80 -> 10.0.0.1:80 weight 1 -> 2")
		time.Sleep(time.Second)
		b.wantOps("set tcp 61.139.2.1:8080 -> 10.0.0.1:80 weight 3 -> 1")
		b.reach(b.Change(desired(pool(alt, dest(1, 7))).Pools))
		b.wantTable(pool(web, dest(1, 2)), pool(alt, dest(1, 7)))
	})
}

// What is left to do of a virtual server is done, or waited for, while others change.
func TestChangeBesideWhatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, reconcile.Config{RetryMax: 5 * time.Second}, nil)
		b.reach(b.Set(desired(pool(web, dest(1, 1)), pool(alt, dest(1, 1)))))
		undo := b.kernel.Fail(func(op lvs.Op) bool { return op.Service.Key == alt }, errBroken)
		b.Change(desired(pool(alt, dest(1, 5))).Pools)
		gen := b.Change(desired(pool(web, dest(1, 2))).Pools)
		time.Sleep(time.Minute)
		b.wantTable(pool(web, dest(1, 2)), pool(alt, dest(1, 1)))
		gen++
		if got := b.Change(desired(pool(web, dest(1, 3))).Pools); got != gen {
			t.Errorf("generation %d, want %d", got, gen)
		}
		time.Sleep(50 * time.Millisecond)
		if s := b.Status(); s.Applied == gen || len(s.Errors) != 1 {
			t.Errorf("applied %d of %d with an object that fails: %v", s.Applied, gen, s.Errors)
		}
		undo()
		b.reach(gen)
		b.wantTable(pool(web, dest(1, 3)), pool(alt, dest(1, 5)))
	})
}

// BenchmarkReconcileChange is one pass, from Change to WaitFor, over one virtual
// server of ten, a hundred and a thousand, with ten real servers each.
func BenchmarkReconcileChange(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			t := lvs.Table{}
			for i := range n {
				k := lvs.Key{Protocol: lvs.TCP, Addr: netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), Port: 80}
				var ds []lvs.Dest
				for j := range 10 {
					ds = append(ds, dest(j, 1))
				}
				t[k] = pool(k, ds...)
			}
			d := lvs.Desired{Pools: map[lvs.Key]lvs.Want{}}
			for k, p := range t {
				d.Pools[k] = lvs.Want{Pool: p}
			}
			r := reconcile.New(fixed{lvs.Observed{Table: t}}, reconcile.Config{Check: time.Hour, Resync: time.Hour})
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() { done <- r.Run(ctx) }()
			k := lvs.Key{Protocol: lvs.TCP, Addr: netip.AddrFrom4([4]byte{192, 0, 0, 0}), Port: 80}
			one := map[lvs.Key]lvs.Want{k: d.Pools[k]}
			if err := r.WaitFor(ctx, r.Set(d)); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := r.WaitFor(ctx, r.Change(one)); err != nil {
					b.Fatal(err)
				}
			}
			cancel()
			<-done
		})
	}
}
