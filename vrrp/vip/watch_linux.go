package vip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

// errWatchEnded means that the kernel's notifications ended or overflowed.
var errWatchEnded = errors.New("notifications ended")

// Watch reports the state of the interface, now and at every change; each
// removal of an address, route or rule that should be there; and addresses of
// ours that are there although they should not be. It returns nil when ctx
// ends. It returns an error when notifications may have been lost; calling it
// again starts with the present state.
func (h *Host) Watch(ctx context.Context, report func(instance.Change)) error {
	sub, err := h.monitor.subscribe(h.addresses(), h.concernsAddress)
	if err != nil {
		return fmt.Errorf("watch interface %s: %w", h.cfg.Interface, err)
	}
	defer h.monitor.unsubscribe(sub)
	moved, err := subscribeRoutes(len(h.cfg.Routes) > 0, len(h.cfg.Rules) > 0)
	if err != nil {
		return fmt.Errorf("watch interface %s: %w", h.cfg.Interface, err)
	}
	defer moved.close()

	if h.paced() {
		var wg sync.WaitGroup
		later, end := context.WithCancel(ctx)
		wg.Go(func() { h.announceLater(later) })
		defer func() { end(); wg.Wait() }()
	}
	// An empty Handle makes a connection for each request: the loop never waits
	// for a list that is made here, and requests are rare.
	w := watcher{h: h, nl: &netlink.Handle{}, report: report}
	if err := w.look(); err != nil {
		return err
	}
	w.verify(func(p part) bool {
		switch p.(type) {
		case target, route, rule:
			return true
		}
		return false // those look for themselves at each renewal
	})
	w.strays()
	for {
		open := true
		select {
		case <-ctx.Done():
			return nil
		case <-h.moved:
			w.strays()
		case u, ok := <-sub.links:
			if open = ok; ok && h.carries(u.Link.Attrs().Name) {
				h.stale.Store(true)
			} else if ok && w.concerns(u) {
				h.stale.Store(true)
				if err := w.look(); err != nil {
					return err
				}
			}
		case u, ok := <-sub.addrs:
			if open = ok; ok {
				h.stale.Store(true)
				w.address(u)
			}
		case u, ok := <-moved.routes:
			if open = ok; ok && u.Type == unix.RTM_DELROUTE && u.Protocol == protocol {
				w.verify(func(p part) bool { r, is := p.(route); return is && r.is(&u.Route) })
			}
		case _, open = <-moved.rules:
			if open {
				w.verify(func(p part) bool { _, is := p.(rule); return is })
			}
		}
		if !open {
			return fmt.Errorf("watch interface %s: %w", h.cfg.Interface, errors.Join(sub.feed.err(), moved.failed()))
		}
	}
}

// watcher remembers what was reported last.
type watcher struct {
	h      *Host
	nl     *netlink.Handle
	report func(instance.Change)
	known  bool
	up     bool
	why    string
	index  int
	stray  map[netip.Addr]string // device of each address that should not be here
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
	link, err := w.nl.LinkByName(name)
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
