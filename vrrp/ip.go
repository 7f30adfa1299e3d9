package vrrp

import (
	"encoding/binary"
	"net/netip"
)

// The multicast groups of VRRP (RFC 9568 section 5.1.1.2 and 5.1.2.2).
var (
	Group4 = netip.AddrFrom4([4]byte{224, 0, 0, 18})
	Group6 = netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0x12})
)

const (
	ipv4HeaderLen = 20
	// TrafficClass is the TOS or traffic class of adverts: internetwork control (CS6).
	TrafficClass = 0xc0
	// TTL is the TTL or hop limit of adverts: sent and required of multicast ones,
	// sent with unicast ones unless Config.UnicastTTL says otherwise.
	TTL = 255
)

// TTLRange is the least and the greatest TTL or hop limit that is accepted, both
// 1 to 255. A least of 255 shows that no router was crossed (RFC 5082).
type TTLRange struct{ Min, Max uint8 }

// Packet is one received IP datagram that carries VRRP.
type Packet struct {
	Source, Destination netip.Addr
	TTL                 uint8  // TTL or hop limit as received
	Protocol            uint8  // ProtocolVRRP or ProtocolAH
	Header              []byte // IPv4 header; nil for IPv6
	Payload             []byte // what follows the IP header
}

// ParseIPv4 splits an IPv4 datagram as a raw socket delivers it. Bytes after
// the total length are Ethernet padding and are cut off. Header and Payload
// point into b. The header checksum was verified by the kernel. On error the
// returned value is a Drop.
func ParseIPv4(b []byte) (Packet, error) {
	if len(b) < ipv4HeaderLen || b[0]>>4 != 4 {
		return Packet{}, DropShort
	}
	header, total := int(b[0]&0x0f)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < ipv4HeaderLen || total < header || len(b) < total {
		return Packet{}, DropShort
	}
	return Packet{
		Source:      netip.AddrFrom4([4]byte(b[12:])),
		Destination: netip.AddrFrom4([4]byte(b[16:])),
		TTL:         b[8],
		Protocol:    b[9],
		Header:      b[:header],
		Payload:     b[header:total],
	}, nil
}

// appendIPv4 appends an IPv4 header without options for a payload of length
// bytes. DF is clear and the identification counts, as keepalived does.
func appendIPv4(b []byte, src, dst netip.Addr, protocol, ttl uint8, id uint16, length int) []byte {
	start := len(b)
	b = append(b, 0x45, TrafficClass)
	b = binary.BigEndian.AppendUint16(b, uint16(ipv4HeaderLen+length))
	b = binary.BigEndian.AppendUint16(b, id)
	b = append(b, 0, 0, ttl, protocol, 0, 0)
	s, d := src.As4(), dst.As4()
	b = append(append(b, s[:]...), d[:]...)
	binary.BigEndian.PutUint16(b[start+10:], fold(sum(0, b[start:])))
	return b
}
