package consul

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/test/consulstub"
)

func TestJudge(t *testing.T) {
	check := consulstub.Check
	maint := func(id, notes string) *api.HealthCheck {
		return &api.HealthCheck{CheckID: id, Name: "Service Maintenance Mode", Status: api.HealthCritical, Notes: notes}
	}
	for _, c := range []struct {
		name   string
		checks api.HealthChecks
		state  discovery.State
		reason string
	}{
		{"no checks", nil, discovery.Passing, ""},
		{"passing", api.HealthChecks{check("a", api.HealthPassing, "fine")}, discovery.Passing, ""},
		{"warning", api.HealthChecks{check("a", api.HealthPassing, ""), check("b", api.HealthWarning, "slow\nand more")}, discovery.Warning, "check b: slow"},
		{"critical beats warning", api.HealthChecks{check("b", api.HealthWarning, "slow"), check("c", api.HealthCritical, "503")}, discovery.Critical, "check c: 503"},
		{"node check", api.HealthChecks{check("serfHealth", api.HealthCritical, "Agent not live or unreachable")}, discovery.Critical, "check serfHealth: Agent not live or unreachable"},
		{"first by id", api.HealthChecks{check("z", api.HealthCritical, "2"), check("y", api.HealthCritical, "1")}, discovery.Critical, "check y: 1"},
		{"service maintenance", api.HealthChecks{check("c", api.HealthCritical, "503"), maint("_service_maintenance:web", "disk")}, discovery.Maintenance, "check Service Maintenance Mode: disk"},
		{"node maintenance", api.HealthChecks{maint("_node_maintenance", "kernel")}, discovery.Maintenance, "check Service Maintenance Mode: kernel"},
		{"unknown status", api.HealthChecks{check("a", "odd", "")}, discovery.Critical, "check a"},
		{"not run yet", api.HealthChecks{{CheckID: "a", Type: "http", Status: api.HealthCritical}}, discovery.Critical, "check a has not run yet"},
		{"no output", api.HealthChecks{check("a", api.HealthCritical, "")}, discovery.Critical, "check a"},
		{"terminal codes", api.HealthChecks{check("a", api.HealthCritical, "\x1b[2Jgone\x07")}, discovery.Critical, "check a: [2Jgone"},
		{"nil check", api.HealthChecks{nil}, discovery.Passing, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			state, reason := judge(c.checks)
			if state != c.state || reason != c.reason {
				t.Errorf("judge = %v, %q; want %v, %q", state, reason, c.state, c.reason)
			}
			known := c.name != "unknown status" && c.name != "nil check"
			if known && state.String() != c.checks.AggregatedStatus() {
				t.Errorf("judge = %v, consul/api says %q", state, c.checks.AggregatedStatus())
			}
		})
	}
}

func TestInstance(t *testing.T) {
	entry := func(edit func(*api.ServiceEntry)) *api.ServiceEntry {
		e := consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80)
		edit(e)
		return e
	}
	base := discovery.Instance{
		Service: "web", ID: "web-1", Node: "n1", Addr: netip.MustParseAddrPort("10.0.0.1:80"),
		Weights: discovery.Weights{Passing: 1, Warning: 1},
	}
	for _, c := range []struct {
		name  string
		entry *api.ServiceEntry
		edit  func(*discovery.Instance)
		err   string
	}{
		{"node address", entry(func(*api.ServiceEntry) {}), func(*discovery.Instance) {}, ""},
		{
			"service address goes first", entry(func(e *api.ServiceEntry) { e.Service.Address = "10.0.0.9" }),
			func(i *discovery.Instance) { i.Addr = netip.MustParseAddrPort("10.0.0.9:80") }, "",
		},
		{
			"ipv6", entry(func(e *api.ServiceEntry) { e.Service.Address = "fd00::1" }),
			func(i *discovery.Instance) { i.Addr = netip.MustParseAddrPort("[fd00::1]:80") }, "",
		},
		{
			"ipv4 in ipv6", entry(func(e *api.ServiceEntry) { e.Service.Address = "::ffff:10.0.0.9" }),
			func(i *discovery.Instance) { i.Addr = netip.MustParseAddrPort("10.0.0.9:80") }, "",
		},
		{
			"weights", entry(func(e *api.ServiceEntry) { e.Service.Weights = api.AgentWeights{Passing: 10} }),
			func(i *discovery.Instance) { i.Weights = discovery.Weights{Passing: 10} }, "",
		},
		{"no weights", entry(func(e *api.ServiceEntry) { e.Service.Weights = api.AgentWeights{} }), func(*discovery.Instance) {}, ""},
		{
			"tags and meta", entry(func(e *api.ServiceEntry) {
				e.Service.Tags, e.Service.Meta = []string{"v2"}, map[string]string{"edgekeeper_weight": "7"}
			}),
			func(i *discovery.Instance) {
				i.Tags, i.Meta = []string{"v2"}, map[string]string{"edgekeeper_weight": "7"}
			}, "",
		},
		{
			"a check has not run yet", entry(func(e *api.ServiceEntry) {
				e.Checks = api.HealthChecks{consulstub.Check("serfHealth", api.HealthPassing, ""), {CheckID: "a", Type: "http", Status: api.HealthCritical}}
			}),
			func(i *discovery.Instance) {
				i.State, i.Reason, i.Unrun = discovery.Critical, "check a has not run yet", true
			}, "",
		},
		{
			"and another fails", entry(func(e *api.ServiceEntry) {
				e.Checks = api.HealthChecks{{CheckID: "a", Type: "http", Status: api.HealthCritical}, {CheckID: "b", Type: "http", Status: api.HealthCritical, Output: "503"}}
			}),
			func(i *discovery.Instance) {
				i.State, i.Reason = discovery.Critical, "check a has not run yet"
			}, "",
		},
		{
			"a script without output has run", entry(func(e *api.ServiceEntry) {
				e.Checks = api.HealthChecks{{CheckID: "a", Type: "script", Status: api.HealthCritical}}
			}),
			func(i *discovery.Instance) { i.State, i.Reason = discovery.Critical, "check a" }, "",
		},
		{"host name", entry(func(e *api.ServiceEntry) { e.Service.Address = "web.example" }), nil, `service "web-1" on node "n1": address "web.example" is not an IP address`},
		{"port", entry(func(e *api.ServiceEntry) { e.Service.Port = 70000 }), nil, `service "web-1" on node "n1": port 70000 is out of range`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := instance(discovery.Query{}, c.entry)
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			want := base
			c.edit(&want)
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); err != nil || diff != "" {
				t.Errorf("error %v, instance (-want +got):\n%s", err, diff)
			}
		})
	}
}

