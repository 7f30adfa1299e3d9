package agent

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSettings is what each way of forwarding needs of the kernel.
func TestSettings(t *testing.T) {
	const (
		redirects = "net/ipv4/conf/all/send_redirects=0 net/ipv4/conf/default/send_redirects=0 net/ipv4/conf/eth0/send_redirects=0"
		forward   = "net/ipv4/ip_forward=1"
		forward6  = "net/ipv6/conf/all/forwarding=1"
		v4, v6    = `address = "192.0.2.100:80"`, `address = "[2001:db8::100]:80"`
	)
	for _, tt := range []struct {
		name, ipvs, server, want string
	}{
		{"dr", "", v4 + "\nforward = \"dr\"\nreal_server \"192.0.2.1\" {}", redirects},
		{"dr, IPv6", "", v6 + "\nforward = \"dr\"\nreal_server \"2001:db8::1\" {}", redirects},
		{"nat", "", v4 + "\nforward = \"nat\"\nreal_server \"192.0.2.1\" {}", redirects + " " + forward},
		{"nat, IPv6", "", v6 + "\nforward = \"nat\"\nreal_server \"2001:db8::1\" {}", forward6},
		{"nat of one real server", "", v4 + "\nforward = \"tun\"\nreal_server \"192.0.2.1\" {\nforward = \"nat\"\n}", redirects + " " + forward},
		{"nat of the fallback", "", v4 + "\nforward = \"tun\"\nreal_server \"192.0.2.1\" {}\nfallback \"far\" {\nforward = \"nat\"\nreal_server \"192.0.2.2\" {}\n}", redirects + " " + forward},
		{"nat of the sorry server", "", v4 + "\nforward = \"tun\"\nreal_server \"192.0.2.1\" {}\nsorry_server \"192.0.2.2\" {\nforward = \"nat\"\n}", redirects + " " + forward},
		{"tun", "", v4 + "\nforward = \"tun\"\nreal_server \"192.0.2.1\" {}", ""},
		{"conntrack", "conntrack = true", v4 + "\nforward = \"tun\"\nreal_server \"192.0.2.1\" {}", "net/ipv4/vs/conntrack=1"},
		{"no conntrack", "conntrack = false", v4 + "\nforward = \"tun\"\nreal_server \"192.0.2.1\" {}", "net/ipv4/vs/conntrack=0"},
		{"left alone", "manage_sysctls = false", v4 + "\nforward = \"nat\"\nreal_server \"192.0.2.1\" {}", "none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := load(t, fmt.Sprintf(`
ipvs {
  %s
}
vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  virtual_address "192.0.2.100/24" {}
}
virtual_server "web" {
%s
}`, tt.ipvs, tt.server))
			var got []string
			for _, s := range settings(cfg) {
				got = append(got, s.name+"="+s.value)
			}
			want := append(strings.Fields(tt.want),
				"net/ipv4/vs/expire_nodest_conn=1", "net/ipv4/vs/expire_quiescent_template=1", "net/ipv4/vs/conn_reuse_mode=1")
			if tt.want == "none" {
				want = nil
			}
			if d := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
