package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/inputs"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// lacking is a host on which everything is there but what it names.
type lacking struct {
	interfaces, modules, services []string
	held                          string // address that is on eth9
	tunnel, folder, kv            error
}

func lacks(list []string, name string) error {
	if slices.Contains(list, name) {
		return fmt.Errorf("no %s", name)
	}
	return nil
}

func (l lacking) Interface(name string) error { return lacks(l.interfaces, name) }
func (l lacking) Module(name string) error    { return lacks(l.modules, name) }
func (l lacking) Tunnel(lvs.Tunnel) error     { return l.tunnel }
func (l lacking) Folder(string) error         { return l.folder }
func (l lacking) Holder(_ *Config, a netip.Addr) string {
	if a.String() == l.held {
		return "eth9"
	}
	return ""
}
func (l lacking) Catalog(_ *Config, queries []discovery.Query) (map[discovery.Query]error, error) {
	failed := map[discovery.Query]error{}
	for _, q := range queries {
		failed[q] = lacks(l.services, strings.Trim(q.Service+" "+q.Datacenter, " "))
	}
	return failed, l.kv
}

const liveText = `consul {
  address = "127.0.0.1:8500"
}
file_catalog {
  path = "/etc/services.d"
}
ipvs {
  connection_sync {
    interface = "eth1"
  }
}
vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  virtual_address "192.0.2.1/24" {
    device = "eth2"
  }
}
virtual_server "web" {
  address   = "192.0.2.1:80"
  scheduler = "mh"
  forward   = "tun"
  service "web" {}
  tunnel {
    type = "gre"
  }
  fallback "dc2" {
    service "web" {
      datacenter = "dc2"
    }
  }
}
virtual_server "api" {
  address = "192.0.2.1:81"
  real_server "192.0.2.11" {}
}
`

func TestLive(t *testing.T) {
	name := filepath.Join(t.TempDir(), "live.hcl")
	write(t, name, []byte(liveText))
	no := errors.New("not to be had")
	for _, c := range []struct {
		name string
		host lacking
		want []string
	}{
		{"all is there", lacking{}, nil},
		{"interfaces", lacking{interfaces: []string{"eth0", "eth1", "eth2"}}, []string{
			"9:17: interface: no eth1", "13:23: interface: no eth0", "16:14: device: no eth2"}},
		{"an address that somebody else has put there", lacking{held: "192.0.2.1"}, []string{
			"15:19: virtual_address 192.0.2.1 is on eth9 of this host already, and not by a director: take it off there, or it stays when this host is a backup"}},
		{"IPVS: its schedulers are not asked for", lacking{modules: []string{"ip_vs", "ip_vs_mh"}}, []string{"19:16: IPVS: no ip_vs"}},
		{"a scheduler that is written", lacking{modules: []string{"ip_vs_mh"}}, []string{"21:15: scheduler: no ip_vs_mh"}},
		{"the scheduler that is the default", lacking{modules: []string{"ip_vs_wlc"}}, []string{"33:16: scheduler: no ip_vs_wlc"}},
		{"a tunnel", lacking{tunnel: no}, []string{"25:12: type: not to be had"}},
		{"the folder of the file catalog", lacking{folder: no}, []string{"5:10: path: not to be had"}},
		{"Consul", lacking{kv: no}, []string{"2:13: consul: not to be had"}},
		{"a service", lacking{services: []string{"web"}}, []string{`23:11: service "web": no web`}},
		{"a service of the fallback", lacking{services: []string{"web dc2"}}, []string{`28:13: service "web": no web dc2`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, err := LoadOn(name, inputs.New(nil), c.host)
			var got []string
			var list Error
			if errors.As(err, &list) {
				for _, d := range list {
					got = append(got, fmt.Sprintf("%d:%d: %s", d.Line, d.Column, d.Message))
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" || (cfg == nil) != (len(c.want) > 0) {
				t.Errorf("mistakes (-want +got), configuration %v:\n%s", cfg != nil, diff)
			}
		})
	}
	t.Run("a file with mistakes is not asked about", func(t *testing.T) {
		write(t, name, []byte(strings.Replace(liveText, `"mh"`, `"hm"`, 1)))
		_, err := LoadOn(name, inputs.New(nil), lacking{interfaces: []string{"eth0"}})
		if err == nil || strings.Contains(err.Error(), "eth0") {
			t.Errorf("got %v, want the mistake of the file only", err)
		}
	})
}
