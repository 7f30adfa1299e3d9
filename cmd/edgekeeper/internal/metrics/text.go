package metrics

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

// Text renders a snapshot as a scrape would get it.
func Text(s control.Snapshot) ([]byte, error) {
	var w page
	req, err := http.NewRequest(http.MethodGet, "/metrics", http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("render metrics: %w", err)
	}
	registry := New(func(context.Context) (control.Snapshot, error) { return s, nil })
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true}).ServeHTTP(&w, req)
	if w.status != 0 && w.status != http.StatusOK {
		return nil, fmt.Errorf("render metrics: %s", bytes.TrimSpace(w.body.Bytes()))
	}
	return w.body.Bytes(), nil
}

// page is a response that is kept.
type page struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (p *page) Header() http.Header {
	if p.header == nil {
		p.header = http.Header{}
	}
	return p.header
}

func (p *page) WriteHeader(status int) { p.status = status }

func (p *page) Write(b []byte) (int, error) { return p.body.Write(b) }
