package lvstest

import (
	"net/netip"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// Case is one change of a table: what is there, what is wanted, and what is there
// afterwards, as Dump writes it. The cases hold for the fake and for the kernel.
type Case struct {
	Name string
	Have lvs.Table
	Want lvs.Desired
	Left string
	Ops  int // that it takes
}

// Cases gives each kind of change that Diff makes, alone and together.
func Cases() []Case {
	key := func(p lvs.Protocol, addr string) lvs.Key {
		a := netip.MustParseAddrPort(addr)
		return lvs.Key{Protocol: p, Addr: a.Addr(), Port: a.Port()}
	}
	web, web6 := key(lvs.TCP, "61.139.2.1:80"), key(lvs.TCP, "[2001:db8::1]:80")
	service := func(k lvs.Key, edit ...func(*lvs.Service)) lvs.Service {
		s := lvs.Service{Key: k, Scheduler: "wrr"}
		for _, e := range edit {
			e(&s)
		}
		return s
	}
	dest := func(addr string, weight uint32, edit ...func(*lvs.Dest)) lvs.Dest {
		d := lvs.Dest{Addr: netip.MustParseAddrPort(addr), Weight: weight}
		for _, e := range edit {
			e(&d)
		}
		return d
	}
	table := func(pools ...lvs.Pool) lvs.Table {
		t := lvs.Table{}
		for _, p := range pools {
			t[p.Service.Key] = p
		}
		return t
	}
	want := func(pools ...lvs.Pool) lvs.Desired {
		d := lvs.Desired{Pools: map[lvs.Key]lvs.Want{}}
		for _, p := range pools {
			d.Pools[p.Service.Key] = lvs.Want{Pool: p}
		}
		return d
	}
	owned := func(d lvs.Desired, keys ...lvs.Key) lvs.Desired {
		d.Owned = map[lvs.Key]bool{}
		for _, k := range keys {
			d.Owned[k] = true
		}
		return d
	}
	scheduler := func(name string, flags lvs.SchedulerFlags) func(*lvs.Service) {
		return func(s *lvs.Service) { s.Scheduler, s.Flags = name, flags }
	}
	sticky := func(seconds uint32, bits uint8) func(*lvs.Service) {
		return func(s *lvs.Service) { s.Persistence, s.Granularity = seconds, bits }
	}
	forward := func(f lvs.Forward, tunnel lvs.Tunnel) func(*lvs.Dest) {
		return func(d *lvs.Dest) { d.Forward, d.Tunnel = f, tunnel }
	}
	limits := func(lower, upper uint32) func(*lvs.Dest) {
		return func(d *lvs.Dest) { d.Lower, d.Upper = lower, upper }
	}
	const four, five, six = "61.139.2.4:80", "61.139.2.5:80", "61.139.2.6:80"
	pool := lvs.NewPool(service(web), dest(four, 1))
	mark4, mark6 := lvs.Key{Mark: 7, Family: lvs.IPv4}, lvs.Key{Mark: 7, Family: lvs.IPv6}
	gue := lvs.Tunnel{Type: lvs.GUE, Port: 6080, Checksum: lvs.Checksum}
	held := want(lvs.NewPool(service(web, scheduler("rr", 0)), dest(five, 1)))
	held.Pools[web] = lvs.Want{Pool: held.Pools[web].Pool, Hold: "nobody knows"}

	return []Case{
		{"from nothing", nil, want(lvs.NewPool(service(web), dest(five, 2), dest(four, 1))),
			"tcp 61.139.2.1:80 wrr\n  -> 61.139.2.4:80 dr 1\n  -> 61.139.2.5:80 dr 2\n", 3},
		{"nothing to do", table(pool), want(pool), Dump(table(pool)), 0},
		{"somebody else's stays", table(pool), lvs.Desired{}, Dump(table(pool)), 0},
		{"no longer wanted, with its real servers", table(pool), owned(lvs.Desired{}, web), "", 1},
		{"one gives way to another", table(pool), owned(want(lvs.NewPool(service(web6), dest("[2001:db8::4]:80", 1))), web),
			"tcp [2001:db8::1]:80 wrr\n  -> [2001:db8::4]:80 dr 1\n", 3},
		{"held", table(pool), owned(held, web), Dump(table(pool)), 0},
		{"a real server comes", table(pool), want(lvs.NewPool(service(web), dest(four, 1), dest(five, 65535))),
			"tcp 61.139.2.1:80 wrr\n  -> 61.139.2.4:80 dr 1\n  -> 61.139.2.5:80 dr 65535\n", 1},
		{"a real server goes", table(lvs.NewPool(service(web), dest(four, 1), dest(five, 1))), want(pool), Dump(table(pool)), 1},
		{"the last real server goes", table(pool), want(lvs.NewPool(service(web))), "tcp 61.139.2.1:80 wrr\n", 1},
		{"all are others", table(lvs.NewPool(service(web), dest(four, 1), dest(five, 1))), want(lvs.NewPool(service(web), dest(six, 1))),
			"tcp 61.139.2.1:80 wrr\n  -> 61.139.2.6:80 dr 1\n", 3},
		{"weights", table(lvs.NewPool(service(web), dest(four, 1), dest(five, 9), dest(six, 0))), want(lvs.NewPool(service(web), dest(four, 0), dest(five, 3), dest(six, 65535))),
			"tcp 61.139.2.1:80 wrr\n  -> 61.139.2.4:80 dr 0\n  -> 61.139.2.5:80 dr 3\n  -> 61.139.2.6:80 dr 65535\n", 3},
		{"scheduler in place", table(pool), want(lvs.NewPool(service(web, scheduler("mh", lvs.SchedulerFlag1|lvs.SchedulerFlag2)), dest(four, 1))),
			"tcp 61.139.2.1:80 mh flags 1+2\n  -> 61.139.2.4:80 dr 1\n", 1},
		{"flags taken off", table(lvs.NewPool(service(web, scheduler("sh", lvs.SchedulerFlag2)))), want(lvs.NewPool(service(web, scheduler("sh", 0)))),
			"tcp 61.139.2.1:80 sh\n", 1},
		{"persistence on", table(pool), want(lvs.NewPool(service(web, sticky(360, 24)), dest(four, 1))),
			"tcp 61.139.2.1:80 wrr persistent 360/24\n  -> 61.139.2.4:80 dr 1\n", 1},
		{"persistence off", table(lvs.NewPool(service(web, sticky(360, 0)))), want(lvs.NewPool(service(web))), "tcp 61.139.2.1:80 wrr\n", 1},
		{"every port", nil, want(lvs.NewPool(service(key(lvs.TCP, "61.139.2.1:0"), sticky(60, 0)), dest("61.139.2.4:0", 1))),
			"tcp 61.139.2.1:0 wrr persistent 60/0\n  -> 61.139.2.4:0 dr 1\n", 2},
		{"persistence engine", nil, want(lvs.NewPool(service(key(lvs.UDP, "61.139.2.1:5060"), sticky(60, 0), func(s *lvs.Service) { s.Engine = "sip" }))),
			"udp 61.139.2.1:5060 wrr persistent 60/0 pe sip\n", 1},
		{"one-packet", table(lvs.NewPool(service(key(lvs.UDP, "61.139.2.1:53")))), want(lvs.NewPool(service(key(lvs.UDP, "61.139.2.1:53"), func(s *lvs.Service) { s.OnePacket = true }))),
			"udp 61.139.2.1:53 wrr ops\n", 1},
		{"SCTP", nil, want(lvs.NewPool(service(key(lvs.SCTP, "[2001:db8::1]:9")))), "sctp [2001:db8::1]:9 wrr\n", 1},
		{"marks of both families", nil, want(lvs.NewPool(service(mark4), dest("61.139.2.4:0", 1)), lvs.NewPool(service(mark6), dest("[2001:db8::4]:0", 1))),
			"fwmark 7 inet wrr\n  -> 61.139.2.4:0 dr 1\nfwmark 7 inet6 wrr\n  -> [2001:db8::4]:0 dr 1\n", 4},
		{"forwarding in place", table(lvs.NewPool(service(web), dest(four, 1), dest(five, 1))),
			want(lvs.NewPool(service(web), dest(four, 1, forward(lvs.NAT, lvs.Tunnel{})), dest(five, 1, forward(lvs.TUN, gue)))),
			"tcp 61.139.2.1:80 wrr\n  -> 61.139.2.4:80 nat 1\n  -> 61.139.2.5:80 tun 1 gue port 6080 csum\n", 2},
		{"another tunnel", table(lvs.NewPool(service(web), dest(four, 1, forward(lvs.TUN, gue)))),
			want(lvs.NewPool(service(web), dest(four, 1, forward(lvs.TUN, lvs.Tunnel{Type: lvs.GRE})))), "tcp 61.139.2.1:80 wrr\n  -> 61.139.2.4:80 tun 1 gre\n", 1},
		{"a tunnel to the other family", nil, want(lvs.NewPool(service(web6), dest(four, 1, forward(lvs.TUN, lvs.Tunnel{})))),
			"tcp [2001:db8::1]:80 wrr\n  -> 61.139.2.4:80 tun 1 ipip\n", 2},
		{"NAT to another port", nil, want(lvs.NewPool(service(web), dest("61.139.2.4:8080", 1, forward(lvs.NAT, lvs.Tunnel{})))),
			"tcp 61.139.2.1:80 wrr\n  -> 61.139.2.4:8080 nat 1\n", 2},
		{"thresholds", table(lvs.NewPool(service(web), dest(four, 1), dest(five, 1, limits(5, 9)))),
			want(lvs.NewPool(service(web), dest(four, 1, limits(80, 100)), dest(five, 1))),
			"tcp 61.139.2.1:80 wrr\n  -> 61.139.2.4:80 dr 1 thresholds 80/100\n  -> 61.139.2.5:80 dr 1\n", 2},
		{"all at once", table(lvs.NewPool(service(web), dest(four, 5), dest(five, 1)), lvs.NewPool(service(web6))),
			owned(want(lvs.NewPool(service(web, scheduler("wlc", 0)), dest(five, 7), dest(six, 1)), lvs.NewPool(service(mark4), dest("61.139.2.4:0", 1))), web6),
			"tcp 61.139.2.1:80 wlc\n  -> 61.139.2.5:80 dr 7\n  -> 61.139.2.6:80 dr 1\nfwmark 7 inet wrr\n  -> 61.139.2.4:0 dr 1\n", 7},
	}
}
