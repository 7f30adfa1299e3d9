//go:build linux

package kernel

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"testing"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/lvstest"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// adds makes n ops that add real servers to web.
func adds(n int) []lvs.Op {
	ops := make([]lvs.Op, n)
	for i := range ops {
		ops[i] = lvs.Op{Verb: lvs.AddDest, Service: lvs.Service{Key: web}, Dest: lvs.Dest{Addr: netip.AddrPortFrom(vip, uint16(i)), Weight: 1}}
	}
	return ops
}

func withWeb() *client {
	c := &client{}
	c.socket.kernel.Load(lvs.Table{web: lvs.NewPool(lvs.Service{Key: web, Scheduler: "wrr"})})
	return c
}

// Failures stand where their ops stand, and stop nothing; many ops are in
// flight at once, never more than a window.
func TestApplyPipelines(t *testing.T) {
	c := withWeb()
	c.socket.stray = true
	ops := adds(2*window + 10)
	bad := []int{0, 1, window - 1, window, window + 5, len(ops) - 1}
	for _, i := range bad {
		ops[i].Verb = lvs.SetDest // of one that is not there
	}
	ops[7].Verb = 99
	for i, err := range mustOpen(t, c).Apply(t.Context(), ops) {
		switch {
		case slices.Contains(bad, i):
			if !errors.Is(err, lvs.ErrNotFound) {
				t.Errorf("op %d: %v, want not found", i, err)
			}
		case i == 7:
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("op %d: %v, want invalid", i, err)
			}
		case err != nil:
			t.Errorf("op %d: %v", i, err)
		}
	}
	if d := cmp.Diff([]int{window - 1, window, 10}, c.socket.batches(t)); d != "" {
		t.Errorf("sizes of the sends: %s", d)
	}
}

func TestApplyStops(t *testing.T) {
	c := withWeb()
	ctx, cancel := context.WithCancel(t.Context())
	c.socket.each = func(op lvs.Op) {
		if op.Dest.Addr.Port() == 3 {
			cancel()
		}
	}
	errs := mustOpen(t, c).Apply(ctx, adds(2*window))
	for i, err := range errs {
		if done := i < window; done != (err == nil) || !done && !errors.Is(err, context.Canceled) {
			t.Errorf("op %d: %v", i, err)
		}
	}
}

// Answers that found no room are lost. Nobody's error may be taken for
// somebody else's, and what comes next has a socket without left-overs.
func TestApplyLostAnswers(t *testing.T) {
	c := withWeb()
	c.socket.room = 5
	d := mustOpen(t, c)
	ops := adds(10)
	for i := range ops {
		ops[i].Verb = lvs.RemoveDest // of one that is not there
	}
	ops[3].Verb = lvs.AddDest
	for i, err := range d.Apply(t.Context(), ops) {
		if !errors.Is(err, ErrNoAnswer) || !errors.Is(err, unix.ENOBUFS) {
			t.Errorf("op %d: %v", i, err)
		}
	}
	if !c.socket.closed {
		t.Error("the socket is still in use")
	}
	c.socket.room, c.socket.queue = 0, nil // as a new socket is
	for i, err := range d.Apply(t.Context(), adds(10)) {
		if (i == 3) != errors.Is(err, lvs.ErrExists) || i != 3 && err != nil {
			t.Errorf("op %d: %v", i, err)
		}
	}
}

// A scheduler that may be missing is asked for alone, and what depends on it
// waits; one that was there is not.
func TestSchedulerModule(t *testing.T) {
	var loaded []string
	c := &client{}
	c.socket.kernel.Schedulers = []string{"wrr"}
	d, err := open(t, func(m string) error {
		if m != "ip_vs_mh" {
			return errors.New("no such module")
		}
		loaded = append(loaded, m)
		c.socket.kernel.Schedulers = []string{"wrr", "mh"}
		return nil
	}, c)
	if err != nil {
		t.Fatal(err)
	}
	var ops []lvs.Op
	for i, scheduler := range []string{"wrr", "wrr", "mh", "mh", "nonsuch", "mh"} {
		s := lvs.Service{Key: lvs.Key{Protocol: lvs.TCP, Addr: vip, Port: uint16(i)}, Scheduler: scheduler}
		ops = append(ops, lvs.Op{Verb: lvs.AddService, Service: s},
			lvs.Op{Verb: lvs.AddDest, Service: s, Dest: lvs.Dest{Addr: netip.AddrPortFrom(vip, 1), Weight: 1}})
	}
	for i, err := range d.Apply(t.Context(), ops) {
		want := map[int]error{8: lvs.ErrNoScheduler, 9: lvs.ErrNoService}[i]
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", ops[i], err, want)
		}
	}
	if d := cmp.Diff([]string{"ip_vs_mh"}, loaded); d != "" {
		t.Errorf("modules loaded: %s", d)
	}
	// wrr alone; its pool and the next; mh alone, twice; its pool and the next; nonsuch alone; the rest.
	if d := cmp.Diff([]int{1, 3, 1, 1, 3, 1, 3}, c.socket.batches(t)); d != "" {
		t.Errorf("sizes of the sends: %s", d)
	}
}

