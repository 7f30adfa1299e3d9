//go:build consul

package consul

import (
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/test/consultest"
)

// TestRealCluster is a source beside an agent of a cluster of three servers that
// lose their leader, one another, the agent and at last their data. What it emits
// is an error, or what was registered: never less, until the data is gone.
func TestRealCluster(t *testing.T) {
	c := consultest.StartCluster(t)
	c.Agent.Register(service("web-1"))
	client, err := NewClient(ClientConfig{Address: c.Agent.Addr})
	if err != nil {
		t.Fatal(err)
	}
	// A lost leader ends no blocking query: it is noticed when the wait is over.
	src := NewSource(Config{Client: client, Wait: 3 * time.Second})
	src.Set([]discovery.Query{web})
	got := run(t, src.Run)
	one, both := is("web-1 passing"), is("web-1 passing, web-2 passing")
	got.next("web-1", one, is(""))

	leader := c.Leader()
	leader.Kill()
	t.Logf("%s leads no more", leader.Node)
	if c.Leader() == leader {
		t.Fatal("a dead server leads")
	}
	c.Agent.Register(service("web-2"))
	got.next("both, under another leader", both, one, failing(""))

	for _, s := range c.Servers {
		if s != leader {
			s.Kill()
			break
		}
	}
	t.Log("two of three servers are gone")
	got.next("no leader", failing(""), both)
	c.RunServers()
	got.next("both, with a leader again", both, failing(""))

	c.Agent.Kill()
	got.next("no agent", failing(""), both)
	c.Agent.Run()
	got.next("both, after the agent's restart", both, failing(""))

	c.Wipe()
	t.Log("all servers are gone, and their data")
	got.next("no servers", failing(""), both)
	c.Agent.Kill()
	c.RunServers()
	c.Agent.Run()
	// The agent brings its services along as soon as it has found the servers.
	// Until then an empty answer is what the catalog holds, and not an error: the
	// guard and the native checks stand before that.
	deadline := time.Now().Add(60 * time.Second)
	for empty := is(""); ; {
		a := got.next("both, in a catalog without a past", func(discovery.Answer) bool { return true })
		if both(a) {
			if a.Index > 1000 {
				t.Errorf("index %d: not that of a new cluster", a.Index)
			}
			break
		}
		if !empty(a) && a.Err == "" && !one(a) && !is("web-2 passing")(a) {
			t.Fatalf("emitted %q", say([]discovery.Answer{a}))
		}
		if time.Now().After(deadline) {
			t.Fatal("the services did not come back")
		}
	}
	c.Agent.Register(&api.AgentServiceRegistration{ID: "web-3", Name: "web", Address: "10.0.0.3", Port: 80})
	got.next("a new one", is("web-1 passing, web-2 passing, web-3 passing"))
}
