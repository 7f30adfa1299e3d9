//go:build consul

package agent_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/test/certificates"
	"github.com/edgekeeper/edgekeeper/test/consultest"
)

// web registers a real server.
func web(a *consultest.Agent, n int) {
	a.Register(&api.AgentServiceRegistration{Name: "web", ID: fmt.Sprintf("web-%d", n), Address: fmt.Sprintf("10.0.0.%d", n), Port: 80})
}

// eventually is until with the patience that a real Consul needs: a server that
// has lost its leader answers a blocking query only when its minute is over, and a
// sixteenth of it, which it adds by chance.
func (s *site) eventually(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(90 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not within 90 seconds: %s; sources %+v; the kernel holds:\n%s", what, s.snapshot().Sources, s.kernel.Dump())
		}
	}
}

// growing waits for tables, and looks at each operation on the way to them: none
// may take anything away.
type growing struct{ *site }

func (g growing) becomes(what, want string) {
	g.t.Helper()
	g.eventually(what+": table "+want, func() bool { return g.held() == want })
	for _, op := range g.kernel.Ops() {
		if op.Lowers() || op.Verb.IsRemoval() {
			g.t.Errorf("%s: on the way, %s", what, op)
		}
	}
}

func (s *site) fails() bool { return s.snapshot().Sources[0].Error != "" }

// TestClusterThroughToTheTable: a cluster of three servers loses its leader, its
// quorum, the director's agent, and at last everything that it knows, so that
// its index begins anew. The table is what was registered, at every moment.
func TestClusterThroughToTheTable(t *testing.T) {
	c := consultest.StartCluster(t)
	web(c.Agent, 1)
	web(c.Agent, 2)
	s := growing{newSite(t)}
	s.consulConfig(fmt.Sprintf("address = %q", c.Agent.Addr))
	s.start()
	s.becomes("at the start", "10.0.0.1:1 10.0.0.2:1")

	leader := c.Leader()
	leader.Kill()
	if c.Leader() == leader {
		t.Fatal("a dead server leads")
	}
	web(c.Agent, 3)
	s.becomes("under another leader", "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1")

	var other *consultest.Agent
	for _, server := range c.Servers {
		if server != leader {
			other = server
		}
	}
	other.Kill()
	s.eventually("no leader is reported", s.fails)
	c.RunServers()
	s.eventually("a leader again", func() bool { return !s.fails() })
	s.becomes("with a leader again", "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1")

	c.Agent.Kill()
	s.eventually("no agent is reported", s.fails)
	c.Agent.Run()
	web(c.Agent, 4)
	s.becomes("after the agent's restart", "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1 10.0.0.4:1")

	// A node that is lost takes its instances along: serfHealth is critical.
	web(other, 8)
	s.becomes("on another node", "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1 10.0.0.4:1 10.0.0.8:1")
	other.Kill()
	s.eventually("the node is lost", func() bool { return s.held() == "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1 10.0.0.4:1 10.0.0.8:0" })
	for _, op := range s.kernel.Ops() {
		if op.Dest.Addr.Addr().String() != "10.0.0.8" {
			t.Errorf("with the node went %s", op)
		}
	}
	c.RunServers()
	s.becomes("the node is back", "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1 10.0.0.4:1 10.0.0.8:1")
	if err := other.Client.Agent().ServiceDeregister("web-8"); err != nil {
		t.Fatal(err)
	}
	s.eventually("its instance is gone", func() bool { return s.held() == "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1 10.0.0.4:1" })
	s.kernel.Ops()

	index := s.snapshot().Sources[0].Index
	c.Wipe()
	c.Agent.Kill()
	s.eventually("the loss is reported", s.fails)
	c.RunServers()
	c.Agent.Run()
	// Before the agent has brought its services along the catalog holds none.
	web(c.Agent, 5)
	s.becomes("in a cluster without a past", "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1 10.0.0.4:1 10.0.0.5:1")
	if now := s.snapshot().Sources[0].Index; now >= index {
		t.Errorf("index %d, before the loss %d: it did not begin anew", now, index)
	}
	web(c.Agent, 6) // found although the index is a lower one
	s.becomes("and goes on", "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1 10.0.0.4:1 10.0.0.5:1 10.0.0.6:1")
	s.stop()
}

