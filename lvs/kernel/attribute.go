//go:build linux

package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cloudflare/ipvs"
)

// Of include/uapi/linux/ip_vs.h; cloudflare/ipvs keeps its own copy internal.
const (
	familyName    = "IPVS"
	familyVersion = 1

	cmdNewService = 1
	cmdSetService = 2
	cmdDelService = 3
	cmdGetService = 4
	cmdNewDest    = 5
	cmdSetDest    = 6
	cmdDelDest    = 7
	cmdGetDest    = 8
	cmdNewDaemon  = 9
	cmdDelDaemon  = 10
	cmdGetDaemon  = 11

	attrService = 1 // IPVS_CMD_ATTR_*
	attrDest    = 2
	attrDaemon  = 3

	svcFamily    = 1 // IPVS_SVC_ATTR_*
	svcProtocol  = 2
	svcAddr      = 3
	svcPort      = 4
	svcMark      = 5
	svcScheduler = 6
	svcFlags     = 7
	svcTimeout   = 8
	svcNetmask   = 9
	svcStats     = 10
	svcEngine    = 11
	svcStats64   = 12

	destAddr       = 1 // IPVS_DEST_ATTR_*
	destPort       = 2
	destForward    = 3
	destWeight     = 4
	destUpper      = 5
	destLower      = 6
	destActive     = 7
	destInactive   = 8
	destPersistent = 9
	destStats      = 10
	destFamily     = 11
	destStats64    = 12
	destTunType    = 13
	destTunPort    = 14
	destTunFlags   = 15

	statsConnections = 1 // IPVS_STATS_ATTR_*
	statsInPackets   = 2
	statsOutPackets  = 3
	statsInBytes     = 4
	statsOutBytes    = 5
	statsConnRate    = 6
	statsInPktRate   = 7
	statsOutPktRate  = 8
	statsInByteRate  = 9
	statsOutByteRate = 10
)

// attrType takes the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER off a type.
const attrType = 1<<14 - 1

// attributes builds netlink attributes in one piece of memory. Attributes are
// aligned to 4 bytes; numbers are in the host's order unless noted.
type attributes []byte

func (a *attributes) open(typ uint16) (at int) {
	at = len(*a)
	*a = binary.NativeEndian.AppendUint16(*a, 0)
	*a = binary.NativeEndian.AppendUint16(*a, typ)
	return at
}

// close sets the length of the attribute opened at that place, and pads it.
func (a *attributes) close(at int) {
	binary.NativeEndian.PutUint16((*a)[at:], uint16(len(*a)-at))
	for len(*a)%4 != 0 {
		*a = append(*a, 0)
	}
}

func (a *attributes) bytes(typ uint16, b ...byte) {
	at := a.open(typ)
	*a = append(*a, b...)
	a.close(at)
}

func (a *attributes) u8(typ uint16, v uint8) {
	at := a.open(typ)
	*a = append(*a, v)
	a.close(at)
}

func (a *attributes) u16(typ uint16, v uint16) {
	at := a.open(typ)
	*a = binary.NativeEndian.AppendUint16(*a, v)
	a.close(at)
}

func (a *attributes) u32(typ uint16, v uint32) {
	at := a.open(typ)
	*a = binary.NativeEndian.AppendUint32(*a, v)
	a.close(at)
}

// port is in network order.
func (a *attributes) port(typ uint16, v uint16) {
	at := a.open(typ)
	*a = binary.BigEndian.AppendUint16(*a, v)
	a.close(at)
}

func (a *attributes) addr(typ uint16, v netip.Addr) {
	at := a.open(typ)
	if v.Is4() {
		b := v.As4()
		*a = append(*a, b[:]...)
	} else {
		b := v.As16()
		*a = append(*a, b[:]...)
	}
	a.close(at)
}

func (a *attributes) text(typ uint16, v string) {
	at := a.open(typ)
	*a = append(append(*a, v...), 0)
	a.close(at)
}

