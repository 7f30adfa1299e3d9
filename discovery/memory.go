package discovery

import (
	"net/netip"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// Memory is what Merge must remember of a virtual server between calls. The
// zero value remembers nothing; Adopt makes one from the kernel's table.
type Memory struct {
	Servers    map[netip.AddrPort]Past
	Removals   []Removal // by one source's word, within the removal window
	QuorumLost bool
	Fallback   *Memory // of the fallback pool; nil: there was none
}

// Past is how Merge last decided about a real server.
type Past struct {
	In      bool // it was in the table
	Weight  int  // with this weight
	Held    bool // because the guard kept it
	Origin  Origin
	Failed  bool // it was found down, whether it stayed in the table or not
	Adopted bool // known from the kernel's table only, not from a source

	Live  bool      // it took connections
	Since time.Time // since then; zero: for long
	Full  int       // the weight without slow start

	instance *Instance      // as it was last listed; nil: never
	query    *Query         // that listed it; nil: none did
	target   netip.AddrPort // what checks connect to; zero: the address itself
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
	m := Memory{Servers: make(map[netip.AddrPort]Past, len(pool.Dests))}
	for _, d := range pool.Dests {
		m.Servers[d.Addr] = Past{In: true, Weight: int(d.Weight), Full: int(d.Weight), Live: d.Weight > 0, Adopted: true}
	}
	return m
}
