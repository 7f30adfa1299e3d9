package discovery

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// Memory is what Merge must remember of a virtual server between calls. The
// zero value remembers nothing; Adopt makes one from the kernel's table.
type Memory struct {
	Servers    []Judged  // in order of their addresses
	Removals   []Removal // by one source's word, within the removal window
	QuorumLost bool
	Fallback   *Memory // of the fallback pool; nil: there was none
}

// Judged is how Merge decided about a real server: the next decision goes by it, and
// what status shows is made of it when somebody asks. There is one for each real
// server of each pool for as long as the director runs, so it is kept small, and
// what follows from the rest is not in it.
type Judged struct {
	Addr       netip.AddrPort
	State      ServerState
	Origin     Origin
	In         bool        // it is in the table
	Adopted    bool        // known from the kernel's table only, not from a source
	Live       bool        // it takes connections
	gone       bool        // no source lists it
	Weight     int32       // in the table
	Full       int32       // the weight without slow start
	Configured int32       // when it serves
	Since      time.Time   // since when it takes connections; zero: for long
	Reason     string      // of State
	WeightFrom string      // where Configured is from
	SlowStart  *SlowStatus // nil: it has its full weight

	instance *Instance       // as it was last listed; nil: never
	query    *Query          // that listed it; nil: none did
	config   *Server         // in the configuration; nil: it is not there
	target   *netip.AddrPort // what checks connect to; nil: the address itself
}

// ID is what its catalog calls it; empty: it has no name but its address.
func (j *Judged) ID() string { return cmp.Or(j.instance, &nobody).ID }

// Node is the node that its catalog says it is on; empty: nobody says one.
func (j *Judged) Node() string { return cmp.Or(j.instance, &nobody).Node }

// seed is what a check of the real server starts from.
func (j *Judged) seed() Health {
	if j.In && j.Weight > 0 {
		return Up
	}
	return Pending
}

func byAddress(j Judged, a netip.AddrPort) int { return j.Addr.Compare(a) }

// of returns what is remembered of the real server of that address; the zero value
// is nothing.
func (m Memory) of(a netip.AddrPort) Judged {
	if i, ok := slices.BinarySearchFunc(m.Servers, a, byAddress); ok {
		return m.Servers[i]
	}
	return Judged{}
}

// Removal is one real server that stopped serving.
type Removal struct {
	Addr netip.AddrPort
	At   time.Time
}

// Origin says where a real server was found.
type Origin uint8

// The origins.
const (
	FromCatalog Origin = iota
	FromConfig
)

// Adopt remembers what the kernel's table holds, so that a restarted director
// changes nothing until it knows better.
func Adopt(pool lvs.Pool) Memory {
	m := Memory{Servers: make([]Judged, 0, len(pool.Dests))}
	for _, d := range pool.Dests { // in order
		m.Servers = append(m.Servers, Judged{Addr: d.Addr, In: true, Weight: int32(d.Weight), Full: int32(d.Weight), Live: d.Weight > 0, Adopted: true})
	}
	return m
}
