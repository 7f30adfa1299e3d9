package check

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// question is a packet that asks a virtual address, and what its answer is known
// by: the sequence number of a TCP SYN, the identifier and sequence number of an
// echo request.
type question struct {
	source, vip netip.Addr
	port, from  uint16 // of TCP; port 0: an echo request
	key         uint32
}

// TCP's flags (RFC 9293 section 3.1).
const (
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// ICMP types that answer, of IPv4 and IPv6 (RFC 792, RFC 4443).
const (
	echoRequest4, echoReply4, unreachable4, exceeded4 = 8, 0, 3, 11
	echoRequest6, echoReply6, unreachable6, exceeded6 = 128, 129, 1, 3
)

// portUnreachable is the code of ICMP and of ICMPv6.
const portUnreachable4, portUnreachable6 = 3, 4

const (
	header4, header6 = 20, 40
	headerTCP        = 20
	headerICMP       = 8
)

// packet is the question in an IP packet that no router passes on: who does not
// have the virtual address must not hand the question to somebody who has.
func (q question) packet() []byte {
	if q.port == 0 {
		return q.ip(protocolICMP(q.vip), q.echo())
	}
	return q.ip(unix.IPPROTO_TCP, q.segment(flagSYN, q.key))
}

// reset is the packet that ends what the question began on a server that has
// answered it: the half-open connection.
func (q question) reset() []byte { return q.ip(unix.IPPROTO_TCP, q.segment(flagRST, q.key+1)) }

func protocolICMP(a netip.Addr) byte {
	if a.Is4() {
		return unix.IPPROTO_ICMP
	}
	return unix.IPPROTO_ICMPV6
}

func (q question) segment(flags byte, seq uint32) []byte {
	b := make([]byte, headerTCP)
	binary.BigEndian.PutUint16(b, q.from)
	binary.BigEndian.PutUint16(b[2:], q.port)
	binary.BigEndian.PutUint32(b[4:], seq)
	b[12], b[13] = headerTCP/4<<4, flags
	if flags&flagSYN != 0 {
		binary.BigEndian.PutUint16(b[14:], 1024) // a window, of which nothing will be used
	}
	binary.BigEndian.PutUint16(b[16:], ^checksum(q.pseudo(unix.IPPROTO_TCP, len(b)), b))
	return b
}

func (q question) echo() []byte {
	b := make([]byte, headerICMP)
	b[0] = echoRequest4
	binary.BigEndian.PutUint32(b[4:], q.key)
	sum := uint32(0)
	if !q.vip.Is4() {
		b[0] = echoRequest6
		sum = q.pseudo(unix.IPPROTO_ICMPV6, len(b))
	}
	binary.BigEndian.PutUint16(b[2:], ^checksum(sum, b))
	return b
}

// pseudo is the sum of the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1).
func (q question) pseudo(protocol byte, length int) uint32 {
	return sum(sum(uint32(protocol)+uint32(length), q.source.AsSlice()), q.vip.AsSlice())
}

func (q question) ip(protocol byte, payload []byte) []byte {
	if !q.vip.Is4() {
		b := make([]byte, header6, header6+len(payload))
		b[0] = 6 << 4
		binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
		b[6], b[7] = protocol, 1
		copy(b[8:], q.source.AsSlice())
		copy(b[24:], q.vip.AsSlice())
		return append(b, payload...)
	}
	b := make([]byte, header4, header4+len(payload))
	b[0] = 4<<4 | header4/4
	binary.BigEndian.PutUint16(b[2:], uint16(header4+len(payload)))
	b[6] = 0x40 // do not fragment
	b[8], b[9] = 1, protocol
	copy(b[12:], q.source.AsSlice())
	copy(b[16:], q.vip.AsSlice())
	binary.BigEndian.PutUint16(b[10:], ^checksum(0, b))
	return append(b, payload...)
}

// sum adds bytes to a ones' complement sum, an even number of them.
func sum(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	return s
}

// checksum folds a sum and bytes into 16 bits (RFC 1071).
func checksum(s uint32, b []byte) uint16 {
	s = sum(s, b)
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}

// reply is an answer that came in.
type reply struct {
	key     uint32
	outcome outcome
	vip     netip.Addr
	port    uint16 // of TCP; 0: of another protocol
	to      netip.Addr
}

// outcome is what an answer says.
type outcome uint8

const (
	yes      outcome = iota // it has the address, and serves there
	refused                 // it has the address; nobody listens there
	passed                  // it does not have the address, and would have passed the packet on
	rejected                // it, or somebody on the way, does not take the packet
	stray                   // of a connection that nobody waits for
)

// parse reads an IP packet as an answer; false when it is none. The packet may
// be anything, and may be cut short.
func parse(b []byte) (reply, bool) {
	protocol, source, target, payload, ok := split(b)
	if !ok {
		return reply{}, false
	}
	switch {
	case protocol == unix.IPPROTO_TCP && len(payload) >= headerTCP:
		r := reply{key: binary.BigEndian.Uint32(payload[8:]) - 1, vip: source, port: binary.BigEndian.Uint16(payload), to: target}
		switch payload[13] & (flagSYN | flagRST | flagACK) {
		case flagSYN | flagACK:
			r.outcome = yes
		case flagRST | flagACK:
			r.outcome = refused
		case flagACK:
			r.outcome = stray
		default:
			return reply{}, false
		}
		return r, true
	case protocol == protocolICMP(source) && len(payload) >= headerICMP:
		return parseICMP(source, target, payload)
	}
	return reply{}, false
}

func parseICMP(source, target netip.Addr, b []byte) (reply, bool) {
	kind, code := b[0], b[1]
	v4 := source.Is4()
	r := reply{to: target}
	switch {
	case v4 && kind == echoReply4, !v4 && kind == echoReply6:
		r.key, r.vip = binary.BigEndian.Uint32(b[4:]), source
		return r, true
	case v4 && kind == exceeded4, !v4 && kind == exceeded6:
		r.outcome = passed
	case v4 && kind == unreachable4 && code == portUnreachable4, !v4 && kind == unreachable6 && code == portUnreachable6:
		r.outcome = refused
	case v4 && kind == unreachable4, !v4 && kind == unreachable6:
		r.outcome = rejected
	default:
		return reply{}, false
	}
	// What it is about follows: our packet's IP header and eight bytes at least.
	protocol, _, vip, inner, ok := split(b[headerICMP:])
	if !ok || len(inner) < 8 {
		return reply{}, false
	}
	r.vip = vip
	if protocol == unix.IPPROTO_TCP {
		r.port = binary.BigEndian.Uint16(inner[2:])
	}
	r.key = binary.BigEndian.Uint32(inner[4:]) // a TCP sequence number, or an echo's identifier and number
	return r, protocol == unix.IPPROTO_TCP || protocol == protocolICMP(vip)
}

// split takes the header off an IP packet without extension headers.
func split(b []byte) (protocol byte, source, target netip.Addr, payload []byte, ok bool) {
	switch {
	case len(b) >= header4 && b[0]>>4 == 4:
		size := int(b[0]&15) * 4
		if size < header4 || len(b) < size {
			return 0, source, target, nil, false
		}
		return b[9], netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[size:], true
	case len(b) >= header6 && b[0]>>4 == 6:
		return b[6], netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])), b[header6:], true
	}
	return 0, source, target, nil, false
}
