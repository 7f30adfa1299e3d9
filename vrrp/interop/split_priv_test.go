//go:build priv

package interop

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/edgekeeper/edgekeeper/test/netns"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

// macOf is the MAC of a host's interface.
func macOf(t *testing.T, h *netns.Host) string {
	t.Helper()
	var mac string
	h.Do(t, func() error {
		link, err := netlink.LinkByName(netns.Interface)
		if err == nil {
			mac = link.Attrs().HardwareAddr.String()
		}
		return err
	})
	return mac
}

// sysctl writes settings of eth0, lo and all below net.
func sysctl(t *testing.T, h *netns.Host, path, value string) {
	t.Helper()
	h.Do(t, func() error { return os.WriteFile("/proc/sys/net/"+path, []byte(value), 0) })
}

func ip(t *testing.T, h *netns.Host, args ...string) {
	t.Helper()
	h.Run(t, netns.Tool("ip", args...))
}

// troubleOf finds the newest episode of a kind in a router's status.
func troubleOf(t *testing.T, p *netns.Process, kind instance.TroubleKind) (x instance.Trouble, ok bool) {
	t.Helper()
	for _, have := range status(t, p).Troubles {
		if have.Kind == kind {
			x, ok = have, true
		}
	}
	return x, ok
}

// waitTrouble waits for an episode of a kind to begin.
func waitTrouble(t *testing.T, limit time.Duration, p *netns.Process, kind instance.TroubleKind) instance.Trouble {
	t.Helper()
	p.WaitOutput(t, "trouble "+kind.String()+": ", limit)
	x, ok := troubleOf(t, p, kind)
	if !ok || !x.Active() {
		t.Fatalf("%s: %+v", kind, x)
	}
	return x
}

// TestConflict: a master finds out who else answers for its address, whoever
// that is and whatever the family, says so with the MAC, and says when it is
// over.
func TestConflict(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		v6     bool
		probe  string
		take   func(t *testing.T, c *netns.Host)
		let    func(t *testing.T, c *netns.Host)
		detail string
	}{
		{
			name: "a host has it", probe: "1s", detail: "answered our probe for 192.0.2.100",
			take: func(t *testing.T, c *netns.Host) { ip(t, c, "addr", "add", theVIP+"/24", "dev", "eth0") },
			let:  func(t *testing.T, c *netns.Host) { ip(t, c, "addr", "del", theVIP+"/24", "dev", "eth0") },
		},
		{
			name: "a real server answers ARP", probe: "1s", detail: "answered our probe for 192.0.2.100",
			take: func(t *testing.T, c *netns.Host) {
				sysctl(t, c, "ipv4/conf/all/arp_ignore", "0")
				sysctl(t, c, "ipv4/conf/eth0/arp_ignore", "0")
				ip(t, c, "addr", "add", theVIP+"/32", "dev", "lo")
			},
			let: func(t *testing.T, c *netns.Host) { // as edgekeeper realserver does it; the address stays
				sysctl(t, c, "ipv4/conf/all/arp_ignore", "1")
				sysctl(t, c, "ipv4/conf/all/arp_announce", "2")
			},
		},
		{
			name: "IPv6", v6: true, probe: "1s", detail: "sent a neighbour advertisement for 2001:db8::100",
			take: func(t *testing.T, c *netns.Host) { ip(t, c, "addr", "add", "2001:db8::100/64", "dev", "eth0", "nodad") },
			let:  func(t *testing.T, c *netns.Host) { ip(t, c, "addr", "del", "2001:db8::100/64", "dev", "eth0") },
		},
		{
			name: "no probes, somebody speaks", probe: "0s", detail: "sent ARP for 192.0.2.100",
			take: func(t *testing.T, c *netns.Host) {
				ip(t, c, "addr", "add", theVIP+"/24", "dev", "eth0")
				c.Do(t, func() error {
					conn, err := net.DialUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(theVIP+":9")), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.77:9")))
					if err != nil {
						return err
					}
					defer conn.Close()
					_, err = conn.Write([]byte("who has 192.0.2.77?"))
					return err
				})
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, newMode(map[bool]int{false: 2, true: 3}[tt.v6], tt.v6, false, "none"))
			ours := p.router(t, 100, "-probe", tt.probe)
			waitHolder(t, patience, p.a, p.vip)
			ours.WaitOutput(t, "role MASTER", patience)
			time.Sleep(2500 * time.Millisecond) // a probe or two that nobody must answer
			if s := status(t, ours); len(s.Troubles) > 0 {
				t.Fatalf("trouble without cause: %+v", s.Troubles)
			}
			tt.take(t, p.b)
			x := waitTrouble(t, patience, ours, instance.TroubleConflict)
			if mac := macOf(t, p.b); x.MAC != mac || x.Address.String() != p.vip || x.Detail != mac+" "+tt.detail+" on eth0, and we hold it" {
				t.Errorf("%+v; the other MAC is %s", x, mac)
			}
			if tt.let == nil {
				return
			}
			before := status(t, ours).Counters.Announcements
			tt.let(t, p.b)
			ours.WaitOutput(t, "healed address-conflict: not seen for 4s", patience)
			netns.Wait(t, patience, "announcement", func() bool { return status(t, ours).Counters.Announcements > before })
		})
	}
}

