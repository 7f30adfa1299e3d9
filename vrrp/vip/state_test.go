package vip

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

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
