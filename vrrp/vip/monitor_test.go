package vip

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
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

// TestRequest: a renewal carries the address as it was installed, so that one
// that somebody removed meanwhile comes back the same.
func TestRequest(t *testing.T) {
	link := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: 7}}
	for _, tt := range []struct {
		name string
		addr netlink.Addr
		want string
	}{
		{
			"IPv4", netlink.Addr{IPNet: ipNet(netip.MustParsePrefix("192.0.2.100/24")), Label: "eth0:0", Broadcast: net.IPv4zero, Scope: unix.RT_SCOPE_LINK},
			`50000000 1400 0505 00000000 00000000` + // length, RTM_NEWADDR, REQUEST|ACK|REPLACE|CREATE
				`02 18 00 fd 07000000` + // family, prefix length, flags, scope, index
				`0800 0200 c0000264` + `0800 0100 c0000264` + // IFA_LOCAL, IFA_ADDRESS
				`0b00 0300 657468303a3000 00` + // IFA_LABEL
				`0800 0800 00000000` + // IFA_FLAGS
				`1400 0600 00000000000000000000000000000000`, // IFA_CACHEINFO
		},
		{
			"IPv4 with a peer and a broadcast address", netlink.Addr{
				IPNet: ipNet(netip.MustParsePrefix("192.0.2.1/24")), Broadcast: net.IPv4(192, 0, 2, 255),
				Peer: ipNet(netip.MustParsePrefix("192.0.2.2/32")),
			},
			`4c000000 1400 0505 00000000 00000000 02 20 00 00 07000000` +
				`0800 0200 c0000201` + `0800 0100 c0000202` + `0800 0400 c00002ff` +
				`0800 0800 00000000` + `1400 0600 00000000000000000000000000000000`,
		},
		{
			"IPv6", netlink.Addr{IPNet: ipNet(netip.MustParsePrefix("2001:db8::1/64")), Flags: unix.IFA_F_NODAD | unix.IFA_F_NOPREFIXROUTE},
			`5c000000 1400 0505 00000000 00000000 0a 40 02 00 07000000` +
				`1400 0200 20010db8000000000000000000000001` + `1400 0100 20010db8000000000000000000000001` +
				`0800 0800 02020000` + `1400 0600 00000000000000000000000000000000`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := request(link, &tt.addr)
			copy(got[offSeq:], make([]byte, 8)) // sequence number and port
			if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
				t.Skip("the expected bytes are of a little-endian machine")
			}
			if want, err := hex.DecodeString(strings.Join(strings.Fields(tt.want), "")); err != nil || !bytes.Equal(got, want) {
				t.Errorf("\n got %x\nwant %x", got, want)
			}
		})
	}
}
