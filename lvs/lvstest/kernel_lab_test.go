//go:build linux && lab

// These tests need root and a kernel with IPVS whose table they may empty:
//
//	go test -c -tags lab -o lvstest.test ./lvs/lvstest
//	./lvstest.test -test.run Lab -test.v
package lvstest_test

import (
	"context"
	"errors"
	"net/netip"
	"os/exec"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/kernel"
	"github.com/edgekeeper/edgekeeper/lvs/lvstest"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func openLab(t *testing.T) *kernel.Driver {
	t.Helper()
	// The kernel loads schedulers by itself; asking twice for one that does not
	// exist only takes time.
	d, err := kernel.Open(t.Context(), kernel.Config{NoModules: true})
	if errors.Is(err, kernel.ErrNoIPVS) {
		d, err = kernel.Open(t.Context(), kernel.Config{})
	}
	if err != nil {
		t.Fatal(err)
	}
	// Without a single route the kernel takes every address for a broadcast one,
	// and refuses it as a real server.
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("ip: %v: %s", err, out)
	}
	t.Cleanup(func() {
		ipvsadm(t, "-C")
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	ipvsadm(t, "-C")
	return d
}

func ipvsadm(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ipvsadm", args...).CombinedOutput(); err != nil {
		t.Fatalf("ipvsadm %v: %v: %s", args, err, out)
	}
}

var (
	v4   = netip.MustParseAddr("61.139.2.1")
	v6   = netip.MustParseAddr("2001:db8::1")
	keys = []lvs.Key{{Protocol: lvs.TCP, Addr: v4, Port: 80}, {Protocol: lvs.UDP, Addr: v6, Port: 53}, {Mark: 7, Family: lvs.IPv4}}
)

// genOp makes any op on a small world, many of them wrong.
func genOp(t *rapid.T) lvs.Op {
	op := lvs.Op{
		Verb: rapid.SampledFrom(lvs.Verbs()).Draw(t, "verb"),
		Service: lvs.Service{
			Key:         rapid.SampledFrom(keys).Draw(t, "key"),
			Scheduler:   rapid.SampledFrom([]string{"rr", "wrr", "sh", "nonsuch"}).Draw(t, "scheduler"),
			Flags:       lvs.SchedulerFlags(rapid.IntRange(0, 7).Draw(t, "flags")),
			Persistence: rapid.SampledFrom([]uint32{0, 360}).Draw(t, "persistence"),
			Granularity: rapid.SampledFrom([]uint8{0, 24, 32}).Draw(t, "granularity"),
			Engine:      rapid.SampledFrom([]string{"", "", "sip"}).Draw(t, "engine"),
		},
	}
	if !op.Verb.IsDest() {
		return op
	}
	op.Dest = lvs.Dest{
		Addr:    netip.AddrPortFrom(rapid.SampledFrom([]netip.Addr{netip.MustParseAddr("61.139.2.4"), netip.MustParseAddr("2001:db8::4")}).Draw(t, "addr"), 80),
		Weight:  rapid.SampledFrom([]uint32{0, 1, 65535, 1<<31 - 1, 1 << 31}).Draw(t, "weight"),
		Forward: rapid.SampledFrom([]lvs.Forward{lvs.DR, lvs.NAT, lvs.TUN}).Draw(t, "forward"),
		Tunnel: lvs.Tunnel{Type: lvs.TunnelType(rapid.IntRange(0, 2).Draw(t, "tunnel")), Port: rapid.SampledFrom([]uint16{0, 6080}).Draw(t, "tunnel port"),
			Checksum: lvs.TunnelChecksum(rapid.IntRange(0, 2).Draw(t, "checksum"))},
		Upper: rapid.SampledFrom([]uint32{0, 100}).Draw(t, "upper"),
		Lower: rapid.SampledFrom([]uint32{0, 50, 200}).Draw(t, "lower"),
	}
	op.Dest = op.Dest.Normal()
	return op
}

// class is the meaning of an error, the same for the fake and the kernel.
func class(err error) string {
	for name, of := range map[string][]error{
		"exists": {lvs.ErrExists}, "not found": {lvs.ErrNotFound}, "no service": {lvs.ErrNoService}, "no scheduler": {lvs.ErrNoScheduler},
		"range": {unix.ERANGE, lvstest.ErrRange}, "invalid": {unix.EINVAL, lvstest.ErrInvalid},
	} {
		for _, e := range of {
			if errors.Is(err, e) {
				return name
			}
		}
	}
	if err == nil {
		return "done"
	}
	return err.Error()
}

// The fake is as strict as the kernel: the same ops, right and wrong, get the
// same answers from both and leave the same tables.
func TestLabFakeAgrees(t *testing.T) {
	d := openLab(t)
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		var fake lvstest.Kernel
		ipvsadm(t, "-C")
		var ops []lvs.Op
		for range rapid.IntRange(1, 30).Draw(rt, "count") {
			ops = append(ops, genOp(rt))
		}
		want, have := fake.Apply(t.Context(), ops), d.Apply(t.Context(), ops)
		for i := range ops {
			seen[class(have[i])]++
			if w, h := class(want[i]), class(have[i]); w != h {
				rt.Fatalf("op %d, %s: the kernel says %q, the fake %q", i, ops[i], h, w)
			}
		}
		o, err := d.Table(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		if d := cmp.Diff(lvstest.Dump(o.Table), fake.Dump()); d != "" {
			rt.Fatalf("(-kernel +fake):\n%s", d)
		}
	})
	t.Logf("answers: %v", seen)
	for _, c := range []string{"done", "exists", "not found", "no service", "no scheduler", "range", "invalid"} {
		if seen[c] == 0 {
			t.Errorf("never seen: %s", c)
		}
	}
}

