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

// forever is longer than any host runs, and fits the int of every platform:
// the library leaves out a lifetime that is not positive.
const forever = int(^uint32(0) >> 1)

// target is one address and where it goes. It is the part of a master that an
// address is.
type target struct {
	address vrrp.Address
	device  string
}

func (t target) String() string  { return t.address.Prefix.String() + " on " + t.device }
func (t target) essential() bool { return true }
func (t target) tracked() bool   { return true }

// prepared is an address as the kernel takes it, but for its lifetime, and the
// interface it goes to. Renewals use it again: to find the interface and to look
// for others in the prefix takes longer than the renewal itself.
type prepared struct {
	link    netlink.Link
	addr    netlink.Addr
	request []byte // that sets its lifetime anew, once it is installed
}

// install puts the address on its device, or sets its lifetime anew.
func (t target) install(h *Host, lease time.Duration) error {
	ready := h.ready[t]
	if ready == nil {
		var err error
		if ready, err = h.prepare(t); err != nil {
			return err
		}
		h.ready[t] = ready
	}
	if ready.request != nil {
		if err := h.renewer.renew(ready.request, t.valid(lease), t.preferred(lease)); err != nil {
			delete(h.ready, t)
			return err
		}
		return nil
	}
	addr := ready.addr
	addr.ValidLft = int(lease / time.Second)
	addr.PreferedLft = addr.ValidLft
	if t.deprecated() {
		addr.PreferedLft = 0
		if addr.ValidLft == 0 {
			addr.ValidLft = forever // the library sends lifetimes when one is positive
		}
	}
	if err := h.nl.AddrReplace(ready.link, &addr); err != nil {
		delete(h.ready, t)
		return err
	}
	ready.request = request(ready.link, &ready.addr)
	return nil
}

// valid is the kernel's valid lifetime in seconds.
func (t target) valid(lease time.Duration) uint32 {
	if lease == 0 {
		return infinite
	}
	return uint32(lease / time.Second)
}

// preferred is the kernel's preferred lifetime in seconds: zero is deprecated.
func (t target) preferred(lease time.Duration) uint32 {
	if t.deprecated() {
		return 0
	}
	return t.valid(lease)
}

// deprecated reports whether new connections shall use another address.
func (t target) deprecated() bool {
	return t.address.Deprecated || t.address.Prefix.Addr().Is6() && t.address.Prefix.IsSingleIP()
}

// prepare asks the kernel what the address needs.
func (h *Host) prepare(t target) (*prepared, error) {
	link, err := h.nl.LinkByName(t.device)
	if err != nil {
		return nil, err
	}
	a := t.address
	addr := netlink.Addr{
		IPNet:     ipNet(a.Prefix),
		Label:     a.Label,
		Scope:     int(a.Scope),
		Broadcast: net.IPv4zero, // the library would compute one
	}
	if a.Broadcast.IsValid() {
		addr.Broadcast = a.Broadcast.AsSlice()
	}
	addr.Peer = t.peer()
	if a.NoPrefixRoute {
		addr.Flags |= unix.IFA_F_NOPREFIXROUTE
	}
	if a.Prefix.Addr().Is6() {
		addr.Broadcast = nil
		if !a.DetectDuplicates {
			addr.Flags |= unix.IFA_F_NODAD
		}
		if !a.Prefix.IsSingleIP() && !a.NoPrefixRoute {
			shared, err := h.sharesPrefix(link, a.Prefix)
			if err != nil {
				return nil, err
			}
			if shared {
				addr.Flags |= unix.IFA_F_NOPREFIXROUTE
			}
		}
	}
	return &prepared{link: link, addr: addr}, nil
}

// sharesPrefix reports whether the device has another address, not one of
// ours, in the same IPv6 prefix.
func (h *Host) sharesPrefix(link netlink.Link, p netip.Prefix) (bool, error) {
	list, err := h.nl.AddrList(link, netlink.FAMILY_V6)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return false, err
	}
	for _, a := range list {
		have, ok := prefixOf(a.IPNet)
		if ok && have.Masked() == p.Masked() && !h.owns(have.Addr()) {
			return true, nil
		}
	}
	return false, nil
}

// peer is the other end of a point-to-point address, nil without one. The
// prefix length of an address with a peer is the peer's.
func (t target) peer() *net.IPNet {
	if !t.address.Peer.IsValid() {
		return nil
	}
	return ipNet(netip.PrefixFrom(t.address.Peer, t.address.Prefix.Bits()))
}

// owns reports whether ip is one of the addresses of this host.
func (h *Host) owns(ip netip.Addr) bool {
	for _, t := range h.targets {
		if t.address.Prefix.Addr() == ip {
			return true
		}
	}
	return false
}

// present looks for the address on its device.
func (t target) present(nl *netlink.Handle) (bool, error) {
	link, err := nl.LinkByName(t.device)
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", t, err)
	}
	list, err := nl.AddrList(link, family(t.address.Prefix))
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return false, fmt.Errorf("look for %s: %w", t, err)
	}
	for i := range list {
		if t.is(&list[i]) {
			return true, nil
		}
	}
	return false, nil
}

// is reports whether an address of the kernel is this one, whatever lifetime
// it has.
func (t target) is(have *netlink.Addr) bool {
	p, ok := prefixOf(have.IPNet)
	if !ok || p != t.address.Prefix {
		return false
	}
	peer, other := prefixOf(have.Peer) // the kernel gives the address itself where there is none
	other = other && peer.Addr() != p.Addr()
	return other == t.address.Peer.IsValid() && (!other || peer.Addr() == t.address.Peer)
}

// remove takes the address off its device. Absence is no error.
func (t target) remove(nl *netlink.Handle) error {
	link, err := nl.LinkByName(t.device)
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
		return nil
	}
	if err == nil {
		// Without label, scope and broadcast: a leftover may have others.
		err = nl.AddrDel(link, &netlink.Addr{IPNet: ipNet(t.address.Prefix), Broadcast: net.IPv4zero, Peer: t.peer()})
	}
	if err == nil || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return fmt.Errorf("remove %s: %w", t, err)
}

func (t target) record(s *state) {
	s.Addresses = append(s.Addresses, stateAddress{t.device, t.address.Prefix})
}

func family(p netip.Prefix) int {
	if p.Addr().Is4() {
		return netlink.FAMILY_V4
	}
	return netlink.FAMILY_V6
}

// prefixOf is the inverse of ipNet.
func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	ip, ok := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	if v4 := ip.Unmap(); ok && len(n.Mask) == net.IPv4len {
		ip = v4
	}
	return netip.PrefixFrom(ip, bits), ok
}
