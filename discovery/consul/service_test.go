package consul

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/test/consulstub"
)

func TestSelectedChecks(t *testing.T) {
	typed := func(id, name, kind, status string) *api.HealthCheck {
		return &api.HealthCheck{CheckID: id, Name: name, Type: kind, Status: status, Output: "says"}
	}
	checks := api.HealthChecks{
		typed("serfHealth", "Serf Health Status", "", api.HealthPassing),
		typed("service:web-1:1", "ready", "http", api.HealthPassing),
		typed("service:web-1:2", "disk", "script", api.HealthCritical),
		nil,
	}
	lost := append(api.HealthChecks{typed("serfHealth", "Serf Health Status", "", api.HealthCritical)}, checks[1:]...)
	maintained := append(api.HealthChecks{{CheckID: api.NodeMaint, Name: "Node Maintenance Mode", Status: api.HealthCritical, Notes: "kernel"}}, checks...)
	for _, c := range []struct {
		name           string
		checks         api.HealthChecks
		wanted, ignore []string
		state          discovery.State
		reason         string
	}{
		{"all", checks, nil, nil, discovery.Critical, "check disk: says"},
		{"one by name", checks, []string{"ready"}, nil, discovery.Passing, ""},
		{"one by id", checks, []string{"service:web-1:2"}, nil, discovery.Critical, "check disk: says"},
		{"one by type", checks, []string{"type:http"}, nil, discovery.Passing, ""},
		{"all but a name", checks, nil, []string{"disk"}, discovery.Passing, ""},
		{"all but a type", checks, nil, []string{"type:script"}, discovery.Passing, ""},
		{"a type is no name", checks, nil, []string{"script"}, discovery.Critical, "check disk: says"},
		{"a lost node counts", lost, []string{"ready"}, nil, discovery.Critical, "check Serf Health Status: says"},
		{"unless it is ignored", lost, []string{"ready"}, []string{"serfHealth"}, discovery.Passing, ""},
		{"maintenance always counts", maintained, []string{"ready"}, []string{"_node_maintenance"}, discovery.Maintenance, "check Node Maintenance Mode: kernel"},
		{"no such check", checks, []string{"alive", "type:tcp"}, nil, discovery.Critical, "it has none of the checks alive, type:tcp"},
		{"ignored and wanted", checks, []string{"type:script"}, []string{"disk"}, discovery.Critical, "it has none of the checks type:script"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := discovery.Query{Checks: discovery.Lines(c.wanted), Ignore: discovery.Lines(c.ignore)}
			if state, reason := judgeSelected(q, c.checks); state != c.state || reason != c.reason {
				t.Errorf("judged %v, %q; want %v, %q", state, reason, c.state, c.reason)
			}
		})
	}
}

// TestQueryArguments: what a query names reaches Consul with each kind of request,
// also what only Consul Enterprise knows.
func TestQueryArguments(t *testing.T) {
	all := discovery.Query{
		Service: "web", Datacenter: "dc2", Namespace: "shop", Partition: "edge", Peer: "east", Filter: `"v2" in Service.Tags`, Near: "_agent",
		NodeMeta: discovery.Lines([]string{"rack=r1", "zone=z1"}),
	}
	node, prepared := all, all
	node.Service, node.Node, node.NodeMeta = "", "n1", ""
	prepared.Prepared, prepared.Poll = "geo-web", time.Second
	for _, c := range []struct {
		path string
		q    discovery.Query
		meta []string
	}{
		{"/v1/health/service/web", all, []string{"rack:r1", "zone:z1"}},
		{"/v1/health/node/n1", node, nil},
		{"/v1/query/geo-web/execute", prepared, []string{"rack:r1", "zone:z1"}},
	} {
		var asked *http.Request
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = r
			w.Header().Set("X-Consul-Index", "5")
			w.Header().Set("X-Consul-KnownLeader", "true")
			http.Error(w, "no", http.StatusInternalServerError)
		}))
		client, err := NewClient(ClientConfig{Address: srv.URL})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := NewSource(Config{Client: client}).read(t.Context(), c.q, (&api.QueryOptions{}).WithContext(t.Context())); err == nil {
			t.Errorf("%s: status 500 is no error", c.path)
		}
		srv.Close()
		if asked == nil || asked.URL.Path != c.path {
			t.Fatalf("%s was not asked: %v", c.path, asked)
		}
		want := url.Values{
			"dc": {"dc2"}, "ns": {"shop"}, "partition": {"edge"}, "peer": {"east"}, "filter": {`"v2" in Service.Tags`}, "near": {"_agent"},
		}
		if c.meta != nil {
			want["node-meta"] = c.meta
		}
		got := asked.URL.Query()
		slices.Sort(got["node-meta"])
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.path, diff)
		}
	}
}

