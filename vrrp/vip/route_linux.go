package vip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// protocol marks our routes and rules. It is the number that iproute2 and
// routing daemons know for those that VRRP moves (RTPROT_KEEPALIVED).
const protocol = unix.RTPROT_KEEPALIVED

// defaultMetric6 is what the kernel makes of no metric (IP6_RT_PRIO_USER).
const defaultMetric6 = 1024

// route is the part of a master that a virtual route is.
type route struct{ vrrp.Route }

func (r route) String() string  { return "route " + r.Route.String() }
func (r route) tracked() bool   { return !r.NoTrack }
func (r route) essential() bool { return false }

// install adds the route. NLM_F_CREATE alone adds it before one of somebody
// else's to the same destination, which is there again when ours goes; where
// ours is there already the kernel answers EEXIST and tells nobody.
func (r route) install(h *Host, _ time.Duration) error {
	out, err := r.build(h.nl)
	if err != nil {
		return err
	}
	if err := h.nl.RouteAddEcmp(out); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}

// build is the route as the library takes it.
func (r route) build(nl *netlink.Handle) (*netlink.Route, error) {
	out := r.key()
	out.Scope = r.scope()
	out.Src = ipOf(r.Source)
	out.MTU, out.MTULock, out.AdvMSS = int(r.MTU), r.MTULock, int(r.AdvMSS)
	out.Hoplimit, out.InitCwnd, out.InitRwnd = int(r.HopLimit), int(r.InitCwnd), int(r.InitRwnd)
	if r.QuickACK {
		out.QuickACK = 1
	}
	out.Gw = ipOf(r.Via)
	if r.OnLink {
		out.Flags |= int(netlink.FLAG_ONLINK)
	}
	var err error
	if out.LinkIndex, err = indexOf(nl, r.Device); err != nil {
		return nil, err
	}
	for _, hop := range r.Hops {
		index, err := indexOf(nl, hop.Device)
		if err != nil {
			return nil, err
		}
		n := &netlink.NexthopInfo{LinkIndex: index, Gw: ipOf(hop.Via), Hops: max(int(hop.Weight), 1) - 1}
		if hop.OnLink {
			n.Flags |= int(netlink.FLAG_ONLINK)
		}
		out.MultiPath = append(out.MultiPath, n)
	}
	return out, nil
}

// key is what tells our route from all others.
func (r route) key() *netlink.Route {
	kind := int(r.Type)
	if r.Type == vrrp.RouteUnicast {
		kind = unix.RTN_UNICAST
	}
	return &netlink.Route{
		Family: family(r.Destination), Dst: ipNet(r.Destination), Table: r.table(), Priority: int(r.Metric),
		Tos: int(r.TOS), Type: kind, Protocol: protocol,
	}
}

func (r route) table() int {
	if r.Table == 0 {
		return vrrp.TableMain
	}
	return int(r.Table)
}

// scope chooses as iproute_modify of iproute2 does.
func (r route) scope() netlink.Scope {
	switch {
	case r.Scope != vrrp.ScopeGlobal:
		return netlink.Scope(r.Scope)
	case !r.Destination.Addr().Is4():
		return netlink.SCOPE_UNIVERSE
	case r.Type == vrrp.RouteLocal:
		return netlink.SCOPE_HOST
	case r.Type == vrrp.RouteUnicast && !r.Via.IsValid() && len(r.Hops) == 0:
		return netlink.SCOPE_LINK
	}
	return netlink.SCOPE_UNIVERSE
}

// remove names no gateway and no device: what somebody else has changed is
// still ours by its protocol, and the device may be gone.
func (r route) remove(nl *netlink.Handle) error {
	out := r.key()
	out.Scope = netlink.SCOPE_NOWHERE // any
	err := nl.RouteDel(out)
	if err == nil || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return fmt.Errorf("remove %s: %w", r, err)
}

func (r route) present(nl *netlink.Handle) (bool, error) {
	found := false
	filter := &netlink.Route{Table: r.table(), Dst: ipNet(r.Destination)}
	err := nl.RouteListFilteredIter(family(r.Destination), filter, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_DST, func(have netlink.Route) bool {
		found = r.is(&have)
		return !found
	})
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return false, fmt.Errorf("look for %s: %w", r, err)
	}
	return found, nil
}

// is reports whether a route of the kernel has the key of ours.
func (r route) is(have *netlink.Route) bool {
	metric := int(r.Metric)
	if metric == 0 && !r.Destination.Addr().Is4() {
		metric = defaultMetric6
	}
	dst, ok := prefixOf(have.Dst)
	if have.Dst == nil { // the default route, in older versions of the library
		dst, ok = netip.PrefixFrom(r.Destination.Addr(), 0).Masked(), true
	}
	return ok && dst == r.Destination && have.Table == r.table() && have.Priority == metric &&
		have.Tos == int(r.TOS) && have.Protocol == protocol
}

func (r route) record(s *state) { s.Routes = append(s.Routes, r.Route) }

// indexOf is the index of a device, zero for none.
func indexOf(nl *netlink.Handle, device string) (int, error) {
	if device == "" {
		return 0, nil
	}
	link, err := nl.LinkByName(device)
	if err != nil {
		return 0, err
	}
	return link.Attrs().Index, nil
}

// ipOf is nil for no address.
func ipOf(a netip.Addr) net.IP {
	if !a.IsValid() {
		return nil
	}
	return a.AsSlice()
}