// TestBackupShowsTheAddress: both rules for split brain. A person puts the
// address on the backup. While nobody else answers for it, that is the simple
// rule; while the master's adverts are heard and it answers, the strict one.
func TestBackupShowsTheAddress(t *testing.T) {
	t.Parallel()
	lan := netns.NewLAN(t)
	a := lan.Host(t, "a", "192.0.2.1/24")
	b := lan.Host(t, "b", "192.0.2.2/24")
	ra := a.Start(t, netns.Role("router", "-priority", "150", "-probe", "1s"))
	waitHolder(t, patience, a, theVIP)
	rb := b.Start(t, netns.Role("router", "-priority", "100", "-probe", "1s"))
	rb.WaitOutput(t, "role BACKUP", patience)
	netns.Wait(t, patience, "advert", func() bool { return status(t, rb).Counters.Received > 0 })
	// A gratuitous ARP of the second set would be the strict rule's second holder.
	netns.Wait(t, patience, "both sets of announcements", func() bool { return status(t, ra).Counters.Announcements >= 10 })

	sysctl(t, a, "ipv4/conf/all/arp_ignore", "8") // a answers nobody
	ip(t, b, "addr", "add", theVIP+"/24", "dev", "eth0")
	x := waitTrouble(t, patience, rb, instance.TroubleBackupHolds)
	if x.Detail != theVIP+" is on eth0 of this host although it is BACKUP" || x.Address.String() != theVIP {
		t.Errorf("%+v", x)
	}
	time.Sleep(2500 * time.Millisecond)
	if x, ok := troubleOf(t, rb, instance.TroubleSplitBrain); ok {
		t.Errorf("strict rule although nobody else answers: %+v", x)
	}

	sysctl(t, a, "ipv4/conf/all/arp_ignore", "0")
	x = waitTrouble(t, patience, rb, instance.TroubleSplitBrain)
	if x.Peer.String() != "192.0.2.1" || !strings.Contains(x.Detail, "while the master 192.0.2.1 (priority 150) is heard and "+macOf(t, a)+" answered our probe") {
		t.Errorf("%+v", x)
	}
	waitTrouble(t, patience, ra, instance.TroubleConflict) // the master sees the same from its side

	ip(t, b, "addr", "del", theVIP+"/24", "dev", "eth0")
	rb.WaitOutput(t, "healed backup-holds-address: the address is no longer on this host", patience)
	rb.WaitOutput(t, "healed split-brain: the address is no longer on this host", patience)
	ra.WaitOutput(t, "healed address-conflict", patience)
	for _, p := range []*netns.Process{ra, rb} {
		for _, x := range status(t, p).Troubles {
			if x.Active() {
				t.Errorf("still active: %+v", x)
			}
		}
	}
}

// TestPartition: two halves of a LAN each have a master; when they are one
// again, the winner says that there was a second master and that it is over, and
// hosts learn its MAC anew.
func TestPartition(t *testing.T) {
	t.Parallel()
	lan := netns.NewLAN(t)
	a := lan.Host(t, "a", "192.0.2.1/24")
	b := lan.Host(t, "b", "192.0.2.2/24")
	ra := a.Start(t, netns.Role("router", "-priority", "150"))
	waitHolder(t, patience, a, theVIP)
	rb := b.Start(t, netns.Role("router", "-priority", "100"))
	rb.WaitOutput(t, "role BACKUP", patience)
	lan.Isolate(t, b, true)
	waitHolder(t, patience, b, theVIP)
	before := status(t, ra).Counters.Announcements
	lan.Isolate(t, b, false)
	waitGone(t, patience, b, theVIP)
	netns.Wait(t, patience, "announcements of the winner", func() bool { return status(t, ra).Counters.Announcements > before })
	if x, ok := troubleOf(t, ra, instance.TroubleSecondMaster); ok { // not when our advert came first: then b yields unheard
		ra.WaitOutput(t, "healed second-master", patience)
		t.Logf("second master: %+v", x)
	}
	if s := status(t, ra); s.State != vrrp.Master {
		t.Errorf("the winner is %s", s.State)
	}
}

// TestNoConflictWithVirtualMAC: where both routers use the virtual router's MAC,
// neither takes the other, or itself, for a stranger.
func TestNoConflictWithVirtualMAC(t *testing.T) {
	t.Parallel()
	lan := netns.NewLAN(t)
	a := lan.Host(t, "a", "192.0.2.1/24")
	b := lan.Host(t, "b", "192.0.2.2/24")
	ra := a.Start(t, netns.Role("router", "-version", "3", "-priority", "150", "-vmac", "vrrp.51", "-probe", "1s"))
	ra.WaitOutput(t, "role MASTER", patience)
	rb := b.Start(t, netns.Role("router", "-version", "3", "-priority", "100", "-vmac", "vrrp.51", "-probe", "1s"))
	rb.WaitOutput(t, "role BACKUP", patience)
	netns.Wait(t, patience, "advert", func() bool { return status(t, rb).Counters.Received > 1 })
	if err := ra.Stop(t, 5*time.Second); err != nil {
		t.Errorf("stop: %v", err)
	}
	rb.WaitOutput(t, "role MASTER", patience)
	ra = a.Start(t, netns.Role("router", "-version", "3", "-priority", "150", "-vmac", "vrrp.51", "-probe", "1s"))
	ra.WaitOutput(t, "role MASTER", patience)
	time.Sleep(2500 * time.Millisecond) // a probe or two
	for _, p := range []*netns.Process{ra, rb} {
		for _, x := range status(t, p).Troubles {
			if x.Kind != instance.TroubleSecondMaster {
				t.Errorf("%s: %s", x.Kind, x.Detail)
			}
		}
	}
}
