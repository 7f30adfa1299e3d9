package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// RouteType is the type of a route as rtnetlink has it (RTN_ in
// linux/rtnetlink.h). The zero value is a unicast route.
type RouteType uint8

// The types a virtual route can have.
const (
	RouteUnicast     RouteType = 0
	RouteLocal       RouteType = 2
	RouteBlackhole   RouteType = 6
	RouteUnreachable RouteType = 7
	RouteProhibit    RouteType = 8
	RouteThrow       RouteType = 9
)

// String is the word of ip-route(8).
func (t RouteType) String() string {
	switch t {
	case RouteUnicast:
		return "unicast"
	case RouteLocal:
		return "local"
	case RouteBlackhole:
		return "blackhole"
	case RouteUnreachable:
		return "unreachable"
	case RouteProhibit:
		return "prohibit"
	case RouteThrow:
		return "throw"
	}
	return "unknown"
}

// TableMain is the routing table of routes and rules that name none.
const TableMain = 254

// Route is a route that moves with the addresses (keepalived's
// virtual_routes). The kernel gives routes no lifetime, so unlike an address
// it stays when everybody who could remove it is dead.
type Route struct {
	// Destination is the network, without host bits; 0.0.0.0/0 or ::/0 for the
	// default route.
	Destination netip.Prefix
	Type        RouteType
	// Via is the gateway, Device the interface; a unicast route has at least one
	// of them, or Hops.
	Via    netip.Addr
	Device string
	// OnLink takes the gateway for reachable although no address of the device
	// covers it.
	OnLink bool
	// Hops are the gateways of a multipath route.
	Hops []NextHop
	// Table is the routing table; zero is TableMain.
	Table uint32
	// Metric is the priority of the route, the lowest wins; zero is the kernel's
	// default, 0 for IPv4 and 1024 for IPv6.
	Metric uint32
	// Source is the preferred source address; a virtual address, for example.
	Source netip.Addr
	// Scope of an IPv4 route. The zero value chooses as ip-route(8) does: link
	// without a gateway, host for local routes, global for all others.
	Scope Scope
	// TOS is the type of service of an IPv4 route.
	TOS uint8
	// Metrics of the route; zero is the kernel's default. MTULock keeps path MTU
	// discovery from lowering MTU.
	MTU, AdvMSS, HopLimit, InitCwnd, InitRwnd uint32
	MTULock, QuickACK                         bool
	// NoTrack leaves the route alone once it is installed: a loss is not put back.
	NoTrack bool
}

// NextHop is one gateway of a multipath route.
type NextHop struct {
	Via    netip.Addr
	Device string
	Weight uint16 // 1 to 256; zero is 1
	OnLink bool
}

// String is the route as ip-route(8) would take it, as far as it tells routes apart.
func (r Route) String() string {
	var b strings.Builder
	if r.Type != RouteUnicast {
		b.WriteString(r.Type.String() + " ")
	}
	b.WriteString(r.Destination.String())
	hop := func(via netip.Addr, device string) {
		if via.IsValid() {
			b.WriteString(" via " + via.String())
		}
		if device != "" {
			b.WriteString(" dev " + device)
		}
	}
	hop(r.Via, r.Device)
	for _, h := range r.Hops {
		b.WriteString(" nexthop")
		hop(h.Via, h.Device)
	}
	if r.Table != 0 && r.Table != TableMain {
		fmt.Fprintf(&b, " table %d", r.Table)
	}
	if r.Metric != 0 {
		fmt.Fprintf(&b, " metric %d", r.Metric)
	}
	return b.String()
}

// maxHopWeight is what the byte rtnh_hops of rtnetlink holds, plus one.
const maxHopWeight = 256

// Validate reports every mistake, each as a *FieldError in an errors.Join.
func (r Route) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, &FieldError{Field: field, Problem: fmt.Sprintf(format, args...)})
	}
	if !r.Destination.IsValid() || r.Destination.Addr().Is4In6() {
		bad("Destination", "is not a network")
		return errors.Join(errs...)
	}
	if r.Destination.Masked() != r.Destination {
		bad("Destination", "%s has host bits; the network is %s", r.Destination, r.Destination.Masked())
	}
	v4 := r.Destination.Addr().Is4()
	same := func(field string, a netip.Addr) {
		if a.IsValid() && a.Is4() != v4 {
			bad(field, "%s is not of the family of %s", a, r.Destination)
		}
	}
	same("Via", r.Via)
	same("Source", r.Source)
	forwards := false
	switch r.Type {
	case RouteUnicast:
		forwards = true
	case RouteLocal, RouteBlackhole, RouteUnreachable, RouteProhibit, RouteThrow:
	default:
		bad("Type", "%d is unknown", r.Type)
	}
	single := r.Via.IsValid() || r.Device != ""
	switch {
	case !forwards && (r.Via.IsValid() || len(r.Hops) > 0):
		bad("Via", "a %s route has no gateway", r.Type)
	case !forwards && r.Type != RouteLocal && r.Device != "":
		bad("Device", "a %s route has no device", r.Type)
	case r.Type == RouteLocal && r.Device == "":
		bad("Device", "a local route needs a device")
	case forwards && single && len(r.Hops) > 0:
		bad("Hops", "several next hops stand in place of a gateway and a device")
	case forwards && !single && len(r.Hops) == 0:
		bad("Via", "a route needs a gateway or a device")
	}
	if r.OnLink && (!r.Via.IsValid() || r.Device == "") {
		bad("OnLink", "needs a gateway and a device")
	}
	for i, h := range r.Hops {
		field := fmt.Sprintf("Hops[%d]", i)
		same(field, h.Via)
		switch {
		case !h.Via.IsValid() && h.Device == "":
			bad(field, "needs a gateway or a device")
		case h.OnLink && (!h.Via.IsValid() || h.Device == ""):
			bad(field, "on-link needs a gateway and a device")
		case h.Weight > maxHopWeight:
			bad(field, "weight %d; must be 1 to %d", h.Weight, maxHopWeight)
		}
	}
	if !v4 && r.Scope != ScopeGlobal {
		bad("Scope", "is for IPv4 routes only")
	}
	if !v4 && r.TOS != 0 {
		bad("TOS", "is for IPv4 routes only")
	}
	if r.MTULock && r.MTU == 0 {
		bad("MTULock", "needs an MTU")
	}
	return errors.Join(errs...)
}
