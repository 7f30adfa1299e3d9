package discovery

import (
	"net/netip"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// Memory is what Merge must remember of a virtual server between calls. The
// zero value remembers nothing; Adopt makes one from the kernel's table.
type Memory struct {
	Servers    []Past    // in order of their addresses
	Removals   []Removal // by one source's word, within the removal window
	QuorumLost bool
	Fallback   *Memory // of the fallback pool; nil: there was none
}

// Past is how Merge last decided about a real server. There is one for each real
// server of each pool, so it is kept small.
type Past struct {
	Addr    netip.AddrPort
	Since   time.Time // since when it took connections; zero: for long
	Weight  int32     // in the table
	Full    int32     // the weight without slow start
	In      bool      // it was in the table
	Held    bool      // because the guard kept it
	Failed  bool      // it was found down, whether it stayed in the table or not
	Adopted bool      // known from the kernel's table only, not from a source
	Live    bool      // it took connections
	Origin  Origin

	instance *Instance       // as it was last listed; nil: never
	query    *Query          // that listed it; nil: none did
	target   *netip.AddrPort // what checks connect to; nil: the address itself
}

// of returns what is remembered of the real server of that address; the zero value
// is nothing.
func (m Memory) of(a netip.AddrPort) Past {
	if i, ok := slices.BinarySearchFunc(m.Servers, a, func(p Past, a netip.AddrPort) int { return p.Addr.Compare(a) }); ok {
		return m.Servers[i]
	}
	return Past{}
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
	m := Memory{Servers: make([]Past, 0, len(pool.Dests))}
	for _, d := range pool.Dests { // in order
		m.Servers = append(m.Servers, Past{Addr: d.Addr, In: true, Weight: int32(d.Weight), Full: int32(d.Weight), Live: d.Weight > 0, Adopted: true})
	}
	return m
}
