//go:build linux

package kernel

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/ipvs"
	"github.com/cloudflare/ipvs/netmask"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// errno is an error as the netlink library gives it.
func errno(e unix.Errno) error { return &netlink.OpError{Op: "receive", Err: e} }

// client stands in for the netlink client; its socket is for what goes past it.
type client struct {
	ipvs.Client // what is not called
	socket      socket
	info        error
	config      ipvs.Config
	closed      bool
}

func (c *client) Info() (ipvs.Info, error) {
	return ipvs.Info{Version: [3]int{1, 2, 1}, ConnectionTableSize: 4096}, c.info
}
func (c *client) Config() (ipvs.Config, error) { return c.config, nil }
func (c *client) SetConfig(n ipvs.Config) error {
	c.config = n
	return nil
}
func (c *client) Close() error { c.closed = true; return nil }

// open returns a driver whose dials give these answers in turn.
func open(t *testing.T, load func(string) error, dials ...any) (*Driver, error) {
	t.Helper()
	var last *client
	d := &Driver{
		dial: func() (ipvs.Client, error) {
			next := dials[0]
			dials = dials[1:]
			if err, ok := next.(error); ok {
				return nil, err
			}
			last = next.(*client)
			return last, nil
		},
		pipe: func() (*pipe, error) { return last.socket.pipe(), nil },
		load: func(_ context.Context, m string) error { return load(m) },
	}
	err := d.open(t.Context())
	return d, err
}

