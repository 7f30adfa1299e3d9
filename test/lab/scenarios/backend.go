package scenarios

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

// backend is a web server of the lab's own process on a host: GET / gives the
// host's name, GET /health 200 or 503, and GET /hold the name and then nothing
// until the client goes or the time of ?for= is over.
type backend struct {
	ill atomic.Bool
	srv *http.Server
}

// serve starts a backend that listens on a port of all addresses of a host.
func serve(t *scenario.T, h *site.Host, port int) *backend {
	b := &backend{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, h.Name) })
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		if b.ill.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /hold", func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.FormValue("for"))
		if err != nil {
			d = time.Minute
		}
		fmt.Fprint(w, h.Name)
		_ = http.NewResponseController(w).Flush() // the client sees its name, or that nothing comes
		select {
		case <-r.Context().Done():
		case <-time.After(d):
		}
		fmt.Fprint(w, " to the end")
	})
	b.srv = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	b.srv.SetKeepAlivesEnabled(false)
	t.OK(h.Do(func() error {
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			return fmt.Errorf("listen on %s: %w", h.Name, err)
		}
		go func() { _ = b.srv.Serve(l) }() // ends with Close
		return nil
	}))
	t.Cleanup(func() { _ = b.srv.Close() })
	return b
}

// dial opens a connection from a host, with a source address or from any (""),
// which breaks after limit.
func dial(from *site.Host, network, source, addr string, limit time.Duration) (c net.Conn, err error) {
	err = from.Do(func() error {
		d := net.Dialer{Timeout: limit}
		if source != "" {
			a, err := resolve(network, net.JoinHostPort(source, "0"))
			if err != nil {
				return err
			}
			d.LocalAddr = a
		}
		if c, err = d.Dial(network, addr); err != nil {
			return err
		}
		return c.SetDeadline(time.Now().Add(limit))
	})
	return c, err
}

func resolve(network, addr string) (net.Addr, error) {
	if network == "udp" {
		return net.ResolveUDPAddr(network, addr)
	}
	return net.ResolveTCPAddr(network, addr)
}

// askFrom is ask with a source address.
func askFrom(from *site.Host, source, network, addr string) string {
	c, err := dial(from, network, source, addr, time.Second)
	if err != nil {
		return ""
	}
	defer func() { _ = c.Close() }()
	return hear(c, network == "udp")
}

// hear reads the name that a server answers with, after a datagram when it has to
// be asked.
func hear(c net.Conn, ask bool) string {
	if ask {
		if _, err := c.Write([]byte("?")); err != nil {
			return ""
		}
	}
	b := make([]byte, 100)
	n, err := c.Read(b)
	if err != nil {
		return ""
	}
	return string(b[:n])
}

// read gives the name in the body of an answer that goes on, and the whole answer
// when it has ended. It leaves the connection open: with direct routing the
// director learns of its end from the client only.
func read(t *scenario.T, c net.Conn) (name string, rest <-chan string) {
	all := make(chan string, 1)
	first := make(chan string, 1)
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		var text []byte
		b := make([]byte, 1000)
		said := false
		for {
			n, err := c.Read(b)
			text = append(text, b[:n]...)
			if _, body, ok := strings.Cut(string(text), "\r\n\r\n"); !said && (ok && body != "" || err != nil) {
				said = true
				first <- body
			}
			if err != nil {
				all <- string(text)
				return
			}
		}
	}()
	return <-first, all
}
