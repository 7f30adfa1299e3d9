package discovery_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

func grouped(s *discovery.Spec) {
	s.Service.Key = lvs.Key{Mark: 65600, Family: lvs.IPv4}
	s.Spans = []lvs.Span{{First: netip.MustParseAddr("192.0.2.1"), Last: netip.MustParseAddr("192.0.2.9"), FirstPort: 80, LastPort: 89}}
	s.Protocol = lvs.TCP
}

// Real servers of a group have no port in the kernel, as their packets keep the
// one that the client asked for; they are checked at the port of their instance,
// also while they leave.
func TestGroupFromCatalog(t *testing.T) {
	for _, form := range []func(*discovery.Spec){grouped, func(s *discovery.Spec) { s.Service.Port, s.Service.Persistence = 0, 60 }} {
		s := spec(form)
		w := newWorld(instance(1, discovery.Passing), instance(2, discovery.Passing))
		w.check(discovery.Up, "connected", 1)
		w.check(discovery.Down, "refused", 2)
		d := discovery.Merge(s, w.View, discovery.Memory{})
		bare := func(n int) netip.AddrPort { return netip.AddrPortFrom(addr(n).Addr(), 0) }
		one, ok := d.Want.Pool.Dest(bare(1))
		two, ok2 := d.Want.Pool.Dest(bare(2))
		if !ok || !ok2 || one.Weight != 10 || two.Weight != 0 || len(d.Want.Pool.Dests) != 2 {
			t.Fatalf("pool %+v", d.Want.Pool)
		}
		if _, ok := checksOf(d)[probe.For(addr(1))]; !ok || len(checksOf(d)) != 2 {
			t.Errorf("checks %v", checksOf(d))
		}
		if got := statusOf(d, w)[1].Checks; len(got) != 1 || got[0].Target != addr(2).String() || got[0].Health != discovery.Down {
			t.Errorf("status of the check: %+v", got)
		}
		w.catalog(instance(2, discovery.Passing))
		d = discovery.Merge(s, w.View, d.Memory)
		if _, ok := checksOf(d)[probe.For(addr(1))]; !ok {
			t.Errorf("checks while one leaves: %v", checksOf(d))
		}
		// A restart knows the real server from the kernel only, and no port of it.
		d = discovery.Merge(s, newWorld(instance(2, discovery.Passing)).View, discovery.Adopt(d.Want.Pool))
		for c := range checksOf(d) {
			if c.Target.Port() == 0 {
				t.Errorf("checks %s", c.Target)
			}
		}
	}
}

// NAT translates to the port of the instance.
func TestGroupNAT(t *testing.T) {
	s := spec(grouped, func(s *discovery.Spec) { s.Forward = lvs.NAT })
	d := discovery.Merge(s, newWorld(instance(1, discovery.Passing)).View, discovery.Memory{})
	if _, ok := d.Want.Pool.Dest(addr(1)); !ok {
		t.Errorf("pool %+v", d.Want.Pool)
	}
}

// UDP of a group is removed at once, like any UDP.
func TestGroupDrain(t *testing.T) {
	for protocol, want := range map[lvs.Protocol]time.Duration{lvs.TCP: time.Minute, lvs.UDP: 0} {
		s := spec(grouped, func(s *discovery.Spec) { s.Protocol = protocol })
		if d := discovery.Merge(s, newWorld().View, discovery.Memory{}); d.Want.Drain != want {
			t.Errorf("%s drains for %s", protocol, d.Want.Drain)
		}
		if m := s.Markings(); len(m) != 1 || m[0].Mark != 65600 || m[0].Protocol != protocol || m[0].Span != s.Spans[0] {
			t.Errorf("markings %v", m)
		}
	}
}
