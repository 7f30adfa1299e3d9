package agent_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestNomadService is a pool from Nomad's native services, whose node is drained.
func TestNomadService(t *testing.T) {
	var drain atomic.Bool
	s := startWithNomad(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/nodes":
			fmt.Fprintf(w, `[{"ID": "a", "Name": "n1", "Status": "ready", "Drain": %v}, {"ID": "b", "Name": "n2", "Status": "ready"}]`, drain.Load())
		case "/v1/service/web":
			fmt.Fprint(w, `[{"ID": "web-1", "ServiceName": "web", "NodeID": "a", "Address": "10.0.0.1", "Port": 80, "Tags": ["edgekeeper_weight=3"]},
				{"ID": "web-2", "ServiceName": "web", "NodeID": "b", "Address": "10.0.0.2", "Port": 80}]`)
		default:
			http.NotFound(w, r)
		}
	})
	s.table("10.0.0.1:3 10.0.0.2:1")
	if q := s.snapshot().Sources[0].Query; q != "nomad service web" {
		t.Errorf("source %q", q)
	}
	drain.Store(true)
	s.table("10.0.0.2:1")
	s.untilEvent("leaving with weight 0: maintenance: nomad drains its node n1")
	drain.Store(false)
	s.table("10.0.0.1:3 10.0.0.2:1")
	s.stop()
}

// TestNomadStops: all of a pool leave the catalog at once, which is held until
// Nomad says that it stops them.
func TestNomadStops(t *testing.T) {
	t.Parallel()
	const first, second = "11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000"
	var gone atomic.Bool
	var asked atomic.Int32
	s := startWithNomad(t, func(w http.ResponseWriter, r *http.Request) {
		registration := func(alloc string, n int) string {
			return fmt.Sprintf(`{"ID": "_nomad-task-%s-group-web-web-http", "ServiceName": "web", "NodeID": "a", "Address": "10.0.0.%d", "Port": 80}`, alloc, n)
		}
		switch {
		case r.URL.Path == "/v1/nodes":
			fmt.Fprint(w, `[{"ID": "a", "Name": "n1", "Status": "ready"}]`)
		case r.URL.Path == "/v1/service/web" && gone.Load():
			fmt.Fprint(w, `[]`)
		case r.URL.Path == "/v1/service/web":
			fmt.Fprintf(w, `[%s, %s]`, registration(first, 1), registration(second, 2))
		case r.URL.Path == "/v1/allocation/"+first, r.URL.Path == "/v1/allocation/"+second:
			if asked.Add(1) <= 2 {
				http.Error(w, "not now", http.StatusInternalServerError)
				return
			}
			fmt.Fprint(w, `{"DesiredStatus": "stop"}`)
		default:
			http.NotFound(w, r)
		}
	})
	s.table("10.0.0.1:1 10.0.0.2:1")
	gone.Store(true)
	s.untilEvent("HELD: 2 of 2 real servers would go on one source's word")
	s.untilEvent("leaving with weight 0: gone from the catalog: nomad stops it")
	s.table("")
	s.stop()
}

// startWithNomad starts a director with a pool of Nomad's service web. answer
// answers for Nomad.
func startWithNomad(t *testing.T, answer http.HandlerFunc) *site {
	nomad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Every query ends at once, with an index that does not say much.
		w.Header().Set("X-Nomad-Index", "7")
		w.Header().Set("X-Nomad-KnownLeader", "true")
		w.Header().Set("X-Nomad-LastContact", "0")
		answer(w, r)
	}))
	t.Cleanup(func() {
		nomad.CloseClientConnections()
		nomad.Close()
	})
	s := newSite(t)
	s.write("director.hcl", strings.Replace(fmt.Sprintf(base, s.dir, "release", 80, `nomad_service "web" {}`), "file_catalog {", fmt.Sprintf("nomad { address = %q }\nfile_catalog {", nomad.URL), 1))
	s.start()
	return s
}
