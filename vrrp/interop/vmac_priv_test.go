//go:build priv

package interop

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/test/netns"
	"github.com/edgekeeper/edgekeeper/vrrp"
)

const (
	vmac4 = "00:00:5e:00:01:33" // of virtual router 51
	vmac6 = "00:00:5e:00:02:33"
)

// vmacSite is a LAN with two routers and a client.
type vmacSite struct {
	mode
	lan          *netns.LAN
	a, b, client *netns.Host
	vip, mac     string
	link         string
}

var vmacModes = []mode{{name: "IPv4", version: 2}, {name: "IPv6", version: 3, v6: true}}

func newVMACSite(t *testing.T, m mode) *vmacSite {
	s := &vmacSite{mode: m, lan: netns.NewLAN(t), vip: theVIP, mac: vmac4, link: "vrrp.51"}
	if m.v6 {
		s.vip, s.mac, s.link = "2001:db8::100", vmac6, "vrrp6.51"
		s.a = s.lan.Host(t, "a", "fe80::a/64", "2001:db8::a/64")
		s.b = s.lan.Host(t, "b", "fe80::b/64", "2001:db8::b/64")
		s.client = s.lan.Host(t, "client", "fe80::c/64", "2001:db8::c/64")
	} else {
		s.a = s.lan.Host(t, "a", "192.0.2.1/24")
		s.b = s.lan.Host(t, "b", "192.0.2.2/24")
		s.client = s.lan.Host(t, "client", "192.0.2.3/24")
	}
	for _, h := range []*netns.Host{s.a, s.b} { // what a director sets on the parent
		h.Run(t, netns.Tool("sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_ignore; echo 2 >/proc/sys/net/ipv4/conf/eth0/arp_announce"))
	}
	return s
}

func (s *vmacSite) prefix() string {
	if s.v6 {
		return s.vip + "/64"
	}
	return s.vip + "/24"
}

func (s *vmacSite) router(t *testing.T, h *netns.Host, more ...string) *netns.Process {
	args := append([]string{"-vips", s.prefix(), "-vmac", s.link}, more...)
	return h.Start(t, netns.Role("router", args...))
}

// up waits until the VMAC of a host is up and has the address, and the other
// host's is not.
func (s *vmacSite) up(t *testing.T, limit time.Duration, h, not *netns.Host) time.Duration {
	t.Helper()
	return netns.Wait(t, limit, s.link+" up on "+h.Name+" alone", func() bool {
		return s.active(t, h) && (not == nil || !s.active(t, not))
	})
}

// active reports whether the host answers for the virtual MAC address.
func (s *vmacSite) active(t *testing.T, h *netns.Host) bool {
	t.Helper()
	return s.find(t, h, s.link)
}

// holds reports whether the host has the address, on whatever interface.
func (s *vmacSite) holds(t *testing.T, h *netns.Host) bool {
	t.Helper()
	return s.find(t, h, "eth0") || s.find(t, h, s.link)
}

// find looks for the address on an interface that is up.
func (s *vmacSite) find(t *testing.T, h *netns.Host, device string) bool {
	t.Helper()
	found := false
	h.Do(t, func() error {
		link, err := netlink.LinkByName(device)
		if err != nil || link.Attrs().RawFlags&unix.IFF_UP == 0 {
			return nil //nolint:nilerr // it is not there
		}
		list, err := netns.AddrList(link)
		for _, a := range list {
			found = found || a.IP.String() == s.vip
		}
		return err
	})
	return found
}

// reachable has the client ping until an answer comes.
func (s *vmacSite) reachable(t *testing.T, limit time.Duration) time.Duration {
	t.Helper()
	return netns.Wait(t, limit, "answer from "+s.vip, func() bool { return ping(t, s.client, s.vip, 50*time.Millisecond) })
}

// neighbour is the client's cache entry for an address.
func (s *vmacSite) neighbour(t *testing.T, ip string) string {
	return s.client.Run(t, netns.Tool("ip", "neigh", "show", ip))
}

