package vrrp

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Version is the VRRP protocol version.
type Version uint8

// The versions in use. V2 is RFC 3768, V3 is RFC 5798 and RFC 9568.
const (
	V2 Version = 2
	V3 Version = 3
)

const (
	typeAdvert   = 1
	headerLen    = 8
	secretLen    = 8 // authentication data that ends every version 2 IPv4 advert
	maxInterval3 = 4095
)

// Advert is one VRRP advertisement.
//
//	 0                   1                   2                   3
//	+-------+-------+---------------+---------------+---------------+
//	|version| type 1|     VRID      |   priority    | address count |
//	+-------+-------+---------------+---------------+---------------+
//	v2: | auth type | interval (s)  |           checksum            |
//	v3: | 0 |    interval (10 ms)   |           checksum            |
//	+-------------------------------+-------------------------------+
//	|                  addresses, 4 or 16 bytes each                |
//	+---------------------------------------------------------------+
//	|            v2 over IPv4: authentication data, 8 bytes         |
//	+---------------------------------------------------------------+
type Advert struct {
	Version   Version
	VRID      uint8
	Priority  uint8 // 0 = the sender gives up mastership, 255 = address owner
	Interval  time.Duration
	Auth      AuthType        // version 2
	Secret    [secretLen]byte // version 2 over IPv4, zero unless Auth is AuthPass
	Addresses []netip.Addr
	// Checksum is the form found by Parse, and the form written by Append for
	// version 3 over IPv4.
	Checksum ChecksumForm
	// KeyID is the key that an accepted advert was signed with, 0 without a
	// trailer; Behind is by how much its sender's clock is behind ours, in whole
	// seconds. Only Codec.Decode sets them.
	KeyID  uint8
	Behind time.Duration
}

// Parse decodes the VRRP message msg, which travelled from src to dst, into a.
// The family of src decides the size of the addresses; src and dst are also
// the pseudo-header of the checksum.
//
// Parse reuses a.Addresses, so a loop with one Advert does not allocate, and
// a.Addresses is valid until the next Parse into the same Advert. On error the
// returned value is a Drop and the content of a is undefined. A message with an
// authentication trailer is DropLength here.
func Parse(a *Advert, msg []byte, src, dst netip.Addr) error {
	return parse(a, msg, 0, src, dst)
}

// parse is Parse for a message that ends in a trailer of this length.
func parse(a *Advert, whole []byte, trailer int, src, dst netip.Addr) error {
	msg := whole[:len(whole)-trailer]
	if len(msg) < headerLen {
		return DropShort
	}
	if msg[0]&0x0f != typeAdvert {
		return DropType
	}
	a.Version = Version(msg[0] >> 4)
	a.VRID = msg[1]
	a.Priority = msg[2]
	count := int(msg[3])

	v4 := src.Is4()
	size := 16
	if v4 {
		size = 4
	}
	a.Auth, a.Secret = AuthNone, [secretLen]byte{}
	a.KeyID, a.Behind = 0, 0
	switch a.Version {
	case V2:
		a.Auth = AuthType(msg[4])
		a.Interval = time.Duration(msg[5]) * time.Second
	case V3:
		a.Interval = time.Duration(binary.BigEndian.Uint16(msg[4:])&0x0fff) * centisecond
	default:
		return DropVersion
	}
	if len(msg) != messageLen(msg, v4) {
		return DropLength
	}

	covered := msg
	if !v4 {
		covered = whole
	}
	plain := sum(0, covered)
	switch {
	case v4 && fold(plain) == 0:
		a.Checksum = ChecksumPlain
	case (!v4 || a.Version == V3) && fold(plain+pseudo(src, dst, len(covered))) == 0:
		a.Checksum = ChecksumPseudo
	default:
		return DropChecksum
	}

	a.Addresses = a.Addresses[:0]
	rest := msg[headerLen:]
	for range count {
		if v4 {
			a.Addresses = append(a.Addresses, netip.AddrFrom4([4]byte(rest)))
		} else {
			a.Addresses = append(a.Addresses, netip.AddrFrom16([16]byte(rest)))
		}
		rest = rest[size:]
	}
	copy(a.Secret[:], rest)
	return nil
}

// Append encodes a, to be sent from src to dst, at the end of b and returns
// the longer slice. The addresses in a must be of src's family. The interval
// is truncated to whole seconds (version 2) or centiseconds (version 3);
// Config.Validate refuses intervals that do not fit.
func Append(b []byte, a *Advert, src, dst netip.Addr) []byte {
	start := len(b)
	b = appendUnsummed(b, a, src)
	a.sum(b[start:], 0, src, dst)
	return b
}

// appendUnsummed is Append with a zero checksum.
func appendUnsummed(b []byte, a *Advert, src netip.Addr) []byte {
	b = append(b, uint8(a.Version)<<4|typeAdvert, a.VRID, a.Priority, uint8(len(a.Addresses)))
	if a.Version == V2 {
		b = append(b, uint8(a.Auth), uint8(a.Interval/time.Second), 0, 0)
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(a.Interval/centisecond)&0x0fff)
		b = append(b, 0, 0)
	}
	v4 := src.Is4()
	for _, ip := range a.Addresses {
		if v4 {
			raw := ip.As4()
			b = append(b, raw[:]...)
		} else {
			raw := ip.As16()
			b = append(b, raw[:]...)
		}
	}
	if a.Version == V2 && v4 {
		b = append(b, a.Secret[:]...)
	}
	return b
}

// sum puts the checksum into a message that ends in a trailer of this length.
func (a *Advert) sum(msg []byte, trailer int, src, dst netip.Addr) {
	if src.Is4() {
		msg = msg[:len(msg)-trailer]
	}
	acc := sum(0, msg)
	if !src.Is4() || (a.Version == V3 && a.Checksum == ChecksumPseudo) {
		acc += pseudo(src, dst, len(msg))
	}
	binary.BigEndian.PutUint16(msg[6:], fold(acc))
}

const centisecond = 10 * time.Millisecond
