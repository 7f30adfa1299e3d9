//go:build consul

package consul

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/test/consultest"
)

// at accepts answers with these ids and addresses.
func at(want ...string) func(discovery.Answer) bool {
	return func(a discovery.Answer) bool {
		var got []string
		for _, in := range a.Instances {
			got = append(got, in.ID+" "+in.Addr.String())
		}
		return a.Err == "" && strings.Join(got, ", ") == strings.Join(want, ", ")
	}
}

func TestRealServiceArguments(t *testing.T) {
	a := consultest.Start(t, consultest.Options{Config: map[string]any{"node_meta": map[string]string{"rack": "r1"}}})
	a.Register(service("web-1", func(s *api.AgentServiceRegistration) {
		s.Tags, s.Meta = []string{"v2"}, map[string]string{"color": "blue"}
		s.TaggedAddresses = map[string]api.ServiceAddress{"wan": {Address: "192.0.2.1", Port: 8080}}
		s.Checks = api.AgentServiceChecks{
			{CheckID: "ready", Name: "ready", TTL: "10m", Status: api.HealthPassing},
			{CheckID: "disk", Name: "disk", TTL: "10m", Status: api.HealthCritical},
		}
	}))
	client, err := NewClient(ClientConfig{Address: a.Addr})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Client.PreparedQuery().Create(&api.PreparedQueryDefinition{
		Name: "geo-web", Service: api.ServiceQuery{Service: "web", IgnoreCheckIDs: []string{"disk"}},
	}, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		q    discovery.Query
		ok   func(discovery.Answer) bool
	}{
		{"tagged address", discovery.Query{Tagged: "wan"}, at("web-1 192.0.2.1:8080")},
		{"node meta", discovery.Query{NodeMeta: "rack=r1"}, at("web-1 10.0.0.1:80")},
		{"other node meta", discovery.Query{NodeMeta: "rack=r2"}, at()},
		{"filter", discovery.Query{Filter: `"v2" in Service.Tags and Service.Meta.color == "blue"`}, at("web-1 10.0.0.1:80")},
		{"a filter that lets nobody pass", discovery.Query{Filter: `"v3" in Service.Tags`}, at()},
		{"a filter that is none", discovery.Query{Filter: "((("}, failing("boolean expression")},
		{"its own datacenter", discovery.Query{Datacenter: "dc1"}, at("web-1 10.0.0.1:80")},
		{"no such datacenter", discovery.Query{Datacenter: "dc9"}, failing("No path to datacenter")},
		{"no such peer", discovery.Query{Peer: "east"}, at()},
		{"near", discovery.Query{Near: "_agent"}, at("web-1 10.0.0.1:80")},
		{"all checks", discovery.Query{}, is("web-1 critical")},
		{"one check by name", discovery.Query{Checks: "ready"}, is("web-1 passing")},
		{"without one check", discovery.Query{Ignore: "disk"}, is("web-1 passing")},
		{"checks by type", discovery.Query{Checks: "type:ttl"}, is("web-1 critical")},
		{"prepared query", discovery.Query{Prepared: "geo-web", Poll: time.Second, Ignore: "disk"}, is("web-1 passing")},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.q.Service = "web"
			src := NewSource(Config{Client: client})
			src.Set([]discovery.Query{c.q})
			run(t, src.Run).next(c.name, c.ok)
		})
	}
}

func TestRealGateways(t *testing.T) {
	a := consultest.Start(t, consultest.Options{})
	a.Register(service("web-1"))
	for _, kind := range []api.ServiceKind{api.ServiceKindAPIGateway, api.ServiceKindIngressGateway, api.ServiceKindMeshGateway, api.ServiceKindTerminatingGateway} {
		a.Register(&api.AgentServiceRegistration{Kind: kind, Name: "my-" + string(kind), ID: string(kind) + "-1", Address: "10.0.1.1", Port: 8443})
	}
	var streams []*stream[discovery.Answer]
	kinds := []discovery.Gateway{discovery.APIGateway, discovery.IngressGateway, discovery.MeshGateway, discovery.TerminatingGateway}
	for _, g := range kinds {
		streams = append(streams, follow(t, ClientConfig{Address: a.Addr}, discovery.Query{Service: "web", Gateway: g}))
	}
	for i, g := range kinds {
		if g == discovery.MeshGateway {
			streams[i].next("the mesh gateway", at("mesh-gateway-1 10.0.1.1:8443"), at())
			continue
		}
		streams[i].next("no "+g.String()+" gateway yet", at())
	}
	for _, e := range []string{
		`{"Kind": "ingress-gateway", "Name": "my-ingress-gateway", "Listeners": [{"Port": 80, "Protocol": "tcp", "Services": [{"Name": "web"}]}]}`,
		`{"Kind": "terminating-gateway", "Name": "my-terminating-gateway", "Services": [{"Name": "*"}]}`,
		`{"Kind": "api-gateway", "Name": "my-api-gateway", "Listeners": [{"Name": "l", "Port": 80, "Protocol": "tcp"}]}`,
		`{"Kind": "tcp-route", "Name": "r", "Services": [{"Name": "web"}], "Parents": [{"Kind": "api-gateway", "Name": "my-api-gateway", "SectionName": "l"}]}`,
	} {
		if _, err := a.Client.Raw().Write("/v1/config", json.RawMessage(e), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	streams[0].next("the API gateway", at("api-gateway-1 10.0.1.1:8443"), at())
	streams[1].next("the ingress gateway", at("ingress-gateway-1 10.0.1.1:80"), at())
	streams[3].next("the terminating gateway", at("terminating-gateway-1 10.0.1.1:8443"), at())

	a.Register(&api.AgentServiceRegistration{Kind: api.ServiceKindIngressGateway, Name: "my-ingress-gateway", ID: "ingress-gateway-2", Address: "10.0.1.2", Port: 8443})
	streams[1].next("a second gateway", at("ingress-gateway-1 10.0.1.1:80", "ingress-gateway-2 10.0.1.2:80"))
	if _, err := a.Client.ConfigEntries().Delete(api.IngressGateway, "my-ingress-gateway", nil); err != nil {
		t.Fatal(err)
	}
	streams[1].next("a gateway that serves it no longer", at())
}