// TestVMACFailover: a client keeps its cache entry over takeovers of all kinds,
// because the MAC address moves with the virtual address. No announcement
// reaches it.
func TestVMACFailover(t *testing.T) {
	t.Parallel()
	for _, m := range vmacModes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			s := newVMACSite(t, m)
			ra := s.router(t, s.a, "-priority", "150")
			s.up(t, patience, s.a, nil)
			s.router(t, s.b, "-priority", "100").WaitOutput(t, "role BACKUP", patience)
			if out := s.b.Run(t, netns.Tool("ip", "-d", "link", "show", s.link)); strings.Contains(out, ",UP") || !strings.Contains(out, s.mac) || !strings.Contains(out, "edgekeeper VI_1") {
				t.Errorf("the backup's VMAC should exist and be down: %s", out)
			}
			s.reachable(t, patience)
			// From here on the entry is never asked for again.
			s.client.Run(t, netns.Tool("ip", "neigh", "replace", s.vip, "lladdr", s.mac, "dev", "eth0", "nud", "permanent"))
			s.client.Run(t, netns.Tool("nft", "add table netdev t; add chain netdev t in { type filter hook ingress device eth0 priority 0; }; "+
				"add rule netdev t in arp saddr ip "+theVIP+" drop; add rule netdev t in icmpv6 type nd-neighbor-advert drop"))

			ra.Kill(t)
			took := s.up(t, patience, s.b, nil)
			t.Logf("kill -9: taken over after %s, reachable after %s more", took, s.reachable(t, patience))
			// What the dead router left answers no more: its address went with the lease.
			if s.active(t, s.a) {
				t.Error("two hosts have the address on the virtual MAC address")
			}
			ra = s.router(t, s.a, "-priority", "150")
			s.up(t, patience, s.a, s.b)
			t.Logf("preemption: reachable after %s", s.reachable(t, patience))
			ra.Signal(t, syscall.SIGUSR2)
			ra.WaitOutput(t, "handover: <nil>", patience)
			s.up(t, patience, s.b, s.a)
			t.Logf("handover: reachable after %s", s.reachable(t, patience))
			if err := ra.Stop(t, 5*time.Second); err != nil {
				t.Errorf("stop: %v", err)
			}
			if out := s.a.Run(t, netns.Tool("ip", "link")); strings.Contains(out, s.link) {
				t.Errorf("the VMAC is still there after the stop:\n%s", out)
			}
		})
	}
}

