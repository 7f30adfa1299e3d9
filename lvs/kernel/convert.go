//go:build linux

package kernel

import (
	"net/netip"

	"github.com/cloudflare/ipvs"
	"github.com/cloudflare/ipvs/netmask"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// OddGranularity is the granularity of a virtual server whose persistence
// netmask is no prefix, or covers nothing. Somebody else set it, it cannot be
// wanted, and so it never equals what is.
const OddGranularity = 255

// foreign marks a forwarding method that the kernel knows and we never set
// (IP_VS_CONN_F_LOCALNODE, IP_VS_CONN_F_BYPASS): the kernel's number plus this.
// It never equals what is wanted.
const foreign = 0x80

// schedulerFlagShift is where IP_VS_SVC_F_SCHED1 stands among the flags.
const schedulerFlagShift = 3

// service is a virtual server as it is sent and read; cloudflare/ipvs has no
// persistence engines.
type service struct {
	ipvs.Service
	engine string
}

func toService(s lvs.Service) service {
	s = s.Normal()
	out := service{engine: s.Engine, Service: ipvs.Service{
		Address:   s.Addr,
		Scheduler: s.Scheduler,
		Timeout:   s.Persistence,
		Flags:     ipvs.Flags(s.Flags&7) << schedulerFlagShift,
		Port:      s.Port,
		FWMark:    s.Mark,
		Family:    ipvs.INET,
		Protocol:  ipvs.Protocol(s.Protocol),
	}}
	bits := 32
	if s.IPv6() {
		out.Family, bits = ipvs.INET6, 128
	}
	// The mask is always sent: the client leaves a zero one out of the message,
	// and the kernel then refuses it.
	out.Netmask = netmask.MaskFrom(bits, bits)
	if s.Granularity != 0 {
		out.Netmask = netmask.MaskFrom(int(s.Granularity), bits)
	}
	if s.Persistence != 0 {
		out.Flags |= ipvs.ServicePersistent
	}
	if s.OnePacket {
		out.Flags |= ipvs.ServiceOnePacket
	}
	return out
}

func fromService(s service) lvs.Service {
	out := lvs.Service{
		Engine:    s.engine,
		Scheduler: s.Scheduler,
		Flags:     lvs.SchedulerFlags(s.Flags>>schedulerFlagShift) & 7,
		OnePacket: s.Flags&ipvs.ServiceOnePacket != 0,
	}
	if s.FWMark != 0 {
		out.Key = lvs.Key{Mark: s.FWMark, Family: lvs.Family(s.Family)}
	} else {
		out.Key = lvs.Key{Protocol: lvs.Protocol(s.Protocol), Addr: s.Address, Port: s.Port}
	}
	if s.Flags&ipvs.ServicePersistent != 0 {
		out.Persistence = s.Timeout
		if bits := s.Netmask.Bits(); bits > 0 {
			out.Granularity = uint8(bits)
		} else {
			out.Granularity = OddGranularity
		}
	}
	return out.Normal()
}

func toDest(d lvs.Dest) ipvs.Destination {
	d = d.Normal()
	out := ipvs.Destination{
		Address:        d.Addr.Addr(),
		Port:           d.Addr.Port(),
		Family:         ipvs.INET6,
		Weight:         d.Weight,
		UpperThreshold: d.Upper,
		LowerThreshold: d.Lower,
		TunnelType:     ipvs.TunnelType(d.Tunnel.Type),
		TunnelPort:     d.Tunnel.Port,
		TunnelFlags:    ipvs.TunnelFlags(d.Tunnel.Checksum),
	}
	if d.Addr.Addr().Is4() {
		out.Family = ipvs.INET
	}
	switch d.Forward {
	case lvs.DR:
		out.FwdMethod = ipvs.DirectRoute
	case lvs.NAT:
		out.FwdMethod = ipvs.Masquerade
	case lvs.TUN:
		out.FwdMethod = ipvs.Tunnel
	default:
		out.FwdMethod = ipvs.ForwardType(d.Forward &^ foreign)
	}
	return out
}

func fromDest(d ipvs.Destination) lvs.Dest {
	out := lvs.Dest{
		Addr:   netip.AddrPortFrom(d.Address, d.Port),
		Weight: d.Weight,
		Upper:  d.UpperThreshold,
		Lower:  d.LowerThreshold,
		Tunnel: lvs.Tunnel{Type: lvs.TunnelType(d.TunnelType), Port: d.TunnelPort, Checksum: lvs.TunnelChecksum(d.TunnelFlags)},
	}
	switch d.FwdMethod {
	case ipvs.DirectRoute:
		out.Forward = lvs.DR
	case ipvs.Masquerade:
		out.Forward = lvs.NAT
	case ipvs.Tunnel:
		out.Forward = lvs.TUN
	case ipvs.Local, ipvs.Bypass:
		out.Forward = foreign | lvs.Forward(d.FwdMethod)
	default:
		out.Forward = foreign | lvs.Forward(d.FwdMethod&0x7f)
	}
	return out.Normal()
}
