package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// Director is what the API serves. Its methods are called from many goroutines
// at once. An error that wraps ErrBadRequest is the caller's fault.
type Director interface {
	// Snapshot tells the whole state.
	Snapshot(ctx context.Context) (Snapshot, error)
	// Events lists what happened after the event numbered since, oldest first.
	Events(ctx context.Context, since uint64) ([]Event, error)
	// Connections lists the entries of the IPVS connection table that the filter picks.
	Connections(ctx context.Context, filter lvs.ConnectionFilter) ([]Connection, error)
	// Handover gives up mastership of one VRRP instance, or of all with "", and
	// returns when another router has taken over, or says why none did.
	Handover(ctx context.Context, instance string) ([]Handover, error)
	// Put writes a live setting (a key below the KV prefix) to where it is owned:
	// Consul KV, or the director's own file where there is no Consul.
	Put(ctx context.Context, key, value string) error
	// Delete takes a live setting back; one that is not set is ErrBadRequest.
	Delete(ctx context.Context, key string) error
	// Plan tells what a reload with the configuration at path, which the director
	// itself reads, would change. id is for the conditional lines of a
	// keepalived.conf.
	Plan(ctx context.Context, path, id string) (Plan, error)
	// Debug tells what only the director knows of itself, without secrets.
	Debug(ctx context.Context) (Debug, error)
}

// Handover is the outcome of one instance's handover.
type Handover struct {
	Instance string  `json:"instance"`
	To       string  `json:"to"`      // address of the new master
	Seconds  float64 `json:"seconds"` // from the order to the first advert of the new master
}

// ErrBadRequest marks an order that cannot be carried out as it was given.
var ErrBadRequest = errors.New("bad request")

// Server serves a Director on a unix socket.
type Server struct {
	Path     string // of the socket; its folder is made when it is missing
	Director Director
	Log      *slog.Logger // nil discards
}

// Run listens until ctx is done and removes the socket. A socket file that
// nobody listens on is replaced; one that answers is an error, because another
// director runs.
func (s *Server) Run(ctx context.Context) error {
	l, err := s.listen()
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		short, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if srv.Shutdown(short) != nil {
			srv.Close() // a client that hangs must not keep the director
		}
	}()
	err = srv.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	<-stopped
	return err
}

func (s *Server) listen() (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(s.Path), 0o755); err != nil {
		return nil, fmt.Errorf("make folder of control socket: %w", err)
	}
	if c, err := net.DialTimeout("unix", s.Path, time.Second); err == nil {
		c.Close()
		return nil, fmt.Errorf("listen on control socket %s: another director answers there: %w", s.Path, syscall.EADDRINUSE)
	}
	if err := os.Remove(s.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove left-over control socket: %w", err)
	}
	l, err := net.Listen("unix", s.Path)
	if err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	if err := os.Chmod(s.Path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("protect control socket: %w", err)
	}
	return l, nil
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", answer(func(r *http.Request) (any, error) { return s.Director.Snapshot(r.Context()) }))
	mux.HandleFunc("GET /v1/events", answer(func(r *http.Request) (any, error) {
		since, _ := strconv.ParseUint(r.FormValue("since"), 10, 64)
		return s.Director.Events(r.Context(), since)
	}))
	mux.HandleFunc("GET /v1/connections", answer(func(r *http.Request) (any, error) {
		var filter lvs.ConnectionFilter
		if err := json.Unmarshal([]byte(r.FormValue("filter")), &filter); err != nil {
			return nil, fmt.Errorf("%w: filter: %w", ErrBadRequest, err)
		}
		return s.Director.Connections(r.Context(), filter)
	}))
	mux.HandleFunc("POST /v1/handover", answer(func(r *http.Request) (any, error) {
		return s.Director.Handover(r.Context(), r.FormValue("instance"))
	}))
	mux.HandleFunc("POST /v1/plan", answer(func(r *http.Request) (any, error) {
		return s.Director.Plan(r.Context(), r.FormValue("path"), r.FormValue("id"))
	}))
	mux.HandleFunc("GET /v1/debug", answer(func(r *http.Request) (any, error) { return s.Director.Debug(r.Context()) }))
	mux.HandleFunc("PUT /v1/kv/{key...}", answer(func(r *http.Request) (any, error) {
		value, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		if err != nil {
			return nil, fmt.Errorf("%w: read value: %w", ErrBadRequest, err)
		}
		return struct{}{}, s.Director.Put(r.Context(), r.PathValue("key"), string(value))
	}))
	mux.HandleFunc("DELETE /v1/kv/{key...}", answer(func(r *http.Request) (any, error) {
		return struct{}{}, s.Director.Delete(r.Context(), r.PathValue("key"))
	}))
	return mux
}

type failure struct {
	Error string `json:"error"`
}

// answer turns a function into a handler that writes JSON.
func answer(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r)
		w.Header().Set("Content-Type", "application/json")
		switch {
		case errors.Is(err, ErrBadRequest):
			w.WriteHeader(http.StatusBadRequest)
			v = failure{strings.TrimPrefix(err.Error(), ErrBadRequest.Error()+": ")}
		case err != nil:
			w.WriteHeader(http.StatusInternalServerError)
			v = failure{err.Error()}
		}
		// The client is gone when this fails; there is nobody left to tell.
		_ = json.NewEncoder(w).Encode(v)
	}
}
