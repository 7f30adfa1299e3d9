package vip

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFrames compares with frames captured from keepalived 2.2.7.
func TestFrames(t *testing.T) {
	tests := []struct {
		name, ip string
		device   device
		to       string
		want     string
		padding  int // Ethernet's minimum, which keepalived leaves to the driver
	}{
		{
			"gratuitous ARP", "192.0.2.100", device{mac: net.HardwareAddr{0x1a, 0xb3, 0x3f, 0x1a, 0x01, 0xdc}}, "ff:ff:ff:ff:ff:ff",
			`ffffffffffff 1ab33f1a01dc 0806` + // broadcast
				`0001 0800 06 04 0001` + // Ethernet, IPv4, request
				`1ab33f1a01dc c0000264` + // sender: our MAC, the virtual address
				`ffffffffffff c0000264`, // target: broadcast MAC, the virtual address
			18,
		},
		{
			"unsolicited neighbour advertisement", "2001:db8::100", device{mac: net.HardwareAddr{0xea, 0x68, 0x1f, 0x22, 0x38, 0x6b}}, "33:33:00:00:00:01",
			`333300000001 ea681f22386b 86dd` +
				`60000000 0020 3a ff 20010db8000000000000000000000100 ff020000000000000000000000000001` + // hop limit 255, from the virtual address to all nodes
				`88 00 b737 20000000 20010db8000000000000000000000100` + // Override
				`02 01 ea681f22386b`, // target link-layer address
			0,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, to, err := frameFor(netip.MustParseAddr(tt.ip), tt.device)
			want := append(unhex(t, tt.want), make([]byte, tt.padding)...)
			if err != nil || to.String() != tt.to || !bytes.Equal(got, want) {
				t.Errorf("to %s, %v\n got %x\nwant %x", to, err, got, want)
			}
		})
	}
	router, _, err := frameFor(netip.MustParseAddr("2001:db8::1"), device{mac: make(net.HardwareAddr, 6), forwarding: true})
	if err != nil || router[14+40+4] != 0xa0 {
		t.Errorf("flags of a router are %#x, %v; want Router and Override", router[14+40+4], err)
	}
}

func TestState(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "VI_1"+StateSuffix)
	parts := []part{
		target{vrrp.Address{Prefix: netip.MustParsePrefix("192.0.2.100/24"), Label: "x"}, "absent0"},
		target{vrrp.Address{Prefix: netip.MustParsePrefix("2001:db8::1/128")}, "absent1"},
	}
	if err := writeState(path, "VI_1", parts); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(b), "192.0.2.100/24") || !strings.Contains(string(b), "absent1") {
		t.Fatalf("%s, %v", b, err)
	}
	// The devices do not exist: nothing to take off, and the file goes.
	if err := CleanupAll(dir); err != nil {
		t.Errorf("CleanupAll: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the state file is still there: %v", err)
	}
	if err := Cleanup(path); err != nil {
		t.Errorf("Cleanup without a file: %v", err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Cleanup(path); err == nil {
		t.Error("Cleanup accepts a file it cannot parse")
	}
}

func TestPrefixes(t *testing.T) {
	for _, s := range []string{"192.0.2.1/29", "192.0.2.1/32", "2001:db8::1/64", "fe80::1/128"} {
		p := netip.MustParsePrefix(s)
		if got, ok := prefixOf(ipNet(p)); !ok || got != p {
			t.Errorf("%s became %s", p, got)
		}
	}
}
