//go:build consul

package agent_test

import (
	"fmt"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/test/consultest"
)

// TestCatalogThroughToTheTable does to one of three real servers what people do
// to services in Consul. After each step the table is the right one, and no
// operation on the way was on another real server.
func TestCatalogThroughToTheTable(t *testing.T) {
	a := consultest.Start(t, consultest.Options{})
	agent := a.Client.Agent()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	register := func(n int, change func(*api.AgentServiceRegistration)) {
		t.Helper()
		r := &api.AgentServiceRegistration{
			Name: "web", ID: fmt.Sprintf("web-%d", n), Address: fmt.Sprintf("10.0.0.%d", n), Port: 80, Tags: []string{"prod"},
			Weights: &api.AgentWeights{Passing: 10, Warning: 3},
			Check:   &api.AgentServiceCheck{CheckID: fmt.Sprintf("alive-%d", n), TTL: "10m", Status: api.HealthPassing},
		}
		if change != nil {
			change(r)
		}
		must(agent.ServiceRegister(r))
	}
	for n := range 2 {
		register(n+1, nil)
	}
	s := growing{newSite(t)}
	s.write("director.hcl", fmt.Sprintf(`
router_id = "lvs1"
state_dir = "%[1]s/state"
control { socket = "%[1]s/sock" }
ipvs { manage_sysctls = false }
consul { address = %[2]q }
virtual_server "web" {
  address = "127.0.0.1:80"
  forward = "nat"
  service "web" { tags = ["prod"] }
}`, s.dir, a.Addr))
	s.start()
	const others = "10.0.0.1:10 10.0.0.2:10"
	s.becomes("at the start", others)

	kv := func(key, value string) {
		t.Helper()
		_, err := a.Client.KV().Put(&api.KVPair{Key: "edgekeeper/" + key, Value: []byte(value)}, nil)
		must(err)
	}
	status := func(s string) { t.Helper(); must(agent.UpdateTTL("alive-3", "output", s)) }
	for _, step := range []struct {
		what  string
		do    func()
		after string // of the third real server; empty: it is not there
	}{
		{"registered", func() { register(3, nil) }, "10"},
		{"critical", func() { status(api.HealthCritical) }, "0"},
		{"passing", func() { status(api.HealthPassing) }, "10"},
		{"warning", func() { status(api.HealthWarning) }, "3"},
		{"passing again", func() { status(api.HealthPassing) }, "10"},
		{"meta", func() {
			register(3, func(r *api.AgentServiceRegistration) { r.Meta = map[string]string{"edgekeeper_weight": "7"} })
		}, "7"},
		{"KV", func() { kv("weight/web/web-3", "42") }, "42"},
		{"drained", func() { kv("drain/web/web-3", "patch day") }, "0"},
		{"undrained", func() {
			_, err := a.Client.KV().Delete("edgekeeper/drain/web/web-3", nil)
			must(err)
		}, "42"},
		{"KV deleted", func() {
			_, err := a.Client.KV().DeleteTree("edgekeeper/", nil)
			must(err)
		}, "7"},
		{"in maintenance", func() { must(agent.EnableServiceMaintenance("web-3", "patch day")) }, ""},
		{"out of maintenance", func() { must(agent.DisableServiceMaintenance("web-3")) }, "7"},
		{"without its tag", func() { register(3, func(r *api.AgentServiceRegistration) { r.Tags = nil }) }, ""},
		{"with its tag", func() { register(3, nil) }, "10"},
		{"deregistered", func() { must(agent.ServiceDeregister("web-3")) }, ""},
	} {
		step.do()
		want := others
		if step.after != "" {
			want += " 10.0.0.3:" + step.after
		}
		s.eventually(step.what+": table "+want, func() bool { return s.held() == want })
		for _, op := range s.kernel.Ops() {
			if op.Dest.Addr.Addr().String() != "10.0.0.3" {
				t.Errorf("%s: on the way, %s", step.what, op)
			}
		}
	}
	// Node maintenance takes all of them, and is an order: nobody is held.
	must(agent.EnableNodeMaintenance("kernel"))
	s.eventually("the node is in maintenance", func() bool { return s.held() == "" && s.snapshot().Pools[0].Held == "" })
	must(agent.DisableNodeMaintenance())
	s.eventually("the node is back", func() bool { return s.held() == others })
	s.stop()
}