func mustOpen(t *testing.T, dials ...any) *Driver {
	t.Helper()
	d, err := open(t, func(string) error { return errors.New("no modules here") }, dials...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var (
	vip  = netip.MustParseAddr("61.139.2.1")
	vip6 = netip.MustParseAddr("2001:db8::1")
	web  = lvs.Key{Protocol: lvs.TCP, Addr: vip, Port: 80}
)

func TestOpen(t *testing.T) {
	missing := errno(unix.ENOENT)
	loads := func(string) error { return nil }
	fails := func(string) error { return unix.EPERM }
	denied := &client{info: errno(unix.EPERM)}
	for _, tt := range []struct {
		name  string
		load  func(string) error
		dials []any
		want  error
	}{
		{"there", fails, []any{&client{}}, nil},
		{"loaded", loads, []any{missing, &client{}}, nil},
		{"cannot be loaded", fails, []any{missing}, ErrNoIPVS},
		{"why it cannot be loaded", fails, []any{missing}, unix.EPERM},
		{"loaded, still missing", loads, []any{missing, missing}, ErrNoIPVS},
		{"no permission", fails, []any{denied}, fs.ErrPermission},
		{"another error", fails, []any{errno(unix.EMFILE)}, unix.EMFILE},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := open(t, tt.load, tt.dials...); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
	if !denied.closed {
		t.Error("the refused client was not closed")
	}
}

func TestTable(t *testing.T) {
	t.Run("empty", func(t *testing.T) {
		o, err := mustOpen(t, &client{}).Table(t.Context())
		if err != nil || o.Table == nil || len(o.Table) != 0 {
			t.Errorf("%v, %v", o, err)
		}
	})
	t.Run("full", func(t *testing.T) {
		other := web
		other.Addr = netip.AddrFrom4([4]byte{61, 139, 2, 2})
		c := &client{}
		four, five, six := netip.MustParseAddrPort("10.0.0.4:80"), netip.MustParseAddrPort("10.0.0.5:80"), netip.MustParseAddrPort("10.0.0.6:80")
		c.socket.kernel.Load(lvs.Table{
			web: lvs.NewPool(lvs.Service{Key: web, Scheduler: "wrr"},
				lvs.Dest{Addr: four, Weight: 1}, lvs.Dest{Addr: five, Weight: 1}, lvs.Dest{Addr: six, Weight: 1}),
			other: {Service: lvs.Service{Key: other, Scheduler: "wrr"}},
		})
		st := lvs.Stats{Active: 3, Inactive: 1, Connections: 1<<32 + 7, InPackets: 8, OutPackets: 9, InBytes: 10, OutBytes: 11,
			Rates: lvs.Rates{Connections: 12, InPackets: 13, OutPackets: 14, InBytes: 1<<32 + 15, OutBytes: 16}}
		c.socket.stats = st
		c.socket.cut = 1
		o, err := mustOpen(t, c).Table(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := lvs.Observed{
			Table: lvs.Table{
				web: lvs.NewPool(lvs.Service{Key: web, Scheduler: "wrr"},
					lvs.Dest{Addr: four, Weight: 1}, lvs.Dest{Addr: five, Weight: 1}, lvs.Dest{Addr: six, Weight: 1}),
				other: {Service: lvs.Service{Key: other, Scheduler: "wrr"}, Dests: []lvs.Dest{}},
			},
			Dests:    map[lvs.Key]lvs.DestStats{web: {{Addr: four, Stats: st}, {Addr: five, Stats: st}, {Addr: six, Stats: st}}, other: {}},
			Services: map[lvs.Key]lvs.Stats{web: {Active: 9, Inactive: 3}, other: {}},
		}
		if d := cmp.Diff(want, o, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
			cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
			t.Error(d)
		}
		if got := c.socket.batches(t); len(got) != 4 { // the services twice, for the cut, and each one's real servers
			t.Errorf("%d dumps, want 4", len(got))
		}
	})
	t.Run("what stands still takes no memory anew", func(t *testing.T) {
		c, other := &client{}, lvs.Key{Protocol: lvs.TCP, Addr: web.Addr, Port: 443}
		dests := []lvs.Dest{{Addr: netip.MustParseAddrPort("10.0.0.1:80"), Weight: 1}, {Addr: netip.MustParseAddrPort("10.0.0.2:80"), Weight: 1}}
		c.socket.kernel.Load(lvs.Table{
			web: lvs.NewPool(lvs.Service{Key: web, Scheduler: "wrr"}, dests...), other: lvs.NewPool(lvs.Service{Key: other, Scheduler: "wrr"}, dests...),
		})
		d := mustOpen(t, c)
		first, err := d.Table(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.socket.kernel.Do(lvs.Op{Verb: lvs.SetDest, Service: lvs.Service{Key: other}, Dest: lvs.Dest{Addr: dests[0].Addr, Weight: 7}}); err != nil {
			t.Fatal(err)
		}
		second, err := d.Table(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if &first.Table[web].Dests[0] != &second.Table[web].Dests[0] || &first.Dests[web][0] != &second.Dests[web][0] {
			t.Error("a virtual server that stands still has been copied")
		}
		if was, is := first.Table[other].Dests[0].Weight, second.Table[other].Dests[0].Weight; was != 1 || is != 7 {
			t.Errorf("weight %d in the first reading, %d in the second; want 1 and 7", was, is)
		}
		instead := second.Table[web].Clone()
		second.Table[web] = instead
		third, err := d.Table(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if &third.Table[web].Dests[0] != &instead.Dests[0] {
			t.Error("the list that was put in its place is not used")
		}
	})
	t.Run("interrupted for ever", func(t *testing.T) {
		c := &client{}
		c.socket.kernel.Load(lvs.Table{web: lvs.NewPool(lvs.Service{Key: web, Scheduler: "wrr"})})
		c.socket.cut = 1000
		if _, err := mustOpen(t, c).Table(t.Context()); !errors.Is(err, unix.EINTR) {
			t.Errorf("error %v", err)
		}
	})
	// The kernel's ENOENT also is fs.ErrNotExist. It must not read as an empty
	// table: it means that the module went.
	t.Run("module unloaded and back", func(t *testing.T) {
		gone := &client{socket: socket{list: unix.ENOENT}}
		d := mustOpen(t, gone, &client{})
		if o, err := d.Table(t.Context()); err != nil || len(o.Table) != 0 {
			t.Errorf("%v, %v", o, err)
		}
		if !gone.closed || !gone.socket.closed {
			t.Error("the old connection is open")
		}
	})
	t.Run("module unloaded for good", func(t *testing.T) {
		d := mustOpen(t, &client{socket: socket{list: unix.ENOENT}}, errno(unix.ENOENT))
		if _, err := d.Table(t.Context()); !errors.Is(err, ErrNoIPVS) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("error", func(t *testing.T) {
		if _, err := mustOpen(t, &client{socket: socket{list: unix.ENOBUFS}}).Table(t.Context()); !errors.Is(err, unix.ENOBUFS) {
			t.Errorf("error %v", err)
		}
	})
}

func TestApplyErrors(t *testing.T) {
	svc := lvs.Service{Key: web, Scheduler: "wrr"}
	dst := lvs.Dest{Addr: netip.MustParseAddrPort("10.0.0.4:80"), Weight: 1}
	for _, tt := range []struct {
		verb lvs.Verb
		errn unix.Errno
		want error
	}{
		{lvs.AddService, unix.EEXIST, lvs.ErrExists},
		{lvs.AddService, unix.ENOENT, lvs.ErrNoScheduler},
		{lvs.SetService, unix.ENOENT, lvs.ErrNoScheduler},
		{lvs.SetService, unix.ESRCH, lvs.ErrNoService},
		{lvs.RemoveService, unix.ESRCH, lvs.ErrNoService},
		{lvs.AddDest, unix.EEXIST, lvs.ErrExists},
		{lvs.AddDest, unix.ESRCH, lvs.ErrNoService},
		{lvs.SetDest, unix.ENOENT, lvs.ErrNotFound},
		{lvs.RemoveDest, unix.ENOENT, lvs.ErrNotFound},
		{lvs.AddDest, unix.ERANGE, unix.ERANGE},
		{lvs.AddDest, unix.EPERM, fs.ErrPermission},
	} {
		c := &client{socket: socket{refuse: func(lvs.Op) unix.Errno { return tt.errn }}}
		op := lvs.Op{Verb: tt.verb, Service: svc, Dest: dst}
		errs := mustOpen(t, c).Apply(t.Context(), []lvs.Op{op})
		if len(errs) != 1 || !errors.Is(errs[0], tt.want) || !errors.Is(errs[0], tt.errn) {
			t.Errorf("%s, %v: error %v, want %v", tt.verb, tt.errn, errs, tt.want)
		}
	}
}

func TestTimeouts(t *testing.T) {
	d := mustOpen(t, &client{})
	if err := d.SetTimeouts(lvs.Timeouts{TCP: time.Minute, TCPFin: 1500 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	got, err := d.Timeouts()
	if want := (lvs.Timeouts{TCP: time.Minute, TCPFin: 2 * time.Second}); err != nil || got != want {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if v, n, err := d.Version(); v != "1.2.1" || n != 4096 || err != nil {
		t.Errorf("version %s, %d, %v", v, n, err)
	}
}

func genKey(t *rapid.T) lvs.Key {
	if rapid.Bool().Draw(t, "mark") {
		return lvs.Key{Mark: rapid.Uint32Range(1, 1<<32-1).Draw(t, "mark number"),
			Family: rapid.SampledFrom([]lvs.Family{lvs.IPv4, lvs.IPv6}).Draw(t, "family")}
	}
	return lvs.Key{Protocol: rapid.SampledFrom([]lvs.Protocol{lvs.TCP, lvs.UDP, lvs.SCTP}).Draw(t, "protocol"),
		Addr: rapid.SampledFrom([]netip.Addr{vip, vip6}).Draw(t, "addr"), Port: rapid.Uint16().Draw(t, "port")}
}

func genService(t *rapid.T, key lvs.Key) lvs.Service {
	s := lvs.Service{
		Key:         key,
		Scheduler:   rapid.SampledFrom([]string{"rr", "mh"}).Draw(t, "scheduler"),
		Flags:       lvs.SchedulerFlags(rapid.IntRange(0, 7).Draw(t, "flags")),
		OnePacket:   rapid.Bool().Draw(t, "ops"),
		Persistence: rapid.Uint32Range(0, 1000).Draw(t, "persistence"),
		Engine:      rapid.SampledFrom([]string{"", "sip"}).Draw(t, "engine"),
	}
	full := 32
	if s.IPv6() {
		full = 128
	}
	s.Granularity = uint8(rapid.IntRange(0, full).Draw(t, "granularity"))
	return s
}

func genDest(t *rapid.T) lvs.Dest {
	return lvs.Dest{
		Addr:    netip.AddrPortFrom(rapid.SampledFrom([]netip.Addr{vip, vip6}).Draw(t, "addr"), rapid.Uint16().Draw(t, "port")),
		Weight:  rapid.Uint32().Draw(t, "weight"),
		Forward: rapid.SampledFrom([]lvs.Forward{lvs.DR, lvs.NAT, lvs.TUN}).Draw(t, "forward"),
		Tunnel: lvs.Tunnel{Type: lvs.TunnelType(rapid.IntRange(0, 2).Draw(t, "tunnel")), Port: rapid.Uint16().Draw(t, "tunnel port"),
			Checksum: lvs.TunnelChecksum(rapid.IntRange(0, 2).Draw(t, "checksum"))},
		Upper: rapid.Uint32().Draw(t, "upper"),
		Lower: rapid.Uint32().Draw(t, "lower"),
	}
}

// What is sent and read back is the same, whatever it is, and the netmask is
// always there: the client leaves a zero one out.
func TestServiceConversion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := genService(t, genKey(t))
		sent := toService(s)
		if !sent.Netmask.IsValid() || sent.Netmask.Is6() != s.IPv6() || sent.Flags&ipvs.ServiceHashed != 0 {
			t.Fatalf("sent %+v", sent)
		}
		sent.Flags |= ipvs.ServiceHashed // the kernel adds it
		if back := fromService(sent); back != s.Normal() {
			t.Fatalf("%+v came back as %+v", s, back)
		}
	})
}

func TestDestConversion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := genDest(t)
		sent := toDest(d)
		if (sent.Family == ipvs.INET) != d.Addr.Addr().Is4() {
			t.Fatalf("sent %+v", sent)
		}
		if back := fromDest(sent); back != d.Normal() {
			t.Fatalf("%+v came back as %+v", d, back)
		}
	})
}

// What somebody else set and we cannot express must differ from all that can be
// wanted.
func TestForeignForms(t *testing.T) {
	for _, m := range []netmask.Mask{netmask.MaskFrom4([4]byte{255, 0, 255, 0}), netmask.MaskFrom(0, 32)} {
		s := fromService(service{Service: ipvs.Service{Address: vip, Family: ipvs.INET, Flags: ipvs.ServicePersistent, Timeout: 9, Netmask: m}})
		if s.Granularity != OddGranularity {
			t.Errorf("%s: granularity %d", m, s.Granularity)
		}
	}
	for _, f := range []ipvs.ForwardType{ipvs.Local, ipvs.Bypass, 7} {
		d := fromDest(ipvs.Destination{Address: vip, FwdMethod: f})
		if d.Forward == lvs.DR || d.Forward == lvs.NAT || d.Forward == lvs.TUN {
			t.Errorf("%v reads as %s", f, d.Forward)
		}
		if back := toDest(d).FwdMethod; back != f {
			t.Errorf("%v is sent back as %v", f, back)
		}
	}
}

func TestDependencies(t *testing.T) {
	const dep = `kernel/net/ipv4/ip_tunnel.ko.xz:
kernel/net/netfilter/ipvs/ip_vs.ko.xz: kernel/net/netfilter/nf_conntrack.ko.xz kernel/lib/libcrc32c.ko.xz
kernel/net/netfilter/ipvs/ip_vs_wrr.ko.xz: kernel/net/netfilter/ipvs/ip_vs.ko.xz kernel/lib/libcrc32c.ko.xz
kernel/net/ipv4/inet-diag.ko:
`
	for _, tt := range []struct {
		name, want string
	}{
		{"ip_vs", "kernel/lib/libcrc32c.ko.xz kernel/net/netfilter/nf_conntrack.ko.xz kernel/net/netfilter/ipvs/ip_vs.ko.xz"},
		{"ip_vs_wrr", "kernel/lib/libcrc32c.ko.xz kernel/net/netfilter/ipvs/ip_vs.ko.xz kernel/net/netfilter/ipvs/ip_vs_wrr.ko.xz"},
		{"inet_diag", "kernel/net/ipv4/inet-diag.ko"},
	} {
		got, err := dependencies(strings.NewReader(dep), tt.name)
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
	}
	if _, err := dependencies(strings.NewReader(dep), "ip_vs_mh"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}
