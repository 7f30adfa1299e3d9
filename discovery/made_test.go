package discovery_test

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// TestOwnChecks gives one of two real servers a check of its own: it counts for
// that one, beside the pool's.
func TestOwnChecks(t *testing.T) {
	own := probe
	own.Port = 8080
	s := spec(func(s *discovery.Spec) {
		s.Selectors = nil
		s.Servers = []discovery.Server{{Addr: addr(1), Weight: 1}, {Addr: addr(2), Weight: 1, Checks: []discovery.CheckSpec{own}}}
	})
	w := newWorld()
	w.check(up, "ok", 1, 2)
	d := discovery.Merge(s, w.View, discovery.Memory{})
	if got := reasonOf(d, 2); got != "entering: tcp check has not answered yet" {
		t.Errorf("before its own check: %s", got)
	}
	want := []string{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.2:8080"}
	var got []string
	for c := range checksOf(d) {
		got = append(got, c.Target.String())
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("checks of %v, want %v", got, want)
	}
	for _, server := range []int{1, 2} {
		w.Verdicts.Put(discovery.Say(own.For(addr(server)), discovery.Verdict{Health: down, Reason: "refused"})) // nobody asked it of 1
	}
	d = discovery.Merge(s, w.View, d.Memory)
	if got := pool(d); got != "1:1 2:0" {
		t.Errorf("pool %s: %s; %s", got, reasonOf(d, 1), reasonOf(d, 2))
	}
	if n := len(statusOf(d, w)[1].Checks); n != 2 {
		t.Errorf("%d checks are shown of 2", n)
	}
}

// TestVIPCheck asks each real server for the virtual address in the way in which
// packets get there.
func TestVIPCheck(t *testing.T) {
	vip := discovery.CheckSpec{Type: discovery.VIP, VIP: discovery.VIPSpec{Addr: netip.MustParseAddr("10.0.0.100")}}
	for name, c := range map[string]struct {
		tunnel lvs.Tunnel
		want   discovery.Tunnel
	}{
		"ipip":     {lvs.Tunnel{}, discovery.Tunnel{In: discovery.IPIP}},
		"gue":      {lvs.Tunnel{Type: lvs.GUE, Port: 6080, Checksum: lvs.Checksum}, discovery.Tunnel{In: discovery.GUE, Port: 6080}},
		"gre":      {lvs.Tunnel{Type: lvs.GRE}, discovery.Tunnel{In: discovery.GRE}},
		"gre csum": {lvs.Tunnel{Type: lvs.GRE, Checksum: lvs.Checksum}, discovery.Tunnel{In: discovery.GRE, Checksum: true}},
	} {
		t.Run(name, func(t *testing.T) {
			s := spec(func(s *discovery.Spec) {
				s.Checks, s.Tunnel = []discovery.CheckSpec{vip}, c.tunnel
				s.Servers = []discovery.Server{
					{Addr: addr(1), Weight: 1, Forward: lvs.DR}, {Addr: addr(2), Weight: 1, Forward: lvs.TUN}, {Addr: addr(3), Weight: 1, Forward: lvs.NAT},
				}
			})
			d := discovery.Merge(s, newWorld(instance(4, ok)).View, discovery.Memory{})
			got := map[string]discovery.Tunnel{}
			for check := range maps.Keys(checksOf(d)) {
				got[check.Target.String()] = check.Spec().VIP.Tunnel
			}
			want := map[string]discovery.Tunnel{addr(1).String(): {}, addr(2).String(): c.want, addr(4).String(): {}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ways (-want +got):\n%s", diff)
			}
			if got := reasonOf(d, 3); got != "serving: no check is configured" {
				t.Errorf("behind NAT: %s", got)
			}
		})
	}
}

// TestEchoesAreShared makes one echo of all ports of a real server.
func TestEchoesAreShared(t *testing.T) {
	c := discovery.CheckSpec{Type: discovery.VIP, VIP: discovery.VIPSpec{Echo: true}}
	if a, b := c.For(netip.MustParseAddrPort("10.0.0.1:80")), c.For(netip.MustParseAddrPort("10.0.0.1:443")); a != b {
		t.Errorf("%v and %v", a.Target, b.Target)
	}
	c.VIP.Echo = false
	if a, b := c.For(netip.MustParseAddrPort("10.0.0.1:80")), c.For(netip.MustParseAddrPort("10.0.0.1:443")); a == b {
		t.Errorf("handshakes with two ports are one: %v", a.Target)
	}
}
