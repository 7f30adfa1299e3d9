package consulstub

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"
)

// Registered gives what was registered with the agent, a line each, sorted: id,
// tags, state and output of its check.
func (s *Stub) Registered() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []string{}
	for id, r := range s.agent {
		out = append(out, fmt.Sprintf("%s %s:%d %v %s: %s", id, r.Address, r.Port, r.Tags, r.Check.Status, r.Check.Notes))
	}
	slices.Sort(out)
	return out
}

// ForgetServices is an agent that was restarted without its data.
func (s *Stub) ForgetServices() { s.set(func() { clear(s.agent) }) }

// serveAgent is what an agent does about its own services.
func (s *Stub) serveAgent(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault == Status403 || s.fault == Status500 || s.fault == Refused {
		reply(w, s.fault, nil, false, 0, 0, false)
		return
	}
	path := strings.TrimPrefix(req.URL.Path, "/v1/agent/")
	switch {
	case path == "services":
		out := map[string]*api.AgentService{}
		for id, r := range s.agent {
			out[id] = &api.AgentService{ID: id, Service: r.Name, Meta: r.Meta}
		}
		writeJSON(w, out)
	case path == "service/register":
		r := &api.AgentServiceRegistration{}
		if err := json.NewDecoder(req.Body).Decode(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.agent[r.ID] = r
	case strings.HasPrefix(path, "service/deregister/"):
		id := strings.TrimPrefix(path, "service/deregister/")
		if s.agent[id] == nil {
			http.Error(w, fmt.Sprintf("Unknown service ID %q", id), http.StatusNotFound)
			return
		}
		delete(s.agent, id)
	case strings.HasPrefix(path, "check/update/"):
		id := strings.TrimPrefix(path, "check/update/")
		var update struct{ Status, Output string }
		if err := json.NewDecoder(req.Body).Decode(&update); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, r := range s.agent {
			if r.Check.CheckID == id {
				r.Check.Status, r.Check.Notes = update.Status, update.Output
				return
			}
		}
		http.Error(w, fmt.Sprintf("Unknown check ID %q", id), http.StatusNotFound)
	default:
		http.Error(w, "no such endpoint in this stub", http.StatusNotFound)
	}
}
