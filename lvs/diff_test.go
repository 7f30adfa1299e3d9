package lvs_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/lvstest"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDiffOps(t *testing.T) {
	wrr := service(web)
	rr := wrr
	rr.Scheduler = "rr"
	tun := dest(4, 1)
	tun.Forward = lvs.TUN
	gue := tun
	gue.Tunnel = lvs.Tunnel{Type: lvs.GUE, Port: 6080, Checksum: lvs.Checksum}
	capped := dest(4, 1)
	capped.Upper, capped.Lower = 100, 80
	sticky := wrr
	sticky.Persistence, sticky.Granularity = 360, 24

	for _, tt := range []struct {
		name string
		have lvs.Table
		want lvs.Desired
		ops  []string
	}{
		{"nothing at all", nil, lvs.Desired{}, nil},
		{"somebody else's", table(lvs.NewPool(wrr, dest(4, 1))), lvs.Desired{}, nil},
		{"from nothing", nil, desired(lvs.Want{Pool: lvs.NewPool(wrr, dest(5, 2), dest(4, 1))}), []string{
			"add tcp 61.139.2.1:80 scheduler wrr",
			"add tcp 61.139.2.1:80 -> 10.0.0.4:80 weight 1, forward dr",
			"add tcp 61.139.2.1:80 -> 10.0.0.5:80 weight 2, forward dr",
		}},
		{"equal", table(lvs.NewPool(wrr, dest(4, 1))), desired(lvs.Want{Pool: lvs.NewPool(wrr, dest(4, 1))}), nil},
		{"weight with its reason", table(lvs.NewPool(wrr, dest(4, 1))), desired(lvs.Want{
			Pool:    lvs.NewPool(wrr, dest(4, 0)),
			Reasons: lvs.ReasonMap{addr(4): "critical: connection refused"},
		}), []string{"set tcp 61.139.2.1:80 -> 10.0.0.4:80 weight 1 -> 0: critical: connection refused"}},
		{"swap: add, raise, lower, remove", table(lvs.NewPool(wrr, dest(1, 1), dest(2, 5), dest(3, 1))),
			desired(lvs.Want{Pool: lvs.NewPool(wrr, dest(2, 1), dest(3, 9), dest(4, 1))}), []string{
				"add tcp 61.139.2.1:80 -> 10.0.0.4:80 weight 1, forward dr",
				"set tcp 61.139.2.1:80 -> 10.0.0.3:80 weight 1 -> 9",
				"set tcp 61.139.2.1:80 -> 10.0.0.2:80 weight 5 -> 1",
				"remove tcp 61.139.2.1:80 -> 10.0.0.1:80: no longer wanted",
			}},
		{"scheduler in place", table(lvs.NewPool(wrr)), desired(lvs.Want{Pool: lvs.NewPool(rr)}),
			[]string{"set tcp 61.139.2.1:80 scheduler wrr -> rr"}},
		{"persistence in place", table(lvs.NewPool(wrr)), desired(lvs.Want{Pool: lvs.NewPool(sticky)}),
			[]string{"set tcp 61.139.2.1:80 persistence 0 s -> 360 s, granularity /32 -> /24"}},
		{"forwarding in place", table(lvs.NewPool(wrr, dest(4, 1))), desired(lvs.Want{Pool: lvs.NewPool(wrr, gue)}),
			[]string{"set tcp 61.139.2.1:80 -> 10.0.0.4:80 forward dr -> tun, tunnel ipip -> gue port 6080 csum"}},
		{"thresholds in place", table(lvs.NewPool(wrr, dest(4, 1))), desired(lvs.Want{Pool: lvs.NewPool(wrr, capped)}),
			[]string{"set tcp 61.139.2.1:80 -> 10.0.0.4:80 upper threshold 0 -> 100, lower threshold 0 -> 80"}},
		{"held: edits and removals wait", table(lvs.NewPool(wrr, dest(4, 1))),
			desired(lvs.Want{Pool: lvs.NewPool(rr, dest(5, 1)), Hold: "no verdict yet"}), nil},
		{"held: nothing is created", nil, desired(lvs.Want{Pool: lvs.NewPool(rr, dest(5, 1)), Hold: "no verdict yet"}), nil},
		{"held wins over owned", table(lvs.NewPool(wrr, dest(4, 1))), lvs.Desired{
			Pools: map[lvs.Key]lvs.Want{web: {Hold: "no verdict yet"}}, Owned: map[lvs.Key]bool{web: true}}, nil},
		{"owned and not wanted: its real servers go with it", table(lvs.NewPool(wrr, dest(4, 1)), lvs.NewPool(service(dns))),
			lvs.Desired{Owned: map[lvs.Key]bool{web: true, dns: false}}, []string{"remove tcp 61.139.2.1:80: no longer wanted"}},
		{"one virtual server after another: the new one first", table(lvs.NewPool(wrr, dest(4, 1))), lvs.Desired{
			Pools: map[lvs.Key]lvs.Want{dns: {Pool: lvs.NewPool(service(dns), dest(4, 1))}}, Owned: map[lvs.Key]bool{web: true}},
			[]string{
				"add udp 61.139.2.1:53 scheduler wrr",
				"add udp 61.139.2.1:53 -> 10.0.0.4:80 weight 1, forward dr",
				"remove tcp 61.139.2.1:80: no longer wanted",
			}},
		{"a hand-made pool, unsorted and doubled", nil,
			desired(lvs.Want{Pool: lvs.Pool{Service: wrr, Dests: []lvs.Dest{dest(5, 1), dest(4, 1), dest(5, 2)}}}), []string{
				"add tcp 61.139.2.1:80 scheduler wrr",
				"add tcp 61.139.2.1:80 -> 10.0.0.4:80 weight 1, forward dr",
				"add tcp 61.139.2.1:80 -> 10.0.0.5:80 weight 1, forward dr",
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.ops, texts(lvs.Diff(tt.have, tt.want))); d != "" {
				t.Error(d)
			}
		})
	}
}

