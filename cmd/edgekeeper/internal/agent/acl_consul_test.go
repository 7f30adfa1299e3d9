//go:build consul

package agent_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/test/consultest"
)

// policies reads what docs/consul.md ships, by name.
func policies(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../../../docs/consul.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)```hcl\n# (edgekeeper-[a-z]+)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		out[m[1]] = m[2]
	}
	if len(out) != 2 {
		t.Fatalf("docs/consul.md has the policies %v, want two", out)
	}
	return out
}

// TestShippedPolicies runs a director, with a pool, a prepared query, gateways,
// settings and a registration, under exactly the policies of the documentation,
// over the agent's unix socket; then its token is replaced.
func TestShippedPolicies(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "consul.sock")
	a := consultest.Start(t, consultest.Options{ACL: true, Config: map[string]any{"addresses": map[string]string{"http": "127.0.0.1 unix://" + socket}}})
	acl := a.Client.ACL()
	var links []*api.ACLTokenPolicyLink
	for name, rules := range policies(t) {
		p, _, err := acl.PolicyCreate(&api.ACLPolicy{Name: name, Rules: rules}, nil)
		if err != nil {
			t.Fatal(err)
		}
		links = append(links, &api.ACLTokenPolicyLink{ID: p.ID})
	}
	s := newSite(t)
	tokenFile := filepath.Join(s.dir, "token")
	issue := func() *api.ACLToken {
		t.Helper()
		token, _, err := acl.TokenCreate(&api.ACLToken{Policies: links}, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.write("token.new", token.SecretID+"\n")
		if err := os.Rename(filepath.Join(s.dir, "token.new"), tokenFile); err != nil {
			t.Fatal(err)
		}
		return token
	}
	first := issue()

	register := func(name string, n int) {
		a.Register(&api.AgentServiceRegistration{Name: name, ID: fmt.Sprintf("%s-%d", name, n), Address: fmt.Sprintf("10.0.0.%d", n), Port: 80})
	}
	register("web", 1)
	register("db", 11)
	a.Register(&api.AgentServiceRegistration{Kind: api.ServiceKindMeshGateway, Name: "mesh", ID: "mesh-1", Address: "10.0.0.21", Port: 80})
	a.Register(&api.AgentServiceRegistration{Kind: api.ServiceKindTerminatingGateway, Name: "out", ID: "out-1", Address: "10.0.0.31", Port: 80})
	if _, err := a.Client.Raw().Write("/v1/config", map[string]any{"Kind": "terminating-gateway", "Name": "out", "Services": []map[string]string{{"Name": "legacy"}}}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Client.PreparedQuery().Create(&api.PreparedQueryDefinition{Name: "any-db", Service: api.ServiceQuery{Service: "db"}}, nil); err != nil {
		t.Fatal(err)
	}
	s.write("director.hcl", strings.Replace(fmt.Sprintf(base, s.dir, "release", 80, `
  service "web" {}
  service "db" {
    prepared_query = "any-db"
    poll_interval  = "1s"
  }
  service "any" { gateway = "mesh" }
  service "legacy" { gateway = "terminating" }`), "file_catalog {", fmt.Sprintf(`
