package lvs

import "slices"

// Normal returns the service in the one form in which two services that behave
// alike are equal, so that what the kernel reads back never looks like a
// change:
//
//   - a granularity of the full address length is 0;
//   - a service without persistence has no granularity and no persistence engine
//     (ip_vs_sched_persist is the only one to look at them);
//   - one-packet scheduling is kept as it is, it changes behaviour.
func (s Service) Normal() Service {
	full := uint8(32)
	if s.IPv6() {
		full = 128
	}
	if s.Granularity == full || s.Persistence == 0 {
		s.Granularity = 0
	}
	if s.Persistence == 0 {
		s.Engine = ""
	}
	return s
}

// Normal returns the real server in the one form in which two that behave alike
// are equal:
//
//   - only TUN has a tunnel, only GUE a tunnel port, and IPIP has no checksum
//     (ip_vs_tunnel_xmit looks at none of them otherwise, yet the kernel stores
//     and returns whatever was sent);
//   - without an upper threshold there is no lower one: the kernel refuses it
//     with ERANGE (ip_vs_add_dest).
func (d Dest) Normal() Dest {
	if d.Forward != TUN {
		d.Tunnel = Tunnel{}
	}
	if d.Tunnel.Type != GUE {
		d.Tunnel.Port = 0
	}
	if d.Tunnel.Type == IPIP {
		d.Tunnel.Checksum = NoChecksum
	}
	if d.Upper == 0 {
		d.Lower = 0
	}
	return d
}

// Live reports whether the pool can take a new connection: whether one of its
// real servers has a weight.
func (p Pool) Live() bool {
	return slices.ContainsFunc(p.Dests, func(d Dest) bool { return d.Weight > 0 })
}

// Clone returns a copy of the pool that shares no memory with it.
func (p Pool) Clone() Pool {
	return Pool{Service: p.Service, Dests: slices.Clone(p.Dests)}
}

// Clone returns a copy of the table that shares no memory with it.
func (t Table) Clone() Table {
	out := make(Table, len(t))
	for k, p := range t {
		out[k] = p.Clone()
	}
	return out
}

// Keys returns the table's keys in order.
func (t Table) Keys() []Key {
	keys := make([]Key, 0, len(t))
	for k := range t {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, Key.Compare)
	return keys
}

// normalDests returns the pool's real servers sorted by address and without
// duplicates. A pool from NewPool or from the kernel's driver already is, and
// is returned as it stands; a hand-made one is put right.
func (p Pool) normalDests() []Dest {
	for i := 1; i < len(p.Dests); i++ {
		if p.Dests[i-1].Addr.Compare(p.Dests[i].Addr) >= 0 {
			return NewPool(p.Service, p.Dests...).Dests
		}
	}
	return p.Dests
}