// An instance that cannot be used is left out and told, and the others stay.
func TestUnusableInstanceIsAWarning(t *testing.T) {
	stub := consulstub.New()
	stub.SetService("web",
		consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80),
		consulstub.Entry("web", "web-2", "n2", "web.example", 80))
	src := NewSource(Config{Client: stub.Client()})
	h, _, err := src.read(t.Context(), web, &api.QueryOptions{})
	if err != nil || len(h.instances) != 1 {
		t.Fatalf("read = %v, %v", h, err)
	}
	if diff := cmp.Diff([]string{`service "web-2" on node "n2": address "web.example" is not an IP address`}, h.warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// TestNodeChecks: each check of the node is an instance, and maintenance of the
// node is that of all.
func TestNodeChecks(t *testing.T) {
	stub := consulstub.New()
	entry := consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80)
	entry.Checks = api.HealthChecks{consulstub.Check("serfHealth", api.HealthPassing, "alive"), consulstub.Check("web", api.HealthCritical, "503")}
	stub.SetService("web", entry, consulstub.Entry("web", "web-2", "n2", "10.0.0.2", 80))
	src := NewSource(Config{Client: stub.Client()})
	read := func() []string {
		t.Helper()
		h, _, err := src.read(t.Context(), discovery.Query{Source: discovery.Consul, Node: "n1"}, &api.QueryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, in := range h.instances {
			out = append(out, fmt.Sprintf("%s %s %s", in.ID, in.State, in.Reason))
		}
		return out
	}
	if diff := cmp.Diff([]string{"serfHealth passing ", "web critical check web: 503"}, read()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	maint := &api.HealthCheck{CheckID: api.NodeMaint, Name: "Node Maintenance Mode", Status: api.HealthCritical, Notes: "kernel"}
	maintained := consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80)
	maintained.Checks = api.HealthChecks{consulstub.Check("serfHealth", api.HealthPassing, "alive"), maint}
	stub.SetService("web", maintained)
	if diff := cmp.Diff([]string{
		"_node_maintenance maintenance check Node Maintenance Mode: kernel", "serfHealth maintenance check Node Maintenance Mode: kernel",
	}, read()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNearKeepsTheOrder(t *testing.T) {
	stub := consulstub.New()
	b, a := consulstub.Entry("web", "b", "n2", "10.0.0.2", 80), consulstub.Entry("web", "a", "n1", "10.0.0.1", 80)
	stub.SetService("web", b, a)
	src := NewSource(Config{Client: stub.Client()})
	near := discovery.Query{Source: discovery.Consul, Service: "web", Near: "_agent"}
	first, _, err := src.read(t.Context(), near, &api.QueryOptions{})
	if err != nil || first.instances[0].ID != "b" {
		t.Fatalf("read = %v, %v", first, err)
	}
	stub.SetService("web", a, b)
	second, _, err := src.read(t.Context(), near, &api.QueryOptions{})
	if err != nil || !second.equal(first, true) || second.equal(first, false) {
		t.Errorf("another order is another answer: %v, %v", second, err)
	}
}

func TestErrTextIsStable(t *testing.T) {
	refused := func(port int) error {
		return fmt.Errorf("read: %w", &url.Error{Op: "Get", URL: fmt.Sprintf("http://c/?index=%d", port), Err: &net.OpError{
			Op: "read", Net: "tcp",
			Source: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port},
			Addr:   &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8500}, Err: syscall.ECONNRESET,
		}})
	}
	if a, b := errText(refused(4000)), errText(refused(4001)); a != b || a != "read 127.0.0.1:8500: connection reset by peer" {
		t.Errorf("errText = %q and %q", a, b)
	}
	if got := errText(api.StatusError{Code: 502, Body: "<html>\n<title>"}); got != "status 502: <html>" {
		t.Errorf("errText = %q", got)
	}
	if got := errText(errors.New(strings.Repeat("é", 300))); len(got) > 210 || strings.ContainsRune(got, '�') {
		t.Errorf("errText of a long error = %q", got)
	}
}
