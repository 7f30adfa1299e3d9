package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
)

// load reads a configuration.
func load(t *testing.T, text string) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "director.hcl")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

const withVMAC = `
vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  vmac {}
  virtual_address "192.0.2.100/24" {}
}
vrrp "VI_6" {
  interface         = "eth1"
  virtual_router_id = 51
  vmac {}
  virtual_address "2001:db8::100/64" {}
}
`

func TestVMACSettings(t *testing.T) {
	want := []setting{{"net/ipv4/conf/eth0/arp_ignore", "1"}, {"net/ipv4/conf/eth0/arp_announce", "2"}}
	if got := settings(load(t, withVMAC)); !cmp.Equal(got, want, cmp.AllowUnexported(setting{})) {
		t.Errorf("settings %v, want %v: IPv4 only, and without virtual servers too", got, want)
	}
	none := strings.ReplaceAll(withVMAC, "vmac {}", "")
	if got := settings(load(t, none)); len(got) > 0 {
		t.Errorf("settings without VMAC: %v", got)
	}
}

// TestReversePath: strict filtering on "all" moves to the interfaces while there
// is a VMAC, and back.
func TestReversePath(t *testing.T) {
	for _, tt := range []struct {
		name       string
		before     map[string]string // rp_filter by interface
		with, then map[string]string
	}{
		{
			"strict",
			map[string]string{"all": "1", "default": "0", "eth0": "0", "eth1": "2", "vrrp.51": "0"},
			map[string]string{"all": "0", "default": "1", "eth0": "1", "eth1": "2", "vrrp.51": "0"},
			map[string]string{"all": "1", "default": "0", "eth0": "0", "eth1": "2", "vrrp.51": "0"},
		},
		{
			"loose",
			map[string]string{"all": "2", "default": "0", "eth0": "0"},
			map[string]string{"all": "2", "default": "0", "eth0": "0"},
			map[string]string{"all": "2", "default": "0", "eth0": "0"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			for device, value := range tt.before {
				for name, v := range map[string]string{"rp_filter": value, "arp_ignore": "0", "arp_announce": "0"} {
					path := filepath.Join(root, "net/ipv4/conf", device, name)
					if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(path, []byte(v+"\n"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			have := func() map[string]string {
				out := map[string]string{}
				for device := range tt.before {
					b, err := os.ReadFile(filepath.Join(root, "net/ipv4/conf", device, "rp_filter"))
					if err != nil {
						t.Fatal(err)
					}
					out[device] = strings.TrimSpace(string(b))
				}
				return out
			}
			k := &dataplane{event: func(_, object, text string) { t.Errorf("%s: %s", object, text) }}
			var err error
			if k.tuned, err = openSysctls(root, filepath.Join(t.TempDir(), "sysctls.json")); err != nil {
				t.Fatal(err)
			}
			cfg := load(t, withVMAC)
			for range 2 { // a reload changes nothing
				k.tune(cfg)
				if diff := cmp.Diff(tt.with, have()); diff != "" {
					t.Fatalf("with a VMAC (-want +got):\n%s", diff)
				}
			}
			k.tune(load(t, strings.ReplaceAll(withVMAC, "vmac {}", "")))
			if diff := cmp.Diff(tt.then, have()); diff != "" {
				t.Errorf("without it again (-want +got):\n%s", diff)
			}
			k.tune(cfg)
			if err := k.close(t.Context(), false); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tt.then, have()); diff != "" {
				t.Errorf("after a stop that keeps the virtual servers (-want +got):\n%s", diff)
			}
		})
	}
}

// TestInsist: a device that comes late, or is replaced, gets its settings.
func TestInsist(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "net/ipv4/conf/eth0")
	appear := func() {
		t.Helper()
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"arp_ignore", "arp_announce"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("0\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := func(ignore, announce string) {
		t.Helper()
		for name, value := range map[string]string{"arp_ignore": ignore, "arp_announce": announce} {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || strings.TrimSpace(string(b)) != value {
				t.Errorf("%s is %q, %v; want %s", name, b, err, value)
			}
		}
	}
	var events []string
	k := &dataplane{event: func(_, object, text string) { events = append(events, object+": "+text) }}
	var err error
	if k.tuned, err = openSysctls(root, filepath.Join(t.TempDir(), "sysctls.json")); err != nil {
		t.Fatal(err)
	}
	cfg := load(t, withVMAC)
	k.tune(cfg)
	k.tuned.insist(cfg, k.event) // still without eth0
	for range 2 {
		appear()
		k.tuned.insist(cfg, k.event)
		want("1", "2")
	}
	k.tuned.insist(cfg, k.event)
	if len(events) != 4 {
		t.Errorf("events %q, want one for each setting each time", events)
	}
	if d := k.tuned.sysctl.Verify(); len(d) > 0 || len(k.tuned.failed) > 0 {
		t.Errorf("deviations %v, failed %v", d, k.tuned.failed)
	}
	k.tune(load(t, strings.ReplaceAll(withVMAC, "vmac {}", "")))
	want("0", "0")
}
