package lvs_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/edgekeeper/edgekeeper/lvs"
	"pgregory.net/rapid"
)

var (
	vip  = netip.MustParseAddr("61.139.2.1")
	vip6 = netip.MustParseAddr("2001:db8::1")
	web  = lvs.Key{Protocol: lvs.TCP, Addr: vip, Port: 80}
	dns  = lvs.Key{Protocol: lvs.UDP, Addr: vip, Port: 53}
	mark = lvs.Key{Mark: 7, Family: lvs.IPv6}
)

// keys is a small world, so that generated tables meet.
var keys = []lvs.Key{web, dns, mark,
	{Protocol: lvs.TCP, Addr: vip6, Port: 80}, {Protocol: lvs.SCTP, Addr: vip, Port: 9}, {Mark: 7, Family: lvs.IPv4}}

func addr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)
}

func dest(i int, weight uint32) lvs.Dest { return lvs.Dest{Addr: addr(i), Weight: weight} }

func service(k lvs.Key) lvs.Service { return lvs.Service{Key: k, Scheduler: "wrr"} }

func table(pools ...lvs.Pool) lvs.Table {
	t := lvs.Table{}
	for _, p := range pools {
		t[p.Service.Key] = p
	}
	return t
}

func desired(wants ...lvs.Want) lvs.Desired {
	d := lvs.Desired{Pools: map[lvs.Key]lvs.Want{}}
	for _, w := range wants {
		d.Pools[w.Pool.Service.Key] = w
	}
	return d
}

func genService(k lvs.Key) *rapid.Generator[lvs.Service] {
	return rapid.Custom(func(t *rapid.T) lvs.Service {
		return lvs.Service{
			Key:         k,
			Scheduler:   rapid.SampledFrom([]string{"rr", "wrr", "sh"}).Draw(t, "scheduler"),
			Flags:       lvs.SchedulerFlags(rapid.IntRange(0, 3).Draw(t, "flags")),
			OnePacket:   k.Protocol == lvs.UDP && rapid.Bool().Draw(t, "ops"),
			Persistence: rapid.SampledFrom([]uint32{0, 360}).Draw(t, "persistence"),
			Granularity: rapid.SampledFrom([]uint8{0, 24, 32, 128}).Draw(t, "granularity"),
			Engine:      rapid.SampledFrom([]string{"", "sip"}).Draw(t, "engine"),
		}
	})
}

// genDest makes real servers that the kernel takes: only tunnels cross families.
func genDest(k lvs.Key) *rapid.Generator[lvs.Dest] {
	return rapid.Custom(func(t *rapid.T) lvs.Dest {
		d := dest(rapid.IntRange(1, 6).Draw(t, "addr"), uint32(rapid.IntRange(0, 3).Draw(t, "weight")))
		d.Forward = rapid.SampledFrom([]lvs.Forward{lvs.DR, lvs.NAT, lvs.TUN}).Draw(t, "forward")
		if k.IPv6() && d.Forward != lvs.TUN {
			b := d.Addr.Addr().As16()
			b[10], b[11] = 0xbe, 0xef
			d.Addr = netip.AddrPortFrom(netip.AddrFrom16(b), 80)
		}
		d.Tunnel.Type = lvs.TunnelType(rapid.IntRange(0, 2).Draw(t, "tunnel"))
		d.Tunnel.Port = rapid.SampledFrom([]uint16{6080, 6081}).Draw(t, "tunnel port")
		d.Tunnel.Checksum = lvs.TunnelChecksum(rapid.IntRange(0, 2).Draw(t, "checksum"))
		d.Upper = rapid.SampledFrom([]uint32{0, 100}).Draw(t, "upper")
		d.Lower = rapid.SampledFrom([]uint32{0, 50}).Draw(t, "lower")
		return d
	})
}

func genPool(k lvs.Key) *rapid.Generator[lvs.Pool] {
	return rapid.Custom(func(t *rapid.T) lvs.Pool {
		return lvs.NewPool(genService(k).Draw(t, "service"), rapid.SliceOfN(genDest(k), 0, 6).Draw(t, "dests")...)
	})
}

func genTable() *rapid.Generator[lvs.Table] {
	return rapid.Custom(func(t *rapid.T) lvs.Table {
		out := lvs.Table{}
		for i, k := range keys {
			if rapid.Bool().Draw(t, fmt.Sprintf("has %d", i)) {
				out[k] = genPool(k).Draw(t, "pool")
			}
		}
		return out
	})
}

func genDesired() *rapid.Generator[lvs.Desired] {
	return rapid.Custom(func(t *rapid.T) lvs.Desired {
		out := lvs.Desired{Pools: map[lvs.Key]lvs.Want{}, Owned: map[lvs.Key]bool{}}
		for _, k := range keys {
			switch rapid.IntRange(0, 5).Draw(t, "scope") {
			case 0: // somebody else's
			case 1:
				out.Owned[k] = rapid.Bool().Draw(t, "owned")
			case 2:
				out.Pools[k] = lvs.Want{Pool: genPool(k).Draw(t, "held"), Hold: "cannot judge"}
			default:
				out.Pools[k] = lvs.Want{Pool: genPool(k).Draw(t, "want")}
				out.Owned[k] = rapid.Bool().Draw(t, "owned")
			}
		}
		return out
	})
}

// result is what have should become under want, worked out without Diff.
func result(have lvs.Table, want lvs.Desired) lvs.Table {
	out := normal(have)
	for k, owned := range want.Owned {
		if _, wanted := want.Pools[k]; owned && !wanted {
			delete(out, k)
		}
	}
	for _, w := range want.Pools {
		if w.Hold == "" {
			maps.Copy(out, normal(table(w.Pool)))
		}
	}
	return out
}

func normal(t lvs.Table) lvs.Table {
	out := t.Clone()
	for k, p := range out {
		p.Service = p.Service.Normal()
		for i := range p.Dests {
			p.Dests[i] = p.Dests[i].Normal()
		}
		p.Dests = slices.Clip(p.Dests)
		out[k] = p
	}
	return out
}

func texts(ops []lvs.Op) []string {
	var out []string
	for _, op := range ops {
		out = append(out, op.String())
	}
	return out
}
