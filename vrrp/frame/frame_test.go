package frame

import (
	"bytes"
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/ipv6"
)

// TestFrames compares with announcements captured from keepalived 2.2.7, and
// with the probes of RFC 5227 and RFC 4862, byte by byte.
func TestFrames(t *testing.T) {
	tests := []struct {
		name, ip string
		build    func(netip.Addr, net.HardwareAddr) ([]byte, net.HardwareAddr, error)
		mac      string
		want     string
		padding  int // Ethernet's minimum, which keepalived leaves to the driver
	}{
		{
			"gratuitous ARP", "192.0.2.100", announce(false), "1a:b3:3f:1a:01:dc",
			`ffffffffffff 1ab33f1a01dc 0806` + // broadcast
				`0001 0800 06 04 0001` + // Ethernet, IPv4, request
				`1ab33f1a01dc c0000264` + // sender: our MAC, the virtual address
				`ffffffffffff c0000264`, // target: broadcast MAC, the virtual address
			18,
		},
		{
			"unsolicited neighbour advertisement", "2001:db8::100", announce(false), "ea:68:1f:22:38:6b",
			`333300000001 ea681f22386b 86dd` +
				`60000000 0020 3a ff 20010db8000000000000000000000100 ff020000000000000000000000000001` + // hop limit 255, from the virtual address to all nodes
				`88 00 b737 20000000 20010db8000000000000000000000100` + // Override
				`02 01 ea681f22386b`, // target link-layer address
			0,
		},
		{
			"the same from a router", "2001:db8::100", announce(true), "ea:68:1f:22:38:6b",
			`333300000001 ea681f22386b 86dd` +
				`60000000 0020 3a ff 20010db8000000000000000000000100 ff020000000000000000000000000001` +
				`88 00 3737 a0000000 20010db8000000000000000000000100` + // Router, Override
				`02 01 ea681f22386b`,
			0,
		},
		{
			"ARP probe", "192.0.2.100", Probe, "02:00:00:00:00:01",
			`ffffffffffff 020000000001 0806` +
				`0001 0800 06 04 0001` +
				`020000000001 00000000` +
				`000000000000 c0000264`,
			18,
		},
		{
			"neighbour solicitation", "2001:db8::100", Probe, "02:00:00:00:00:01",
			`3333ff000100 020000000001 86dd` +
				`60000000 0018 3a ff 00000000000000000000000000000000 ff0200000000000000000001ff000100` +
				`87 00 4aef 00000000 20010db8000000000000000000000100`,
			0,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mac, err := net.ParseMAC(tt.mac)
			if err != nil {
				t.Fatal(err)
			}
			want, err := hex.DecodeString(strings.Join(strings.Fields(tt.want), ""))
			if err != nil {
				t.Fatal(err)
			}
			got, to, err := tt.build(netip.MustParseAddr(tt.ip), mac)
			if want = append(want, make([]byte, tt.padding)...); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v\n got %x\nwant %x", err, got, want)
			}
			if !bytes.Equal(to, want[:6]) {
				t.Errorf("it goes to %s", to)
			}
		})
	}
}

func announce(router bool) func(netip.Addr, net.HardwareAddr) ([]byte, net.HardwareAddr, error) {
	return func(ip netip.Addr, mac net.HardwareAddr) ([]byte, net.HardwareAddr, error) {
		return Announcement(ip, mac, router)
	}
}

// TestGroupMAC has the groups of VRRP.
func TestGroupMAC(t *testing.T) {
	for group, want := range map[string]string{
		"224.0.0.18":        "01:00:5e:00:00:12",
		"239.129.2.3":       "01:00:5e:01:02:03", // 23 bits
		"ff02::12":          "33:33:00:00:00:12",
		"ff02::1:ff00:abcd": "33:33:ff:00:ab:cd",
	} {
		if got := GroupMAC(netip.MustParseAddr(group)).String(); got != want {
			t.Errorf("%s: %s, want %s", group, got, want)
		}
	}
}

// TestAppendIPv6 takes a datagram of a virtual router apart.
func TestAppendIPv6(t *testing.T) {
	message := []byte("message")
	b := AppendIPv6([]byte("before"), 0xc0, 112, netip.MustParseAddr("fe80::1"), netip.MustParseAddr("ff02::12"), message)[len("before"):]
	h, err := ipv6.ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	if h.Version != 6 || h.TrafficClass != 0xc0 || h.FlowLabel != 0 || h.PayloadLen != len(message) || h.NextHeader != 112 || h.HopLimit != 255 ||
		h.Src.String() != "fe80::1" || h.Dst.String() != "ff02::12" {
		t.Errorf("header %+v", h)
	}
	if !bytes.Equal(b[ipv6.HeaderLen:], message) {
		t.Errorf("payload %q", b[ipv6.HeaderLen:])
	}
}
