//go:build consul

package agent_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/test/consultest"
)

// fault is something that happens between Consul and the director.
type fault struct {
	name    string
	request func(*http.Request)        // nil: as it came
	answer  func(*http.Response) error // nil: as it came
	quiet   bool                       // it is no error, and nothing needs to be said
	held    bool                       // a pool of several is held, which says it
}

var faults = []fault{
	{name: "slow", quiet: true, answer: func(*http.Response) error {
		time.Sleep(300 * time.Millisecond)
		return nil
	}},
	{name: "cut in the middle of the body", answer: func(r *http.Response) error {
		text, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(text[:len(text)/2]), broken{}))
		return err
	}},
	{name: "garbage", answer: replaced(200, "<html>502 Bad Gateway</html>")},
	{name: "status 500", answer: replaced(500, "No cluster leader")},
	{name: "status 403", answer: replaced(403, "Permission denied")},
	{name: "status 429", answer: replaced(429, "rate limit exceeded")},
	{name: "an empty list with status 200", held: true, answer: replaced(200, "[]")},
	{name: "an index that goes backwards", quiet: true, answer: func() func(*http.Response) error {
		var n atomic.Int64
		return func(r *http.Response) error {
			r.Header.Set("X-Consul-Index", fmt.Sprint(max(1, 9-n.Add(1))))
			return nil
		}
	}()},
	{name: "the same index again and again, at once", quiet: true, request: func(r *http.Request) {
		q := r.URL.Query()
		q.Del("index")
		r.URL.RawQuery = q.Encode()
	}},
	{name: "a huge answer", answer: func(r *http.Response) error {
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader("["), spaces{}))
		r.ContentLength = -1
		r.Header.Del("Content-Length")
		return nil
	}},
}

func replaced(status int, body string) func(*http.Response) error {
	return func(r *http.Response) error {
		r.StatusCode, r.Status = status, http.StatusText(status)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", fmt.Sprint(len(body)))
		return nil
	}
}

// broken ends a connection in the middle of an answer.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// spaces never ends.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestFaultsBetweenConsulAndTheTable: whatever a proxy does to the answers of a
// real Consul, the table stays as the catalog means it, and requests are few; when
// it is over, what has changed meanwhile arrives.
func TestFaultsBetweenConsulAndTheTable(t *testing.T) {
	const watch = 2 * time.Second
	a := consultest.Start(t, consultest.Options{})
	upstream := &url.URL{Scheme: "http", Host: a.Addr}
	for i, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			service, prefix := fmt.Sprintf("web%d", i), fmt.Sprintf("edge%d", i)
			register := func(n int) {
				a.Register(&api.AgentServiceRegistration{Name: service, ID: fmt.Sprintf("%s-%d", service, n), Address: fmt.Sprintf("10.0.0.%d", n), Port: 80})
			}
			for n := range 3 {
				register(n + 1)
			}
			if _, err := a.Client.KV().Put(&api.KVPair{Key: fmt.Sprintf("%s/weight/web/%s-1", prefix, service), Value: []byte("5")}, nil); err != nil {
				t.Fatal(err)
			}
			var broken atomic.Bool
			var requests atomic.Int64
			proxy := &httputil.ReverseProxy{
				Rewrite: func(r *httputil.ProxyRequest) {
					requests.Add(1)
					r.SetURL(upstream)
					r.Out.Header.Del("Accept-Encoding") // the faults are in plain text
					if broken.Load() && f.request != nil {
						f.request(r.Out)
					}
				},
				ModifyResponse: func(r *http.Response) error {
					if broken.Load() && f.answer != nil {
						return f.answer(r)
					}
					return nil
				},
				ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
			}
			srv := httptest.NewServer(proxy)
			t.Cleanup(func() {
				srv.CloseClientConnections()
				srv.Close()
			})
			s := newSite(t)
			s.consulConfig(fmt.Sprintf("address = %q\nkv_prefix = %q", srv.Listener.Addr(), prefix))
			s.rewrite("director.hcl", `service "web" {}`, fmt.Sprintf("service %q {}", service))
			s.start()
			const table = "10.0.0.1:5 10.0.0.2:1 10.0.0.3:1"
			s.table(table)
			s.kernel.Ops()

			broken.Store(true)
			began, before := time.Now(), requests.Load()
			srv.CloseClientConnections() // the queries that block begin anew
			switch {
			case f.held:
				s.eventually("the pool is held", func() bool { return s.snapshot().Pools[0].Held != "" })
			case !f.quiet:
				s.eventually("it is reported", func() bool { snap := s.snapshot(); return snap.Sources[0].Error != "" && snap.KV.Error != "" })
			}
			time.Sleep(watch)
			// Two watches, which ask four times in 100 ms at the most: themselves, the
			// leader, who they are, and for the index of all keys.
			if n := requests.Load() - before; n > 2*4*int64(2*time.Since(began)/(100*time.Millisecond)) || n == 0 {
				t.Errorf("%d requests in %s", n, time.Since(began))
			}
			if ops := s.kernel.Ops(); len(ops) > 0 {
				t.Errorf("%d operations: %v", len(ops), ops)
			}
			register(4)
			broken.Store(false)
			srv.CloseClientConnections()
			s.eventually("what has changed arrives", func() bool { return s.held() == table+" 10.0.0.4:1" })
			s.eventually("and nothing is wrong any more", func() bool {
				snap := s.snapshot()
				return snap.Sources[0].Error == "" && snap.KV.Error == "" && snap.Pools[0].Held == "" && len(snap.KV.Kept) == 0
			})
			for _, op := range s.kernel.Ops() {
				if op.Dest.Addr.Addr().String() != "10.0.0.4" {
					t.Errorf("on the way: %s", op)
				}
			}
			s.stop()
		})
	}
}