// What the kernel reads back differs in form from what was sent. None of it may
// look like a change.
func TestDiffReadBack(t *testing.T) {
	for _, tt := range []struct {
		name       string
		have, want func(*lvs.Service, *lvs.Dest)
		key        lvs.Key
	}{
		{"no persistence has netmask 255.255.255.255", func(s *lvs.Service, _ *lvs.Dest) { s.Granularity = 32 }, nil, web},
		{"the same for IPv6", func(s *lvs.Service, _ *lvs.Dest) { s.Granularity = 128 }, nil, mark},
		{"granularity without persistence", nil, func(s *lvs.Service, _ *lvs.Dest) { s.Granularity = 24 }, web},
		{"full granularity with persistence", func(s *lvs.Service, _ *lvs.Dest) { s.Persistence, s.Granularity = 9, 32 },
			func(s *lvs.Service, _ *lvs.Dest) { s.Persistence = 9 }, web},
		{"tunnel of a DR real server", func(_ *lvs.Service, d *lvs.Dest) { d.Tunnel = lvs.Tunnel{Type: lvs.GUE, Port: 1} }, nil, web},
		{"port of an IPIP tunnel", func(_ *lvs.Service, d *lvs.Dest) { d.Forward, d.Tunnel.Port = lvs.TUN, 1 },
			func(_ *lvs.Service, d *lvs.Dest) { d.Forward = lvs.TUN }, web},
		{"checksum of an IPIP tunnel", func(_ *lvs.Service, d *lvs.Dest) { d.Forward = lvs.TUN },
			func(_ *lvs.Service, d *lvs.Dest) { d.Forward, d.Tunnel.Checksum = lvs.TUN, lvs.Checksum }, web},
		{"lower threshold without an upper one", nil, func(_ *lvs.Service, d *lvs.Dest) { d.Lower = 5 }, web},
	} {
		t.Run(tt.name, func(t *testing.T) {
			make := func(change func(*lvs.Service, *lvs.Dest)) lvs.Pool {
				s, d := service(tt.key), dest(4, 1)
				if change != nil {
					change(&s, &d)
				}
				return lvs.NewPool(s, d)
			}
			if ops := lvs.Diff(table(make(tt.have)), desired(lvs.Want{Pool: make(tt.want)})); len(ops) != 0 {
				t.Errorf("ops %v, want none", texts(ops))
			}
		})
	}
}

