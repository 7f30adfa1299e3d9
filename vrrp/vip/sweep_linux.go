package vip

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// sweep takes addresses off that have the IP of one of ours on its device, but
// another prefix length or peer: somebody else has changed them. With keep it
// leaves those that are as they should be.
func sweep(nl *netlink.Handle, targets []target, keep bool) error {
	var errs []error
	seen := map[string]bool{}
	for _, t := range targets {
		if seen[t.device] {
			continue
		}
		seen[t.device] = true
		link, err := nl.LinkByName(t.device)
		if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
			continue
		}
		var list []netlink.Addr
		if err == nil {
			list, err = nl.AddrList(link, netlink.FAMILY_ALL)
		}
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			errs = append(errs, fmt.Errorf("look for addresses on %s: %w", t.device, err))
			continue
		}
		for i := range list {
			want, ours := match(targets, t.device, &list[i])
			if !ours || keep && want.is(&list[i]) {
				continue
			}
			err := nl.AddrDel(link, &list[i])
			if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) && !errors.Is(err, unix.ENODEV) {
				errs = append(errs, fmt.Errorf("remove %s from %s: %w", list[i].IPNet, t.device, err))
			}
		}
	}
	return errors.Join(errs...)
}

// match finds the target on device that has the IP of an address of the kernel.
func match(targets []target, device string, have *netlink.Addr) (target, bool) {
	p, ok := prefixOf(have.IPNet)
	if !ok {
		return target{}, false
	}
	for _, t := range targets {
		if t.device == device && t.address.Prefix.Addr() == p.Addr() {
			return t, true
		}
	}
	return target{}, false
}

// targetsOf are the addresses among parts.
func targetsOf(parts []part) []target {
	var out []target
	for _, p := range parts {
		if t, ok := p.(target); ok {
			out = append(out, t)
		}
	}
	return out
}
