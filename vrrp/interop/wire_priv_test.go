//go:build priv

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/netns"
)

// TestAnnouncements looks at what one master sends besides adverts, and that its
// last advert is its resignation.
func TestAnnouncements(t *testing.T) {
	t.Parallel()
	for _, m := range []mode{v2, newMode(3, true, false, "none")} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, m)
			capture := p.lan.Capture(t, p.a)
			ours := p.router(t, 200)
			waitHolder(t, patience, p.a, p.vip)
			netns.Wait(t, patience, "announcements", func() bool {
				return len(capture.Frames())-len(adverts(capture.Frames())) >= 5*len(p.prefixes())
			})
			if err := ours.Stop(t, 5*time.Second); err != nil {
				t.Errorf("stop: %v", err)
			}
			var all []advert
			netns.Wait(t, patience, "resignation", func() bool {
				all = adverts(capture.Frames())
				return len(all) > 0 && all[len(all)-1].priority == 0
			})
			for _, a := range all[:len(all)-1] {
				if a.priority != 200 {
					t.Errorf("an advert of priority %d before the end", a.priority)
				}
			}
			file := writePcap(t, capture.Frames())
			if m.v6 {
				p.checkNeighbour(t, file)
			} else {
				p.checkARP(t, file)
			}
		})
	}
}

// writePcap writes frames into a file.
func writePcap(t *testing.T, frames []netns.Frame) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "wire.pcap")
	f, err := os.Create(file)
	if err == nil {
		err = netns.WritePcap(f, frames)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// tshark prints fields of the packets a filter passes, separated by |.
func (p *pair) tshark(t *testing.T, file, filter string, fields ...string) []string {
	t.Helper()
	args := []string{"-r", file, "-Y", filter, "-T", "fields", "-E", "separator=|", "-o", "vrrp.v3_checksum_as_in_v2:FALSE", "-o", "ip.check_checksum:TRUE"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out := p.b.Run(t, netns.Tool("tshark", args...))
	var lines []string
	for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
		if l != "" && strings.Contains(l, "|") {
			lines = append(lines, l)
		}
	}
	return lines
}

// checkARP: five gratuitous requests, from the interface, broadcast, in the form
// keepalived uses.
func (p *pair) checkARP(t *testing.T, file string) {
	t.Helper()
	lines := p.tshark(t, file, "arp.isgratuitous==1", "eth.dst", "arp.opcode", "arp.src.proto_ipv4", "arp.dst.proto_ipv4", "arp.dst.hw_mac", "_ws.malformed")
	want := "ff:ff:ff:ff:ff:ff|1|192.0.2.100|192.0.2.100|ff:ff:ff:ff:ff:ff|"
	if len(lines) != 5 {
		t.Errorf("%d gratuitous ARP requests, want 5", len(lines))
	}
	for _, l := range lines {
		if l != want {
			t.Errorf("gratuitous ARP\n got %s\nwant %s", l, want)
		}
	}
}

// checkNeighbour: five unsolicited advertisements for each address, Override set.
func (p *pair) checkNeighbour(t *testing.T, file string) {
	t.Helper()
	lines := p.tshark(t, file, "icmpv6.type==136", "eth.dst", "ipv6.src", "ipv6.dst", "ipv6.hlim", "icmpv6.nd.na.target_address",
		"icmpv6.nd.na.flag.o", "icmpv6.nd.na.flag.s", "icmpv6.checksum.status")
	count := 0
	for _, l := range lines {
		for _, ip := range []string{"fe80::100", "2001:db8::100"} {
			yes, no := "1", "0"
			if strings.Contains(l, "True") {
				yes, no = "True", "False"
			}
			if l == "33:33:00:00:00:01|"+ip+"|ff02::1|255|"+ip+"|"+yes+"|"+no+"|1" {
				count++
			}
		}
	}
	if count != 10 {
		t.Errorf("%d good unsolicited neighbour advertisements, want 10 in\n%s", count, strings.Join(lines, "\n"))
	}
}

// TestIPv6Lease: the lease of a virtual address does not become the lease of the
// connected route it shares with the host, and ends with the process.
func TestIPv6Lease(t *testing.T) {
	t.Parallel()
	p := newPair(t, newMode(3, true, false, "none"))
	// An address with a lifetime, as from router advertisements: its connected
	// route has one too, and that is what a careless lease would shorten.
	p.a.Run(t, netns.Tool("ip", "-6", "addr", "del", "2001:db8::a/64", "dev", "eth0"))
	p.a.Run(t, netns.Tool("ip", "-6", "addr", "add", "2001:db8::a/64", "dev", "eth0", "valid_lft", "1000", "preferred_lft", "1000", "nodad"))
	p.vips = "2001:db8::100/64,2001:db8:1::1/64,2001:db8::200/128"
	ours := p.router(t, 100)
	waitHolder(t, patience, p.a, "2001:db8::200")
	for _, have := range p.a.Addresses(t) {
		switch have.Prefix.String() {
		case "2001:db8::100/64", "2001:db8:1::1/64":
			if have.Valid > 3 || have.Preferred != have.Valid {
				t.Errorf("%+v: want a lease, not deprecated", have)
			}
		case "2001:db8::200/128":
			if have.Valid > 3 || have.Preferred != 0 {
				t.Errorf("%+v: want a lease, deprecated", have)
			}
		}
	}
	route := func(when string) {
		t.Helper()
		r := p.a.Run(t, netns.Tool("ip", "-6", "route", "show", "2001:db8::/64"))
		var left int
		if _, after, ok := strings.Cut(r, "expires "); ok {
			_, _ = fmt.Sscanf(after, "%dsec", &left)
		}
		if left < 900 {
			t.Errorf("connected route %s: %q; want it to last as long as the host's own address", when, r)
		}
	}
	route("while the lease runs")
	if r := p.a.Run(t, netns.Tool("ip", "-6", "route", "show", "2001:db8:1::/64")); !strings.Contains(r, "2001:db8:1::/64") {
		t.Errorf("no connected route for the virtual address's own prefix: %q", r)
	}
	ours.Kill(t)
	waitGone(t, patience, p.a, "2001:db8::100")
	waitGone(t, patience, p.a, "2001:db8:1::1")
	route("after the lease")
}