// TestEmptiedCatalog: a Consul that has forgotten everything, and whose agents
// have nothing to bring back, answers that there are no real servers. The pool is
// held until they are registered again, be it a pool of one, and what the lost keys
// said stands until they are written again.
func TestEmptiedCatalog(t *testing.T) {
	for _, c := range []struct {
		servers int
		table   string
	}{{1, "10.0.0.1:5"}, {2, "10.0.0.1:5 10.0.0.2:7"}} {
		t.Run(fmt.Sprint(c.servers), func(t *testing.T) {
			a := consultest.Start(t, consultest.Options{}) // dev mode: a restart begins anew
			key := func(key, value string) {
				t.Helper()
				if _, err := a.Client.KV().Put(&api.KVPair{Key: key, Value: []byte(value)}, nil); err != nil {
					t.Fatal(err)
				}
			}
			register := func() {
				for n := range c.servers {
					web(a, n+1)
				}
			}
			for n := range 20 { // an index that is far away
				key(fmt.Sprint("other/", n), "")
			}
			key("edgekeeper/weight/web/web-1", "5")
			key("edgekeeper/weight/web/web-2", "7")
			key("edgekeeper/drain/web/web-9", "disk")
			register()
			s := growing{newSite(t)}
			s.consulConfig(fmt.Sprintf("address = %q", a.Addr))
			s.start()
			s.becomes("at the start", c.table)

			a.Kill()
			s.eventually("the loss is reported", s.fails)
			a.Run()
			s.eventually("the pool is held, and the settings are kept", func() bool {
				snap := s.snapshot()
				return !s.fails() && snap.KV.Error == "" && snap.Pools[0].Held != "" && len(snap.KV.Kept) == 3
			})
			s.becomes("with an empty catalog", c.table)

			register()
			s.eventually("nothing is held", func() bool { return s.snapshot().Pools[0].Held == "" })
			web(a, 9)
			s.becomes("registered again, and one that is drained", c.table+" 10.0.0.9:0")
			key("edgekeeper/weight/web/web-1", "6")
			s.becomes("a setting is written again", strings.Replace(c.table, ":5", ":6", 1)+" 10.0.0.9:0")
			if kept := s.snapshot().KV.Kept; !slices.Equal(kept, []string{"drain/web/web-9", "weight/web/web-2"}) {
				t.Errorf("kept: %v", kept)
			}
			s.stop()
		})
	}
}

// TestCertificatesThroughToTheTable replaces the authority, the agent's
// certificate and the director's while the director runs.
func TestCertificatesThroughToTheTable(t *testing.T) {
	s := growing{newSite(t)}
	agentDir := t.TempDir()
	old, next := certificates.New(t, "old authority"), certificates.New(t, "new authority")
	old.Write(agentDir, old.Pair("127.0.0.1"))
	old.Write(s.dir, old.Pair("director"))
	a := consultest.Start(t, consultest.Options{Keep: true, HTTPS: true, Config: map[string]any{"tls": map[string]any{"https": map[string]any{
		"ca_file": filepath.Join(agentDir, "ca.pem"), "cert_file": filepath.Join(agentDir, "cert.pem"), "key_file": filepath.Join(agentDir, "key.pem"),
		"verify_incoming": true,
	}}}})
	web(a, 1)
	s.consulConfig(fmt.Sprintf("address = \"https://%s\"\nca_cert = %q\nclient_cert = %q\nclient_key = %q",
		a.HTTPS, filepath.Join(s.dir, "ca.pem"), filepath.Join(s.dir, "cert.pem"), filepath.Join(s.dir, "key.pem")))
	s.start()
	s.becomes("at the start", "10.0.0.1:1")

	next.Write(agentDir, next.Pair("127.0.0.1"))
	if err := a.Process().Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	web(a, 2)
	s.becomes("the agent has a new certificate", "10.0.0.1:1 10.0.0.2:1")

	a.Kill() // and with it the connections of before
	a.Run()
	web(a, 3)
	s.eventually("the unknown authority is reported", func() bool {
		return strings.Contains(s.snapshot().Sources[0].Error, "certificate signed by unknown authority")
	})
	s.becomes("which the director does not trust", "10.0.0.1:1 10.0.0.2:1")

	next.Write(s.dir, next.Pair("director"))
	s.becomes("the director's certificates are new", "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1")
	web(a, 4)
	s.becomes("and goes on", "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1 10.0.0.4:1")
	s.stop()
}
