//go:build priv

package socket_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/netns"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/socket"
)

// TestTTL sends to a peer and to the group, from a router's socket and from that
// of its guardian, and looks at what is on the cable. The router's IPv6 socket is
// not among them: package net remembers the index of an interface by its name for
// a minute, whatever the namespace.
func TestTTL(t *testing.T) {
	for _, tt := range []struct {
		vip, a, b string
		ttl       uint8 // 0: the default
		want      uint8
	}{
		{"192.0.2.100/24", "192.0.2.1/24", "192.0.2.2/24", 0, 255},
		{"192.0.2.100/24", "192.0.2.1/24", "192.0.2.2/24", 64, 64},
		{"2001:db8::100/64", "fe80::1/64", "fe80::2/64", 0, 255},
		{"2001:db8::100/64", "fe80::1/64", "fe80::2/64", 64, 64},
	} {
		for _, unicast := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s ttl %d unicast %v", tt.a, tt.ttl, unicast), func(t *testing.T) {
				lan := netns.NewLAN(t)
				from, to := netip.MustParsePrefix(tt.a).Addr(), netip.MustParsePrefix(tt.b).Addr()
				cfg := vrrp.Config{VRID: 51, UnicastTTL: tt.ttl, Addresses: []vrrp.Address{{Prefix: netip.MustParsePrefix(tt.vip)}}}
				want, dst, senderTTL := tt.want, to, tt.want
				if unicast {
					cfg.Peers = []netip.Addr{from, to}
				} else {
					want, dst, senderTTL = vrrp.TTL, cfg.Group(), 0
				}
				codec, err := vrrp.NewCodec(cfg)
				if err != nil {
					t.Fatal(err)
				}
				a, b := lan.Host(t, "a", tt.a), lan.Host(t, "b", tt.b)
				cable := lan.Capture(t, a, b)
				check := func(what string, c interface {
					Send([]byte, netip.Addr) error
				},
				) {
					t.Helper()
					before := len(hops(cable))
					netns.Wait(t, 10*time.Second, what+": an advert on the cable", func() bool { // IPv6: when the address may be used
						if err := c.Send(codec.Encode(time.Now(), from, dst, 7), dst); err != nil {
							t.Log(err)
						}
						return len(hops(cable)) > before
					})
					for _, got := range hops(cable)[before:] {
						if got != want {
							t.Errorf("%s: TTL %d, want %d", what, got, want)
						}
					}
				}
				if from.Is4() {
					var c *socket.Conn
					a.Do(t, func() (err error) {
						c, err = socket.Open(socket.Config{Interface: "eth0", VRRP: cfg})
						return err
					})
					defer c.Close()
					check("router", c)
				}
				var s *socket.Sender
				netns.Wait(t, 10*time.Second, "sender", func() bool {
					a.Do(t, func() (err error) {
						if s, err = socket.OpenSender("eth0", from, senderTTL); err != nil {
							t.Log(err)
						}
						return nil
					})
					return s != nil
				})
				defer s.Close()
				check("guardian", s)
			})
		}
	}
}

// hops are the TTLs of the adverts on the cable.
func hops(c *netns.Capture) (out []uint8) {
	for _, f := range c.Frames() {
		switch b := f.Data; {
		case len(b) > 34 && b[12] == 0x08 && b[13] == 0 && b[23] == vrrp.ProtocolVRRP:
			out = append(out, b[22])
		case len(b) > 54 && b[12] == 0x86 && b[13] == 0xdd && b[20] == vrrp.ProtocolVRRP:
			out = append(out, b[21])
		}
	}
	return out
}
