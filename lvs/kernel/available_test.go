//go:build linux

package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAvailable(t *testing.T) {
	top, dir := t.TempDir(), t.TempDir()
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(top, "sys/module/ip_vs_rr/refcnt"), "0\n")
	write(filepath.Join(dir, "modules.builtin"), "kernel/net/netfilter/ipvs/ip_vs_wrr.ko\n")
	write(filepath.Join(dir, "modules.dep"), "kernel/net/netfilter/ipvs/ip_vs_sh.ko.xz: kernel/net/netfilter/ipvs/ip_vs_twos.ko.xz\n")
	for _, c := range []struct {
		name, module, dir string
		want              string // of the error; empty: available
	}{
		{"loaded", "ip_vs_rr", dir, ""},
		{"built in", "ip_vs_wrr", dir, ""},
		{"to be loaded", "ip_vs_sh", dir, ""},
		{"only named as a dependency", "ip_vs_twos", dir, "neither loaded nor in"},
		{"loaded, in a container without modules", "ip_vs_rr", filepath.Join(dir, "no"), ""},
		{"not loaded, in a container without modules", "ip_vs_sh", filepath.Join(dir, "no"), "is not there to load it from"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := available(c.module, top, c.dir)
			if (err == nil) != (c.want == "") || err != nil && (!errors.Is(err, ErrNoModule) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	write(filepath.Join(top, "proc/net/ip_vs"), "")
	if err := available("ip_vs", top, filepath.Join(dir, "no")); err != nil {
		t.Errorf("IPVS that shows in /proc: %v", err)
	}
}
