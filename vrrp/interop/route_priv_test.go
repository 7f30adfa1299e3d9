//go:build priv

package interop

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/netns"
	"github.com/edgekeeper/edgekeeper/vrrp"
)

// moved are routes and rules of every kind, and moved4 and moved6 how ip(8)
// shows them: the destination or priority, and words that must be in the line.
var moved = vrrp.Config{
	Routes: []vrrp.Route{
		{Destination: netip.MustParsePrefix("10.1.0.0/16"), Via: netip.MustParseAddr("192.0.2.254"), Source: netip.MustParseAddr(theVIP), MTU: 1400, AdvMSS: 1200},
		{Destination: netip.MustParsePrefix("10.2.0.0/16"), Device: "eth0", Table: 100, Metric: 7},
		{Destination: netip.MustParsePrefix("10.3.0.0/16"), Type: vrrp.RouteBlackhole, Table: 1000},
		{Destination: netip.MustParsePrefix("10.4.0.0/16"), Hops: []vrrp.NextHop{
			{Via: netip.MustParseAddr("192.0.2.253"), Weight: 3},
			{Via: netip.MustParseAddr("192.0.2.252"), Device: "eth0"},
		}},
		{Destination: netip.MustParsePrefix("10.5.0.0/16"), Via: netip.MustParseAddr("203.0.113.1"), Device: "eth0", OnLink: true},
		{Destination: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("192.0.2.254"), Table: 100},
		{Destination: netip.MustParsePrefix("10.6.0.0/16"), Type: vrrp.RouteUnreachable},
		{Destination: netip.MustParsePrefix("10.7.0.0/16"), Type: vrrp.RouteProhibit},
		{Destination: netip.MustParsePrefix("10.8.0.0/16"), Type: vrrp.RouteThrow, Table: 100},
		{Destination: netip.MustParsePrefix("2001:db8:1::/48"), Device: "eth0", Metric: 20},
		{Destination: netip.MustParsePrefix("2001:db8:2::/48"), Type: vrrp.RouteBlackhole},
	},
	Rules: []vrrp.Rule{
		{Priority: 50, From: netip.MustParsePrefix("10.0.0.0/8"), Table: 100},
		{Priority: 51, To: netip.MustParsePrefix("10.9.0.0/16"), Not: true, Table: 1000, Mark: 1, Mask: 0xf, In: "eth0"},
		{Priority: 52, From: netip.MustParsePrefix("198.51.100.0/24"), Action: vrrp.RuleProhibit},
		{Priority: 53, IPv6: true, Table: 100, Protocol: 6, Ports: vrrp.PortRange{First: 80, Last: 90}},
		{Priority: 54, To: netip.MustParsePrefix("10.10.0.0/16"), Action: vrrp.RuleGoto, Goto: 60},
		{Priority: 60, Action: vrrp.RuleLookup, Table: 100, SuppressPrefix: 1, Out: "eth0"},
	},
	Announce: vrrp.AnnounceConfig{},
}

