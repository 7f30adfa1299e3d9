package agent_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/why"
)

// TestFailureReasons: why a check failed is told by status, by the events and by
// why, down to the same words.
func TestFailureReasons(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(web.Close)
	secure := httptest.NewTLSServer(web.Config.Handler)
	t.Cleanup(secure.Close)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	s := newSite(t)
	var pool strings.Builder
	failures := []struct{ address, kind, timeout, reason string }{
		{"127.0.0.1:1", "tcp", "20s", "connection refused"},
		{silent.Addr().String(), "http", "300ms", "timeout after 300ms"},
		{secure.Listener.Addr().String(), "https", "20s", "certificate signed by unknown authority"},
		{web.Listener.Addr().String(), "http", "20s", "status 503"},
	}
	for _, f := range failures {
		fmt.Fprintf(&pool, "real_server %q {\n  check %q {\n    interval = \"20s\"\n    timeout  = %q\n    retries  = 0\n  }\n}\n", f.address, f.kind, f.timeout)
	}
	s.config("release", pool.String())
	s.start()
	s.until("all of them have failed", func() bool {
		failed := 0
		for _, p := range s.snapshot().Pools {
			for _, srv := range p.Servers {
				if srv.State.String() == "failed" {
					failed++
				}
			}
		}
		return failed == len(failures)
	})
	snap := s.snapshot()
	events, err := s.client().Events(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range failures {
		var status, told string
		for _, srv := range snap.Pools[0].Servers {
			if srv.Addr.String() == f.address {
				status = srv.Checks[0].Reason
			}
		}
		for _, e := range events {
			if e.Kind == "check" && e.Object == f.address {
				told = e.Text
			}
		}
		list, err := why.Explain(snap, events, f.address)
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := why.Write(&text, list); err != nil {
			t.Fatal(err)
		}
		for where, got := range map[string]string{"status": status, "the event": told, "why": text.String()} {
			if !strings.Contains(got, f.reason) {
				t.Errorf("%s check of %s: %s says %q, want %q in it", f.kind, f.address, where, got, f.reason)
			}
		}
	}
	s.stop()
}

// TestChangedCheckKeepsTheState: a check whose definition changes begins anew, and
// until it has answered its real server is what it was: one that was down does not
// serve, and one that served does.
func TestChangedCheckKeepsTheState(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		time.Sleep(100 * time.Millisecond) // a decision is made before it has answered
	}))
	t.Cleanup(up.Close)
	down, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and ends them without a word
	if err != nil {
		t.Fatal(err)
	}
	var attempts atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := down.Accept()
			if err != nil {
				return
			}
			attempts.Add(1)
			time.Sleep(100 * time.Millisecond)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = down.Close()
		<-done
	})
	s := newSite(t)
	config := func(interval string) {
		s.config("release", fmt.Sprintf(`
		real_server %q {}
		real_server %q {
		  weight = 7
		}
		check "http" {
		  interval = %q
		  timeout  = "20s"
		  retries  = 0
		}`, up.Listener.Addr(), down.Addr(), interval))
	}
	health := func() string {
		var out []string
		for _, p := range s.snapshot().Pools {
			for _, srv := range p.Servers {
				out = append(out, fmt.Sprintf("%d %s", srv.Configured, srv.Checks[0].Health))
			}
		}
		slices.Sort(out)
		return strings.Join(out, ", ")
	}
	config("20s")
	s.start()
	s.until("both checks have answered", func() bool { return health() == "1 up, 7 down" })
	s.kernel.Ops()
	for _, interval := range []string{"21s", "22s"} {
		config(interval)
		loaded := s.snapshot().Config.LoadedAt
		s.hup <- syscall.SIGHUP
		s.until("the change is taken", func() bool { return s.snapshot().Config.LoadedAt.After(loaded) })
		before := attempts.Load()
		s.until("they are made anew", func() bool { return attempts.Load() > before })
		s.until("they have answered anew", func() bool { return health() == "1 up, 7 down" })
	}
	if ops := s.kernel.Ops(); len(ops) > 0 {
		t.Errorf("%d operations: %v", len(ops), ops)
	}
	s.stop()
}
