package reconcile_test

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/lvstest"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	web = lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddr("61.139.2.1"), Port: 80}
	alt = lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddr("61.139.2.1"), Port: 8080}
	dns = lvs.Key{Protocol: lvs.UDP, Addr: netip.MustParseAddr("61.139.2.1"), Port: 53}

	errBroken = errors.New("broken")
)

func addr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)
}

func dest(i int, weight uint32) lvs.Dest { return lvs.Dest{Addr: addr(i), Weight: weight} }

func pool(k lvs.Key, dests ...lvs.Dest) lvs.Pool {
	return lvs.NewPool(lvs.Service{Key: k, Scheduler: "wrr"}, dests...)
}

func desired(pools ...lvs.Pool) lvs.Desired {
	d := lvs.Desired{Pools: map[lvs.Key]lvs.Want{}}
	for _, p := range pools {
		d.Pools[p.Service.Key] = lvs.Want{Pool: p}
	}
	return d
}

func tableOf(pools ...lvs.Pool) lvs.Table {
	t := lvs.Table{}
	for _, p := range pools {
		t[p.Service.Key] = p
	}
	return t
}

// bench is a reconciler that runs against the fake.
type bench struct {
	t *testing.T
	*reconcile.Reconciler
	kernel *lvstest.Kernel
	mu     sync.Mutex
	seen   []reconcile.Change
	stop   func()
}

func start(t *testing.T, cfg reconcile.Config, have lvs.Table) *bench {
	t.Helper()
	b := &bench{t: t, kernel: &lvstest.Kernel{}}
	b.kernel.Load(have)
	cfg.OnChange = func(c reconcile.Change) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.seen = append(b.seen, c)
	}
	b.Reconciler = reconcile.New(b.kernel, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(b.stop)
	return b
}

func (b *bench) ops() []string {
	var out []string
	for _, op := range b.kernel.Ops() {
		out = append(out, op.String())
	}
	return out
}

func (b *bench) changes() []reconcile.Change {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.seen
	b.seen = nil
	return out
}

func (b *bench) wantTable(pools ...lvs.Pool) {
	b.t.Helper()
	if d := cmp.Diff(lvstest.Dump(tableOf(pools...)), b.kernel.Dump()); d != "" {
		b.t.Errorf("table (-want +have):\n%s", d)
	}
}

func (b *bench) wantOps(want ...string) {
	b.t.Helper()
	if d := cmp.Diff(want, b.ops()); d != "" {
		b.t.Errorf("ops (-want +have):\n%s", d)
	}
}

func (b *bench) reach(gen uint64) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	if err := b.WaitFor(ctx, gen); err != nil {
		b.t.Fatal(err)
	}
}
