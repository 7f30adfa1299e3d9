package agent

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// TestRegistrations is what the catalog should hold of a director, state by state.
func TestRegistrations(t *testing.T) {
	vip := netip.MustParseAddr("10.0.0.100")
	cfg := &config.Config{
		RouterID: "lvs1",
		Consul:   &config.Consul{Register: &config.Register{Service: "edgekeeper", VirtualAddress: true, Suffix: "-vip", Tags: []string{"prod"}}},
		VirtualServers: []discovery.Spec{
			{Name: "web", Service: lvs.Service{Key: lvs.Key{Addr: vip, Port: 80}}},
		},
	}
	healthy := func() control.Snapshot {
		srv := func(weight int) control.PoolServer {
			return control.PoolServer{ServerStatus: discovery.ServerStatus{Weight: weight}}
		}
		return control.Snapshot{
			VRRP: []control.Router{
				{Name: "VI_1", State: "MASTER", Addresses: []control.Address{{Prefix: netip.PrefixFrom(vip, 24)}}},
				{Name: "V 2!", State: "BACKUP", Addresses: []control.Address{{Prefix: netip.MustParsePrefix("10.0.0.101/24")}}},
			},
			Pools: []control.Pool{{Name: "web", Servers: []control.PoolServer{srv(1), srv(0)}}},
			IPVS:  control.IPVS{InSync: true},
		}
	}
	const (
		self     = "edgekeeper-lvs1 edgekeeper :0 [prod] passing: VI_1 MASTER, V 2! BACKUP"
		web      = "web-vip-lvs1 web-vip 10.0.0.100:80 [prod active] passing: VI_1 MASTER; 1 of 2 real servers serve"
		floating = "V-2--vip-lvs1-vrrp V-2--vip 10.0.0.101:0 [prod standby] passing: V 2! BACKUP"
	)
	for _, c := range []struct {
		name string
		edit func(*control.Snapshot)
		want []string
	}{
		{"all well", func(*control.Snapshot) {}, []string{self, web, floating}},
		{"backup", func(s *control.Snapshot) { s.VRRP[0].State = "BACKUP" }, []string{
			"edgekeeper-lvs1 edgekeeper :0 [prod] passing: VI_1 BACKUP, V 2! BACKUP",
			"web-vip-lvs1 web-vip 10.0.0.100:80 [prod standby] passing: VI_1 BACKUP; 1 of 2 real servers serve", floating,
		}},
		{"fault", func(s *control.Snapshot) { s.VRRP[0].State = "FAULT" }, []string{
			"edgekeeper-lvs1 edgekeeper :0 [prod] critical: VI_1 FAULT, V 2! BACKUP",
			"web-vip-lvs1 web-vip 10.0.0.100:80 [prod] critical: VI_1 FAULT; 1 of 2 real servers serve", floating,
		}},
		{"nothing serves", func(s *control.Snapshot) { s.Pools[0].Servers[0].Weight = 0 }, []string{
			self, "web-vip-lvs1 web-vip 10.0.0.100:80 [prod active] critical: VI_1 MASTER; 0 of 2 real servers serve", floating,
		}},
		{"held", func(s *control.Snapshot) { s.Pools[0].Held = "why" }, []string{
			"edgekeeper-lvs1 edgekeeper :0 [prod] warning: VI_1 MASTER, V 2! BACKUP; pool web is HELD: why",
			"web-vip-lvs1 web-vip 10.0.0.100:80 [prod active] warning: VI_1 MASTER; 1 of 2 real servers serve, HELD: why", floating,
		}},
		{"repaired drift is no reason to warn", func(s *control.Snapshot) { s.IPVS.LastDrift = "gone" }, []string{self, web, floating}},
		{"the table is behind", func(s *control.Snapshot) { s.IPVS.InSync = false }, []string{
			"edgekeeper-lvs1 edgekeeper :0 [prod] critical: VI_1 MASTER, V 2! BACKUP", web, floating,
		}},
		{"not decided yet", func(s *control.Snapshot) { s.Pools = nil }, []string{
			self, floating,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := healthy()
			c.edit(&s)
			var got []string
			for _, x := range registrations(cfg, s) {
				addr := ""
				if x.Address.IsValid() {
					addr = x.Address.String()
				}
				got = append(got, fmt.Sprintf("%s %s %s:%d %v %s: %s", x.ID, x.Name, addr, x.Port, x.Tags, x.State, x.Output))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("registrations (-want +got):\n%s", diff)
			}
		})
	}
	cfg.Consul.Register.VirtualAddress = false
	if got := registrations(cfg, healthy()); len(got) != 1 {
		t.Errorf("registered %v, want the director alone", got)
	}
}
