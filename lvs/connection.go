package lvs

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Connection is one entry of the kernel's IPVS connection table, as
// `ipvsadm -Lnc` shows it.
type Connection struct {
	Protocol Protocol // the number of another protocol for ICMP and the like
	Client   netip.AddrPort
	Virtual  netip.AddrPort // the address and port that the client asked for
	Mark     uint32         // of a firewall mark's persistence template, in place of Virtual; 0 = none
	Dest     netip.AddrPort // the real server
	State    string         // the kernel's name: ESTABLISHED, FIN_WAIT, …
	Expires  time.Duration  // until the entry goes if nothing more is seen; whole seconds
	Engine   string         // persistence engine, e.g. sip; mostly empty
	Data     string         // what the persistence engine goes by, e.g. a Call-ID
}

// Template reports whether the entry is a persistence template, not a
// connection: it has no client port.
func (c Connection) Template() bool { return c.Client.Port() == 0 }

// ConnectionFilter picks connections. The zero value picks all.
type ConnectionFilter struct {
	Protocol Protocol   // 0 = any
	Client   netip.Addr // zero = any
	Virtual  netip.Addr // zero = any
	Port     uint16     // of the virtual server; 0 = any
	Dest     netip.Addr // zero = any
	DestPort uint16     // 0 = any
	Spans    []Span     // that Virtual must be in one of; none = any
	Mark     uint32     // with Spans: templates of this firewall mark are picked, too
	State    string     // case-insensitive; "" = any
	Limit    int        // stop after so many; 0 = no limit
}

// Match reports whether the filter picks c, Limit left aside.
func (f ConnectionFilter) Match(c Connection) bool {
	return (f.Protocol == 0 || f.Protocol == c.Protocol || c.Mark != 0 && f.Mark == c.Mark) &&
		(!f.Client.IsValid() || f.Client == c.Client.Addr()) &&
		(!f.Virtual.IsValid() || f.Virtual == c.Virtual.Addr()) &&
		(f.Port == 0 || f.Port == c.Virtual.Port()) &&
		(!f.Dest.IsValid() || f.Dest == c.Dest.Addr()) &&
		(f.DestPort == 0 || f.DestPort == c.Dest.Port()) &&
		f.group(c) &&
		(f.State == "" || strings.EqualFold(f.State, c.State))
}

// group reports whether Spans and Mark let c through.
func (f ConnectionFilter) group(c Connection) bool {
	if len(f.Spans) == 0 {
		return true
	}
	if c.Mark != 0 {
		return c.Mark == f.Mark
	}
	return slices.ContainsFunc(f.Spans, func(s Span) bool { return s.Contains(c.Virtual) })
}

// Timeouts are the kernel's IPVS connection timeouts, whole seconds. When they
// are set, a zero leaves the kernel's value as it is.
type Timeouts struct {
	TCP    time.Duration // established TCP; the kernel's default is 15 min
	TCPFin time.Duration // TCP after a FIN; default 2 min
	UDP    time.Duration // UDP after the last packet; default 5 min
}
