package netns

import (
	"fmt"
	"testing"

	"github.com/vishvananda/netlink"
)

// Port is a further interface of a host, on another LAN.
type Port struct{ name string }

// Join gives a host of another LAN an interface on this one.
func (l *LAN) Join(t testing.TB, h *Host, name string, addresses ...string) Port {
	t.Helper()
	l.hosts++
	p := Port{name: fmt.Sprintf("p%d.%d", l.id, l.hosts)}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = p.name
	peer := fmt.Sprintf("q%d.%d", l.id, l.hosts)
	must(t, "add veth", netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: peer}))
	inside, err := netlink.LinkByName(peer)
	must(t, "find veth", err)
	must(t, "move veth", netlink.LinkSetNsFd(inside, int(h.ns)))
	outside, err := netlink.LinkByName(p.name)
	must(t, "find veth", err)
	must(t, "join bridge", netlink.LinkSetMaster(outside, l.bridge))
	must(t, "set port up", netlink.LinkSetUp(outside))
	h.Do(t, func() error {
		link, err := netlink.LinkByName(peer)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetName(link, name); err != nil {
			return err
		}
		for _, a := range addresses {
			addr, err := netlink.ParseAddr(a)
			if err != nil {
				return err
			}
			if err := netlink.AddrAdd(link, addr); err != nil {
				return fmt.Errorf("add %s: %w", a, err)
			}
		}
		return netlink.LinkSetUp(link)
	})
	return p
}

// Cut takes the cable of the port out: the host sees the carrier go. Mend puts
// it back.
func (p Port) Cut(t testing.TB) { t.Helper(); p.set(t, netlink.LinkSetDown) }

// Mend undoes Cut.
func (p Port) Mend(t testing.TB) { t.Helper(); p.set(t, netlink.LinkSetUp) }

func (p Port) set(t testing.TB, set func(netlink.Link) error) {
	t.Helper()
	link, err := netlink.LinkByName(p.name)
	must(t, "find port", err)
	must(t, "set port", set(link))
}