// service writes what names a virtual server; full adds what describes it,
// which the kernel wants for adding and setting only (ip_vs_genl_parse_service).
func (a *attributes) service(s service, full bool) {
	at := a.open(attrService)
	a.u16(svcFamily, uint16(s.Family))
	if s.FWMark != 0 {
		a.u32(svcMark, s.FWMark)
	} else {
		a.u16(svcProtocol, uint16(s.Protocol))
		a.addr(svcAddr, s.Address)
		a.port(svcPort, s.Port)
	}
	if full {
		a.text(svcScheduler, s.Scheduler)
		// struct ip_vs_flags: the flags, and a mask of those to set.
		flags := a.open(svcFlags)
		*a = binary.NativeEndian.AppendUint32(*a, uint32(s.Flags))
		*a = append(*a, 0xff, 0xff, 0xff, 0xff)
		a.close(flags)
		a.u32(svcTimeout, s.Timeout)
		if s.Family == ipvs.INET6 {
			a.u32(svcNetmask, uint32(max(s.Netmask.Bits(), 0))) // a prefix length
		} else {
			a.bytes(svcNetmask, s.Netmask.AsSlice()...)
		}
		if s.engine != "" {
			a.text(svcEngine, s.engine) // without it the kernel takes the engine off
		}
	}
	a.close(at)
}

func (a *attributes) dest(d ipvs.Destination, full bool) {
	at := a.open(attrDest)
	a.u16(destFamily, uint16(d.Family))
	a.addr(destAddr, d.Address)
	a.port(destPort, d.Port)
	if full {
		a.u32(destForward, uint32(d.FwdMethod))
		a.u32(destWeight, d.Weight)
		a.u32(destUpper, d.UpperThreshold)
		a.u32(destLower, d.LowerThreshold)
		a.u8(destTunType, uint8(d.TunnelType))
		a.port(destTunPort, d.TunnelPort)
		a.u16(destTunFlags, uint16(d.TunnelFlags))
	}
	a.close(at)
}

// errBadAttribute is for an answer of the kernel that does not parse.
var errBadAttribute = errors.New("malformed netlink attribute")

// each calls f with the type and value of each attribute in b.
func each(b []byte, f func(typ uint16, v []byte) error) error {
	c := cursor{rest: b}
	for c.next() {
		if err := f(c.typ, c.v); err != nil {
			return err
		}
	}
	return c.err
}

// cursor goes through the attributes in rest. It stays on the stack: a table has a
// hundred thousand real servers, with three lists of attributes each.
type cursor struct {
	value // remembers, too, what is wrong with the form
	rest  []byte

	typ uint16 // of the attribute that next has reached
	v   []byte // its value
}

// next goes on to the next attribute, and reports whether there is one.
func (c *cursor) next() bool {
	if len(c.rest) < 4 {
		if len(c.rest) > 0 && c.err == nil {
			c.err = fmt.Errorf("%w: %d bytes left over", errBadAttribute, len(c.rest))
		}
		return false
	}
	n := int(binary.NativeEndian.Uint16(c.rest))
	if n < 4 || n > len(c.rest) {
		if c.err == nil {
			c.err = fmt.Errorf("%w: length %d of %d bytes", errBadAttribute, n, len(c.rest))
		}
		return false
	}
	c.typ, c.v = binary.NativeEndian.Uint16(c.rest[2:])&attrType, c.rest[4:n]
	c.rest = c.rest[min((n+3)&^3, len(c.rest)):]
	return true
}

// value reads attributes of known sizes; the first that has another size is
// remembered in err.
type value struct{ err error }

func (r *value) sized(v []byte, n int) bool {
	if len(v) != n && r.err == nil {
		r.err = fmt.Errorf("%w: %d bytes, want %d", errBadAttribute, len(v), n)
	}
	return len(v) == n
}

func (r *value) u8(v []byte) uint8 {
	if !r.sized(v, 1) {
		return 0
	}
	return v[0]
}

func (r *value) u16(v []byte) uint16 {
	if !r.sized(v, 2) {
		return 0
	}
	return binary.NativeEndian.Uint16(v)
}

func (r *value) port(v []byte) uint16 {
	if !r.sized(v, 2) {
		return 0
	}
	return binary.BigEndian.Uint16(v)
}

func (r *value) u32(v []byte) uint32 {
	if !r.sized(v, 4) {
		return 0
	}
	return binary.NativeEndian.Uint32(v)
}

// wide is a counter: 32 bits in the old statistics, 64 in the others, and the
// bytes always 64.
func (r *value) wide(v []byte) uint64 {
	if len(v) == 4 {
		return uint64(binary.NativeEndian.Uint32(v))
	}
	if !r.sized(v, 8) {
		return 0
	}
	return binary.NativeEndian.Uint64(v)
}

// address reads an address, for which the kernel always sends the 16 bytes of a
// union nf_inet_addr.
func (r *value) address(v []byte, family ipvs.AddressFamily) netip.Addr {
	switch {
	case family == ipvs.INET && len(v) >= 4:
		return netip.AddrFrom4([4]byte(v))
	case r.sized(v, 16):
		return netip.AddrFrom16([16]byte(v))
	}
	return netip.Addr{}
}