// TestVMACWire looks at the frames: adverts and announcements come from the
// virtual MAC address while master, and nothing does otherwise.
func TestVMACWire(t *testing.T) {
	t.Parallel()
	for _, m := range vmacModes {
		for _, base := range []bool{false, true} {
			name := m.name
			if base {
				name += " transmit base"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newVMACSite(t, m)
				file := filepath.Join(t.TempDir(), "wire.pcap")
				shark := s.client.Start(t, netns.Tool("tshark", "-i", "eth0", "-q", "-w", file))
				shark.WaitOutput(t, "Capture started", patience)
				args := []string{"-priority", "200"}
				if base {
					args = append(args, "-transmit-base")
				}
				r := s.router(t, s.a, args...)
				s.up(t, patience, s.a, nil)
				s.reachable(t, patience)
				time.Sleep(2500 * time.Millisecond)
				if got := s.neighbour(t, s.vip); !strings.Contains(got, s.mac) {
					t.Errorf("client's entry for the virtual address: %s", got)
				}
				own := "192.0.2.1"
				if s.v6 {
					own = "2001:db8::a"
				}
				if !ping(t, s.client, own, 2*time.Second) {
					t.Error("the parent's own address does not answer")
				}
				if got := s.neighbour(t, own); strings.Contains(got, s.mac) || !strings.Contains(got, "lladdr") {
					t.Errorf("client's entry for the parent's address: %s", got)
				}
				if err := r.Stop(t, 5*time.Second); err != nil {
					t.Errorf("stop: %v", err)
				}
				time.Sleep(300 * time.Millisecond)
				shark.Signal(t, syscall.SIGINT)
				<-shark.Done()

				p := &pair{b: s.client}
				fromVMAC := 0
				lines := p.tshark(t, file, "vrrp", "eth.src", "vrrp.prio", "ip.src", "ipv6.src", "ip.ttl", "ipv6.hlim", "vrrp.checksum.status", "_ws.expert.message")
				for i, line := range lines {
					f := strings.Split(line, "|")
					if f[0] == s.mac {
						fromVMAC++
					}
					if f[4]+f[5] != "255" || f[6] != "1" || f[7] != "" || f[2]+f[3] != map[bool]string{false: "192.0.2.1", true: "fe80::a"}[s.v6] {
						t.Errorf("advert %d: %s", i, line)
					}
				}
				if base != (fromVMAC == 0) || !base && fromVMAC < 2 {
					t.Errorf("%d of %d adverts come from the virtual MAC address", fromVMAC, len(lines))
				}
				// Whoever speaks for the virtual address does so from the virtual MAC.
				spoke := 0
				for _, line := range p.tshark(t, file, "arp.src.proto_ipv4 == "+theVIP+" || icmpv6.nd.na.target_address == 2001:db8::100", "eth.src", "arp.src.hw_mac", "icmpv6.opt.linkaddr") {
					spoke++
					if f := strings.Split(line, "|"); f[0] != s.mac || f[1]+f[2] != s.mac {
						t.Errorf("announcement or answer: %s", line)
					}
				}
				if spoke < 5 {
					t.Errorf("captured %d announcements", spoke)
				}
			})
		}
	}
}

// TestVMACWithKeepalived: the virtual MAC address goes back and forth between us
// and a keepalived with use_vmac, with a client that keeps its cache entry.
func TestVMACWithKeepalived(t *testing.T) {
	t.Parallel()
	for _, m := range vmacModes {
		for _, base := range []bool{false, true} {
			name, theirs, ours := m.name, "", []string{}
			if base {
				name, theirs, ours = m.name+" transmit base", "\nvmac_xmit_base", []string{"-transmit-base"}
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newVMACSite(t, m)
				p := &pair{mode: m, a: s.a, b: s.b, vip: s.vip, vips: s.prefix()}
				if m.v6 {
					p.vips = "fe80::100/64," + s.prefix() // keepalived wants a link-local address first
				}
				router := func(priority string) *netns.Process {
					return s.a.Start(t, netns.Role("router", append([]string{"-priority", priority, "-vips", p.vips, "-vmac", s.link}, ours...)...))
				}
				kd := p.keepalived(t, 100, "use_vmac "+s.link+theirs)
				s.up(t, patience, s.b, nil)
				s.reachable(t, patience)
				s.client.Run(t, netns.Tool("ip", "neigh", "replace", s.vip, "lladdr", s.mac, "dev", "eth0", "nud", "permanent"))

				r := router("150")
				s.up(t, patience, s.a, s.b)
				t.Logf("we preempt keepalived: reachable after %s", s.reachable(t, patience))
				capture, late, begin := s.lan.Capture(t, s.a, s.b), netns.MeasureLateness(t), time.Now()
				if err := r.Stop(t, 5*time.Second); err != nil {
					t.Errorf("stop: %v", err)
				}
				s.up(t, patience, s.b, s.a)
				takeover{from: "a", to: "b", resigned: true, wait: vrrp.Version(m.version).Skew(time.Second, 100)}.check(t, capture, late, begin)
				t.Logf("we stop: reachable after %s", s.reachable(t, patience))

				r = router("50")
				r.WaitOutput(t, "role BACKUP", patience)
				time.Sleep(4200 * time.Millisecond) // longer than our master-down time
				if s.active(t, s.a) || !s.active(t, s.b) {
					t.Fatal("we do not hear keepalived's adverts from the virtual MAC address")
				}
				kd.Signal(t, syscall.SIGTERM)
				s.up(t, patience, s.a, s.b)
				t.Logf("keepalived stops: reachable after %s", s.reachable(t, patience))
				<-kd.Done()
				// We are master with the interface up, and must hear a better one whose
				// adverts come from the same MAC address.
				kd = p.keepalived(t, 200, "use_vmac "+s.link+theirs)
				s.up(t, patience, s.b, s.a)
				t.Logf("keepalived preempts us: reachable after %s", s.reachable(t, patience))
				for _, x := range status(t, r).Troubles {
					t.Errorf("trouble with keepalived: %s: %s", x.Kind, x.Detail)
				}
				kd.Signal(t, syscall.SIGTERM)
				s.up(t, patience, s.a, s.b)
			})
		}
	}
}

