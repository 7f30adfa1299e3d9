package vrrp

import "net/netip"

// Scope is the scope of an address as rtnetlink has it (enum rt_scope_t in
// linux/rtnetlink.h).
type Scope uint8

// The scopes an address can have.
const (
	ScopeGlobal Scope = 0
	ScopeSite   Scope = 200
	ScopeLink   Scope = 253
	ScopeHost   Scope = 254
)

// String is the word of ip(8).
func (s Scope) String() string {
	switch s {
	case ScopeGlobal:
		return "global"
	case ScopeSite:
		return "site"
	case ScopeLink:
		return "link"
	case ScopeHost:
		return "host"
	}
	return "unknown"
}

// Address describes a virtual address: what is advertised and how it is put on
// an interface. It is comparable.
type Address struct {
	// Prefix is the address with its mask, host bits kept: 61.139.2.1/29.
	Prefix netip.Prefix
	// Device is the interface that carries the address; empty is the interface
	// of the virtual router.
	Device string
	// Label is the IPv4 label, shown by ifconfig(8); at most 15 bytes.
	Label string
	// Scope is the scope of the address; the zero value is global.
	Scope Scope
	// Broadcast is the IPv4 broadcast address; invalid is none, as keepalived has it.
	Broadcast netip.Addr
	// Peer is the address at the other end of a point-to-point link; invalid is
	// none. The prefix length is then the peer's, as ip-address(8) has it.
	Peer netip.Addr
	// NoPrefixRoute keeps the kernel from adding the connected route.
	NoPrefixRoute bool
	// Deprecated says that the address answers, but is not chosen as the source of new
	// connections (a preferred lifetime of 0). An IPv6 /128 always is.
	Deprecated bool
	// DetectDuplicates leaves duplicate address detection on: an IPv6 address is
	// then unusable for the first second of each term as master.
	DetectDuplicates bool
}

// String is the address as ip(8) would take it.
func (a Address) String() string {
	s := a.Prefix.String()
	if a.Device != "" {
		s += " dev " + a.Device
	}
	if a.Label != "" {
		s += " label " + a.Label
	}
	return s
}
