//go:build consul

package agent_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/test/consultest"
)

// TestOwnCheckThroughToTheTable: one of two real servers that Consul lists has a
// check of its own in the configuration. That check and Consul's state judge it
// together, and nobody else.
func TestOwnCheckThroughToTheTable(t *testing.T) {
	a := consultest.Start(t, consultest.Options{})
	l, err := net.Listen("tcp", "127.7.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var sick atomic.Bool
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	_ = web.Listener.Close()
	web.Listener = l
	web.Start()
	t.Cleanup(web.Close)
	port := l.Addr().(*net.TCPAddr).Port
	other, err := net.Listen("tcp", fmt.Sprintf("127.7.0.2:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	for n := range 2 {
		a.Register(&api.AgentServiceRegistration{
			Name: "web", ID: fmt.Sprintf("web-%d", n+1), Address: fmt.Sprintf("127.7.0.%d", n+1), Port: port,
			Check: &api.AgentServiceCheck{CheckID: fmt.Sprintf("alive-%d", n+1), TTL: "10m", Status: api.HealthPassing},
		})
	}
	s := newSite(t)
	s.consulConfig(fmt.Sprintf("address = %q", a.Addr))
	const check = "interval = \"500ms\"\n    timeout = \"500ms\"\n    retries = 3\n    retry_delay = \"20ms\"\n"
	s.rewrite("director.hcl", `service "web" {}`, fmt.Sprintf(`service "web" {}
  real_server "127.7.0.1:%d" {
    weight = 9
    check "http" {
    %s    }
  }
  check "tcp" {
    %s  }`, port, check, check))
	s.start()
	status := func(status string) {
		t.Helper()
		if err := a.Client.Agent().UpdateTTL("alive-1", "output", status); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		what  string
		do    func()
		after int // weight of the first
	}{
		{"at the start", func() {}, 9},
		{"its own check fails", func() { sick.Store(true) }, 0},
		{"and succeeds again", func() { sick.Store(false) }, 9},
		{"Consul calls it critical", func() { status(api.HealthCritical) }, 0},
		{"and its own check fails, too", func() { sick.Store(true) }, 0},
		{"Consul calls it passing", func() { status(api.HealthPassing) }, 0},
		{"and its own check succeeds", func() { sick.Store(false) }, 9},
	} {
		step.do()
		want := fmt.Sprintf("127.7.0.1:%d 127.7.0.2:1", step.after)
		s.eventually(step.what+": table "+want, func() bool { return s.held() == want })
		if step.what == "at the start" {
			s.until("it has both checks, the other one", func() bool {
				servers := s.snapshot().Pools[0].Servers
				return len(servers) == 2 && len(servers[0].Checks) == 2 && len(servers[1].Checks) == 1
			})
			s.kernel.Ops()
			continue
		}
		for _, op := range s.kernel.Ops() {
			if !strings.HasPrefix(op.Dest.Addr.String(), "127.7.0.1:") {
				t.Errorf("%s: on the way, %s", step.what, op)
			}
		}
	}
	s.stop()
}
