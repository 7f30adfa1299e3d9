// Package lvs says what the kernel's IPVS table should hold and how to get
// there. It is pure: values in, values out. It opens no socket, reads no clock
// and starts no goroutine, so the running director, `plan`, `why`, `replay` and
// the tests all use the same code.
//
// The order of use is
//
//	have := driver.Table()                                // what the kernel holds (lvs/kernel)
//	want, since, next := Drain(have, desired, since, now) // who still has connections
//	driver.Apply(Diff(have.Table, want))
//
// which lvs/reconcile does for as long as it runs. The promises: Diff of equal
// tables is empty; applying Diff to have gives want (within want's scope);
// additions come before removals, so that no pool is empty on the way unless it
// ends empty.
package lvs

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Key is the identity of a virtual server in the kernel: protocol, address and
// port, or a firewall mark and an address family. It is comparable and is used
// as a map key throughout.
type Key struct {
	Protocol Protocol   // zero for a firewall mark
	Addr     netip.Addr // zero for a firewall mark
	Port     uint16     // 0 with persistence means every port
	Mark     uint32     // firewall mark; 0 when Addr names the virtual server
	Family   Family     // of the firewall mark; zero otherwise, Addr says it
}

// IPv6 reports whether the virtual server belongs to the IPv6 family.
func (k Key) IPv6() bool {
	if k.Mark != 0 {
		return k.Family == IPv6
	}
	return k.Addr.Is6() && !k.Addr.Is4In6()
}

// Compare orders keys, for stable output: by mark and family, protocol, address,
// port, so that addressed virtual servers come before firewall marks.
func (k Key) Compare(o Key) int {
	return cmp.Or(
		cmp.Compare(k.Mark, o.Mark),
		cmp.Compare(k.Family, o.Family),
		cmp.Compare(k.Protocol, o.Protocol),
		k.Addr.Compare(o.Addr),
		cmp.Compare(k.Port, o.Port),
	)
}

// Service is a virtual server as the kernel knows it: its identity and the
// attributes that can be edited in place.
type Service struct {
	Key
	Scheduler   string         // the kernel's name: rr, wrr, lc, wlc, sh, mh, …
	Flags       SchedulerFlags // sh-port, mh-fallback, …
	OnePacket   bool           // one-packet scheduling: UDP and firewall marks only
	Persistence uint32         // seconds a client sticks to its real server; 0 = off
	Granularity uint8          // prefix length that makes clients "the same" for persistence; 0 = 32 (128)
	Engine      string         // persistence engine: "sip" goes by Call-ID and not by address alone; "" = none
}

// Dest is a real server within a virtual server. Addr is its identity there.
type Dest struct {
	Addr    netip.AddrPort
	Weight  uint32 // 0 = no new connections; what we set is at most 65535
	Forward Forward
	Tunnel  Tunnel // only with TUN
	Upper   uint32 // connections at which no more are given; 0 = no limit
	Lower   uint32 // connections below which they are given again; 0 = 3/4 of Upper
}

// Tunnel says how packets to a TUN real server are encapsulated. The zero value
// is IPIP without checksum.
type Tunnel struct {
	Type     TunnelType
	Port     uint16 // GUE only
	Checksum TunnelChecksum
}

// Pool is one virtual server and its real servers. Dests is sorted by address
// and holds no address twice; NewPool makes it so.
type Pool struct {
	Service Service
	Dests   []Dest
}

// NewPool returns the pool of a service and its real servers, sorted. Of two
// with one address the first is kept.
func NewPool(s Service, dests ...Dest) Pool {
	return PoolOf(s, slices.Clone(dests))
}

// PoolOf is NewPool for real servers that the caller gives away: they are sorted
// in place, and kept.
func PoolOf(s Service, dests []Dest) Pool {
	byAddr := func(a, b Dest) int { return a.Addr.Compare(b.Addr) }
	if !slices.IsSortedFunc(dests, byAddr) {
		slices.SortStableFunc(dests, byAddr)
	}
	dests = slices.CompactFunc(dests, func(a, b Dest) bool { return a.Addr == b.Addr })
	return Pool{Service: s, Dests: dests}
}

// Dest returns the real server with that address, and whether there is one.
func (p Pool) Dest(a netip.AddrPort) (Dest, bool) {
	i, ok := p.find(a)
	if !ok {
		return Dest{}, false
	}
	return p.Dests[i], true
}

