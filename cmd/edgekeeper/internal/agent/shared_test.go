package agent_test

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"github.com/edgekeeper/edgekeeper/test/consulstub"
)

// TestSharedQueriesAndChecks: three virtual servers of one service ask for it once,
// and check its real server once.
func TestSharedQueriesAndChecks(t *testing.T) {
	stub, _, address := newConsul(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var taken atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			taken.Add(1)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	stub.SetService("web", consulstub.Entry("web", "web-1", "n1", "127.0.0.1", l.Addr().(*net.TCPAddr).Port))
	s := newSite(t)
	text := fmt.Sprintf("router_id = \"lvs1\"\nstate_dir = %q\ncontrol { socket = %q }\nipvs { manage_sysctls = false }\nconsul { address = %q }\n", s.dir+"/state", s.dir+"/sock", address)
	for n := range 3 {
		text += fmt.Sprintf("virtual_server \"web-%d\" {\n  address = \"127.0.0.1:%d\"\n  forward = \"nat\"\n  service \"web\" {}\n  check \"tcp\" {\n    interval = \"1h\"\n  }\n}\n", n, 1000+n)
	}
	s.write("director.hcl", text)
	s.start()
	s.table("127.0.0.1:1 127.0.0.1:1 127.0.0.1:1")
	queries := 0
	for _, r := range stub.Requests() {
		if r.Path == "/v1/health/service/web" && r.Index == 0 {
			queries++
		}
	}
	if queries != 1 {
		t.Errorf("%d queries of one service", queries)
	}
	s.until("all three know that it is up", func() bool {
		up := 0
		for _, p := range s.snapshot().Pools {
			if len(p.Servers) == 1 && len(p.Servers[0].Checks) == 1 && p.Servers[0].Checks[0].Health.String() == "up" {
				up++
			}
		}
		return up == 3
	})
	// The first attempt of an interval, and perhaps the next one, which is anywhere
	// in the hour.
	if n := taken.Load(); n > 2 {
		t.Errorf("%d attempts for three virtual servers", n)
	}
	s.stop()
}
