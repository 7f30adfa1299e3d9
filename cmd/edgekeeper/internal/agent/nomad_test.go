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
	nomad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Every query ends at once, with an index that does not say much.
		w.Header().Set("X-Nomad-Index", "7")
		w.Header().Set("X-Nomad-KnownLeader", "true")
		w.Header().Set("X-Nomad-LastContact", "0")
		switch r.URL.Path {
		case "/v1/nodes":
			fmt.Fprintf(w, `[{"ID": "a", "Name": "n1", "Status": "ready", "Drain": %v}, {"ID": "b", "Name": "n2", "Status": "ready"}]`, drain.Load())
		case "/v1/service/web":
			fmt.Fprint(w, `[{"ID": "web-1", "ServiceName": "web", "NodeID": "a", "Address": "10.0.0.1", "Port": 80, "Tags": ["edgekeeper_weight=3"]},
				{"ID": "web-2", "ServiceName": "web", "NodeID": "b", "Address": "10.0.0.2", "Port": 80}]`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer func() {
		nomad.CloseClientConnections()
		nomad.Close()
	}()
	s := newSite(t)
	s.write("director.hcl", strings.Replace(fmt.Sprintf(base, s.dir, "release", 80, `nomad_service "web" {}`), "file_catalog {", fmt.Sprintf("nomad { address = %q }\nfile_catalog {", nomad.URL), 1))
	s.start()
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
