//go:build linux

package kernel

import (
	"github.com/cloudflare/ipvs"
	"github.com/cloudflare/ipvs/netmask"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// serviceEntry is a virtual server of a dump, with its counters.
type serviceEntry struct {
	service
	stats lvs.Stats
}

// decodeService reads what is within an IPVS_CMD_ATTR_SERVICE of a dump.
func decodeService(b []byte) (serviceEntry, error) {
	var s serviceEntry
	var addr, mask, narrow, wide []byte
	c := cursor{rest: b}
	for c.next() {
		switch c.typ {
		case svcFamily:
			s.Family = ipvs.AddressFamily(c.u16(c.v))
		case svcProtocol:
			s.Protocol = ipvs.Protocol(c.u16(c.v))
		case svcAddr:
			addr = c.v
		case svcPort:
			s.Port = c.port(c.v)
		case svcMark:
			s.FWMark = c.u32(c.v)
		case svcScheduler:
			s.Scheduler = text(c.v)
		case svcFlags:
			if c.sized(c.v, 8) {
				s.Flags = ipvs.Flags(c.u32(c.v[:4]))
			}
		case svcTimeout:
			s.Timeout = c.u32(c.v)
		case svcNetmask:
			mask = c.v
		case svcEngine:
			s.engine = text(c.v)
		case svcStats:
			narrow = c.v
		case svcStats64:
			wide = c.v
		}
	}
	s.stats = c.stats(narrow, wide)
	// Address and netmask have the form of the family, which may come behind them.
	if s.FWMark == 0 {
		s.Address = c.address(addr, s.Family)
	}
	if s.Family == ipvs.INET6 {
		s.Netmask = netmask.MaskFrom(int(c.u32(mask)), 128)
	} else if c.sized(mask, 4) {
		s.Netmask = netmask.MaskFrom4([4]byte(mask))
	}
	return s, c.err
}

// decodeDest reads what is within an IPVS_CMD_ATTR_DEST of a dump. The family
// is the virtual server's where the kernel says none (before 3.18).
func decodeDest(b []byte, family ipvs.AddressFamily) (lvs.Dest, lvs.Stats, error) {
	d := ipvs.Destination{Family: family}
	var active, inactive, persistent uint32
	var addr, narrow, wide []byte
	c := cursor{rest: b}
	for c.next() {
		switch c.typ {
		case destAddr:
			addr = c.v
		case destPort:
			d.Port = c.port(c.v)
		case destForward:
			d.FwdMethod = ipvs.ForwardType(c.u32(c.v))
		case destWeight:
			d.Weight = c.u32(c.v)
		case destUpper:
			d.UpperThreshold = c.u32(c.v)
		case destLower:
			d.LowerThreshold = c.u32(c.v)
		case destActive:
			active = c.u32(c.v)
		case destInactive:
			inactive = c.u32(c.v)
		case destPersistent:
			persistent = c.u32(c.v)
		case destFamily:
			d.Family = ipvs.AddressFamily(c.u16(c.v))
		case destTunType:
			d.TunnelType = ipvs.TunnelType(c.u8(c.v))
		case destTunPort:
			d.TunnelPort = c.port(c.v)
		case destTunFlags:
			d.TunnelFlags = ipvs.TunnelFlags(c.u16(c.v))
		case destStats:
			narrow = c.v
		case destStats64:
			wide = c.v
		}
	}
	d.Address = c.address(addr, d.Family)
	st := c.stats(narrow, wide)
	st.Active, st.Inactive, st.Persistent = active, inactive, persistent
	return fromDest(d), st, c.err
}

// stats reads the counters and rates: those of 64 bits where the kernel has them
// (since 4.1), which tell all that the others do.
func (r *value) stats(narrow, wide []byte) (s lvs.Stats) {
	c := cursor{rest: wide}
	if wide == nil {
		c.rest = narrow
	}
	for c.next() {
		switch c.typ {
		case statsConnections:
			s.Connections = c.wide(c.v)
		case statsInPackets:
			s.InPackets = c.wide(c.v)
		case statsOutPackets:
			s.OutPackets = c.wide(c.v)
		case statsInBytes:
			s.InBytes = c.wide(c.v)
		case statsOutBytes:
			s.OutBytes = c.wide(c.v)
		case statsConnRate:
			s.Rates.Connections = rate(c.wide(c.v))
		case statsInPktRate:
			s.Rates.InPackets = rate(c.wide(c.v))
		case statsOutPktRate:
			s.Rates.OutPackets = rate(c.wide(c.v))
		case statsInByteRate:
			s.Rates.InBytes = c.wide(c.v)
		case statsOutByteRate:
			s.Rates.OutBytes = c.wide(c.v)
		}
	}
	if r.err == nil {
		r.err = c.err
	}
	return s
}

// rate is one per second, of which four billion are enough.
func rate(n uint64) uint32 { return uint32(min(n, 1<<32-1)) }

// text reads a string up to its NUL.
func text(v []byte) string {
	for i, c := range v {
		if c == 0 {
			return string(v[:i])
		}
	}
	return string(v)
}