// TestVMACKept: what happens to the interface while we are master, and what is
// left of it.
func TestVMACKept(t *testing.T) {
	t.Parallel()
	s := newVMACSite(t, vmacModes[0])
	state := filepath.Join(t.TempDir(), "VI_1.vip.json")
	ip := func(args ...string) { t.Helper(); s.a.Run(t, netns.Tool("ip", args...)) }

	// A macvlan with the name and the MAC address that is not ours.
	ip("link", "add", s.link, "link", "eth0", "address", s.mac, "type", "macvlan", "mode", "private")
	r := s.router(t, s.a, "-state", state)
	r.WaitOutput(t, "there is an interface of this name that is not ours", patience)
	<-r.Done()
	ip("link", "show", s.link) // still there
	ip("link", "del", s.link)

	r = s.router(t, s.a, "-state", state)
	s.up(t, patience, s.a, nil)
	for _, meddle := range [][]string{
		{"link", "set", s.link, "down"},
		{"link", "del", s.link},
		{"addr", "flush", "dev", s.link},
		{"link", "set", s.link, "address", "02:00:00:00:00:01"},
	} {
		ip(meddle...)
		took := netns.Wait(t, patience, "repair of ip "+strings.Join(meddle, " "), func() bool {
			return s.active(t, s.a) && strings.Contains(s.a.Run(t, netns.Tool("ip", "link", "show", s.link)), s.mac)
		})
		t.Logf("ip %s: repaired after %s", strings.Join(meddle, " "), took)
		s.reachable(t, patience)
	}
	s.a.Cut(t)
	r.WaitOutput(t, "role FAULT", patience)
	netns.Wait(t, patience, "VMAC down in FAULT", func() bool { return !s.active(t, s.a) })
	s.a.Mend(t)
	s.up(t, patience, s.a, nil)

	// Another interface gets the name of the parent.
	ip("link", "set", "eth0", "down")
	ip("link", "set", "eth0", "name", "old0")
	ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0")
	ip("addr", "add", "192.0.2.1/24", "dev", "eth0")
	ip("link", "set", "far0", "up")
	ip("link", "set", "eth0", "up")
	netns.Wait(t, patience, "VMAC on the new interface", func() bool {
		return s.active(t, s.a) && strings.Contains(s.a.Run(t, netns.Tool("ip", "link", "show", s.link)), s.link+"@eth0")
	})

	// Killed: the address goes with its lease, and a start without a VMAC removes
	// the interface.
	r.Kill(t)
	netns.Wait(t, patience, "end of the lease", func() bool { return !s.active(t, s.a) })
	ip("link", "show", s.link)
	r = s.a.Start(t, netns.Role("router", "-state", state))
	r.WaitOutput(t, "role BACKUP", patience)
	if out := s.a.Run(t, netns.Tool("ip", "link")); strings.Contains(out, s.link) {
		t.Errorf("the VMAC of a crashed router is still there:\n%s", out)
	}
}
