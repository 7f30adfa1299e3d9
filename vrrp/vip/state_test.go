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
}

// TestDamagedState: what does not tell an address is not carried out, but set
// aside, and is in nobody's way after that.
func TestDamagedState(t *testing.T) {
	for _, text := range []string{
		"", "{", "null", "[]", `{"instance": 1}`, "\x00\x00\x00",
		`{"instance": "VI_1", "addresses": [{}]}`,
		`{"instance": "VI_1", "addresses": [{"device": "lo", "prefix": ""}]}`,
		`{"instance": "VI_1", "addresses": [{"device": "lo", "prefix": "0.0.0.0/0"}]}`,
		`{"instance": "VI_1", "addresses": [{"device": "", "prefix": "192.0.2.1/24"}]}`,
		`{"instance": "VI_1", "addresses": [], "vmacs": [{}]}`,
		`{"instance": "VI_1", "addresses": [], "denied": [""]}`,
		`{"instance": "VI_1", "addresses": [], "routes": [{}]}`,
		`{"instance": "VI_1", "addresses": [], "rules": [{}]}`,
		`{"addresses": []}`,
	} {
		path := filepath.Join(t.TempDir(), "VI_1"+StateSuffix)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := CleanupAll(filepath.Dir(path)); !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", text, err)
		}
		if b, err := os.ReadFile(path + UnreadableSuffix); err != nil || string(b) != text {
			t.Errorf("%s: set aside is %s, %v", text, b, err)
		}
		if err := CleanupAll(filepath.Dir(path)); err != nil {
			t.Errorf("%s: again: %v", text, err)
		}
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
