package netns

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Port is where the cable of a host's interface ends: the other end of a veth
// pair, in the test's namespace.
type Port struct{ port string }

// Join gives a host an interface on this LAN, with addresses such as
// "192.0.2.1/24" or "2001:db8::1/64" and no others. IPv6 addresses need no
// duplicate address detection.
func (l *LAN) Join(t testing.TB, h *Host, name string, addresses ...string) Port {
	t.Helper()
	l.ports++
	p := Port{port: fmt.Sprintf("p%d.%d", l.id, l.ports)}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = p.port
	peer := fmt.Sprintf("q%d.%d", l.id, l.ports)
	must(t, "add veth", netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: peer}))
	inside, err := netlink.LinkByName(peer)
	must(t, "find veth", err)
	must(t, "move veth", netlink.LinkSetNsFd(inside, int(h.ns)))
	outside, err := netlink.LinkByName(p.port)
	must(t, "find veth", err)
	must(t, "join bridge", netlink.LinkSetMaster(outside, l.bridge))
	must(t, "set port up", netlink.LinkSetUp(outside))
	h.Do(t, func() error { return plugIn(peer, name, addresses) })
	return p
}

// plugIn names an interface of the present namespace, gives it its addresses and
// sets it up.
func plugIn(peer, name string, addresses []string) error {
	link, err := netlink.LinkByName(peer)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetName(link, name); err != nil {
		return err
	}
	for file, value := range map[string]string{"accept_dad": "0", "addr_gen_mode": "1"} { // only the addresses given
		_ = os.WriteFile(filepath.Join("/proc/sys/net/ipv6/conf", name, file), []byte(value), 0)
	}
	for _, a := range addresses {
		addr, err := netlink.ParseAddr(a)
		if err != nil {
			return err
		}
		if addr.IP.To4() == nil {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(link, addr); err != nil {
			return fmt.Errorf("add %s: %w", a, err)
		}
	}
	return netlink.LinkSetUp(link)
}

// Cut takes the cable out, on the side of the LAN: the host sees the carrier go.
// Mend puts it back.
func (p Port) Cut(t testing.TB) { t.Helper(); p.set(t, netlink.LinkSetDown) }

// Mend undoes Cut.
func (p Port) Mend(t testing.TB) { t.Helper(); p.set(t, netlink.LinkSetUp) }

func (p Port) set(t testing.TB, set func(netlink.Link) error) {
	t.Helper()
	link, err := netlink.LinkByName(p.port)
	must(t, "find port", err)
	must(t, "set port", set(link))
}