// Table is a whole IPVS table, or the part of one that somebody wants.
type Table map[Key]Pool

// DestID names one real server of one virtual server.
type DestID struct {
	Key  Key
	Addr netip.AddrPort
}

// Stats is what the kernel counts for a real server (or, summed, for a virtual
// server). It is kept apart from identity: two equal tables may count differently.
// The numbers of connections now are exact; the traffic since creation is up to
// two seconds old, which is how often the kernel's estimator adds it up.
type Stats struct {
	Active, Inactive, Persistent uint32 // connections now
	Connections                  uint64 // since creation
	InPackets, OutPackets        uint64
	InBytes, OutBytes            uint64
	Rates                        Rates
}

// Rates are what the kernel's estimator says of the traffic, per second: an
// average that forgets a quarter every two seconds (net/netfilter/ipvs/ip_vs_est.c).
// All are 0 where net.ipv4.vs.run_estimation is.
type Rates struct {
	Connections, InPackets, OutPackets uint32
	InBytes, OutBytes                  uint64
}

// Observed is the kernel's table as it was read, with its counters.
type Observed struct {
	Table    Table
	Dests    map[Key]DestStats // of the real servers, by virtual server
	Services map[Key]Stats
}

// DestStats are the counters of the real servers of one virtual server, in order
// of their addresses. There are as many as real servers in the kernel, so they are
// no map.
type DestStats []DestStat

// DestStat are the counters of one real server.
type DestStat struct {
	Addr netip.AddrPort
	Stats
}

// Sort puts them in order.
func (l DestStats) Sort() {
	slices.SortFunc(l, func(a, b DestStat) int { return a.Addr.Compare(b.Addr) })
}

func (l DestStats) find(a netip.AddrPort) (int, bool) {
	return slices.BinarySearchFunc(l, a, func(d DestStat, a netip.AddrPort) int { return d.Addr.Compare(a) })
}

// Of returns the counters of one real server, and whether they are known.
func (l DestStats) Of(a netip.AddrPort) (Stats, bool) {
	i, ok := l.find(a)
	if !ok {
		return Stats{}, false
	}
	return l[i].Stats, true
}

// Without returns them without those of one real server. It writes to l.
func (l DestStats) Without(a netip.AddrPort) DestStats {
	if i, ok := l.find(a); ok {
		return slices.Delete(l, i, i+1)
	}
	return l
}

// Dest returns the counters of one real server, and whether they are known.
func (o Observed) Dest(id DestID) (Stats, bool) { return o.Dests[id.Key].Of(id.Addr) }

// Desired is what the director wants of the kernel.
type Desired struct {
	// Pools are the virtual servers that should exist.
	Pools map[Key]Want
	// Owned are virtual servers that we created or adopted and may therefore
	// remove when Pools does not name them. A virtual server that is neither in
	// Pools nor in Owned belongs to somebody else and is invisible to Diff.
	Owned map[Key]bool
	// Marks are the packets that are to have a firewall mark, so that the virtual
	// servers of groups get them. Nothing of it is in the IPVS table: Diff does
	// not look at it.
	Marks []Marking
}

// Want is one desired virtual server and the rules for getting there.
type Want struct {
	Pool Pool
	// Hold, when not empty, says why the pool cannot be judged now: Diff leaves
	// the kernel's virtual server and real servers exactly as they are.
	Hold string
	// Drain is how long a real server that is no longer wanted may finish its
	// connections at weight 0 before it is removed. 0 removes it at once, which
	// is also what happens for UDP, whose "connections" never end by themselves.
	Drain time.Duration
	// AtOnce names leaving real servers that are removed without draining,
	// because they failed and nothing of theirs is left to finish. Optional.
	AtOnce map[netip.AddrPort]bool
	// Reasons says why real servers are as they are (or, for an address not in
	// Pool, why it goes). Diff copies it into the Op. Optional.
	Reasons Reasons
}

// Reasons says, for a real server's address, why it is as it is; "" is nothing.
// Whoever decided about a pool has it in words already, so it is asked for when an
// op needs it.
type Reasons interface {
	Of(addr netip.AddrPort) string
}

// ReasonMap are Reasons that were written down.
type ReasonMap map[netip.AddrPort]string

// Of implements Reasons.
func (m ReasonMap) Of(addr netip.AddrPort) string { return m[addr] }

func (w Want) reason(addr netip.AddrPort) string {
	if w.Reasons == nil {
		return ""
	}
	return w.Reasons.Of(addr)
}
