package vrrp

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"net/netip"
)

// AuthType is the authentication type of version 2 (RFC 2338 section 5.3.6).
// RFC 3768 removed authentication; keepalived and its users kept it.
type AuthType uint8

// The authentication types.
const (
	AuthNone AuthType = 0
	AuthPass AuthType = 1 // clear text password of 8 bytes
	AuthAH   AuthType = 2 // IP authentication header, HMAC-MD5-96
)

// String names the type as the configuration does.
func (t AuthType) String() string {
	switch t {
	case AuthNone:
		return "none"
	case AuthPass:
		return "pass"
	case AuthAH:
		return "ah"
	}
	return "unknown"
}

// Auth is the authentication of a version 2 virtual router.
type Auth struct {
	Type   AuthType
	Secret Secret
}

// Secret is a password, or a key. It does not print or marshal.
type Secret string

// String hides the secret.
func (Secret) String() string { return "(secret)" }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return "(secret)" }

// MarshalText hides the secret from JSON and other encoders; an empty one stays
// empty.
func (s Secret) MarshalText() ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	return []byte(s.String()), nil
}

// key is the secret as it travels: at most 8 bytes, padded with NUL.
func (s Secret) key() (k [secretLen]byte) {
	copy(k[:], s)
	return k
}

// The authentication header around a version 2 advert:
//
//	| next header 112 | length 4 | reserved 0 | SPI | sequence | ICV, 12 bytes |
const (
	ahLen    = 24
	ahICV    = 12 // offset of the ICV in the header
	ahWords  = ahLen/4 - 2
	ahICVLen = 12
)

// appendAH appends an authentication header with a zero ICV. keepalived puts
// the source address into the SPI and checks it.
func appendAH(b []byte, src netip.Addr, seq uint32) []byte {
	s := src.As4()
	b = append(b, ProtocolVRRP, ahWords, 0, 0)
	b = append(b, s[:]...)
	b = binary.BigEndian.AppendUint32(b, seq)
	return append(b, make([]byte, ahICVLen)...)
}

// icv computes HMAC-MD5-96 over an IPv4 header, an authentication header with
// its ICV taken as zero, and the VRRP message. TOS, fragment field and header
// checksum count as zero (RFC 4302 section 3.3.3.1.1); the TTL counts as zero
// for unicast only, which is keepalived's reading and decides interoperability.
func icv(key [secretLen]byte, header, ahAndMessage []byte, unicast bool) [ahICVLen]byte {
	var h [ipv4HeaderLen]byte
	copy(h[:], header)
	h[1] = 0
	h[6], h[7] = 0, 0
	h[10], h[11] = 0, 0
	if unicast {
		h[8] = 0
	}
	var zero [ahICVLen]byte
	mac := hmac.New(md5.New, key[:])
	mac.Write(h[:])
	mac.Write(ahAndMessage[:ahICV])
	mac.Write(zero[:])
	mac.Write(ahAndMessage[ahLen:])
	var out [ahICVLen]byte
	copy(out[:], mac.Sum(nil))
	return out
}
