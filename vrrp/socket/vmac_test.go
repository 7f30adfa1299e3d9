package socket

import (
	"bytes"
	"net/netip"
	"testing"

	"golang.org/x/net/ipv6"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

func TestGroupMAC(t *testing.T) {
	for _, tt := range []struct{ group, want string }{
		{"224.0.0.18", "01:00:5e:00:00:12"},
		{"239.129.2.3", "01:00:5e:01:02:03"},
		{"ff02::12", "33:33:00:00:00:12"},
		{"ff02::1:ff00:abcd", "33:33:ff:00:ab:cd"},
	} {
		if got := groupMAC(netip.MustParseAddr(tt.group)).String(); got != tt.want {
			t.Errorf("groupMAC(%s) = %s, want %s", tt.group, got, tt.want)
		}
	}
}

func TestAppendIPv6(t *testing.T) {
	source, message := netip.MustParseAddr("fe80::1"), []byte("message")
	b := appendIPv6([]byte("before"), source, vrrp.Group6, message)[len("before"):]
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
