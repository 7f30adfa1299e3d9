// Package frame builds the Ethernet frames that announce a virtual address, as
// gratuitous ARP or neighbour advertisement, and those that ask who else has it.
//
//	b, to, err := frame.Announcement(ip, mac, false)
//	b, to, err := frame.Probe(ip, mac)
//
// All of them are whole frames, because a packet socket needs no address of its
// own: an ICMPv6 socket would have to be bound to the virtual address, one for
// each, and a probe comes from no address at all. The second result is the
// destination in the frame, for sockaddr_ll(7).
package frame

import (
	"net"
	"net/netip"
)

// Announcement says that ip is at mac now: a gratuitous ARP request, or an
// unsolicited neighbour advertisement with the Override flag, as keepalived
// sends them (vrrp_arp.c, vrrp_ndisc.c). router is the Router flag of the latter:
// whether the host forwards IPv6.
func Announcement(ip netip.Addr, mac net.HardwareAddr, router bool) ([]byte, net.HardwareAddr, error) {
	if ip.Is4() {
		return gratuitousARP(ip, mac)
	}
	return advertisement(ip, mac, router)
}

// Probe asks who has ip, without saying that the sender does: an ARP probe (RFC
// 5227 section 2.1.1), or the neighbour solicitation of duplicate address
// detection (RFC 4862 section 5.4.2).
func Probe(ip netip.Addr, mac net.HardwareAddr) ([]byte, net.HardwareAddr, error) {
	if ip.Is4() {
		return arpProbe(ip, mac)
	}
	return solicitation(ip, mac)
}

// GroupMAC is the Ethernet address of a multicast group: RFC 1112 section 6.4
// for IPv4, RFC 2464 section 7 for IPv6.
func GroupMAC(group netip.Addr) net.HardwareAddr {
	if group.Is4() {
		b := group.As4()
		return net.HardwareAddr{0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3]}
	}
	b := group.As16()
	return net.HardwareAddr{0x33, 0x33, b[12], b[13], b[14], b[15]}
}
