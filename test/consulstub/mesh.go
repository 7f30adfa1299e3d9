package consulstub

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/hashicorp/consul/api"
)

// prepared is a prepared query.
type prepared struct {
	service string
	entries []*api.ServiceEntry
}

// SetPrepared makes a prepared query that finds these instances of a service.
// Consul does not block for it, and neither does the stub.
func (s *Stub) SetPrepared(query, service string, entries ...*api.ServiceEntry) {
	s.change(func(uint64) { s.prepared[query] = prepared{service, entries} })
}

// SetConfig sets the configuration entries of a kind, in JSON.
func (s *Stub) SetConfig(kind, list string) {
	s.change(func(i uint64) { s.configs[kind] = &resource[any]{value: json.RawMessage(list), index: i} })
}

func (s *Stub) entries(kind string) (any, uint64) {
	if r := s.configs[kind]; r != nil {
		return r.value, r.index
	}
	return []string{}, 1
}

// names gives the services whose kind the filter is about; a filter on anything
// else finds nothing.
func (s *Stub) names(filter string) (any, uint64) {
	out, index := map[string][]string{}, uint64(1)
	for name, r := range s.services {
		index = max(index, r.index)
		for _, e := range r.value {
			if fmt.Sprintf("ServiceKind == %q", e.Service.Kind) == filter {
				out[name] = []string{}
			}
		}
	}
	return out, index
}

func (s *Stub) execute(w http.ResponseWriter, req *http.Request) {
	name := strings.TrimSuffix(strings.TrimPrefix(req.URL.Path, "/v1/query/"), "/execute")
	s.mu.Lock()
	p, ok := maps.Clone(s.prepared)[name]
	s.mu.Unlock()
	if !ok {
		http.Error(w, "Query not found", http.StatusNotFound)
		return
	}
	out := api.PreparedQueryExecuteResponse{Service: p.service, Nodes: []api.ServiceEntry{}}
	for _, e := range p.entries {
		out.Nodes = append(out.Nodes, *e)
	}
	s.read(w, req, false, func() (any, uint64) { return out, 1 })
}
