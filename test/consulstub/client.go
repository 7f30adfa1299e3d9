package consulstub

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"syscall"

	"github.com/hashicorp/consul/api"
)

// Client makes a client that reaches the stub without a socket.
func (s *Stub) Client() *api.Client {
	c, err := api.NewClient(&api.Config{Address: "http://stub", HttpClient: &http.Client{Transport: transport{s}}})
	if err != nil {
		panic(err) // the configuration is constant
	}
	return c
}

// transport calls the stub in place of a connection.
type transport struct{ stub *Stub }

func (t transport) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	in := req.Clone(req.Context())
	if in.Body == nil {
		in.Body = http.NoBody // as a server gives it
	}
	rec := httptest.NewRecorder()
	aborted := false
	func() {
		defer func() {
			if v := recover(); v != nil {
				if e, ok := v.(error); !ok || !errors.Is(e, http.ErrAbortHandler) {
					panic(v)
				}
				aborted = true
			}
		}()
		t.stub.ServeHTTP(rec, in)
	}()
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if aborted && rec.Body.Len() == 0 {
		return nil, syscall.ECONNREFUSED
	}
	resp = rec.Result()
	resp.Request = req
	if aborted {
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(rec.Body.Bytes()), broken{}))
	}
	return resp, nil
}

// broken is the end of a connection in the middle of an answer.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Entry makes a passing instance of a service: id is its service id and node
// its node's name; more checks can be added to it.
func Entry(service, id, node, address string, port int, checks ...*api.HealthCheck) *api.ServiceEntry {
	return &api.ServiceEntry{
		Node:    &api.Node{Node: node, Address: address},
		Service: &api.AgentService{Service: service, ID: id, Port: port, Weights: api.AgentWeights{Passing: 1, Warning: 1}},
		Checks:  append(api.HealthChecks{{Node: node, CheckID: "serfHealth", Name: "Serf Health Status", Status: api.HealthPassing}}, checks...),
	}
}

// Check makes a check of a service.
func Check(id, status, output string) *api.HealthCheck {
	return &api.HealthCheck{CheckID: id, Name: id, Status: status, Output: output}
}
