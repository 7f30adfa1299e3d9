package reconcile_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/lvstest"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
	"github.com/google/go-cmp/cmp"
)

// Whatever is wanted, whoever changes the table, whatever fails, and however
// often the process is restarted in between: when that ends, the table becomes
// the wanted one, somebody else's virtual server is as it was, and a pool that
// is live in every desired table is never left empty by an op of ours.
func TestConvergesUnderChaos(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { chaos(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func chaos(t *testing.T, rnd *rand.Rand) {
	theirs := pool(dns, dest(9, 1))
	k := &lvstest.Kernel{}
	k.Load(tableOf(theirs))

	// Real server 1 is always wanted with a weight.
	random := func() lvs.Desired {
		d := lvs.Desired{Pools: map[lvs.Key]lvs.Want{}, Owned: map[lvs.Key]bool{web: true, alt: true}}
		for _, key := range []lvs.Key{web, alt} {
			if key == alt && rnd.IntN(3) == 0 {
				continue
			}
			dests := []lvs.Dest{dest(1, 1+rnd.Uint32N(3))}
			for i := 2; i < 6; i++ {
				if rnd.IntN(2) == 0 {
					dests = append(dests, dest(i, rnd.Uint32N(3)))
				}
			}
			p := pool(key, dests...)
			p.Service.Scheduler = []string{"rr", "wrr", "sh"}[rnd.IntN(3)]
			w := lvs.Want{Pool: p, Drain: []time.Duration{0, 5 * time.Second}[rnd.IntN(2)]}
			if rnd.IntN(6) == 0 {
				w.Hold = "cannot judge"
			}
			d.Pools[key] = w
		}
		return d
	}
	vandal := func() {
		key := []lvs.Key{web, alt}[rnd.IntN(2)]
		op := lvs.Op{Verb: lvs.Verbs()[rnd.IntN(6)], Service: pool(key).Service, Dest: dest(1+rnd.IntN(6), rnd.Uint32N(3))}
		_ = k.Do(op) // it may well be refused
	}

	var r *reconcile.Reconciler
	stop := func() {}
	run := func() {
		stop()
		r = reconcile.New(guarded{k, t}, reconcile.Config{RetryMax: time.Second})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		stop = func() { cancel(); <-done }
	}
	run()
	want := random()
	set := func() uint64 {
		d := want
		d.Pools = maps.Clone(want.Pools) // Set keeps it
		return r.Set(d)
	}
	set()
	undo := func() {}
	for range 40 {
		switch rnd.IntN(7) {
		case 0, 1:
			want = random()
			set()
		case 5:
			some := random().Pools
			if rnd.IntN(2) == 0 {
				delete(some, web)
			}
			maps.Copy(want.Pools, some)
			r.Change(some)
		case 2:
			vandal()
		case 3:
			undo()
			verb := lvs.Verbs()[rnd.IntN(6)]
			undo = k.Fail(func(op lvs.Op) bool { return op.Verb == verb }, errBroken)
		case 4:
			k.SetConnections(lvs.DestID{Key: web, Addr: addr(1 + rnd.IntN(6))}, rnd.Uint32N(2), 1)
		default:
			run()
			set()
		}
		time.Sleep(time.Duration(rnd.IntN(1500)) * time.Millisecond)
	}
	undo()
	for key, w := range want.Pools {
		w.Hold = ""
		want.Pools[key] = w
	}
	var gen uint64
	if rnd.IntN(2) == 0 {
		gen = set()
	} else {
		gen = r.Change(want.Pools)
	}
	time.Sleep(10 * time.Second) // longer than a drain and a pause
	stop()

	end := tableOf(theirs)
	for key, w := range want.Pools {
		end[key] = w.Pool
	}
	if d := cmp.Diff(lvstest.Dump(end), k.Dump()); d != "" {
		t.Errorf("(-want +have):\n%s", d)
	}
	if s := r.Status(); s.Applied != gen || s.Verified != gen || len(s.Errors) != 0 || s.HeldBack != 0 {
		t.Errorf("status %+v", s)
	}
}

// guarded watches that no op of ours empties a live pool.
type guarded struct {
	*lvstest.Kernel
	t *testing.T
}

func (g guarded) Apply(ctx context.Context, ops []lvs.Op) []error {
	errs := make([]error, len(ops))
	for i, op := range ops {
		before, _ := g.Table(ctx)
		errs[i] = g.Kernel.Apply(ctx, ops[i:i+1])[0]
		after, _ := g.Table(ctx)
		k := op.Service.Key
		if op.Verb != lvs.RemoveService && before.Table[k].Live() && !after.Table[k].Live() {
			g.t.Errorf("%s emptied the pool", op)
		}
	}
	return errs
}