// A persistence engine is a module, too: it is tried for where the scheduler's
// made no difference.
func TestEngineModule(t *testing.T) {
	var loaded []string
	c := &client{}
	there := false
	c.socket.refuse = func(op lvs.Op) unix.Errno {
		if op.Service.Engine != "" && !there {
			return unix.ENOENT
		}
		return 0
	}
	d, err := open(t, func(m string) error {
		loaded = append(loaded, m)
		there = m == "ip_vs_pe_sip"
		return nil
	}, c)
	if err != nil {
		t.Fatal(err)
	}
	s := lvs.Service{Key: lvs.Key{Protocol: lvs.UDP, Addr: vip, Port: 5060}, Scheduler: "rr", Persistence: 60, Engine: "sip"}
	for range 2 { // the second finds it proven
		if err := d.Apply(t.Context(), []lvs.Op{{Verb: lvs.AddService, Service: s}})[0]; err != nil {
			t.Fatal(err)
		}
		s.Port++
	}
	if d := cmp.Diff([]string{"ip_vs_rr", "ip_vs_pe_sip"}, loaded); d != "" {
		t.Errorf("modules loaded: %s", d)
	}
}

// What goes over the wire means the same at the other end: random ops, many of
// them wrong, get through socket and encoding the answers that the strict fake
// gives directly, and the table reads back the same.
func TestApplyAgreesWithFake(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var direct lvstest.Kernel
		c := &client{}
		d := &Driver{cfg: Config{NoModules: true}, client: c, bulk: c.socket.pipe(), proven: map[string]bool{}}
		keys := []lvs.Key{genKey(t), genKey(t)}
		var ops []lvs.Op
		for range rapid.IntRange(1, 40).Draw(t, "count") {
			op := lvs.Op{Verb: rapid.SampledFrom(lvs.Verbs()).Draw(t, "verb"), Service: genService(t, rapid.SampledFrom(keys).Draw(t, "key"))}
			if op.Verb.IsDest() {
				op.Dest = genDest(t).Normal()
			}
			op.Service = op.Service.Normal()
			ops = append(ops, op)
		}
		want := direct.Apply(context.Background(), ops)
		for i, err := range d.Apply(context.Background(), ops) {
			if (err == nil) != (want[i] == nil) {
				t.Fatalf("%s: %v, directly %v", ops[i], err, want[i])
			}
			for _, class := range []error{lvs.ErrExists, lvs.ErrNotFound, lvs.ErrNoService, lvs.ErrNoScheduler} {
				if errors.Is(err, class) != errors.Is(want[i], class) {
					t.Fatalf("%s: %v, directly %v", ops[i], err, want[i])
				}
			}
		}
		o, err := d.Table(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(direct.Dump(), lvstest.Dump(o.Table)); d != "" {
			t.Fatal(d)
		}
	})
}

func TestDaemonCoding(t *testing.T) {
	for _, group := range []string{"", "224.0.0.82", "ff02::81"} {
		want := lvs.SyncDaemon{State: lvs.SyncBackup, SyncConfig: lvs.SyncConfig{Interface: "eth1", ID: 51, Port: 9000, TTL: 3, MaxLength: 1400}}
		if group != "" {
			want.Group = netip.MustParseAddr(group)
		}
		var a attributes
		a.daemon(lvs.SyncOp{Start: true, Daemon: want})
		got, err := decodeDaemon(a[4:])
		if err != nil || got != want {
			t.Errorf("%+v came back as %+v (%v)", want, got, err)
		}
	}
}

// Nothing that the kernel could send makes the decoders crash.
func FuzzDecode(f *testing.F) {
	f.Add(serviceObject(lvs.Service{Key: web, Scheduler: "wrr"})[4:])
	f.Add((&socket{}).destObject(lvs.Dest{Addr: netip.AddrPortFrom(vip6, 80), Weight: 1})[4:])
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = decodeService(b)
		_, _, _ = decodeDest(b, 2)
		_, _ = decodeDaemon(b)
		for rest, err := b, error(nil); err == nil; {
			_, _, rest, err = message(rest)
		}
	})
}
