package vip

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/vishvananda/netlink"
)

// TestMonitor: each watcher hears of interfaces, and of the loss of its own
// addresses only; one that does not read is told that it has lost something,
// and the others are not held up.
func TestMonitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &feed{done: make(chan struct{}), ended: make(chan struct{}), watchers: map[*subscription]bool{}, byIP: map[netip.Addr][]*subscription{}}
		var m Monitor
		m.feed = f
		watcher := func(ip string) *subscription {
			own := netip.MustParseAddr(ip)
			s, err := m.subscribe([]netip.Addr{own}, func(u netlink.AddrUpdate) bool { return !u.NewAddr })
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		one, two := watcher("192.0.2.1"), watcher("192.0.2.2")
		links, addrs := make(chan netlink.LinkUpdate), make(chan netlink.AddrUpdate)
		go f.run(links, addrs)
		removed := func(ip string, added bool) {
			addrs <- netlink.AddrUpdate{LinkAddress: net.IPNet{IP: net.ParseIP(ip), Mask: net.CIDRMask(24, 32)}, NewAddr: added}
		}

		links <- netlink.LinkUpdate{}
		removed("192.0.2.1", true) // a renewal concerns nobody
		removed("192.0.2.1", false)
		removed("192.0.2.9", false)
		synctest.Wait()
		if len(one.links) != 1 || len(two.links) != 1 || len(one.addrs) != 1 || len(two.addrs) != 0 {
			t.Errorf("links %d and %d, removals %d and %d", len(one.links), len(two.links), len(one.addrs), len(two.addrs))
		}

		for range pending + 1 {
			removed("192.0.2.2", false)
		}
		synctest.Wait()
		for range two.addrs { //nolint:revive // until it is closed
		}
		if err := two.feed.err(); !errors.Is(err, errWatchEnded) {
			t.Errorf("error of the one that was cut off: %v", err)
		}
		removed("192.0.2.1", false)
		synctest.Wait()
		if len(one.addrs) != 2 {
			t.Error("the other was cut off too")
		}
		m.unsubscribe(two)
		if m.feed == nil {
			t.Fatal("the feed ended with the first of two watchers")
		}

		f.fail(net.ErrClosed) // as when the kernel's queue has overflowed
		close(links)
		for range one.links { //nolint:revive // until it is closed
		}
		if !errors.Is(one.feed.err(), net.ErrClosed) {
			t.Errorf("error after the end: %v", one.feed.err())
		}
		if f.add(new(subscription)) {
			t.Error("a feed that has ended took another watcher")
		}
		go func() { <-f.done; close(addrs) }()
		m.unsubscribe(one)
		if m.feed != nil {
			t.Error("the feed is kept after its last watcher")
		}
	})
}
