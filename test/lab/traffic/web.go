// Package traffic is the lab's load: the web server that runs on web hosts and
// the client that measures what a user of the site would see.
package traffic

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// Web is the lab's web server, until ctx ends:
//
//	GET /                 the server's name
//	GET /health           200, or what POST /health?status=503 asked for
//	GET /slow?for=10s     one line with the name every 100 ms
func Web(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("web", flag.ContinueOnError)
	name := fs.String("name", "web", "name to answer with")
	listen := fs.String("listen", ":80", "address to listen on")
	if err := fs.Parse(args); err != nil {
		return err
	}
	var health atomic.Int32
	health.Store(http.StatusOK)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, *name) })
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(health.Load()))
		fmt.Fprintln(w, *name)
	})
	mux.HandleFunc("POST /health", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.FormValue("status"))
		if err != nil || n < 200 || n > 599 {
			http.Error(w, "status must be 200 to 599", http.StatusBadRequest)
			return
		}
		health.Store(int32(n))
	})
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) { slow(w, r, *name) })
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	srv.SetKeepAlivesEnabled(false) // one connection, one request: that is what IPVS schedules
	ln, err := net.Listen("tcp4", *listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

const slowEvery = 100 * time.Millisecond

func slow(w http.ResponseWriter, r *http.Request, name string) {
	d, err := time.ParseDuration(r.FormValue("for"))
	if err != nil {
		d = time.Minute
	}
	tick := time.NewTicker(slowEvery)
	defer tick.Stop()
	flush := http.NewResponseController(w)
	for end := time.Now().Add(d); time.Now().Before(end); {
		if _, err := fmt.Fprintln(w, name); err != nil {
			return
		}
		if err := flush.Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}
