package frame

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
)

var allNodes = netip.MustParseAddr("ff02::1")

// advertisement is an unsolicited neighbour advertisement from ip itself (RFC
// 4861 section 7.2.6).
func advertisement(ip netip.Addr, mac net.HardwareAddr, router bool) ([]byte, net.HardwareAddr, error) {
	return icmpv6(mac, ip, allNodes, &ndp.NeighborAdvertisement{
		Router:        router,
		Override:      true,
		TargetAddress: ip,
		Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: mac}},
	})
}

// solicitation comes from the unspecified address, without options. The holder
// answers to all nodes (RFC 4861 section 7.2.4).
func solicitation(ip netip.Addr, mac net.HardwareAddr) ([]byte, net.HardwareAddr, error) {
	group, err := ndp.SolicitedNodeMulticast(ip)
	if err != nil {
		return nil, nil, err
	}
	return icmpv6(mac, netip.IPv6Unspecified(), group, &ndp.NeighborSolicitation{TargetAddress: ip})
}

func icmpv6(mac net.HardwareAddr, from, group netip.Addr, m ndp.Message) ([]byte, net.HardwareAddr, error) {
	message, err := ndp.MarshalMessageChecksum(m, from, group)
	if err != nil {
		return nil, nil, err
	}
	const protocol = 58
	return wrap(GroupMAC(group), mac, ethernet.EtherTypeIPv6, AppendIPv6(nil, 0, protocol, from, group, message))
}

// AppendIPv6 appends an IPv6 datagram with hop limit 255, which both neighbour
// discovery (RFC 4861 section 7.1) and VRRP (RFC 9568 section 5.1.2.3) require.
func AppendIPv6(b []byte, class, protocol uint8, from, to netip.Addr, message []byte) []byte {
	const hopLimit = 255
	b = binary.BigEndian.AppendUint32(b, 6<<28|uint32(class)<<20)
	b = binary.BigEndian.AppendUint16(b, uint16(len(message)))
	b = append(b, protocol, hopLimit)
	src, dst := from.As16(), to.As16()
	b = append(append(b, src[:]...), dst[:]...)
	return append(b, message...)
}
