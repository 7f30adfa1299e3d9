// Package consulstub is a small Consul for tests: service health, keys and
// who-am-I over HTTP, with indexes and blocking queries as Consul has them, and
// with switches for its bad days.
//
// It is an [http.Handler] for httptest, and [Stub.Client] reaches it without a
// socket, so that it also works inside a testing/synctest bubble.
package consulstub

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"
)

// Request is a request that came.
type Request struct {
	Method, Path string
	Stale        bool
	Index        uint64
	Token        string
	At           time.Time
}

// Stub is a Consul. Its methods may be called from any goroutine.
type Stub struct {
	mu       sync.Mutex
	changed  chan struct{} // closed at every change
	index    uint64
	services map[string]*resource[[]*api.ServiceEntry]
	keys     map[string]*api.KVPair
	keyIndex uint64
	graves   map[string]uint64 // of deleted keys: the index of the deletion
	prepared map[string]prepared
	configs  map[string]*resource[any]
	agent    map[string]*api.AgentServiceRegistration

	fault     Fault
	lag       time.Duration // LastContact of stale reads
	slow      time.Duration // before each answer
	streaming bool
	behind    bool
	requests  []Request
	beforeCAS func()
}

type resource[T any] struct {
	value  T
	index  uint64
	before *resource[T] // what it replaced
}

// New makes an empty Consul at index 10.
func New() *Stub {
	return &Stub{
		changed:  make(chan struct{}),
		index:    10,
		services: make(map[string]*resource[[]*api.ServiceEntry]),
		keys:     make(map[string]*api.KVPair),
		keyIndex: 10,
		graves:   make(map[string]uint64),
		prepared: make(map[string]prepared),
		configs:  make(map[string]*resource[any]),
		agent:    make(map[string]*api.AgentServiceRegistration),
	}
}

// change runs f at the next index and wakes blocked queries.
func (s *Stub) change(f func(index uint64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index++
	f(s.index)
	close(s.changed)
	s.changed = make(chan struct{})
}

// SetService replaces the instances of a service. Those of "web@dc2" are what
// web has in datacenter dc2; another datacenter has those of "web".
func (s *Stub) SetService(name string, entries ...*api.ServiceEntry) {
	s.change(func(i uint64) {
		old := s.services[name]
		if old == nil {
			old = &resource[[]*api.ServiceEntry]{index: 1}
		}
		s.services[name] = &resource[[]*api.ServiceEntry]{entries, i, &resource[[]*api.ServiceEntry]{value: old.value, index: old.index}}
	})
}

// Touch raises a service's index and changes nothing, as a check that syncs its
// output does.
func (s *Stub) Touch(name string) {
	s.change(func(i uint64) {
		r := &resource[[]*api.ServiceEntry]{index: i}
		if old := s.services[name]; old != nil {
			r.value = old.value
		}
		s.services[name] = r
	})
}

// SetKey writes a key.
func (s *Stub) SetKey(key, value string) {
	s.change(func(i uint64) { s.put(key, value, i) })
}

func (s *Stub) put(key, value string, index uint64) {
	p := &api.KVPair{Key: key, Value: []byte(value), CreateIndex: index, ModifyIndex: index}
	if old := s.keys[key]; old != nil {
		p.CreateIndex = old.CreateIndex
	}
	s.keys[key] = p
	s.keyIndex = index
}

func (s *Stub) remove(key string, index uint64) {
	delete(s.keys, key)
	s.graves[key], s.keyIndex = index, index
}

// DeleteKey removes a key.
func (s *Stub) DeleteKey(key string) {
	s.change(func(i uint64) { s.remove(key, i) })
}

// Reap forgets which keys were deleted, as Consul does after a quarter of an
// hour: the index of the keys below a prefix falls to that of those that are left.
func (s *Stub) Reap() { s.set(func() { clear(s.graves) }) }

// Wipe is a Consul that has lost its data: nothing is left, and its index begins
// anew.
func (s *Stub) Wipe() {
	s.change(func(uint64) {
		clear(s.keys)
		clear(s.graves)
		clear(s.services)
		s.index, s.keyIndex = 1, 1
	})
}

// Key gives a key's value.
func (s *Stub) Key(key string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.keys[key]
	if p == nil {
		return "", false
	}
	return string(p.Value), true
}

// Rewind makes the index start again at 1 with everything kept, as a cluster
// restored from a snapshot does.
func (s *Stub) Rewind() {
	s.change(func(uint64) {
		s.index, s.keyIndex = 2, 2
		for _, r := range s.services {
			r.index = 2
		}
		for _, p := range s.keys {
			p.ModifyIndex = 2
		}
		clear(s.graves)
	})
}

// SetFault switches a fault on, or off with None, and ends blocked queries.
func (s *Stub) SetFault(f Fault) { s.set(func() { s.fault = f }) }

// SetLag makes stale reads say that their server's last contact with the leader
// was that long ago.
func (s *Stub) SetLag(d time.Duration) { s.set(func() { s.lag = d }) }

// SetSlow delays each answer.
func (s *Stub) SetSlow(d time.Duration) { s.set(func() { s.slow = d }) }

// SetStreaming makes blocking queries on health come from a streaming backend,
// which says neither leader nor contact.
func (s *Stub) SetStreaming(on bool) { s.set(func() { s.streaming = on }) }

// SetBehind makes reads of services that neither block nor are consistent come
// from a server that has not heard of the last change.
func (s *Stub) SetBehind(on bool) { s.set(func() { s.behind = on }) }

// BeforeCAS runs f before each check-and-set: somebody else who is faster.
func (s *Stub) BeforeCAS(f func()) { s.set(func() { s.beforeCAS = f }) }

func (s *Stub) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Requests gives what has come since the beginning.
func (s *Stub) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ServeHTTP answers as Consul does.
func (s *Stub) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	q := req.URL.Query()
	index, _ := strconv.ParseUint(q.Get("index"), 10, 64)
	s.mu.Lock()
	s.requests = append(s.requests, Request{req.Method, req.URL.Path, q.Has("stale"), index, req.Header.Get("X-Consul-Token"), time.Now()})
	s.mu.Unlock()
	switch path := req.URL.Path; {
	case path == "/v1/acl/token/self":
		http.Error(w, "token does not exist: ACL not found", http.StatusForbidden)
	case strings.HasPrefix(path, "/v1/health/service/"):
		name := strings.TrimPrefix(path, "/v1/health/service/")
		s.read(w, req, true, func() (any, uint64) {
			r := s.services[name]
			if far := s.services[name+"@"+q.Get("dc")]; far != nil {
				r = far
			}
			if r != nil && r.before != nil && s.behind && index == 0 && !q.Has("consistent") {
				r = r.before
			}
			if r != nil {
				return append([]*api.ServiceEntry{}, r.value...), r.index
			}
			return []*api.ServiceEntry{}, 1
		})
	case strings.HasPrefix(path, "/v1/health/node/"):
		node := strings.TrimPrefix(path, "/v1/health/node/")
		s.read(w, req, true, func() (any, uint64) { return s.checks(node) })
	case strings.HasPrefix(path, "/v1/kv/") && req.Method == http.MethodGet:
		key := strings.TrimPrefix(path, "/v1/kv/")
		s.read(w, req, false, func() (any, uint64) { return s.pairs(key, q.Has("recurse")) })
	case strings.HasPrefix(path, "/v1/kv/"):
		s.write(w, req, strings.TrimPrefix(path, "/v1/kv/"))
	case strings.HasPrefix(path, "/v1/agent/"):
		s.serveAgent(w, req)
	case strings.HasPrefix(path, "/v1/query/"):
		s.execute(w, req)
	case strings.HasPrefix(path, "/v1/config/"):
		s.read(w, req, false, func() (any, uint64) { return s.entries(strings.TrimPrefix(path, "/v1/config/")) })
	case path == "/v1/catalog/services":
		s.read(w, req, false, func() (any, uint64) { return s.names(q.Get("filter")) })
	default:
		http.Error(w, "no such endpoint in this stub", http.StatusNotFound)
	}
}

