package vrrp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MAC is an Ethernet address. It is comparable; the zero value is none.
type MAC [6]byte

// VirtualMAC is the virtual router's MAC address of RFC 9568 section 7.3:
// 00-00-5E-00-01-{VRID} for IPv4, 00-00-5E-00-02-{VRID} for IPv6.
func VirtualMAC(vrid uint8, ipv4 bool) MAC {
	family := byte(2)
	if ipv4 {
		family = 1
	}
	return MAC{0x00, 0x00, 0x5e, 0x00, family, vrid}
}

// errMAC says that a text is no MAC address.
var errMAC = errors.New("must be six bytes in hexadecimal, such as 00:00:5e:00:01:33")

// ParseMAC reads six bytes with colons between them, as ip(8) prints them. The
// address must be one an interface can have: no group address, and not zero.
func ParseMAC(s string) (MAC, error) {
	var m MAC
	parts := strings.Split(s, ":")
	if len(parts) != len(m) {
		return MAC{}, fmt.Errorf("MAC address %q %w", s, errMAC)
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 16, 8)
		if err != nil || len(p) != 2 {
			return MAC{}, fmt.Errorf("MAC address %q %w", s, errMAC)
		}
		m[i] = byte(n)
	}
	if m == (MAC{}) || m[0]&1 != 0 {
		return MAC{}, fmt.Errorf("MAC address %q is one no interface can have", s)
	}
	return m, nil
}

// String is the form of ip(8), 00:00:5e:00:01:33.
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// MarshalText gives the form of String.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText is ParseMAC.
func (m *MAC) UnmarshalText(b []byte) error {
	v, err := ParseMAC(string(b))
	*m = v
	return err
}