func TestTaggedAddress(t *testing.T) {
	entry := func(edit func(*api.ServiceEntry)) *api.ServiceEntry {
		e := consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80)
		e.Node.TaggedAddresses = map[string]string{"lan": "10.0.0.1", "wan": "192.0.2.1"}
		e.Service.TaggedAddresses = map[string]api.ServiceAddress{
			"virtual": {Address: "240.0.0.1", Port: 81}, "lan_ipv6": {Address: "fd00::1"},
		}
		edit(e)
		return e
	}
	for _, c := range []struct {
		name, tag, want string
		edit            func(*api.ServiceEntry)
	}{
		{"of the service, with its port", "virtual", "240.0.0.1:81", func(*api.ServiceEntry) {}},
		{"of the service, without one", "lan_ipv6", "[fd00::1]:80", func(*api.ServiceEntry) {}},
		{"of the node", "wan", "192.0.2.1:80", func(*api.ServiceEntry) {}},
		{"not of the node where the service has an address", "wan", `service "web-1" on node "n1" has no tagged address "wan"`, func(e *api.ServiceEntry) { e.Service.Address = "10.0.0.9" }},
		{"none", "rack", `service "web-1" on node "n1" has no tagged address "rack"`, func(*api.ServiceEntry) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := instance(discovery.Query{Tagged: c.tag}, entry(c.edit))
			got := in.Addr.String()
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// asks runs a bubble on another query than web.
func asks(t *testing.T, q discovery.Query, before func(*consulstub.Stub), f func(*consulstub.Stub, *record[discovery.Answer])) {
	bubble(t, Config{}, before, func(stub *consulstub.Stub, src *Source, got *record[discovery.Answer]) {
		got.take()
		src.Set([]discovery.Query{q})
		synctest.Wait()
		f(stub, got)
	})
}

func TestPreparedQuery(t *testing.T) {
	q := discovery.Query{Service: "web", Prepared: "geo-web", Poll: 10 * time.Second}
	one := consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80)
	two := consulstub.Entry("web", "web-2", "n2", "10.0.0.2", 80)
	asks(t, q, empty, func(stub *consulstub.Stub, got *record[discovery.Answer]) {
		expect(t, got, "error status 404: Query not found")
		stub.SetPrepared("geo-web", "web", one)
		time.Sleep(20 * time.Second)
		expect(t, got, "web-1 passing")
		before := len(stub.Requests())
		time.Sleep(10 * time.Minute)
		expect(t, got)
		if n := len(stub.Requests()) - before; n < 55 || n > 61 {
			t.Errorf("%d executions in ten minutes, want one in ten seconds", n)
		}
		stub.SetPrepared("geo-web", "web", one, two)
		time.Sleep(11 * time.Second)
		expect(t, got, "web-1 passing, web-2 passing")
		stub.SetPrepared("geo-web", "db", two)
		time.Sleep(11 * time.Second)
		expect(t, got, `error execute prepared query "geo-web": it is for service "db", and not for "web"`)
		stub.SetFault(consulstub.Anonymous)
		stub.SetPrepared("geo-web", "web")
		time.Sleep(11 * time.Second)
		if all := got.take(); len(all) != 1 || all[0].Err == "" {
			t.Errorf("an answer emptied by ACLs: %q", say(all))
		}
	})
}

func TestGateways(t *testing.T) {
	gateway := func(kind api.ServiceKind, name string, n string) *api.ServiceEntry {
		e := consulstub.Entry(name, name+"-"+n, "n"+n, "10.0.1."+n, 8443)
		e.Service.Kind = kind
		return e
	}
	addresses := func(answers []discovery.Answer) string {
		var out []string
		for _, a := range answers {
			if a.Err != "" {
				out = append(out, "error "+a.Err)
				continue
			}
			var all []string
			for _, in := range a.Instances {
				all = append(all, in.ID+" "+in.Addr.String())
			}
			out = append(out, strings.Join(all, ", "))
		}
		return strings.Join(out, "; ")
	}
	want := func(t *testing.T, got *record[discovery.Answer], want string) {
		t.Helper()
		time.Sleep(time.Second)
		synctest.Wait()
		if diff := cmp.Diff(want, addresses(got.take())); diff != "" {
			t.Fatalf("emitted (-want +got):\n%s", diff)
		}
	}
	none := func(t *testing.T, got *record[discovery.Answer]) {
		t.Helper()
		time.Sleep(time.Second)
		synctest.Wait()
		if all := got.take(); len(all) > 0 {
			t.Fatalf("emitted %q", addresses(all))
		}
	}
	t.Run("ingress", func(t *testing.T) {
		q := discovery.Query{Service: "web", Gateway: discovery.IngressGateway}
		asks(t, q, empty, func(stub *consulstub.Stub, got *record[discovery.Answer]) {
			if all := got.take(); len(all) != 1 || len(all[0].Instances) != 0 || all[0].Err != "" {
				t.Fatalf("no gateways: %q", say(all))
			}
			stub.SetService("edge", gateway(api.ServiceKindIngressGateway, "edge", "1"))
			none(t, got) // it serves nothing yet
			stub.SetConfig("ingress-gateway", `[{"Name": "edge", "Listeners": [{"Port": 81, "Services": [{"Name": "db"}]}, {"Port": 80, "Services": [{"Name": "web"}]}]}]`)
			want(t, got, "edge-1 10.0.1.1:80")
			stub.SetService("edge", gateway(api.ServiceKindIngressGateway, "edge", "1"), gateway(api.ServiceKindIngressGateway, "edge", "2"))
			want(t, got, "edge-1 10.0.1.1:80, edge-2 10.0.1.2:80")
			stub.SetService("other", gateway(api.ServiceKindIngressGateway, "other", "3"))
			stub.SetConfig("ingress-gateway", `[{"Name": "edge", "Listeners": [{"Port": 80, "Services": [{"Name": "*"}]}]}, {"Name": "other", "Listeners": [{"Port": 80, "Services": [{"Name": "web"}]}]}]`)
			want(t, got, "edge-1 10.0.1.1:80, edge-2 10.0.1.2:80, other-3 10.0.1.3:80")
			stub.SetFault(consulstub.Status500)
			time.Sleep(10 * time.Second)
			if all := got.take(); addresses(all) != "error status 500: No cluster leader" {
				t.Fatalf("in trouble: %q", addresses(all))
			}
			stub.SetFault(consulstub.None)
			time.Sleep(time.Minute)
			want(t, got, "edge-1 10.0.1.1:80, edge-2 10.0.1.2:80, other-3 10.0.1.3:80")
			stub.SetConfig("ingress-gateway", `[{"Name": "other", "Listeners": [{"Port": 80, "Services": [{"Name": "web"}]}]}]`)
			want(t, got, "other-3 10.0.1.3:80")
			before := len(stub.Requests())
			time.Sleep(time.Hour)
			if n := len(stub.Requests()) - before; n > 200 {
				t.Errorf("%d requests in an hour without changes", n)
			}
		})
	})
	t.Run("api", func(t *testing.T) {
		q := discovery.Query{Service: "web", Gateway: discovery.APIGateway}
		asks(t, q, func(stub *consulstub.Stub) {
			stub.SetService("edge", gateway(api.ServiceKindAPIGateway, "edge", "1"))
			stub.SetConfig("bound-api-gateway", `[{"Name": "edge", "Listeners": [{"Name": "l"}], "Services": {"web": [{"Kind": "tcp-route", "Name": "r"}]}}, {"Name": "idle", "Services": {}}]`)
		}, func(_ *consulstub.Stub, got *record[discovery.Answer]) { want(t, got, "edge-1 10.0.1.1:8443") })
	})
	t.Run("terminating", func(t *testing.T) {
		q := discovery.Query{Service: "web", Gateway: discovery.TerminatingGateway}
		asks(t, q, func(stub *consulstub.Stub) {
			stub.SetService("out", gateway(api.ServiceKindTerminatingGateway, "out", "1"))
			stub.SetConfig("terminating-gateway", `[{"Name": "out", "Services": [{"Name": "web"}]}, {"Name": "idle", "Services": [{"Name": "db"}]}]`)
		}, func(_ *consulstub.Stub, got *record[discovery.Answer]) { want(t, got, "out-1 10.0.1.1:8443") })
	})
	t.Run("mesh", func(t *testing.T) {
		q := discovery.Query{Service: "web", Gateway: discovery.MeshGateway}
		asks(t, q, func(stub *consulstub.Stub) {
			stub.SetService("mesh", gateway(api.ServiceKindMeshGateway, "mesh", "1"))
			stub.SetService("web", consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80))
		}, func(_ *consulstub.Stub, got *record[discovery.Answer]) { want(t, got, "mesh-1 10.0.1.1:8443") })
	})
}

// TestServerThatHasNotCaughtUp: after a loss of the leader, a server that was away
// knows the new leader before it knows what it has missed, and answers stale
// reads with what it had. A leader that has just been started does the same with
// default reads until it has read its own log to the end.
func TestServerThatHasNotCaughtUp(t *testing.T) {
	bubble(t, Config{}, empty, func(stub *consulstub.Stub, _ *Source, got *record[discovery.Answer]) {
		one, two := consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80), consulstub.Entry("web", "web-2", "n2", "10.0.0.2", 80)
		time.Sleep(time.Second)
		stub.SetService("web", one)
		time.Sleep(time.Second)
		stub.SetService("web", one, two)
		time.Sleep(time.Second)
		expect(t, got, "", "web-1 passing", "web-1 passing, web-2 passing")
		stub.SetFault(consulstub.Status500)
		time.Sleep(time.Minute)
		expect(t, got, "error status 500: No cluster leader")
		stub.SetBehind(true)
		stub.SetFault(consulstub.None)
		time.Sleep(time.Minute)
		expect(t, got, "web-1 passing, web-2 passing")
	})
}
