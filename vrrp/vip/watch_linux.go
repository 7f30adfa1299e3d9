package vip

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

// errWatchEnded means that the kernel's notifications ended or overflowed.
var errWatchEnded = errors.New("notifications ended")

// Watch reports the state of the interface, now and at every change, and each
// removal of an address that should be there. It returns nil when ctx ends. It
// returns an error when notifications may have been lost; calling it again
// starts with the present state.
func (h *Host) Watch(ctx context.Context, report func(instance.Change)) error {
	sub, err := h.monitor.subscribe(h.owns)
	if err != nil {
		return fmt.Errorf("watch interface %s: %w", h.cfg.Interface, err)
	}
	defer h.monitor.unsubscribe(sub)

	w := watcher{h: h, report: report}
	if err := w.look(); err != nil {
		return err
	}
	for {
		var ok bool
		select {
		case <-ctx.Done():
			return nil
		case u, open := <-sub.links:
			if ok = open; ok && h.carries(u.Link.Attrs().Name) {
				h.stale.Store(true)
			} else if ok && w.concerns(u) {
				h.stale.Store(true)
				if err := w.look(); err != nil {
					return err
				}
			}
		case u, open := <-sub.addrs:
			if ok = open; ok {
				h.stale.Store(true)
				w.removed(u)
			}
		}
		if !ok {
			return fmt.Errorf("watch interface %s: %w", h.cfg.Interface, sub.feed.err())
		}
	}
}

// watcher remembers what was reported last.
type watcher struct {
	h      *Host
	report func(instance.Change)
	known  bool
	up     bool
	why    string
	index  int
}

// concerns reports whether an update is about our interface: by name, or by
// index when it was renamed or removed.
func (w *watcher) concerns(u netlink.LinkUpdate) bool {
	return u.Link.Attrs().Name == w.h.cfg.Interface || int(u.Index) == w.index
}

// look reads the state of the interface and reports it when it is news. The
// update itself is not used: several may be waiting, and only now counts.
func (w *watcher) look() error {
	name := w.h.cfg.Interface
	up, why, index, missing := false, "interface "+name+" does not exist", 0, true
	link, err := netlink.LinkByName(name)
	switch _, gone := errors.AsType[netlink.LinkNotFoundError](err); {
	case gone:
	case err != nil:
		return fmt.Errorf("watch interface %s: %w", name, err)
	default:
		attrs := link.Attrs()
		index, missing = attrs.Index, false
		switch {
		case attrs.RawFlags&unix.IFF_UP == 0:
			why = "interface " + name + " is down"
		case attrs.RawFlags&unix.IFF_RUNNING == 0:
			why = "interface " + name + " has no carrier"
		default:
			up, why = true, "interface "+name+" is up"
		}
	}
	if w.index != 0 && index != 0 && index != w.index {
		// Another interface under the same name: the socket must be opened anew.
		w.report(instance.Change{Kind: instance.LinkDown, What: "interface " + name + " was replaced", Gone: true})
		w.known = false
	}
	news := !w.known || w.up != up || w.why != why
	w.known, w.up, w.why, w.index = true, up, why, index
	if !news {
		return nil
	}
	kind := instance.LinkDown
	if up {
		kind = instance.LinkUp
	}
	w.report(instance.Change{Kind: kind, What: why, Gone: missing})
	return nil
}

// removed reports an address that is gone although we hold it. Notifications
// may be late: one about our own earlier removal says nothing, so the truth is
// read back.
func (w *watcher) removed(u netlink.AddrUpdate) {
	if !w.h.isHeld() {
		return
	}
	gone, ok := prefixOf(&u.LinkAddress)
	if !ok || !w.h.owns(gone.Addr()) {
		return
	}
	for _, t := range w.h.targets {
		if t.address.Prefix.Addr() != gone.Addr() {
			continue
		}
		if there, err := t.present(w.h.nl); err != nil || there || !w.h.isHeld() {
			continue
		}
		w.report(instance.Change{Kind: instance.AddressLost, What: fmt.Sprintf("somebody removed %s from %s", t.address.Prefix, t.device)})
	}
}