// checks gives those of the service instances on a node.
func (s *Stub) checks(node string) (api.HealthChecks, uint64) {
	out, index := api.HealthChecks{}, uint64(1)
	for _, r := range s.services {
		for _, e := range r.value {
			if e.Node != nil && e.Node.Node == node {
				out, index = append(out, e.Checks...), max(index, r.index)
			}
		}
	}
	return out, index
}

// pairs gives nil where nothing is found, which is a 404. Its index is that of
// what is found, and of deletions there; where nothing is, that of all keys.
func (s *Stub) pairs(key string, recurse bool) (any, uint64) {
	var found []*api.KVPair
	var index uint64
	for k, p := range s.keys {
		if k == key || recurse && strings.HasPrefix(k, key) {
			found, index = append(found, p), max(index, p.ModifyIndex)
		}
	}
	for k, deleted := range s.graves {
		if recurse && strings.HasPrefix(k, key) {
			index = max(index, deleted)
		}
	}
	if found == nil {
		return nil, cmp.Or(index, s.keyIndex)
	}
	slices.SortFunc(found, func(a, b *api.KVPair) int { return strings.Compare(a.Key, b.Key) })
	return found, index
}

// read answers a query, after blocking where it should.
func (s *Stub) read(w http.ResponseWriter, req *http.Request, health bool, get func() (any, uint64)) {
	q := req.URL.Query()
	after, _ := strconv.ParseUint(q.Get("index"), 10, 64)
	wait, err := time.ParseDuration(q.Get("wait"))
	if err != nil {
		wait = 5 * time.Minute
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for expired := false; ; {
		s.mu.Lock()
		value, index := get()
		fault, changed, lag, slow := s.fault, s.changed, s.lag, s.slow
		streaming := s.streaming && health && after > 0
		answer := (after == 0 || index > after || index < after || expired || fault != None) && fault != Hang
		var body []byte
		var err error
		if answer { // a thousand blocked queries wake up at each change
			body, err = json.Marshal(value)
		}
		s.mu.Unlock()
		if err != nil {
			panic(fmt.Sprintf("encode: %v", err))
		}
		if answer {
			if slow > 0 {
				select {
				case <-time.After(slow):
				case <-req.Context().Done():
					return
				}
			}
			if !q.Has("stale") {
				lag = 0
			}
			reply(w, fault, body, value == nil, index, lag, streaming)
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			expired = true
		case <-req.Context().Done():
			return
		}
	}
}

// write sets or deletes a key, with or without check-and-set.
func (s *Stub) write(w http.ResponseWriter, req *http.Request, key string) {
	s.mu.Lock()
	before, fault := s.beforeCAS, s.fault
	s.mu.Unlock()
	if fault == Status403 {
		reply(w, fault, nil, false, 0, 0, false)
		return
	}
	cas := req.URL.Query().Get("cas")
	if cas != "" && before != nil {
		before()
	}
	value, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ok := true
	s.change(func(i uint64) {
		if cas != "" {
			var have uint64
			if p := s.keys[key]; p != nil {
				have = p.ModifyIndex
			}
			if ok = cas == strconv.FormatUint(have, 10); !ok {
				return
			}
		}
		if req.Method == http.MethodDelete {
			s.remove(key, i)
		} else {
			s.put(key, string(value), i)
		}
	})
	writeJSON(w, ok)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}
