//go:build linux

package kernel

import (
	"github.com/cloudflare/ipvs"
	"github.com/cloudflare/ipvs/netmask"
)

// serviceEntry is a virtual server of a dump, with its counters.
type serviceEntry struct {
	service
	stats, stats64 ipvs.Stats
}

// decodeService reads what is within an IPVS_CMD_ATTR_SERVICE of a dump.
func decodeService(b []byte) (serviceEntry, error) {
	var s serviceEntry
	var addr, mask []byte
	err := fields(b, func(r *value, typ uint16, v []byte) error {
		switch typ {
		case svcFamily:
			s.Family = ipvs.AddressFamily(r.u16(v))
		case svcProtocol:
			s.Protocol = ipvs.Protocol(r.u16(v))
		case svcAddr:
			addr = v
		case svcPort:
			s.Port = r.port(v)
		case svcMark:
			s.FWMark = r.u32(v)
		case svcScheduler:
			s.Scheduler = text(v)
		case svcFlags:
			if r.sized(v, 8) {
				s.Flags = ipvs.Flags(r.u32(v[:4]))
			}
		case svcTimeout:
			s.Timeout = r.u32(v)
		case svcNetmask:
			mask = v
		case svcEngine:
			s.engine = text(v)
		case svcStats:
			return decodeStats(&s.stats, v)
		case svcStats64:
			return decodeStats(&s.stats64, v)
		}
		return nil
	})
	var r value // address and netmask have the form of the family, which may come behind them
	if s.FWMark == 0 {
		s.Address = r.address(addr, s.Family)
	}
	if s.Family == ipvs.INET6 {
		s.Netmask = netmask.MaskFrom(int(r.u32(mask)), 128)
	} else if r.sized(mask, 4) {
		s.Netmask = netmask.MaskFrom4([4]byte(mask))
	}
	if err == nil {
		err = r.err
	}
	return s, err
}

// decodeDest reads what is within an IPVS_CMD_ATTR_DEST of a dump. The family
// is the virtual server's where the kernel says none (before 3.18).
func decodeDest(b []byte, family ipvs.AddressFamily) (ipvs.DestinationExtended, error) {
	var d ipvs.DestinationExtended
	d.Family = family
	var addr []byte
	err := fields(b, func(r *value, typ uint16, v []byte) error {
		switch typ {
		case destAddr:
			addr = v
		case destPort:
			d.Port = r.port(v)
		case destForward:
			d.FwdMethod = ipvs.ForwardType(r.u32(v))
		case destWeight:
			d.Weight = r.u32(v)
		case destUpper:
			d.UpperThreshold = r.u32(v)
		case destLower:
			d.LowerThreshold = r.u32(v)
		case destActive:
			d.ActiveConnections = r.u32(v)
		case destInactive:
			d.InactiveConnections = r.u32(v)
		case destPersistent:
			d.PersistentConnections = r.u32(v)
		case destFamily:
			d.Family = ipvs.AddressFamily(r.u16(v))
		case destTunType:
			d.TunnelType = ipvs.TunnelType(r.u8(v))
		case destTunPort:
			d.TunnelPort = r.port(v)
		case destTunFlags:
			d.TunnelFlags = ipvs.TunnelFlags(r.u16(v))
		case destStats:
			return decodeStats(&d.Stats, v)
		case destStats64:
			return decodeStats(&d.Stats64, v)
		}
		return nil
	})
	var r value
	d.Address = r.address(addr, d.Family)
	if err == nil {
		err = r.err
	}
	return d, err
}

// decodeStats reads the counters and rates.
func decodeStats(s *ipvs.Stats, b []byte) error {
	return fields(b, func(r *value, typ uint16, v []byte) error {
		switch typ {
		case statsConnections:
			s.Connections = r.wide(v)
		case statsInPackets:
			s.IncomingPackets = r.wide(v)
		case statsOutPackets:
			s.OutgoingPackets = r.wide(v)
		case statsInBytes:
			s.IncomingBytes = r.wide(v)
		case statsOutBytes:
			s.OutgoingBytes = r.wide(v)
		case statsConnRate:
			s.ConnectionRate = r.wide(v)
		case statsInPktRate:
			s.IncomingPacketRate = r.wide(v)
		case statsOutPktRate:
			s.OutgoingPacketRate = r.wide(v)
		case statsInByteRate:
			s.IncomingByteRate = r.wide(v)
		case statsOutByteRate:
			s.OutgoingByteRate = r.wide(v)
		}
		return nil
	})
}

// text reads a string up to its NUL.
func text(v []byte) string {
	for i, c := range v {
		if c == 0 {
			return string(v[:i])
		}
	}
	return string(v)
}