// The promises of the package comment, on generated tables and the strict fake:
// Diff's ops are all accepted, lead to want within its scope, leave the rest
// alone, and there is nothing left to do afterwards.
func TestDiffConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		have, want := genTable().Draw(t, "have"), genDesired().Draw(t, "want")
		var k lvstest.Kernel
		k.Load(have)
		for _, op := range lvs.Diff(have, want) {
			if err := k.Do(op); err != nil {
				t.Fatal(err)
			}
		}
		o, err := k.Table(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(lvstest.Dump(result(have, want)), lvstest.Dump(o.Table)); d != "" {
			t.Fatalf("after the ops (-want +have):\n%s", d)
		}
		if again := lvs.Diff(o.Table, want); len(again) != 0 {
			t.Fatalf("not idempotent: %v", texts(again))
		}
	})
}

// The order of Diff's comment, and that no pool which can take connections
// before and after cannot take them on the way.
func TestDiffOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		have, want := genTable().Draw(t, "have"), genDesired().Draw(t, "want")
		end := result(have, want)
		now := have.Clone()
		var last lvs.Op
		for i, op := range lvs.Diff(have, want) {
			if i > 0 {
				if op.Verb < last.Verb {
					t.Fatalf("%s after %s", op, last)
				}
				if last.Lowers() && !op.Lowers() {
					t.Fatalf("%s after %s", op, last)
				}
				if op.Verb == last.Verb && op.Lowers() == last.Lowers() && last.ID().Compare(op.ID()) >= 0 {
					t.Fatalf("%s after %s", op, last)
				}
			}
			last = op
			if err := lvs.Apply(now, op); err != nil {
				t.Fatal(err)
			}
			for k, p := range have {
				if p.Live() && end[k].Live() && !now[k].Live() {
					t.Fatalf("%s is empty after %s", k, op)
				}
			}
		}
	})
}

func TestApplyRefuses(t *testing.T) {
	have := table(lvs.NewPool(service(web), dest(4, 1)))
	for _, tt := range []struct {
		op   lvs.Op
		want error
	}{
		{lvs.Op{Verb: lvs.AddService, Service: service(web)}, lvs.ErrExists},
		{lvs.Op{Verb: lvs.SetService, Service: service(dns)}, lvs.ErrNoService},
		{lvs.Op{Verb: lvs.RemoveService, Service: service(dns)}, lvs.ErrNoService},
		{lvs.Op{Verb: lvs.AddDest, Service: service(dns), Dest: dest(4, 1)}, lvs.ErrNoService},
		{lvs.Op{Verb: lvs.AddDest, Service: service(web), Dest: dest(4, 1)}, lvs.ErrExists},
		{lvs.Op{Verb: lvs.SetDest, Service: service(web), Dest: dest(5, 1)}, lvs.ErrNotFound},
		{lvs.Op{Verb: lvs.RemoveDest, Service: service(web), Dest: dest(5, 1)}, lvs.ErrNotFound},
	} {
		t.Run(tt.op.String(), func(t *testing.T) {
			now := have.Clone()
			if err := lvs.Apply(now, tt.op); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if d := cmp.Diff(lvstest.Dump(have), lvstest.Dump(now)); d != "" {
				t.Errorf("the table changed: %s", d)
			}
		})
	}
}

func big(pools, dests int, weight uint32) lvs.Table {
	t := lvs.Table{}
	for i := range pools {
		k := lvs.Key{Protocol: lvs.TCP, Addr: netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), Port: 80}
		ds := make([]lvs.Dest, dests)
		for j := range ds {
			ds[j] = dest(j, weight)
		}
		t[k] = lvs.NewPool(service(k), ds...)
	}
	return t
}

func wantAll(t lvs.Table) lvs.Desired {
	d := lvs.Desired{Pools: map[lvs.Key]lvs.Want{}}
	for k, p := range t {
		d.Pools[k] = lvs.Want{Pool: p}
	}
	return d
}

// BenchmarkDiff10000 compares tables of 100 virtual servers with 100 real
// servers each.
func BenchmarkDiff10000(b *testing.B) {
	have := big(100, 100, 1)
	for _, bb := range []struct {
		name string
		have lvs.Table
		want lvs.Desired
		ops  int
	}{
		{"no-change", have, wantAll(big(100, 100, 1)), 0},
		{"every-weight", have, wantAll(big(100, 100, 2)), 10000},
		{"from-nothing", nil, wantAll(have), 10100},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if n := len(lvs.Diff(bb.have, bb.want)); n != bb.ops {
					b.Fatalf("%d ops, want %d", n, bb.ops)
				}
			}
		})
	}
}