// movedFile writes a configuration for the router role.
func movedFile(t *testing.T, c vrrp.Config) string {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "more.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// ours are the routes and rules with our protocol, as ip(8) shows them,
// without what depends on the host.
func ours(t *testing.T, h *netns.Host) []string {
	t.Helper()
	var out []string
	for _, args := range [][]string{
		{"-4", "route", "show", "table", "all", "proto", "keepalived"}, {"-6", "route", "show", "table", "all", "proto", "keepalived"},
		{"-4", "rule", "show"}, {"-6", "rule", "show"},
	} {
		text := h.Run(t, netns.Tool("ip", append([]string{"-o"}, args...)...))
		for _, line := range strings.Split(text, "\n") {
			words := strings.Fields(strings.ReplaceAll(line, "\\", " "))
			if len(words) == 0 {
				continue
			}
			if args[1] == "rule" && !slices.Contains(words, "keepalived") {
				continue
			}
			line := strings.Join(words, " ")
			line = strings.ReplaceAll(strings.ReplaceAll(line, " linkdown", ""), " pref medium", "")
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}

// TestRoutes: virtual routes and rules come with the addresses, are put back when
// somebody removes them, and go with the addresses; a killed router's are taken
// off by the next start, also with another configuration.
func TestRoutes(t *testing.T) {
	t.Parallel()
	lan := netns.NewLAN(t)
	a := lan.Host(t, "a", "192.0.2.1/24", "2001:db8::1/64")
	file, state := movedFile(t, moved), filepath.Join(t.TempDir(), "VI_1.vip.json")
	r := a.Start(t, netns.Role("router", "-priority", "200", "-more", file, "-state", state))
	waitHolder(t, patience, a, theVIP)
	count := len(moved.Routes) + len(moved.Rules)
	netns.Wait(t, patience, "routes and rules", func() bool { return len(ours(t, a)) >= count })
	first := ours(t, a)
	t.Logf("%d:\n%s", len(first), strings.Join(first, "\n"))
	for _, want := range []string{
		"10.1.0.0/16 via 192.0.2.254 dev eth0 src 192.0.2.100 mtu 1400 advmss 1200",
		"10.2.0.0/16 dev eth0 table 100 scope link metric 7",
		"blackhole 10.3.0.0/16 table 1000",
		"10.4.0.0/16 nexthop via 192.0.2.253 dev eth0 weight 3 nexthop via 192.0.2.252 dev eth0 weight 1",
		"10.5.0.0/16 via 203.0.113.1 dev eth0 onlink",
		"default via 192.0.2.254 dev eth0 table 100",
		"unreachable 10.6.0.0/16",
		"prohibit 10.7.0.0/16",
		"throw 10.8.0.0/16 table 100",
		"2001:db8:1::/48 dev eth0 metric 20",
		"blackhole 2001:db8:2::/48 dev lo metric 1024",
	} {
		if !slices.Contains(first, want) {
			t.Errorf("no route %q", want)
		}
	}
	if s := status(t, r); s.Counters.HostErrors > 0 || s.Counters.RoutesLost > 0 {
		t.Errorf("%+v\n%v", s.Counters, s.Troubles)
	}

	t.Run("put back", func(t *testing.T) {
		for _, args := range [][]string{
			{"route", "del", "10.1.0.0/16"}, {"route", "del", "10.4.0.0/16"}, {"-6", "route", "del", "2001:db8:1::/48", "metric", "20"},
			{"route", "flush", "table", "100"}, {"rule", "del", "priority", "51"}, {"-6", "rule", "del", "priority", "53"},
		} {
			before := status(t, r).Counters.RoutesLost
			// A renewal puts it back too, but only the notification finds it absent:
			// time and again it cannot fall right before a renewal.
			const tries = 5
			for try := 1; status(t, r).Counters.RoutesLost == before; try++ {
				if try > tries {
					t.Errorf("ip %s: %d times put back by the next renewal, not at the notification", strings.Join(args, " "), tries)
					break
				}
				a.Run(t, netns.Tool("ip", args...))
				netns.Wait(t, patience, "return after ip "+strings.Join(args, " "), func() bool { return slices.Equal(ours(t, a), first) })
			}
		}
		if s := status(t, r); s.Counters.AddressesLost != 0 {
			t.Errorf("%+v", s.Counters)
		}
	})
	t.Run("address that a route needs", func(t *testing.T) {
		a.Run(t, netns.Tool("ip", "addr", "del", theVIP+"/24", "dev", "eth0"))
		netns.Wait(t, patience, "return of all", func() bool { return slices.Equal(ours(t, a), first) })
	})
	t.Run("somebody else's route to the same place stays", func(t *testing.T) {
		a.Run(t, netns.Tool("ip", "route", "append", "10.6.0.0/16", "via", "192.0.2.77"))
		if err := r.Stop(t, 5*time.Second); err != nil {
			t.Errorf("stop: %v", err)
		}
		if left := ours(t, a); len(left) > 0 {
			t.Errorf("left after the stop: %v", left)
		}
		if text := a.Run(t, netns.Tool("ip", "route", "show", "10.6.0.0/16")); !strings.Contains(text, "192.0.2.77") {
			t.Errorf("the route of somebody else: %q", text)
		}
		a.Run(t, netns.Tool("ip", "route", "del", "10.6.0.0/16", "via", "192.0.2.77"))
	})
	t.Run("killed", func(t *testing.T) {
		r := a.Start(t, netns.Role("router", "-priority", "200", "-more", file, "-state", state))
		netns.Wait(t, patience, "routes and rules", func() bool { return slices.Equal(ours(t, a), first) })
		r.Kill(t)
		waitGone(t, patience, a, theVIP)
		if left := ours(t, a); len(left) == 0 {
			t.Error("nothing is left of a killed router: the test tests nothing")
		}
		a.Start(t, netns.Role("router", "-priority", "200", "-state", state, "-vips", "192.0.2.101/24"))
		waitHolder(t, patience, a, "192.0.2.101")
		if left := ours(t, a); len(left) > 0 {
			t.Errorf("left after the next start: %v", left)
		}
	})
}

// TestUntracked: what is not tracked is installed and removed, and not put back.
func TestUntracked(t *testing.T) {
	t.Parallel()
	lan := netns.NewLAN(t)
	a := lan.Host(t, "a", "192.0.2.1/24")
	file := movedFile(t, vrrp.Config{
		Routes: []vrrp.Route{{Destination: netip.MustParsePrefix("10.1.0.0/16"), Device: "eth0", NoTrack: true}},
		Rules:  []vrrp.Rule{{Priority: 50, From: netip.MustParsePrefix("10.0.0.0/8"), Table: 100, NoTrack: true}},
	})
	r := a.Start(t, netns.Role("router", "-priority", "200", "-more", file))
	waitHolder(t, patience, a, theVIP)
	netns.Wait(t, patience, "route and rule", func() bool { return len(ours(t, a)) == 2 })
	a.Run(t, netns.Tool("ip", "route", "del", "10.1.0.0/16"))
	renewed := status(t, r).Counters.Renewals
	netns.Wait(t, patience, "two renewals", func() bool { return status(t, r).Counters.Renewals > renewed+1 })
	if got := ours(t, a); len(got) != 1 {
		t.Errorf("after two renewals: %v", got)
	}
	if err := r.Stop(t, 5*time.Second); err != nil {
		t.Errorf("stop: %v", err)
	}
	if got := ours(t, a); len(got) != 0 {
		t.Errorf("after the stop: %v", got)
	}
}

// TestRoutesAsKeepalived: keepalived with the same routes and rules makes the
// kernel show the same. One thing must be said to it: the scope of a route
// without a gateway, which we choose as ip-route(8) does.
func TestRoutesAsKeepalived(t *testing.T) {
	t.Parallel()
	a := newPair(t, newMode(2, false, false, "none")) // two networks, so that both are master
	b := newPair(t, newMode(2, false, false, "none"))
	for _, h := range []*netns.Host{a.a, b.b} {
		h.Run(t, netns.Tool("ip", "addr", "add", "2001:db8::9/64", "dev", "eth0", "nodad"))
	}
	// keepalived 2.2.7 does not take the value of ipproto.
	same := moved
	same.Rules = slices.Clone(moved.Rules)
	same.Rules[3] = vrrp.Rule{Priority: 53, To: netip.MustParsePrefix("2001:db8:3::/48"), Table: 100}
	a.router(t, 200, "-more", movedFile(t, same))
	b.keepalived(t, 200, `virtual_routes {
  10.1.0.0/16 via 192.0.2.254 src 192.0.2.100 mtu 1400 advmss 1200
  10.2.0.0/16 dev eth0 scope link table 100 metric 7
  blackhole 10.3.0.0/16 table 1000
  10.4.0.0/16 nexthop via 192.0.2.253 weight 3 nexthop via 192.0.2.252 dev eth0 weight 1
  10.5.0.0/16 via 203.0.113.1 dev eth0 onlink
  0.0.0.0/0 via 192.0.2.254 table 100
  unreachable 10.6.0.0/16
  prohibit 10.7.0.0/16
  throw 10.8.0.0/16 table 100
  2001:db8:1::/48 dev eth0 metric 20
  blackhole 2001:db8:2::/48
 }
 virtual_rules {
  from 10.0.0.0/8 table 100 priority 50
  not to 10.9.0.0/16 fwmark 1/0xf iif eth0 table 1000 priority 51
  from 198.51.100.0/24 prohibit priority 52
  to 2001:db8:3::/48 table 100 priority 53
  to 10.10.0.0/16 goto 60 priority 54
  oif eth0 suppress_prefixlength 0 table 100 priority 60
 }`)
	waitHolder(t, patience, a.a, theVIP)
	waitHolder(t, patience, b.b, theVIP)
	count := len(moved.Routes) + len(moved.Rules)
	netns.Wait(t, patience, "routes and rules of both", func() bool { return len(ours(t, a.a)) >= count && len(ours(t, b.b)) >= count })
	we, they := ours(t, a.a), ours(t, b.b)
	for _, line := range we {
		if !slices.Contains(they, line) {
			t.Errorf("ours only:        %s", line)
		}
	}
	for _, line := range they {
		if !slices.Contains(we, line) {
			t.Errorf("keepalived's only: %s", line)
		}
	}
}
