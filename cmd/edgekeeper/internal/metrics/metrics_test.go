package metrics_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/metrics"
	"github.com/edgekeeper/edgekeeper/discovery"
)

func snapshot(servers ...control.PoolServer) metrics.Source {
	return func(context.Context) (control.Snapshot, error) {
		return control.Snapshot{
			VRRP: []control.Router{{
				Name: "VI_1", State: "MASTER", Priority: 100, Sent: 7, Dropped: map[string]uint64{"auth": 2},
				Addresses: []control.Address{{Prefix: netip.MustParsePrefix("10.0.0.1/24"), Present: true}},
			}},
			Pools:   []control.Pool{{Name: "web", Held: "why", Servers: servers}},
			IPVS:    control.IPVS{InSync: true, Ops: map[string]uint64{"add-dest": 4}, Drift: 1},
			Sources: []control.SourceStatus{{Source: "consul", Query: "service web", Instances: 2, Error: "403"}},
		}, nil
	}
}

func server(addr string) control.PoolServer {
	return control.PoolServer{
		ServerStatus: discovery.ServerStatus{Addr: netip.MustParseAddrPort(addr), State: discovery.Serving},
		Kernel:       &control.KernelDest{Weight: 5, Active: 2},
	}
}

func TestSeriesFollowTheSnapshot(t *testing.T) {
	r := metrics.New(snapshot(server("10.0.0.4:80")))
	want := `
# HELP edgekeeper_server_weight Weight in the kernel's table.
# TYPE edgekeeper_server_weight gauge
edgekeeper_server_weight{pool="web",remote_address="10.0.0.4",remote_port="80"} 5
# HELP edgekeeper_vrrp_state 1 for the state the VRRP instance is in.
# TYPE edgekeeper_vrrp_state gauge
edgekeeper_vrrp_state{instance="VI_1",state="BACKUP"} 0
edgekeeper_vrrp_state{instance="VI_1",state="FAULT"} 0
edgekeeper_vrrp_state{instance="VI_1",state="INIT"} 0
edgekeeper_vrrp_state{instance="VI_1",state="MASTER"} 1
# HELP edgekeeper_source_up Whether the source of the query answers.
# TYPE edgekeeper_source_up gauge
edgekeeper_source_up{query="service web",source="consul"} 0
`
	if err := testutil.GatherAndCompare(r, strings.NewReader(want), "edgekeeper_server_weight", "edgekeeper_vrrp_state", "edgekeeper_source_up"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(metrics.New(snapshot()), "edgekeeper_server_weight"); err != nil || n != 0 {
		t.Errorf("%d series of a server that is gone (%v)", n, err)
	}
}

func TestLint(t *testing.T) {
	problems, err := testutil.GatherAndLint(metrics.New(snapshot(server("10.0.0.4:80"))))
	if err != nil {
		t.Fatal(err)
	}

	if len(problems) > 0 {
		t.Errorf("promlint: %v", problems)
	}
}
