package check

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// path is the way to a real server as the kernel would send there.
type path struct {
	local  bool       // the real server is this host
	source netip.Addr // that the kernel would choose
	link   int        // index of the interface
	next   netip.Addr // the real server, or the router on the way to it
}

// pathTo asks the kernel's routes.
func pathTo(server netip.Addr) (path, error) {
	routes, err := netlink.RouteGet(server.AsSlice())
	switch {
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH), err == nil && len(routes) == 0:
		return path{}, syscall.ENETUNREACH
	case err != nil:
		return path{}, &localError{fmt.Sprintf("ask for the route to %s", server), err}
	}
	r := routes[0]
	p := path{local: r.Type == unix.RTN_LOCAL, link: r.LinkIndex, next: server}
	if a, ok := netip.AddrFromSlice(r.Src); ok {
		p.source = a.Unmap()
	}
	if a, ok := netip.AddrFromSlice(r.Gw); ok {
		p.next = a.Unmap()
	}
	return p, nil
}

// The kernel's neighbour table is read again this soon while an address is being
// resolved, and then less and less often.
const (
	lookAgain = 10 * time.Millisecond
	lookLast  = 200 * time.Millisecond
)

// hardware gives the hardware address of the next hop, from the kernel's
// neighbour table. Where the kernel does not know it, or has not confirmed it for
// a while, the next hop is sent an echo request, so that the kernel does.
func (p path) hardware(ctx context.Context) ([]byte, error) {
	for wait := lookAgain; ; wait = min(2*wait, lookLast) {
		n, err := neighbour(p.link, p.next)
		if err != nil {
			return nil, err
		}
		if n.State&(netlink.NUD_REACHABLE|netlink.NUD_PERMANENT|netlink.NUD_NOARP|netlink.NUD_DELAY|netlink.NUD_PROBE) == 0 {
			if err := p.knock(); err != nil {
				return nil, err
			}
		}
		if len(n.HardwareAddr) > 0 && n.State&netlink.NUD_FAILED == 0 {
			return n.HardwareAddr, nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, fmt.Errorf("resolve the hardware address of %s: %w", p.next, syscall.EHOSTUNREACH)
		}
	}
}

// knock sends an echo request in the ordinary way; nobody waits for its answer.
func (p path) knock() error {
	f, _, err := pingSocket(p.next, netip.Addr{}, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	request, err := echoRequest(p.next.Is4(), []byte("edgekeeper"))
	if err != nil {
		return err
	}
	_, err = f.Write(request)
	return err
}

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// neighbour reads one entry of the kernel's neighbour table; zero when there is none.
func neighbour(link int, addr netip.Addr) (netlink.Neigh, error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETNEIGH, 0)
	req.AddData(&netlink.Ndmsg{Family: uint8(familyOf(addr)), Index: uint32(link)})
	req.AddData(nl.NewRtAttr(netlink.NDA_DST, addr.AsSlice()))
	messages, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWNEIGH)
	switch {
	case errors.Is(err, unix.ENOENT):
		return netlink.Neigh{}, nil
	case err != nil:
		return netlink.Neigh{}, &localError{fmt.Sprintf("read the neighbour %s", addr), err}
	case len(messages) == 0:
		return netlink.Neigh{}, nil
	}
	n, err := netlink.NeighDeserialize(messages[0])
	if err != nil {
		return netlink.Neigh{}, &localError{fmt.Sprintf("read the neighbour %s", addr), err}
	}
	return *n, nil
}
