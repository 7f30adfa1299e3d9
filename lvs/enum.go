package lvs

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ErrUnknownName is returned, wrapped with the name and the choices, when text
// does not name a value of an enumeration.
var ErrUnknownName = errors.New("unknown name")

// Protocol is the transport protocol of a virtual server, by its IP protocol
// number, as the kernel takes it.
type Protocol uint8

// The protocols that IPVS balances.
const (
	TCP  Protocol = 6
	UDP  Protocol = 17
	SCTP Protocol = 132
)

var protocols = map[Protocol]string{TCP: "tcp", UDP: "udp", SCTP: "sctp"}

// String gives the lower-case name, "-" for none (a firewall mark).
func (p Protocol) String() string {
	if p == 0 {
		return "-"
	}
	return name(protocols, p)
}

// MarshalText gives the name; "-" for none.
func (p Protocol) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText takes a lower-case name, or "-" for none.
func (p *Protocol) UnmarshalText(b []byte) error {
	if string(b) == "-" {
		*p = 0
		return nil
	}
	return parse(protocols, p, string(b), "protocol")
}

// Family is an address family, by the kernel's AF_ number.
type Family uint8

// The two address families.
const (
	IPv4 Family = 2
	IPv6 Family = 10
)

var families = map[Family]string{IPv4: "inet", IPv6: "inet6"}

// String gives inet or inet6, "-" for none.
func (f Family) String() string {
	if f == 0 {
		return "-"
	}
	return name(families, f)
}

// MarshalText gives the name.
func (f Family) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText takes inet, inet6, or "-" for none.
func (f *Family) UnmarshalText(b []byte) error {
	if string(b) == "-" {
		*f = 0
		return nil
	}
	return parse(families, f, string(b), "address family")
}

// Forward is a forwarding method: how a packet gets from the director to the
// real server. The values are ours; lvs/kernel maps them to IP_VS_CONN_F_FWD_*.
type Forward uint8

// The forwarding methods. The zero value is direct routing.
const (
	DR  Forward = iota // direct routing: the frame goes to the real server's MAC
	NAT                // masquerading: addresses and ports are rewritten
	TUN                // tunnelling: the packet is encapsulated
)

var forwards = map[Forward]string{DR: "dr", NAT: "nat", TUN: "tun"}

// String gives dr, nat or tun.
func (f Forward) String() string { return name(forwards, f) }

// MarshalText gives the name.
func (f Forward) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText takes dr, nat or tun.
func (f *Forward) UnmarshalText(b []byte) error {
	return parse(forwards, f, string(b), "forwarding method")
}

// TunnelType is the encapsulation of a TUN real server.
type TunnelType uint8

// The encapsulations of the kernel (IP_VS_CONN_F_TUNNEL_TYPE_*).
const (
	IPIP TunnelType = iota
	GUE
	GRE
)

var tunnelTypes = map[TunnelType]string{IPIP: "ipip", GUE: "gue", GRE: "gre"}

// String gives ipip, gue or gre.
func (t TunnelType) String() string { return name(tunnelTypes, t) }

// MarshalText gives the name.
func (t TunnelType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText takes ipip, gue or gre.
func (t *TunnelType) UnmarshalText(b []byte) error {
	return parse(tunnelTypes, t, string(b), "tunnel type")
}

// TunnelChecksum is the checksum mode of a GUE or GRE tunnel.
type TunnelChecksum uint8

// The checksum modes of the kernel (IP_VS_TUNNEL_ENCAP_FLAG_*).
const (
	NoChecksum TunnelChecksum = iota
	Checksum
	RemoteChecksum
)

var tunnelChecksums = map[TunnelChecksum]string{NoChecksum: "nocsum", Checksum: "csum", RemoteChecksum: "remcsum"}

// String gives nocsum, csum or remcsum, as ipvsadm and keepalived name them.
func (c TunnelChecksum) String() string { return name(tunnelChecksums, c) }

// MarshalText gives the name.
func (c TunnelChecksum) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText takes nocsum, csum or remcsum.
func (c *TunnelChecksum) UnmarshalText(b []byte) error {
	return parse(tunnelChecksums, c, string(b), "tunnel checksum")
}

// SchedulerFlags are the three scheduler-dependent flag bits of a virtual
// server (IP_VS_SVC_F_SCHED1..3).
type SchedulerFlags uint8

// The flag bits; sh and mh give the first two a meaning of their own.
const (
	SchedulerFlag1 SchedulerFlags = 1 << iota // sh-fallback, mh-fallback
	SchedulerFlag2                            // sh-port, mh-port
	SchedulerFlag3
)

// String gives the set flags by number, "1+2", or "none".
func (f SchedulerFlags) String() string {
	var out []string
	for i := range 3 {
		if f&(1<<i) != 0 {
			out = append(out, strconv.Itoa(i+1))
		}
	}
	if out == nil {
		return "none"
	}
	return strings.Join(out, "+")
}

// String gives the encapsulation in words: "ipip", "gue port 6080 csum".
func (t Tunnel) String() string {
	s := t.Type.String()
	if t.Port != 0 {
		s += " port " + strconv.Itoa(int(t.Port))
	}
	if t.Checksum != NoChecksum {
		s += " " + t.Checksum.String()
	}
	return s
}

// String gives the usual notation of a virtual server: "tcp 61.139.2.1:80",
// "fwmark 1 inet".
func (k Key) String() string {
	if k.Mark != 0 {
		return fmt.Sprintf("fwmark %d %s", k.Mark, k.Family)
	}
	return k.Protocol.String() + " " + netip.AddrPortFrom(k.Addr, k.Port).String()
}

func name[E ~uint8](names map[E]string, e E) string {
	if s, ok := names[e]; ok {
		return s
	}
	return fmt.Sprintf("%d", uint8(e))
}

func parse[E ~uint8](names map[E]string, e *E, text, what string) error {
	var choices []string
	for v, s := range names {
		if s == text {
			*e = v
			return nil
		}
		choices = append(choices, s)
	}
	slices.Sort(choices)
	return fmt.Errorf("%s %q: %w, must be one of %s", what, text, ErrUnknownName, strings.Join(choices, ", "))
}
