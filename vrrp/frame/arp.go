package frame

import (
	"net"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
)

// gratuitousARP has ip as sender and target, and the broadcast address as target
// MAC, as keepalived has.
func gratuitousARP(ip netip.Addr, mac net.HardwareAddr) ([]byte, net.HardwareAddr, error) {
	return arpRequest(mac, ip, ethernet.Broadcast, ip)
}

// arpProbe has no sender IP, so nobody learns from it, and no target MAC.
func arpProbe(ip netip.Addr, mac net.HardwareAddr) ([]byte, net.HardwareAddr, error) {
	return arpRequest(mac, netip.IPv4Unspecified(), make(net.HardwareAddr, 6), ip)
}

func arpRequest(mac net.HardwareAddr, from netip.Addr, target net.HardwareAddr, ip netip.Addr) ([]byte, net.HardwareAddr, error) {
	p, err := arp.NewPacket(arp.OperationRequest, mac, from, target, ip)
	if err != nil {
		return nil, nil, err
	}
	payload, err := p.MarshalBinary()
	if err != nil {
		return nil, nil, err
	}
	return wrap(ethernet.Broadcast, mac, ethernet.EtherTypeARP, payload)
}

// wrap puts the Ethernet header before a payload, and pads it to the minimum.
func wrap(to, from net.HardwareAddr, kind ethernet.EtherType, payload []byte) ([]byte, net.HardwareAddr, error) {
	f := ethernet.Frame{Destination: to, Source: from, EtherType: kind, Payload: payload}
	b, err := f.MarshalBinary()
	if err != nil {
		return nil, nil, err
	}
	return b, to, nil
}