// The cases that the fake is tested with, on the kernel.
func TestLabCases(t *testing.T) {
	d := openLab(t)
	for _, c := range lvstest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			ipvsadm(t, "-C")
			begin := lvs.Desired{Pools: map[lvs.Key]lvs.Want{}}
			for k, p := range c.Have {
				begin.Pools[k] = lvs.Want{Pool: p}
			}
			for _, err := range d.Apply(t.Context(), lvs.Diff(nil, begin)) {
				if err != nil {
					t.Fatal(err)
				}
			}
			change(t, d, c)
		})
	}
}

// `ipvsadm -C` and other vandalism is repaired within about a second.
func TestLabRepairs(t *testing.T) {
	d := openLab(t)
	web := lvs.NewPool(lvs.Service{Key: keys[0], Scheduler: "wrr"},
		lvs.Dest{Addr: netip.MustParseAddrPort("61.139.2.3:80"), Weight: 1}, lvs.Dest{Addr: netip.MustParseAddrPort("61.139.2.4:80"), Weight: 1})
	changes := make(chan reconcile.Change, 100)
	r := reconcile.New(d, reconcile.Config{OnChange: func(c reconcile.Change) { changes <- c }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	wait, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	if err := r.WaitFor(wait, r.Set(lvs.Desired{Pools: map[lvs.Key]lvs.Want{web.Service.Key: {Pool: web}}})); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		<-changes
	}
	for _, tt := range []struct {
		args []string
		ops  int
	}{
		{[]string{"-C"}, 3},
		{[]string{"-e", "-t", "61.139.2.1:80", "-r", "61.139.2.4:80", "-g", "-w", "9"}, 1},
		{[]string{"-E", "-t", "61.139.2.1:80", "-s", "rr"}, 1},
		{[]string{"-d", "-t", "61.139.2.1:80", "-r", "61.139.2.4:80"}, 1},
		{[]string{"-a", "-t", "61.139.2.1:80", "-r", "61.139.2.9:80", "-g"}, 1},
	} {
		began := time.Now()
		ipvsadm(t, tt.args...)
		for repaired := 0; repaired < tt.ops; {
			select {
			case c := <-changes:
				if c.Result == reconcile.Conflict {
					continue // the table was read while ipvsadm was changing it
				}
				repaired++
				if c.Err != nil || !c.Drift {
					t.Errorf("%v: change %+v", tt.args, c)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%v: not repaired", tt.args)
			}
		}
		t.Logf("%v repaired after %s", tt.args, time.Since(began).Round(time.Millisecond))
	}
	// A virtual server of somebody else's stays.
	ipvsadm(t, "-A", "-t", "61.139.2.9:80", "-s", "rr")
	r.Resync()
	if err := r.WaitFor(wait, r.Set(lvs.Desired{})); err != nil {
		t.Fatal(err)
	}
	o, err := d.Table(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := lvstest.Dump(o.Table); got != "tcp 61.139.2.9:80 rr\n" {
		t.Errorf("left:\n%s", got)
	}
}

// BenchmarkLabLoad programs 10,000 real servers in 100 pools, reads them back,
// and changes one weight.
func BenchmarkLabLoad(b *testing.B) {
	d, err := kernel.Open(b.Context(), kernel.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	want := lvs.Desired{Pools: map[lvs.Key]lvs.Want{}}
	for i := range 100 {
		s := lvs.Service{Key: lvs.Key{Protocol: lvs.TCP, Addr: netip.AddrFrom4([4]byte{61, 139, 3, byte(i)}), Port: 80}, Scheduler: "wrr"}
		var ds []lvs.Dest
		for j := range 100 {
			ds = append(ds, lvs.Dest{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i), byte(j + 1)}), 80), Weight: 1})
		}
		want.Pools[s.Key] = lvs.Want{Pool: lvs.NewPool(s, ds...)}
	}
	ops := lvs.Diff(nil, want)
	var load, read, change time.Duration
	for b.Loop() {
		start := time.Now()
		for _, err := range d.Apply(b.Context(), ops) {
			if err != nil {
				b.Fatal(err)
			}
		}
		load += time.Since(start)
		start = time.Now()
		o, err := d.Table(b.Context())
		if err != nil || len(lvs.Diff(o.Table, want)) != 0 {
			b.Fatal(err, "or not as wanted")
		}
		read += time.Since(start)
		start = time.Now()
		op := ops[len(ops)-1]
		op.Verb, op.Dest.Weight = lvs.SetDest, 2
		if err := d.Apply(b.Context(), []lvs.Op{op})[0]; err != nil {
			b.Fatal(err)
		}
		change += time.Since(start)
		owned := lvs.Desired{Owned: map[lvs.Key]bool{}}
		for k := range want.Pools {
			owned.Owned[k] = true
		}
		for _, err := range d.Apply(b.Context(), lvs.Diff(o.Table, owned)) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(load.Microseconds())/float64(b.N), "load-µs")
	b.ReportMetric(float64(read.Microseconds())/float64(b.N), "read-µs")
	b.ReportMetric(float64(change.Microseconds())/float64(b.N), "change-µs")
}
