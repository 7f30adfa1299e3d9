package agent_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/consulstub"
)

// newConsul serves a stub, which takes requests and never answers while the
// second result is set.
func newConsul(t testing.TB) (stub *consulstub.Stub, silent *atomic.Bool, address string) {
	stub, silent = consulstub.New(), new(atomic.Bool)
	stop := make(chan struct{})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if silent.Load() {
			select {
			case <-r.Context().Done():
			case <-stop:
			}
			return
		}
		stub.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		close(stop)
		web.CloseClientConnections()
		web.Close()
	})
	return stub, silent, web.Listener.Addr().String()
}

// consulConfig writes a configuration with a pool of the service web.
func (s *site) consulConfig(consul string) {
	s.write("director.hcl", strings.Replace(fmt.Sprintf(base, s.dir, "keep", 80, `service "web" {}`), "file_catalog {", "consul {\n"+consul+"\n}\nfile_catalog {", 1))
}

// knowing is a director that has learned two real servers and a weight, and was
// stopped; Consul is silent now.
func knowing(t *testing.T) (s *site, address string) {
	stub, silent, address := newConsul(t)
	s = newSite(t)
	s.consulConfig(fmt.Sprintf("address = %q", address))
	stub.SetService("web", consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80), consulstub.Entry("web", "web-2", "n2", "10.0.0.2", 80))
	stub.SetKey("edgekeeper/weight/web/web-2", "0")
	s.start()
	s.table("10.0.0.1:1 10.0.0.2:0")
	s.until("what is known is written", func() bool { return s.savedKey("weight/web/web-2") })
	s.stop()
	s.kernel.Ops()
	silent.Store(true)
	return s, address
}

// savedKey reports whether the last known good state holds a setting.
func (s *site) savedKey(key string) bool {
	b, err := os.ReadFile(filepath.Join(s.dir, "state/last-known-good.json"))
	return err == nil && strings.Contains(string(b), key)
}

// untilEvent waits for an event with this text.
func (s *site) untilEvent(text string) {
	s.t.Helper()
	s.until("event "+text, func() bool {
		events, err := s.client().Events(s.t.Context(), 0)
		return err == nil && strings.Contains(fmt.Sprint(events), text)
	})
}

// TestRestartWithASilentConsul starts with a Consul that takes requests and never
// answers: the kernel's table and the settings of before stay in force.
func TestRestartWithASilentConsul(t *testing.T) {
	t.Parallel()
	s, _ := knowing(t)
	s.start()
	s.until("the last known good state is in use", func() bool {
		snap := s.snapshot()
		return len(snap.Pools) == 1 && snap.Pools[0].Stale && len(snap.Pools[0].Servers) == 2 && snap.IPVS.Adopted.Servers == 2
	})
	if ops := s.kernel.Ops(); len(ops) > 0 {
		t.Errorf("%d ops: %v", len(ops), ops)
	}
	s.table("10.0.0.1:1 10.0.0.2:0")
}

// TestLastKnownGoodIsRefused is the same with something that is wrong about what
// was known: it is not used, and the kernel's table stays as it was found.
func TestLastKnownGoodIsRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(s *site, address string)
		event  string
	}{
		{"too old", func(s *site, _ string) {
			s.editState(func(m map[string]any) {
				for _, a := range m["answers"].([]any) {
					a.(map[string]any)["confirmed"] = time.Now().Add(-169 * time.Hour)
				}
			})
		}, "the last known good answer is not used: it was last confirmed 169h0m"},
		{"never", func(s *site, address string) {
			s.consulConfig(fmt.Sprintf("address = %q\nmax_stale_start = \"0s\"", address))
		}, "longer than max_stale_start (0s)"},
		{"of another datacenter", func(s *site, address string) {
			s.consulConfig(fmt.Sprintf("address = %q\ndatacenter = \"dc9\"", address))
		}, "the last known good state is not used: it is of other catalogs (consul 127.0.0.1:"},
		{"of another version", func(s *site, _ string) {
			s.editState(func(m map[string]any) { m["version"] = 99; m["answers"] = "in a new way" })
		}, "the last known good state is not used: it has version 99, this edgekeeper writes 2"},
		{"damaged", func(s *site, _ string) { s.write("state/last-known-good.json", `{"version": 2, "answers": [{"qu`) },
			"the last known good state is not used: read state"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, address := knowing(t)
			c.damage(s, address)
			s.start()
			s.untilEvent(c.event)
			s.until("the first table is made", func() bool { return s.snapshot().IPVS.Adopted.Servers == 2 })
			s.table("10.0.0.1:1 10.0.0.2:0")
			if ops := s.kernel.Ops(); len(ops) > 0 {
				t.Errorf("%d ops: %v", len(ops), ops)
			}
		})
	}
}

// TestOldSettingsAreRefused: the weight goes back to the configuration's.
func TestOldSettingsAreRefused(t *testing.T) {
	t.Parallel()
	s, _ := knowing(t)
	s.editState(func(m map[string]any) { m["kv"].(map[string]any)["confirmed"] = time.Now().Add(-169 * time.Hour) })
	s.start()
	s.untilEvent("the last known good settings are not used: they were last confirmed 169h0m")
	s.table("10.0.0.1:1 10.0.0.2:1")
}

// editState changes what the last run wrote.
func (s *site) editState(edit func(map[string]any)) {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, "state/last-known-good.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		s.t.Fatal(err)
	}
	edit(m)
	if b, err = json.Marshal(m); err != nil {
		s.t.Fatal(err)
	}
	s.write("state/last-known-good.json", string(b))
}
