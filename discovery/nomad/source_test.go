package nomad

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// stub is a Nomad with native services and nodes.
type stub struct {
	mu       sync.Mutex
	changed  chan struct{}
	index    map[string]uint64 // by path
	body     map[string]string
	status   int // not 0: of every answer
	noLeader bool
	requests int
	token    string
}

func newStub() *stub {
	return &stub{
		changed: make(chan struct{}), index: map[string]uint64{}, body: map[string]string{"/v1/service/web": "[]", "/v1/nodes": "[]"},
	}
}

func (s *stub) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stub) put(path string, index uint64, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	s.set(func() { s.index[path], s.body[path] = index, string(b) })
}

func (s *stub) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	after, _ := strconv.ParseUint(r.URL.Query().Get("index"), 10, 64)
	wait, _ := time.ParseDuration(r.URL.Query().Get("wait"))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for first := true; ; first = false {
		s.mu.Lock()
		if first {
			s.requests++
			s.token = r.Header.Get("X-Nomad-Token")
		}
		index, body, changed, status, leader := max(s.index[r.URL.Path], 1), s.body[r.URL.Path], s.changed, s.status, !s.noLeader
		s.mu.Unlock()
		if after == 0 || index != after || status != 0 || !leader {
			if status != 0 {
				http.Error(w, "Permission denied", status)
				return
			}
			w.Header().Set("X-Nomad-Index", strconv.FormatUint(index, 10))
			w.Header().Set("X-Nomad-KnownLeader", strconv.FormatBool(leader))
			w.Header().Set("X-Nomad-LastContact", "0")
			fmt.Fprint(w, body)
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			after = 0
		case <-r.Context().Done():
			return
		}
	}
}

func registration(n int) *api.ServiceRegistration {
	return &api.ServiceRegistration{ID: fmt.Sprintf("web-%d", n), ServiceName: "web", NodeID: fmt.Sprintf("id-%d", n), AllocID: "a", Address: fmt.Sprintf("10.0.0.%d", n), Port: 80, Tags: []string{"edgekeeper_weight=5"}}
}

func aNode(n int, drain bool, status string) *api.NodeListStub {
	return &api.NodeListStub{ID: fmt.Sprintf("id-%d", n), Name: fmt.Sprintf("node-%d", n), Drain: drain, Status: status}
}

func TestSource(t *testing.T) {
	s := newStub()
	srv := httptest.NewServer(s)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := api.NewClient(&api.Config{Address: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	src := NewSource(Config{Client: client, TokenFile: token})
	q := discovery.Query{Source: discovery.Nomad, Service: "web"}
	src.Set([]discovery.Query{q, {Source: discovery.Consul, Service: "web"}})
	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan discovery.Answer, 100)
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, func(a discovery.Answer) { answers <- a }) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		client.Close()
		srv.Close()
	}()
	say := func(a discovery.Answer) string {
		if a.Err != "" {
			return "error " + a.Err
		}
		var out []string
		for _, in := range a.Instances {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", in.ID, in.Node, in.Addr, in.State, in.Reason)))
		}
		return strings.Join(append(out, a.Warnings...), "; ")
	}
	// next waits for an answer; the ones before it may be any of these.
	next := func(want string, before ...string) discovery.Answer {
		t.Helper()
		deadline := time.After(30 * time.Second)
		for {
			select {
			case a := <-answers:
				got := say(a)
				if got == want {
					return a
				}
				if slices.Contains(before, got) {
					continue
				}
				t.Fatalf("emitted %q, want %q", got, want)
			case <-deadline:
				t.Fatalf("nothing came, want %q", want)
			}
		}
	}
	next("")
	s.put("/v1/nodes", 5, []*api.NodeListStub{aNode(1, false, "ready"), aNode(2, false, "ready")})
	s.put("/v1/service/web", 6, []*api.ServiceRegistration{registration(2), registration(1)})
	const one, two = "web-1 node-1 10.0.0.1:80 passing", "web-2 node-2 10.0.0.2:80 passing"
	unknown := "web-1 id-1 10.0.0.1:80 critical nomad does not know its node id-1; web-2 id-2 10.0.0.2:80 critical nomad does not know its node id-2"
	if a := next(one+"; "+two, unknown); a.Instances[0].Meta[discovery.WeightMeta] != "5" {
		t.Errorf("instance %+v", a.Instances[0])
	}
	s.put("/v1/nodes", 7, []*api.NodeListStub{aNode(1, true, "ready"), aNode(2, false, "ready")})
	next("web-1 node-1 10.0.0.1:80 maintenance nomad drains its node node-1; " + two)
	s.put("/v1/nodes", 8, []*api.NodeListStub{aNode(1, false, "ready"), aNode(2, false, "down")})
	next(one + "; web-2 node-2 10.0.0.2:80 critical its nomad node node-2 is down")
	s.put("/v1/nodes", 9, []*api.NodeListStub{aNode(1, false, "ready"), aNode(2, false, "ready")})
	next(one + "; " + two)

	if err := os.WriteFile(token, []byte("two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := s.count()
	s.set(func() { s.status = http.StatusForbidden })
	next("error status 403: Permission denied", "error read nodes: status 403: Permission denied") // whichever is refused first
	began := time.Now()
	time.Sleep(time.Second)
	if n, took := s.count()-before, time.Since(began); n > int(12*took.Seconds()) {
		t.Errorf("%d requests in %s of refusal", n, took)
	}
	s.set(func() { s.status, s.noLeader = 0, true; s.body["/v1/service/web"] = "[]" })
	next("error "+ErrNoLeader.Error(), "error read nodes: status 403: Permission denied")
	s.put("/v1/service/web", 10, []*api.ServiceRegistration{registration(1), registration(2)})
	s.set(func() { s.noLeader = false })
	next(one+"; "+two, "error read nodes: "+ErrNoLeader.Error(), "error read nodes: status 403: Permission denied") // nodes are asked at their own pace
	s.mu.Lock()
	if s.token != "two" {
		t.Errorf("token %q, want the one that the file holds now", s.token)
	}
	s.mu.Unlock()

	// The data began anew: lower indexes are followed.
	s.put("/v1/service/web", 3, []*api.ServiceRegistration{registration(1)})
	if !next(one).Anew {
		t.Error("nothing says that the data began anew")
	}
	s.put("/v1/service/web", 4, []*api.ServiceRegistration{registration(1), {ID: "odd", ServiceName: "web", AllocID: "x", Address: "web.example", Port: 80}})
	if next(one + `; service "web" of allocation x: address "web.example" is not an IP address`).Anew {
		t.Error("the data began anew once more")
	}
	before = s.count()
	time.Sleep(time.Second)
	if n := s.count() - before; n > 2 {
		t.Errorf("%d requests in a second without changes", n)
	}
}
