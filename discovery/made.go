package discovery

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"unique"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// VIPSpec says how the virtual address is asked of one real server.
type VIPSpec struct {
	Addr   netip.Addr // the virtual address
	Echo   bool       // an ICMP echo; else a TCP handshake that ends before there is a connection
	Tunnel Tunnel     // how packets get to the real server; the pool's method, filled in by Merge
}

// Tunnel is the way of a packet to a real server: the zero value is direct, in a
// frame to its hardware address.
type Tunnel struct {
	In       Encapsulation
	Port     uint16 // of GUE
	Checksum bool   // of GRE
}

// Encapsulation is what a packet is wrapped into.
type Encapsulation uint8

// The encapsulations.
const (
	Direct Encapsulation = iota // none
	IPIP
	GUE
	GRE
)

// made is a check that is made of a real server, with what of its definition
// Merge goes by.
type made struct {
	Check
	kind    CheckType
	initial Health
}

// definitions are the checks of a pool's specification, in their order, as they are
// made of those of its real servers that are forwarded to as the pool says.
type definitions []unique.Handle[CheckSpec]

func define(spec *Spec) definitions {
	out := make(definitions, 0, len(spec.Checks))
	for _, c := range spec.Checks {
		if c.Type == VIP {
			c.VIP.Tunnel = way(spec.Forward, spec.Tunnel)
		}
		out = append(out, unique.Make(c))
	}
	return out
}

// of lists the checks of a real server: those of the pool and, where the
// configuration names it, its own. Those that cannot be made of it are left out: one
// that needs a port where nobody knows one, and the virtual address asked of a server
// that never sees it in a packet because NAT has replaced it. The list is appended to
// room.
func (d definitions) of(spec *Spec, target netip.AddrPort, config *Server, room []made) []made {
	var own []CheckSpec
	if config != nil {
		own = config.Checks
	}
	if len(d)+len(own) == 0 {
		return room
	}
	forward := forwardOf(config, spec)
	out := slices.Grow(room, len(d)+len(own))
	add := func(c *CheckSpec, handle unique.Handle[CheckSpec]) {
		if c.Type == VIP && forward == lvs.NAT {
			return
		}
		if at, ok := c.at(target); ok {
			out = append(out, made{Check{handle, at}, c.Type, c.Initial})
		}
	}
	other := func(c CheckSpec) {
		if c.Type == VIP {
			c.VIP.Tunnel = way(forward, spec.Tunnel)
		}
		add(&c, unique.Make(c))
	}
	for i := range d {
		if c := &spec.Checks[i]; c.Type == VIP && forward != spec.Forward {
			other(*c)
		} else {
			add(c, d[i])
		}
	}
	for i := range own {
		other(own[i])
	}
	return out
}

// judgedPool is a list of real servers of a decision, with what makes their checks.
type judgedPool struct {
	servers []Judged
	spec    *Spec
	checks  definitions
}

// checksOf is definitions.of for a real server of the list.
func (p *judgedPool) checksOf(j *Judged, room []made) []made {
	return p.checks.of(p.spec, *cmp.Or(j.target, &j.Addr), j.config, room)
}

// pools are the pool itself, its fallback, and the sorry server.
func (d *Decision) pools() (own, fallback, sorry judgedPool) {
	own = judgedPool{d.Servers, &d.Spec, d.checks}
	if d.Spec.Fallback != nil {
		spec := d.Spec.ofFallback()
		fallback = judgedPool{d.Fallback, &spec, d.alsoChecks}
	}
	if d.Sorry != nil {
		sorry = judgedPool{[]Judged{*d.Sorry}, &d.Spec, d.checks}
		if !d.Spec.SorryChecked {
			sorry.checks, sorry.servers[0].config = nil, nil
		}
	}
	return own, fallback, sorry
}

// Checks are the native checks that should run, each with what is believed of its
// target until the first attempt ends: Up for one that serves. One may come more
// than once, and then the greatest counts.
func (d *Decision) Checks() iter.Seq2[Check, Health] {
	return func(yield func(Check, Health) bool) {
		own, fallback, sorry := d.pools()
		var room []made
		for _, p := range []judgedPool{own, fallback, sorry} {
			for i := range p.servers {
				j := &p.servers[i]
				if j.State == Unusable {
					continue
				}
				room = p.checksOf(j, room[:0])
				for _, c := range room {
					if !yield(c.Check, j.seed()) {
						return
					}
				}
			}
		}
	}
}

// way is how packets get to a real server.
func way(f lvs.Forward, t lvs.Tunnel) Tunnel {
	switch {
	case f != lvs.TUN:
		return Tunnel{}
	case t.Type == lvs.GUE:
		return Tunnel{In: GUE, Port: t.Port}
	case t.Type == lvs.GRE:
		return Tunnel{In: GRE, Checksum: t.Checksum == lvs.Checksum}
	}
	return Tunnel{In: IPIP}
}
