//go:build linux && lab

// These tests need root and a kernel with IPVS whose table they may empty:
//
//	go test -c -tags lab -o kernel.test ./lvs/kernel
//	./kernel.test -test.run Lab -test.v
package kernel_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/kernel"
	"github.com/edgekeeper/edgekeeper/lvs/lvstest"
	"github.com/google/go-cmp/cmp"
)

func openLab(t *testing.T) *kernel.Driver {
	t.Helper()
	d, err := kernel.Open(t.Context(), kernel.Config{})
	if err != nil {
		t.Fatal(err)
	}
	// Without a single route the kernel takes every address for a broadcast one,
	// and refuses it as a real server.
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("ip: %v: %s", err, out)
	}
	empty := func(ctx context.Context) {
		o, err := d.Table(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range o.Table.Keys() {
			if err := d.Apply(ctx, []lvs.Op{{Verb: lvs.RemoveService, Service: o.Table[k].Service}})[0]; err != nil {
				t.Fatal(err)
			}
		}
	}
	empty(t.Context())
	t.Cleanup(func() {
		empty(context.Background())
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// converge takes the kernel to want and checks that it reads back as wanted.
func converge(t *testing.T, d *kernel.Driver, want lvs.Desired) {
	t.Helper()
	o, err := d.Table(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ops := lvs.Diff(o.Table, want)
	for i, err := range d.Apply(t.Context(), ops) {
		if err != nil {
			t.Fatalf("op %d: %v", i, err)
		}
	}
	if o, err = d.Table(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := lvs.Diff(o.Table, want); len(again) != 0 {
		t.Fatalf("not as wanted, still to do: %v\n%s", again, lvstest.Dump(o.Table))
	}
}

func only(p lvs.Pool) lvs.Desired {
	return lvs.Desired{Pools: map[lvs.Key]lvs.Want{p.Service.Key: {Pool: p}}}
}

// Every form of virtual server is created, edited into every other form of the
// same key, read back each time, and removed.
func TestLabServiceForms(t *testing.T) {
	d := openLab(t)
	v4, v6 := netip.MustParseAddr("61.139.2.1"), netip.MustParseAddr("2001:db8::1")
	keys := []lvs.Key{
		{Protocol: lvs.TCP, Addr: v4, Port: 80}, {Protocol: lvs.UDP, Addr: v4, Port: 53}, {Protocol: lvs.SCTP, Addr: v4, Port: 9},
		{Protocol: lvs.TCP, Addr: v6, Port: 80}, {Protocol: lvs.UDP, Addr: v6, Port: 53}, {Protocol: lvs.SCTP, Addr: v6, Port: 9},
		{Mark: 1, Family: lvs.IPv4}, {Mark: 1, Family: lvs.IPv6}, {Mark: 1<<32 - 1, Family: lvs.IPv4},
	}
	forms := []lvs.Service{
		{Scheduler: "wrr"}, {Scheduler: "rr"}, {Scheduler: "wlc"}, {Scheduler: "lc"},
		{Scheduler: "sh"}, {Scheduler: "sh", Flags: lvs.SchedulerFlag1 | lvs.SchedulerFlag2},
		{Scheduler: "mh"}, {Scheduler: "mh", Flags: lvs.SchedulerFlag1}, {Scheduler: "mh", Flags: lvs.SchedulerFlag2},
		{Scheduler: "wrr", Flags: lvs.SchedulerFlag3},
		{Scheduler: "sed"}, {Scheduler: "nq"}, {Scheduler: "fo"}, {Scheduler: "ovf"}, {Scheduler: "dh"},
		{Scheduler: "lblc"}, {Scheduler: "lblcr"},
		{Scheduler: "wrr", Persistence: 360}, {Scheduler: "wrr", Persistence: 1, Granularity: 24},
		{Scheduler: "wrr", Persistence: 86400, Granularity: 1}, {Scheduler: "wrr", OnePacket: true}, {Scheduler: "rr", Persistence: 60, Engine: "sip"}, {Scheduler: "rr", Persistence: 60, Engine: "sip", OnePacket: true},
	}
	for _, k := range keys {
		for _, s := range forms {
			s.Key = k
			converge(t, d, only(lvs.NewPool(s)))
		}
		converge(t, d, lvs.Desired{Owned: map[lvs.Key]bool{k: true}})
	}
	if kernel.LoadModule(t.Context(), "ip_vs_twos") == nil { // not every distribution builds it
		converge(t, d, only(lvs.NewPool(lvs.Service{Key: keys[0], Scheduler: "twos"})))
	}
	any := lvs.Key{Protocol: lvs.TCP, Addr: v4} // every port
	converge(t, d, only(lvs.NewPool(lvs.Service{Key: any, Scheduler: "wrr", Persistence: 360})))
}

// Every form of real server is added and edited in place into every other.
func TestLabDestForms(t *testing.T) {
	d := openLab(t)
	for _, tt := range []struct{ vip, rs, other string }{
		{"61.139.2.1", "61.139.2.4:80", "[2001:db8::4]:80"},
		{"2001:db8::1", "[2001:db8::4]:80", "61.139.2.4:80"},
	} {
		svc := lvs.Service{Key: lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddr(tt.vip), Port: 80}, Scheduler: "wrr"}
		tun := func(d lvs.Dest, tn lvs.Tunnel) lvs.Dest { d.Forward, d.Tunnel = lvs.TUN, tn; return d }
		one := lvs.Dest{Addr: netip.MustParseAddrPort(tt.rs), Weight: 1}
		nat := one
		nat.Forward = lvs.NAT
		zero, heavy, capped, range_ := one, one, one, one
		zero.Weight, heavy.Weight = 0, 65535
		capped.Upper = 100
		range_.Upper, range_.Lower = 100, 100
		forms := []lvs.Dest{
			one, zero, heavy, nat, capped, range_,
			tun(one, lvs.Tunnel{}),
			tun(one, lvs.Tunnel{Type: lvs.GUE, Port: 6080}),
			tun(one, lvs.Tunnel{Type: lvs.GUE, Port: 6081, Checksum: lvs.Checksum}),
			tun(one, lvs.Tunnel{Type: lvs.GUE, Port: 6081, Checksum: lvs.RemoteChecksum}),
			tun(one, lvs.Tunnel{Type: lvs.GRE}),
			tun(one, lvs.Tunnel{Type: lvs.GRE, Checksum: lvs.Checksum}),
		}
		for _, from := range forms {
			for _, to := range forms {
				converge(t, d, only(lvs.NewPool(svc, from)))
				converge(t, d, only(lvs.NewPool(svc, to)))
			}
			converge(t, d, only(lvs.NewPool(svc)))
		}
		// A tunnel may cross families.
		across := tun(lvs.Dest{Addr: netip.MustParseAddrPort(tt.other), Weight: 1}, lvs.Tunnel{})
		converge(t, d, only(lvs.NewPool(svc, one, across)))
		converge(t, d, lvs.Desired{Owned: map[lvs.Key]bool{svc.Key: true}})
	}
}

func TestLabRefusals(t *testing.T) {
	d := openLab(t)
	web := lvs.Service{Key: lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddr("61.139.2.1"), Port: 80}, Scheduler: "wrr"}
	dst := lvs.Dest{Addr: netip.MustParseAddrPort("61.139.2.4:80"), Weight: 1}
	unknown := web
	unknown.Scheduler = "nonsuch"
	for _, tt := range []struct {
		op   lvs.Op
		want error
	}{
		{lvs.Op{Verb: lvs.SetService, Service: web}, lvs.ErrNoService},
		{lvs.Op{Verb: lvs.RemoveService, Service: web}, lvs.ErrNoService},
		{lvs.Op{Verb: lvs.AddDest, Service: web, Dest: dst}, lvs.ErrNoService},
		{lvs.Op{Verb: lvs.AddService, Service: unknown}, lvs.ErrNoScheduler},
		{lvs.Op{Verb: lvs.AddService, Service: web}, nil},
		{lvs.Op{Verb: lvs.AddService, Service: web}, lvs.ErrExists},
		{lvs.Op{Verb: lvs.SetService, Service: unknown}, lvs.ErrNoScheduler},
		{lvs.Op{Verb: lvs.SetDest, Service: web, Dest: dst}, lvs.ErrNotFound},
		{lvs.Op{Verb: lvs.RemoveDest, Service: web, Dest: dst}, lvs.ErrNotFound},
		{lvs.Op{Verb: lvs.AddDest, Service: web, Dest: dst}, nil},
		{lvs.Op{Verb: lvs.AddDest, Service: web, Dest: dst}, lvs.ErrExists},
	} {
		if err := d.Apply(t.Context(), []lvs.Op{tt.op})[0]; !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", tt.op, err, tt.want)
		}
	}
}

func TestLabTimeouts(t *testing.T) {
	d := openLab(t)
	before, err := d.Timeouts()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.SetTimeouts(before); err != nil {
			t.Error(err)
		}
	})
	if err := d.SetTimeouts(lvs.Timeouts{TCP: 10 * time.Minute, UDP: time.Minute}); err != nil {
		t.Fatal(err)
	}
	got, err := d.Timeouts()
	if want := (lvs.Timeouts{TCP: 10 * time.Minute, TCPFin: before.TCPFin, UDP: time.Minute}); err != nil || got != want {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if v, n, err := d.Version(); v == "" || n == 0 || err != nil {
		t.Errorf("version %q, %d, %v", v, n, err)
	}
}

// A real connection through the table is listed and counted.
func TestLabConnections(t *testing.T) {
	d := openLab(t)
	for _, tt := range []struct{ vip, rs string }{{"192.0.2.1", "192.0.2.2"}, {"2001:db8::1", "2001:db8::2"}} {
		t.Run(tt.vip, func(t *testing.T) {
			vip, rs := netip.MustParseAddr(tt.vip), netip.MustParseAddr(tt.rs)
			for _, a := range []netip.Addr{vip, rs} {
				prefix := netip.PrefixFrom(a, a.BitLen()).String()
				if out, err := exec.Command("ip", "addr", "add", prefix, "dev", "lo").CombinedOutput(); err != nil {
					t.Fatalf("ip: %v: %s", err, out)
				}
				t.Cleanup(func() { _ = exec.Command("ip", "addr", "del", prefix, "dev", "lo").Run() })
			}
			l, err := net.Listen("tcp", netip.AddrPortFrom(rs, 8080).String())
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
				}
			}()
			key := lvs.Key{Protocol: lvs.TCP, Addr: vip, Port: 8080}
			to := netip.AddrPortFrom(rs, 8080)
			converge(t, d, only(lvs.NewPool(lvs.Service{Key: key, Scheduler: "wrr"}, lvs.Dest{Addr: to, Weight: 1, Forward: lvs.NAT})))
			c, err := net.DialTimeout("tcp", netip.AddrPortFrom(vip, 8080).String(), 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			got, err := d.Connections(t.Context(), lvs.ConnectionFilter{Virtual: vip})
			if err != nil || len(got) != 1 {
				t.Fatalf("connections %v, %v", got, err)
			}
			client := netip.MustParseAddrPort(c.LocalAddr().String())
			want := lvs.Connection{Protocol: lvs.TCP, Client: client, Virtual: netip.AddrPortFrom(vip, 8080), Dest: to, State: "ESTABLISHED", Expires: got[0].Expires}
			if d := cmp.Diff(want, got[0], cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
				t.Error(d)
			}
			if e := got[0].Expires; e < 14*time.Minute || e > 15*time.Minute {
				t.Errorf("expires in %s", e)
			}
			// Active connections count at once, the traffic when the kernel's
			// estimator has come round.
			for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
				o, err := d.Table(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				st, _ := o.Dests[key].Of(to)
				if st.Active != 1 || o.Services[key].Active != 1 {
					t.Fatalf("stats %+v, of the service %+v", st, o.Services[key])
				}
				if st.Connections == 1 && st.InPackets >= 3 && st.InBytes > 0 && st.OutPackets >= 2 && o.Services[key].Connections == 1 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("stats %+v, of the service %+v", st, o.Services[key])
				}
			}
		})
	}
}
