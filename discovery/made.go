package discovery

import (
	"net/netip"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// VIPSpec says how the virtual address is asked of one real server.
type VIPSpec struct {
	Addr   netip.Addr // the virtual address
	Echo   bool       // an ICMP echo; else a TCP handshake that ends before there is a connection
	Tunnel Tunnel     // how packets get to the real server; the pool's method, filled in by Merge
}

// Tunnel is the way of a packet to a real server: the zero value is direct, in a
// frame to its hardware address.
type Tunnel struct {
	In       Encapsulation
	Port     uint16 // of GUE
	Checksum bool   // of GRE
}

// Encapsulation is what a packet is wrapped into.
type Encapsulation uint8

// The encapsulations.
const (
	Direct Encapsulation = iota // none
	IPIP
	GUE
	GRE
)

// made is a check that is made of a real server, with what of its definition
// Merge goes by.
type made struct {
	Check
	kind    CheckType
	initial Health
}

// checksOf lists the checks of a real server: those of the pool and its own.
// Those that cannot be made of it are left out: one that needs a port where
// nobody knows one, and the virtual address asked of a server that never sees it
// in a packet because NAT has replaced it.
func (s *server) checksOf(spec *Spec) []made {
	if len(spec.Checks) == 0 && (s.config == nil || len(s.config.Checks) == 0) {
		return nil
	}
	lists := [][]CheckSpec{spec.Checks, nil}
	if s.config != nil {
		lists[1] = s.config.Checks
	}
	var out []made
	for _, list := range lists {
		for _, c := range list {
			if c.Type == VIP {
				forward := s.forward(spec)
				if forward == lvs.NAT {
					continue
				}
				c.VIP.Tunnel = way(forward, spec.Tunnel)
			}
			if check, ok := c.of(s.target); ok {
				out = append(out, made{check, c.Type, c.Initial})
			}
		}
	}
	return out
}

// way is how packets get to a real server.
func way(f lvs.Forward, t lvs.Tunnel) Tunnel {
	switch {
	case f != lvs.TUN:
		return Tunnel{}
	case t.Type == lvs.GUE:
		return Tunnel{In: GUE, Port: t.Port}
	case t.Type == lvs.GRE:
		return Tunnel{In: GRE, Checksum: t.Checksum == lvs.Checksum}
	}
	return Tunnel{In: IPIP}
}
