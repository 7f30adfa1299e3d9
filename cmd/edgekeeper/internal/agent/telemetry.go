package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/metrics"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/show"
)

// serveTelemetry serves /metrics and /health until ctx is done.
func (a *agent) serveTelemetry(ctx context.Context, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen for telemetry: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics.New(a.Snapshot), promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) {
		s, err := a.Snapshot(r.Context())
		if err != nil || !healthy(s) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		if err != nil {
			fmt.Fprintln(w, err)
			return
		}
		for _, note := range show.Notes(s) {
			fmt.Fprintln(w, note)
		}
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve telemetry: %w", err)
	}
	return nil
}

// healthy reports whether this director could serve as master: its VRRP
// instances take part in the election and the kernel's table is what is wanted.
func healthy(s control.Snapshot) bool {
	for _, r := range s.VRRP {
		if r.State != "MASTER" && r.State != "BACKUP" {
			return false
		}
	}
	return s.IPVS.InSync && s.IPVS.Error == ""
}
