//go:build priv

package interop

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/netns"
	"github.com/edgekeeper/edgekeeper/vrrp"
)

// advert is one captured VRRP packet.
type advert struct {
	netns.Frame
	priority uint8
	packet   vrrp.Packet
}

// Lengths of headers in a frame.
const (
	ethernet   = 14
	ipv4Header = 20
	ipv6Header = 40
	ahHeader   = 24
)

// adverts are the VRRP packets among frames, in the order in which the kernel
// saw them.
func adverts(frames []netns.Frame) []advert {
	var out []advert
	for _, f := range frames {
		b := f.Data
		var p vrrp.Packet
		switch {
		case len(b) > ethernet+ipv4Header && b[12] == 0x08 && b[13] == 0x00:
			var err error
			if p, err = vrrp.ParseIPv4(b[ethernet:]); err != nil {
				continue
			}
		case len(b) > ethernet+ipv6Header && b[12] == 0x86 && b[13] == 0xdd && b[20] == vrrp.ProtocolVRRP:
			src, _ := netip.AddrFromSlice(b[22:38])
			dst, _ := netip.AddrFromSlice(b[38:54])
			length := int(binary.BigEndian.Uint16(b[18:]))
			p = vrrp.Packet{Source: src, Destination: dst, TTL: b[21], Protocol: b[20], Payload: b[ethernet+ipv6Header : ethernet+ipv6Header+length]}
		default:
			continue
		}
		at := 2
		switch p.Protocol {
		case vrrp.ProtocolVRRP:
		case vrrp.ProtocolAH:
			at += ahHeader
		default:
			continue
		}
		if len(p.Payload) <= at {
			continue
		}
		out = append(out, advert{f, p.Payload[at], p})
	}
	slices.SortStableFunc(out, func(a, b advert) int { return a.At.Compare(b.At) })
	return out
}

// takeover is what the protocol says about the time at which one router starts
// to send in place of another.
type takeover struct {
	from, to string
	resigned bool          // the time runs from priority 0, not from the last advert
	above    uint8         // adverts of from below that are not accepted, so they do not count
	cut      bool          // what from sends after the fault does not arrive
	wait     time.Duration // skew or master-down time
}

// allowance is what a takeover may be late by on an idle machine. What a busy
// one adds to that is measured.
const allowance = 250 * time.Millisecond

// check compares the kernel's times of the adverts on the cable with the rule:
// never earlier, and not later than the machine was.
func (k takeover) check(t *testing.T, c *netns.Capture, late *netns.Lateness, since time.Time) {
	t.Helper()
	var begin, last, end time.Time
	netns.Wait(t, patience, fmt.Sprintf("takeover from %s to %s in the capture", k.from, k.to), func() bool {
		begin, last, end = k.times(adverts(c.Frames()), since)
		return !begin.IsZero() && !end.IsZero()
	})
	// A router may send priority 0 twice, and the other may count from either.
	took, busy := end.Sub(begin), late.Between(begin, end)
	t.Logf("%s took over from %s after %s; the rule says %s; the machine was late by up to %s", k.to, k.from, took.Round(100*time.Microsecond), k.wait.Round(100*time.Microsecond), busy)
	if took < k.wait-time.Millisecond || end.Sub(last) > k.wait+allowance+busy {
		t.Errorf("%s took over from %s after %s; the rule says %s, and the machine was late by up to %s", k.to, k.from, took, k.wait, busy)
	}
}

// times are those of the advert from which the rule counts, of the last such,
// and of the first advert of the new master.
func (k takeover) times(all []advert, since time.Time) (begin, last, end time.Time) {
	for _, a := range all {
		switch {
		case a.Host == k.to && a.priority > 0 && a.At.After(since):
			return begin, last, a.At
		case a.Host != k.from, k.resigned != (a.priority == 0), a.priority < k.above:
		case k.resigned && a.At.Before(since), k.cut && a.At.After(since):
		default:
			if last = a.At; begin.IsZero() || !k.resigned {
				begin = a.At
			}
		}
	}
	return begin, last, time.Time{}
}

// form checks what is the same in every advert, and returns the frame without
// what differs between two routers or two adverts.
func (p *pair) form(t *testing.T, a advert, interval time.Duration) []byte {
	t.Helper()
	b := bytes.Clone(a.Data)
	wrong := func(format string, args ...any) {
		t.Helper()
		t.Errorf("advert of %s: %s\n% x", a.Host, fmt.Sprintf(format, args...), a.Data)
	}
	if a.packet.TTL != vrrp.TTL {
		wrong("TTL %d", a.packet.TTL)
	}
	cfg := vrrp.Config{Name: "VI_1", VRID: 51, Priority: 100, Version: vrrp.Version(p.version), Interval: interval}
	for _, ip := range []string{"a", "b"} {
		if p.unicast {
			cfg.Peers = append(cfg.Peers, netip.MustParseAddr(p.address(ip)))
		}
	}
	for _, prefix := range p.prefixes() {
		cfg.Addresses = append(cfg.Addresses, vrrp.Address{Prefix: prefix})
	}
	switch p.auth {
	case "pass":
		cfg.Auth = vrrp.Auth{Type: vrrp.AuthPass, Secret: "5525"}
	case "ah":
		cfg.Auth = vrrp.Auth{Type: vrrp.AuthAH, Secret: "5525"}
	}
	codec, err := vrrp.NewCodec(cfg.WithDefaults())
	if err != nil {
		t.Fatal(err)
	}
	var decoded vrrp.Advert
	if err := codec.Decode(a.At, &decoded, a.packet); err != nil { // with checksum, password and digest
		wrong("%v", err)
	}
	if !codec.SameAddresses(&decoded) {
		wrong("addresses %v", decoded.Addresses)
	}
	zero := func(from, to int) { clear(b[from:to]) }
	zero(0, 12) // Ethernet addresses
	vrrpAt := ethernet + ipv6Header
	if p.v6 {
		if class := uint16(b[14])<<4&0xf0 | uint16(b[15])>>4; class != vrrp.TrafficClass {
			wrong("traffic class %#x", class)
		}
		zero(22, 54)
		b[15] &= 0xf0 // flow label
		zero(16, 18)
	} else {
		h := a.packet.Header
		if h[1] != vrrp.TrafficClass || h[6]|h[7] != 0 || h[4]|h[5] == 0 || len(h) != ipv4Header || onesSum(h) != 0xffff {
			wrong("TOS %#x, fragment %x, id %x, %d bytes of header, which add up to %#x", h[1], h[6:8], h[4:6], len(h), onesSum(h))
		}
		zero(18, 20) // id
		zero(24, 26) // header checksum
		zero(26, 34)
		vrrpAt = ethernet + ipv4Header
		if p.auth == "ah" {
			zero(vrrpAt+4, vrrpAt+ahHeader) // SPI, which is the source, sequence number, digest
			vrrpAt += ahHeader
		}
	}
	b[vrrpAt+2] = 0 // priority
	zero(vrrpAt+6, vrrpAt+8)
	return b
}

// onesSum is the sum that is 0xffff over a header with its checksum (RFC 1071).
func onesSum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
