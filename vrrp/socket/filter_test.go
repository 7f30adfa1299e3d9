package socket

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/bpf"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// TestFilter runs the program on what the kernel would give it.
func TestFilter(t *testing.T) {
	config := func(vrid uint8, auth vrrp.AuthType, vips ...string) vrrp.Config {
		c := vrrp.Config{VRID: vrid}
		for _, v := range vips {
			c.Addresses = append(c.Addresses, vrrp.Address{Prefix: netip.MustParsePrefix(v)})
		}
		if auth != vrrp.AuthNone {
			c.Auth = vrrp.Auth{Type: auth, Secret: "x"}
		}
		return c
	}
	tests := []struct {
		name       string
		ours, sent vrrp.Config
		src, dst   string
		want       bool
	}{
		{"ours", config(51, 0, "192.0.2.1/24"), config(51, 0, "192.0.2.1/24"), "192.0.2.9", "224.0.0.18", true},
		{"ours with other addresses", config(51, 0, "192.0.2.1/24"), config(51, 0, "192.0.2.7/24"), "192.0.2.9", "224.0.0.18", true},
		{"neighbour", config(51, 0, "192.0.2.1/24"), config(52, 0, "192.0.2.7/24"), "192.0.2.9", "224.0.0.18", false},
		{"mistyped id", config(51, 0, "192.0.2.1/24"), config(52, 0, "192.0.2.1/24"), "192.0.2.9", "224.0.0.18", true},
		{"AH, ours", config(51, vrrp.AuthAH, "192.0.2.1/24"), config(51, vrrp.AuthAH, "192.0.2.1/24"), "192.0.2.9", "224.0.0.18", true},
		{"AH, neighbour", config(51, vrrp.AuthAH, "192.0.2.1/24"), config(52, vrrp.AuthAH, "192.0.2.7/24"), "192.0.2.9", "224.0.0.18", false},
		{"AH, mistyped id", config(51, vrrp.AuthAH, "192.0.2.1/24"), config(52, vrrp.AuthAH, "192.0.2.1/24"), "192.0.2.9", "224.0.0.18", true},
		{"IPv6, ours", config(51, 0, "2001:db8::1/64"), config(51, 0, "2001:db8::7/64"), "fe80::9", "ff02::12", true},
		{"IPv6, neighbour, last word differs", config(51, 0, "2001:db8::1/64"), config(52, 0, "2001:db8::7/64"), "fe80::9", "ff02::12", false},
		{"IPv6, neighbour, first word differs", config(51, 0, "2001:db8::1/64"), config(52, 0, "2001:db9::1/64"), "fe80::9", "ff02::12", false},
		{"IPv6, mistyped id", config(51, 0, "2001:db8::1/64"), config(52, 0, "2001:db8::1/64"), "fe80::9", "ff02::12", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw, err := filter(tt.ours)
			if err != nil {
				t.Fatal(err)
			}
			program, ok := bpf.Disassemble(raw)
			if !ok {
				t.Fatal("not a program")
			}
			vm, err := bpf.NewVM(program)
			if err != nil {
				t.Fatal(err)
			}
			codec, err := vrrp.NewCodec(tt.sent)
			if err != nil {
				t.Fatal(err)
			}
			packet := codec.Encode(time.Now(), netip.MustParseAddr(tt.src), netip.MustParseAddr(tt.dst), 100)
			n, err := vm.Run(packet)
			if err != nil || (n > 0) != tt.want {
				t.Errorf("passes %d bytes, %v; want it passed: %v", n, err, tt.want)
			}
			if n, err := vm.Run(packet[:1]); err != nil || n != 0 {
				t.Errorf("a stump passes %d bytes, %v", n, err)
			}
		})
	}
	t.Run("AH of somebody else", func(t *testing.T) {
		raw, err := filter(config(51, vrrp.AuthAH, "192.0.2.1/24"))
		if err != nil {
			t.Fatal(err)
		}
		program, _ := bpf.Disassemble(raw)
		vm, err := bpf.NewVM(program)
		if err != nil {
			t.Fatal(err)
		}
		packet := make([]byte, 100)
		packet[0], packet[20], packet[45] = 0x45, 6, 51 // AH around TCP
		if n, err := vm.Run(packet); err != nil || n != 0 {
			t.Errorf("passes %d bytes, %v", n, err)
		}
	})
}
