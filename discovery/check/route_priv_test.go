//go:build priv

package check

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/test/netns"
)

// TestMarkAndSourceOfEveryCheck gives the packets of a mark, and those of an
// address, a route of their own, which says no, so that each kind of check shows
// whether its packets have what was asked for.
func TestMarkAndSourceOfEveryCheck(t *testing.T) {
	lan := netns.NewLAN(t)
	const mark, markTable, sourceTable = 7, 100, 101
	h := lan.Host(t, "director", "192.0.2.1/24", "192.0.2.51/24", "2001:db8::1/64", "2001:db8:1::51/64")
	_ = lan.Host(t, "server", "192.0.2.2/24", "2001:db8::2/64")
	sources := map[bool]netip.Addr{true: netip.MustParseAddr("192.0.2.51"), false: netip.MustParseAddr("2001:db8:1::51")}
	h.Do(t, func() error {
		for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			everywhere, source := &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}, sources[true]
			if family == netlink.FAMILY_V6 {
				everywhere, source = &net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}, sources[false]
			}
			for _, table := range []int{markTable, sourceTable} {
				if err := netlink.RouteAdd(&netlink.Route{Table: table, Type: unix.RTN_PROHIBIT, Dst: everywhere}); err != nil {
					return err
				}
				rule := netlink.NewRule()
				rule.Family, rule.Table, rule.Priority = family, table, table
				if table == markTable {
					rule.Mark = mark
				} else {
					rule.Src = &net.IPNet{IP: source.AsSlice(), Mask: net.CIDRMask(source.BitLen(), source.BitLen())}
				}
				if err := netlink.RuleAdd(rule); err != nil {
					return err
				}
			}
		}
		return nil
	})
	send := discovery.PayloadSpec{Send: "x"}
	dns := discovery.DNSSpec{Name: ".", Type: 6}
	for _, spec := range []discovery.CheckSpec{
		{Type: discovery.TCP}, // without a probe
		{Type: discovery.TCP, Payload: send},
		{Type: discovery.HTTP, HTTP: discovery.HTTPSpec{Method: "GET", Path: "/", Status: success}},
		{Type: discovery.HTTP, HTTP: discovery.HTTPSpec{Version2: true, Method: "GET", Path: "/", Status: success}},
		{Type: discovery.GRPC},
		{Type: discovery.DNS, DNS: dns},
		{Type: discovery.DNS, DNS: discovery.DNSSpec{Name: ".", Type: 6, TCP: true}},
		{Type: discovery.SMTP},
		{Type: discovery.UDP, Payload: send},
		{Type: discovery.ICMP},
		{Type: discovery.Redis},
		{Type: discovery.Postgres},
		{Type: discovery.MySQL},
	} {
		for _, server := range []netip.Addr{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::2")} {
			target := netip.AddrPortFrom(server, 80)
			result := func(edit func(*discovery.CheckSpec)) (said string) {
				c := spec
				c.Timeout, c.Interval, c.Rise = 2*time.Second, time.Hour, 1
				edit(&c)
				h.Do(t, func() error {
					said = oneAttempt(t, c.For(target))
					return nil
				})
				return said
			}
			const prohibited = "permission denied"
			name := spec.Type.String() + " to " + server.String()
			if got := result(func(*discovery.CheckSpec) {}); strings.Contains(got, prohibited) {
				t.Fatalf("%s, plain: %s", name, got)
			}
			if got := result(func(c *discovery.CheckSpec) { c.Mark = mark }); !strings.Contains(got, prohibited) {
				t.Errorf("%s: the mark is not on the packets: %s", name, got)
			}
			if got := result(func(c *discovery.CheckSpec) { c.Mark = mark + 1 }); strings.Contains(got, prohibited) {
				t.Errorf("%s: another mark is on the packets: %s", name, got)
			}
			if got := result(func(c *discovery.CheckSpec) { c.Source = sources[server.Is4()] }); !strings.Contains(got, prohibited) {
				t.Errorf("%s: the packets do not come from the address: %s", name, got)
			}
		}
	}
}

// oneAttempt makes one attempt of a check as the scheduler does.
func oneAttempt(t *testing.T, c discovery.Check) string {
	spec := c.Spec()
	ctx, cancel := context.WithTimeout(context.Background(), spec.Timeout)
	defer cancel()
	if plainConnect(&spec, c.Target) {
		connector, err := newConnector()
		if err != nil {
			t.Fatal(err)
		}
		defer connector.close()
		e := &entry{said: discovery.Say(c, discovery.Verdict{})}
		done, err := connector.begin(e, &spec)
		if !done {
			return "under way"
		}
		if err == nil {
			return "ok"
		}
		return err.Error()
	}
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p(ctx); err != nil {
		return err.Error()
	}
	return "ok"
}
