package drained

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Count asks the kernel (sock_diag) for the TCP connections of a local port that
// a client still has a part in: all states but LISTEN, TIME_WAIT and CLOSE.
func Count(f Filter) (int, error) {
	n := 0
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		sockets, err := netlink.SocketDiagTCP(family)
		if err != nil {
			return 0, fmt.Errorf("list TCP sockets: %w", err)
		}
		for _, s := range sockets {
			switch s.State {
			case netlink.TCP_LISTEN, netlink.TCP_TIME_WAIT, netlink.TCP_CLOSE:
				continue
			}
			local, ok := netip.AddrFromSlice(s.ID.Source)
			if !ok || s.ID.SourcePort != f.Port {
				continue
			}
			// A listener on [::] has IPv4 clients as ::ffff:a.b.c.d.
			if f.Address.IsValid() && local.Unmap() != f.Address {
				continue
			}
			n++
		}
	}
	return n, nil
}
