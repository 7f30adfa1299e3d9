package vrrp

import (
	"encoding/binary"
	"net/netip"
)

// Protocol numbers in the IP header.
const (
	ProtocolVRRP = 112 // RFC 9568 section 5.1.1.4
	ProtocolAH   = 51  // RFC 4302, around VRRP when Auth is AuthAH
)

// ChecksumForm says what the VRRP checksum of a version 3 advert over IPv4
// covers. RFC 5798 was read both ways: keepalived includes a pseudo-header by
// default, RFC 9568 and several hardware routers do not. Received adverts are
// accepted in either form. Version 2 never has the pseudo-header, IPv6 always.
type ChecksumForm uint8

// The two forms. The zero value interoperates with keepalived's default.
const (
	ChecksumPseudo ChecksumForm = iota // pseudo-header and message
	ChecksumPlain                      // message only (RFC 9568; keepalived: v3_checksum_as_v2)

	// ChecksumForms is the length of an array indexed by ChecksumForm.
	ChecksumForms = 2
)

// String names the form.
func (f ChecksumForm) String() string {
	switch f {
	case ChecksumPseudo:
		return "pseudo-header"
	case ChecksumPlain:
		return "plain"
	}
	return "unknown"
}

// sum adds b to a running ones' complement sum (RFC 1071). An odd last byte
// counts as the high half of a word.
func sum(acc uint32, b []byte) uint32 {
	for len(b) >= 2 {
		acc += uint32(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		acc += uint32(b[0]) << 8
	}
	return acc
}

// fold reduces a running sum to the 16-bit checksum.
func fold(acc uint32) uint16 {
	for acc>>16 != 0 {
		acc = acc&0xffff + acc>>16
	}
	return ^uint16(acc)
}

// pseudo is the running sum of the pseudo-header: IPv4 as in RFC 793, IPv6 as
// in RFC 8200 section 8.1. Addresses of 4 and 16 bytes need no distinction:
// the remaining fields add the same words.
func pseudo(src, dst netip.Addr, length int) uint32 {
	acc := uint32(ProtocolVRRP) + uint32(length)
	if src.Is4() && dst.Is4() {
		s, d := src.As4(), dst.As4()
		return sum(sum(acc, s[:]), d[:])
	}
	s, d := src.As16(), dst.As16()
	return sum(sum(acc, s[:]), d[:])
}
