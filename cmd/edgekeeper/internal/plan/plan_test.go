package plan_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/plan"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

func load(t *testing.T, text string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.hcl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func lines(list []control.PlanChange) []string {
	var out []string
	for _, c := range list {
		out = append(out, strings.TrimRight(c.Verb+" "+c.Kind+" "+c.Object+": "+c.Text, ": "))
	}
	return out
}

const before = `
vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  authentication {
    type   = "pass"
    secret = "5525"
  }
  virtual_address "10.0.0.1/24" {}
  virtual_address "10.0.0.2/24" {}
}
vrrp "VI_2" {
  interface         = "eth1"
  virtual_router_id = 52
  virtual_address "10.1.0.1/24" {}
}
`

const after = `
on_stop = "keep"
vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  priority          = 150
  authentication {
    type   = "pass"
    secret = "other"
  }
  virtual_address "10.0.0.1/24" {}
  virtual_address "10.0.0.3/24" {}
}
vrrp "VI_3" {
  interface         = "eth1"
  virtual_router_id = 53
  virtual_address "10.1.0.1/24" { device = "eth2" }
}
`

func TestConfigs(t *testing.T) {
	a, b := load(t, before), load(t, after)
	want := []string{
		"change vrrp VI_1: priority 100 -> 150, authentication, addresses",
		"add vrrp VI_3",
		"remove vrrp VI_2",
		"add address 10.0.0.3/24: on eth0, while this host is master of VI_1",
		"change address 10.1.0.1/24: was 10.1.0.1/24 on eth1 of VI_2, is on eth2 of VI_3",
		"remove address 10.0.0.2/24: is taken off eth0",
		"change setting on_stop",
	}
	if diff := cmp.Diff(want, lines(plan.Configs(a, b, map[string]bool{"VI_1": true}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := plan.Configs(a, load(t, before), nil); len(got) != 0 {
		t.Errorf("equal configurations differ: %v", lines(got))
	}
	if got := lines(plan.Configs(nil, a, nil)); len(got) != 5 {
		t.Errorf("a start changes %q, want 2 instances and 3 addresses", got)
	}
}

// TestPools: the planned operations are those that make the kernel's table equal
// to what is wanted, and none where it is.
func TestPools(t *testing.T) {
	cfg := load(t, `
virtual_server "web" {
  address = "10.0.0.1:80"
  forward = "nat"
  real_server "10.0.1.1:80" { weight = 2 }
  real_server "10.0.1.2:80" {}
}
virtual_server "checked" {
  address = "10.0.0.1:81"
  forward = "nat"
  real_server "10.0.1.3:81" {}
  check "tcp" {}
}
`)
	key := cfg.VirtualServers[0].Service.Key
	old := lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddr("10.0.0.9"), Port: 80}
	foreign := lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddr("10.0.0.10"), Port: 80}
	service := cfg.VirtualServers[0].Service
	have := lvs.Table{
		key: lvs.NewPool(service,
			lvs.Dest{Addr: netip.MustParseAddrPort("10.0.1.1:80"), Weight: 1, Forward: lvs.NAT},
			lvs.Dest{Addr: netip.MustParseAddrPort("10.0.1.9:80"), Weight: 1, Forward: lvs.NAT}),
		old:     lvs.NewPool(lvs.Service{Key: old, Scheduler: "rr"}),
		foreign: lvs.NewPool(lvs.Service{Key: foreign, Scheduler: "rr"}),
	}
	view := discovery.View{Now: time.Unix(1000, 0)}
	changes, notes := plan.Pools(cfg.VirtualServers, view, nil, have, map[lvs.Key]bool{old: true})
	text := strings.Join(lines(changes), "\n")
	for _, want := range []string{"add ipvs", "10.0.1.2:80", "weight 1 -> 2", "remove ipvs", "10.0.0.1:81"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "10.0.0.10") {
		t.Errorf("touches what is not ours:\n%s", text)
	}
	if all := strings.Join(notes, "\n"); !strings.Contains(all, "checked: 10.0.1.3:81 enters with its first verdict") || !strings.Contains(all, "drains first") {
		t.Errorf("notes: %q", notes)
	}
}