consul {
  address    = "unix://%s"
  token_file = %q
  register { ttl = "3s" }
}
file_catalog {`, socket, tokenFile), 1))
	s.start()
	s.table("10.0.0.1:1 10.0.0.11:1 10.0.0.21:1 10.0.0.31:1")
	s.until("no source is refused", func() bool {
		snap := s.snapshot()
		for _, src := range snap.Sources {
			if src.Error != "" {
				return false
			}
		}
		return snap.KV.Error == "" && snap.Registration.Error == "" && len(snap.Registration.Services) == 2
	})
	if err := s.client().Put(t.Context(), "weight/web/web-1", "7"); err != nil {
		t.Fatal(err)
	}
	s.table("10.0.0.1:7 10.0.0.11:1 10.0.0.21:1 10.0.0.31:1")
	health := func(service string) string {
		list, _, err := a.Client.Health().Service(service, "", false, nil)
		if err != nil || len(list) != 1 {
			return fmt.Sprint(len(list), err)
		}
		for _, c := range list[0].Checks {
			if c.ServiceID != "" {
				return c.Status
			}
		}
		return "no check"
	}
	s.until("the director and its address stand in the catalog", func() bool { return health("web-vip") == "passing" && health("edgekeeper") == "passing" })

	second := issue()
	time.Sleep(12 * time.Second) // four times the ttl, as the documentation says
	if _, err := acl.TokenDelete(first.AccessorID, nil); err != nil {
		t.Fatal(err)
	}
	register("web", 2)
	s.table("10.0.0.1:7 10.0.0.2:1 10.0.0.11:1 10.0.0.21:1 10.0.0.31:1")
	if err := s.client().Delete(t.Context(), "weight/web/web-1"); err != nil {
		t.Fatal(err)
	}
	s.table("10.0.0.1:1 10.0.0.2:1 10.0.0.11:1 10.0.0.21:1 10.0.0.31:1")
	// What the agent was told with the token of before can still be changed.
	if err := s.client().Put(t.Context(), "drain/web/web-1", "x"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(4 * time.Second)
	if got := health("web-vip"); got != "passing" {
		t.Errorf("web-vip is %s after the token was replaced", got)
	}

	s.table("10.0.0.1:0 10.0.0.2:1 10.0.0.11:1 10.0.0.21:1 10.0.0.31:1")
	s.kernel.Ops()

	// A token that may nothing: what is known stands, and says so.
	if _, err := acl.TokenDelete(second.AccessorID, nil); err != nil {
		t.Fatal(err)
	}
	register("web", 3)
	s.until("the refusal is reported", func() bool {
		snap := s.snapshot()
		return strings.Contains(snap.Sources[0].Error, "403") && snap.Registration.Error != ""
	})
	if ops := s.kernel.Ops(); len(ops) > 0 {
		t.Errorf("%d operations without a token: %v", len(ops), ops)
	}
	issue()
	s.table("10.0.0.1:0 10.0.0.2:1 10.0.0.3:1 10.0.0.11:1 10.0.0.21:1 10.0.0.31:1")
	for _, op := range s.kernel.Ops() {
		if op.Dest.Addr.Addr().String() != "10.0.0.3" {
			t.Errorf("with the new token, on the way: %s", op)
		}
	}
	s.until("registered again", func() bool { return health("web-vip") == "passing" && health("edgekeeper") != "critical" })
	s.stop()
	s.until("deregistered", func() bool {
		return strings.HasPrefix(health("web-vip"), "0 ") && strings.HasPrefix(health("edgekeeper"), "0 ")
	})
}

// TestRegisteredNameResolves asks Consul's DNS for the virtual address.
func TestRegisteredNameResolves(t *testing.T) {
	a := consultest.Start(t, consultest.Options{DNS: true})
	a.Register(&api.AgentServiceRegistration{Name: "web", ID: "web-1", Address: "10.0.0.1", Port: 80})
	s := newSite(t)
	s.consulConfig(fmt.Sprintf("address = %q\nregister { ttl = \"3s\" }", a.Addr))
	s.start()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", a.DNS)
	}}
	resolves := func() string {
		list, err := resolver.LookupHost(t.Context(), "web-vip.service.consul")
		if err != nil {
			return "no"
		}
		return strings.Join(list, " ")
	}
	s.until("the name resolves to the virtual address", func() bool { return resolves() == "127.0.0.1" })
	a.Kill()
	a.Run() // dev mode: it has forgotten everything
	a.Register(&api.AgentServiceRegistration{Name: "web", ID: "web-1", Address: "10.0.0.1", Port: 80})
	s.until("registered with the agent that was restarted", func() bool { return resolves() == "127.0.0.1" })
	s.stop()
	s.until("a clean stop takes the name away", func() bool { return resolves() == "no" })
}
