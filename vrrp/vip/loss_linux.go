package vip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

// addresses are the IPs of all targets.
func (h *Host) addresses() []netip.Addr {
	var out []netip.Addr
	for _, t := range h.targets {
		out = append(out, t.address.Prefix.Addr())
	}
	return out
}

// concernsAddress says which notifications about one of our addresses Watch
// wants to see. Each renewal is one, so it must be quick, and refuses those.
func (h *Host) concernsAddress(u netlink.AddrUpdate) bool {
	switch held, _ := h.isHeld(); held {
	case holds:
		p, ok := prefixOf(&u.LinkAddress)
		return !u.NewAddr || ok && !slices.ContainsFunc(h.targets, func(t target) bool { return t.address.Prefix == p })
	case free:
		return true
	case leaves:
	}
	return false
}

// address handles a notification about an address of this host.
func (w *watcher) address(u netlink.AddrUpdate) {
	p, ok := prefixOf(&u.LinkAddress)
	if !ok || !w.h.owns(p.Addr()) {
		return
	}
	switch held, _ := w.h.isHeld(); held {
	case holds:
		if !u.NewAddr {
			w.verify(func(q part) bool { t, is := q.(target); return is && t.address.Prefix == p })
		} else {
			w.forms(u.LinkIndex)
		}
	case free:
		w.strays()
	case leaves:
	}
}

// verify reports the parts among the chosen that are gone although we hold
// them. Notifications may be late: one about our own earlier removal says
// nothing, so the truth is read back.
func (w *watcher) verify(choose func(part) bool) {
	for _, p := range w.h.parts {
		if held, _ := w.h.isHeld(); held != holds {
			return
		}
		if !p.tracked() || !choose(p) {
			continue
		}
		device := w.h.cfg.Interface
		if t, is := p.(target); is {
			device = t.device
		}
		if !w.usable(device) {
			continue // the kernel took it off, and look reports why
		}
		_, term := w.h.isHeld()
		there, err := p.present(w.nl)
		if held, now := w.h.isHeld(); err != nil || there || held != holds || now != term {
			continue
		}
		kind := instance.RouteLost
		if p.essential() {
			kind = instance.AddressLost
		}
		w.report(instance.Change{Kind: kind, What: fmt.Sprintf("somebody removed %s", p)})
	}
}

// usable reports whether a device is there and up.
func (w *watcher) usable(device string) bool {
	link, err := w.nl.LinkByName(device)
	return err == nil && link.Attrs().Flags&net.FlagUp != 0
}

// forms reports an address of ours that somebody else has given another prefix
// length or peer.
func (w *watcher) forms(index int) {
	link, err := w.nl.LinkByIndex(index)
	if err != nil {
		return // it is gone with its addresses
	}
	device := link.Attrs().Name
	list, err := w.nl.AddrList(link, netlink.FAMILY_ALL)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return // the next renewal tells
	}
	for i := range list {
		if t, ours := match(w.h.targets, device, &list[i]); ours && !t.is(&list[i]) {
			w.report(instance.Change{Kind: instance.AddressChanged, What: fmt.Sprintf("somebody put %s on %s, which should be %s", list[i].IPNet, device, t.address.Prefix)})
		}
	}
}

// strays reports the addresses of ours that are on this host while it is not
// master, and when they are gone. Those on a loopback interface do not count:
// a director that is its own real server has them there.
func (w *watcher) strays() {
	held, term := w.h.isHeld()
	found := map[netip.Addr]string{}
	if held == free {
		list, err := w.nl.AddrList(nil, netlink.FAMILY_ALL)
		if err != nil {
			return // interrupted or refused: the next change tells
		}
		for _, a := range list {
			p, ok := prefixOf(a.IPNet)
			if !ok || !w.h.owns(p.Addr()) {
				continue
			}
			link, err := w.nl.LinkByIndex(a.LinkIndex)
			if err == nil && link.Attrs().Flags&net.FlagLoopback == 0 {
				found[p.Addr()] = link.Attrs().Name
			}
		}
	}
	if _, now := w.h.isHeld(); now != term {
		return // it is looked at again
	}
	for _, ip := range w.h.addresses() {
		device, here := found[ip]
		before, was := w.stray[ip]
		switch {
		case here && (!was || before != device):
			w.report(instance.Change{Kind: instance.AddressFound, What: fmt.Sprintf("%s is on %s", ip, device), Address: ip, Device: device})
		case was && !here && held == free:
			w.report(instance.Change{Kind: instance.AddressGone, What: fmt.Sprintf("%s is no longer on %s", ip, before), Address: ip, Device: before})
		}
	}
	w.stray = found
}
