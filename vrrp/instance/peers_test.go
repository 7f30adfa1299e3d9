package instance

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// addrs parses a list.
func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// destinations of the adverts that a node sends in an interval.
func (n *node) destinations() []string {
	l := n.conn.get().lan
	tap := l.dial("192.0.2.250", &journal{start: time.Now()})
	defer tap.Close()
	time.Sleep(time.Second)
	var out []string
	for len(tap.in) > 0 {
		p, err := vrrp.ParseIPv4(<-tap.in)
		if err == nil && p.Source == n.Status().Source && !slices.Contains(out, p.Destination.String()) {
			out = append(out, p.Destination.String())
		}
	}
	slices.Sort(out)
	return out
}

// TestSetPeers: without a peer no election; then peers come and go under a
// master that does not notice.
func TestSetPeers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := &armory{}
		n := start(t, &lan{}, "192.0.2.1", func(c *Config) { c.VRRP.DynamicPeers = true; c.Guard = g })
		want := func(state vrrp.State, reason string, to ...string) {
			t.Helper()
			if got := n.destinations(); !slices.Equal(got, to) {
				t.Errorf("adverts go to %v, want %v", got, to)
			}
			if s := n.Status(); s.State != state || !strings.Contains(s.Faults[faultPeers], reason) || (reason == "") != (len(s.Faults) == 0) {
				t.Errorf("%s, faults %v", s.State, s.Faults)
			}
		}
		n.until(10)
		want(vrrp.Fault, "no unicast peer is known yet")
		n.SetPeers(nil, "403 from the catalog")
		want(vrrp.Fault, "403 from the catalog")
		n.SetPeers(addrs("192.0.2.2", "192.0.2.3"), "catalog")
		n.until(20)
		want(vrrp.Master, "", "192.0.2.2", "192.0.2.3")

		changes, since := n.Status().Counters.ToMaster, n.Status().Since
		n.SetPeers(addrs("192.0.2.3", "192.0.2.4"), "catalog")
		want(vrrp.Master, "", "192.0.2.3", "192.0.2.4")
		if last := g.last(); len(last) != 2 || last[1].To != netip.MustParseAddr("192.0.2.4") {
			t.Errorf("the guard would tell %v", last)
		}
		for _, bad := range [][]netip.Addr{nil, addrs("2001:db8::1"), addrs("192.0.2.4", "192.0.2.4")} {
			n.SetPeers(bad, "catalog")
			want(vrrp.Master, "", "192.0.2.3", "192.0.2.4")
		}
		if s := n.Status(); s.Counters.ToMaster != changes || s.Since != since || !slices.Equal(s.Peers, addrs("192.0.2.3", "192.0.2.4")) {
			t.Errorf("%+v", s)
		}

		// Whoever is no peer any more is not heard.
		peer := n.conn.get().lan.dial("192.0.2.2", &journal{start: time.Now()})
		codec, err := vrrp.NewCodec(n.cfg.VRRP)
		if err != nil {
			t.Fatal(err)
		}
		hear := func() {
			if err := peer.Send(codec.Encode(time.Now(), peer.source, n.Status().Source, 200), peer.source); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		hear()
		if s := n.Status(); s.State != vrrp.Master || s.Counters.Dropped[vrrp.DropPeer] != 1 {
			t.Errorf("%s, dropped %v", s.State, s.Counters.Dropped)
		}
		n.SetPeers(addrs("192.0.2.2"), "catalog")
		time.Sleep(time.Millisecond)
		hear()
		if s := n.Status(); s.State != vrrp.Backup {
			t.Errorf("%s after a better peer was heard", s.State)
		}
	})
}

// TestPeersFromBefore: a list of an earlier run is as good as a new one.
func TestPeersFromBefore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := start(t, &lan{}, "192.0.2.1", func(c *Config) { c.VRRP.DynamicPeers = true; c.VRRP.Peers = addrs("192.0.2.2") })
		n.until(1)
		n.SetPeers(nil, "no answer")
		n.until(5)
		if s := n.Status(); s.State != vrrp.Master || len(s.Faults) > 0 {
			t.Errorf("%s, %v", s.State, s.Faults)
		}
		fixed := start(t, &lan{}, "192.0.2.1", nil)
		fixed.SetPeers(addrs("192.0.2.2"), "catalog")
		fixed.until(10)
		if s := fixed.Status(); len(s.Peers) > 0 {
			t.Errorf("a multicast router has peers: %v", s.Peers)
		}
	})
}
