//go:build consul

package agent_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/test/consultest"
)

// fifty is a director with a pool of fifty real servers that Consul lists and
// native checks reach, each at an address of its own.
type fifty struct {
	growing
	agent     *consultest.Agent
	listeners []net.Listener
}

func newFifty(t *testing.T) *fifty {
	f := &fifty{growing: growing{newSite(t)}, agent: consultest.Start(t, consultest.Options{})}
	port := 0
	for n := range 50 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.5.0.%d:%d", n+1, port))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		f.listeners = append(f.listeners, l)
		port = l.Addr().(*net.TCPAddr).Port
		f.agent.Register(&api.AgentServiceRegistration{Name: "web", ID: fmt.Sprintf("web-%d", n+1), Address: fmt.Sprintf("127.5.0.%d", n+1), Port: port})
	}
	f.write("director.hcl", fmt.Sprintf(`
router_id = "lvs1"
state_dir = "%[1]s/state"
control { socket = "%[1]s/sock" }
ipvs { manage_sysctls = false }
consul { address = %[2]q }
virtual_server "web" {
  address       = "127.0.0.1:80"
  forward       = "nat"
  drain_timeout = "0s"
  service "web" {}
  check "tcp" {
    interval    = "1s"
    timeout     = "1s"
    retries     = 3
    retry_delay = "20ms"
  }
}`, f.dir, f.agent.Addr))
	f.start()
	f.becomes("at the start", f.pool(1, 50))
	return f
}

// pool is the table with these servers.
func (f *fifty) pool(first, last int) string {
	var out []string
	for n := first; n <= last; n++ {
		out = append(out, fmt.Sprintf("127.5.0.%d:1", n))
	}
	return strings.Join(out, " ")
}

// deregister takes the first servers out of Consul.
func (f *fifty) deregister(n int) {
	f.t.Helper()
	for i := range n {
		if err := f.agent.Client.Agent().ServiceDeregister(fmt.Sprintf("web-%d", i+1)); err != nil {
			f.t.Fatal(err)
		}
	}
}

// TestMistakenDeregistration: a script deregisters thirty of fifty real servers,
// which go on answering. They are held, and somebody is told; they go when a
// person says so, or when the checks agree.
func TestMistakenDeregistration(t *testing.T) {
	f := newFifty(t)
	f.deregister(30)
	f.eventually("the mistake is reported", func() bool {
		held := f.events("held", "web")
		return slices.ContainsFunc(held, func(e string) bool { return strings.HasPrefix(e, "HELD: ") }) && f.snapshot().Pools[0].Held != ""
	})
	want := f.held()
	// All are held when one answer lacks all thirty; of thirty that go in several
	// answers, half of the pool may go before the others are held.
	if n := len(strings.Fields(want)); n < 25 {
		t.Errorf("%d real servers are left", n)
	}
	first := strings.TrimSuffix(strings.Fields(want)[0], ":1")
	if err := f.client().Put(t.Context(), "drain/web/"+first, "it is meant"); err != nil {
		t.Fatal(err)
	}
	f.eventually("a person takes one out", func() bool { return !strings.Contains(f.held()+" ", first+":1 ") })
	for _, l := range f.listeners[:30] {
		_ = l.Close()
	}
	f.eventually("the checks agree with the catalog", func() bool { return f.held() == f.pool(31, 50) && f.snapshot().Pools[0].Held == "" })
	f.stop()
}

// TestLostRack: thirty of fifty are down, and the catalog says so too: they are
// out at once.
func TestLostRack(t *testing.T) {
	f := newFifty(t)
	for _, l := range f.listeners[:30] {
		_ = l.Close()
	}
	f.deregister(30)
	f.eventually("all of them are out", func() bool { return f.held() == f.pool(31, 50) })
	if held := f.snapshot().Pools[0].Held; held != "" {
		t.Errorf("held: %s", held)
	}
	f.stop()
}
