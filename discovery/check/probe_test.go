package check

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// listen serves each connection with f until the test ends.
func listen(t *testing.T, f func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				f(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return netip.MustParseAddrPort(l.Addr().String())
}

// answering reads one request and answers with text.
func answering(text string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			io.WriteString(c, text)
		}
	}
}

// attempt makes one attempt and gives the reason of its failure.
func attempt(t *testing.T, c discovery.Check) string {
	t.Helper()
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), c.Spec.Timeout)
	defer cancel()
	if err := guarded(ctx, p); err != nil {
		return reason(err, c.Spec.Timeout)
	}
	return "ok"
}

func closedPort(t *testing.T) netip.AddrPort {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}

func TestTCP(t *testing.T) {
	spec := discovery.CheckSpec{Type: discovery.TCP, Timeout: 200 * time.Millisecond}
	open := listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	if got := attempt(t, discovery.Check{Spec: spec, Target: open}); got != "ok" {
		t.Errorf("open port: %s", got)
	}
	if got := attempt(t, discovery.Check{Spec: spec, Target: closedPort(t)}); got != "connection refused" {
		t.Errorf("closed port: %s", got)
	}
}

func TestHTTP(t *testing.T) {
	base := discovery.CheckSpec{
		Type: discovery.HTTP, Timeout: 5 * time.Second, Method: "GET", Path: "/health?deep=1", StatusLow: 200, StatusHigh: 299,
	}
	short := func(s *discovery.CheckSpec) { s.Timeout = 100 * time.Millisecond }
	body := func(re string) func(*discovery.CheckSpec) {
		return func(s *discovery.CheckSpec) { s.BodyPattern = re }
	}
	for _, c := range []struct {
		name  string
		serve func(net.Conn)
		edit  func(*discovery.CheckSpec)
		want  string
	}{
		{"200", answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), nil, "ok"},
		{"http/1.0", answering("HTTP/1.0 204 No Content\r\n\r\n"), nil, "ok"},
		{"503", answering("HTTP/1.1 503 Service Unavailable\r\n\r\n"), nil, "status 503"},
		{"redirect", answering("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"), nil, "status 302"},
		{"redirect accepted", answering("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"), func(s *discovery.CheckSpec) { s.StatusHigh = 399 }, "ok"},
		{"early hints", answering("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), nil, "ok"},
		{"body matches", answering("HTTP/1.1 200 OK\r\n\r\nstatus: UP\n"), body(`(?m)^status: UP$`), "ok"},
		{"chunked body", answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nU\r\n0\r\n\r\n"), body("U"), "ok"},
		{"body does not match", answering("HTTP/1.1 200 OK\r\n\r\nstatus: DOWN"), body("UP"), "body does not match"},
		{"no body", answering("HTTP/1.1 200 OK\r\n\r\n"), body("UP"), "body does not match"},
		{"match in a cut body", answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nUP"), body("UP"), "ok"},
		{"no match in a cut body", answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nDO"), body("UP"), "connection closed in the middle of the answer"},
		{"match too far behind", answering("HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", maxBody) + "UP"), body("UP"), "body does not match"},
		{"silence", func(c net.Conn) { io.Copy(io.Discard, c) }, short, "timeout after 100ms"},
		{"closed", func(c net.Conn) { http.ReadRequest(bufio.NewReader(c)) }, nil, "connection closed without an answer"},
		{"garbage", answering("SSH-2.0-OpenSSH_9.2\r\n"), nil, `malformed HTTP response "SSH-2.0-OpenSSH_9.2"`},
		{"endless header", func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for {
				if _, err := io.WriteString(c, "X: "+strings.Repeat("y", 1000)+"\r\n"); err != nil {
					return
				}
			}
		}, nil, "the answer's header is too long"},
		{"cut header", answering("HTTP/1.1 200 O"), nil, "connection closed in the middle of the answer"},
		{"drip", func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, "H"); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}, short, "timeout after 100ms"},
		{"tls expected", answering("HTTP/1.1 400 Bad Request\r\n\r\n"), func(s *discovery.CheckSpec) { s.TLS, s.Timeout = true, time.Second }, "*"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := base
			if c.edit != nil {
				c.edit(&spec)
			}
			got := attempt(t, discovery.Check{Spec: spec, Target: listen(t, c.serve)})
			if got != c.want && (c.want != "*" || got == "ok") {
				t.Errorf("attempt: %s, want %s", got, c.want)
			}
		})
	}
}

func TestHTTPRequest(t *testing.T) {
	var got *http.Request
	target := listen(t, func(c net.Conn) {
		got, _ = http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	})
	spec := discovery.CheckSpec{Type: discovery.HTTP, Timeout: 5 * time.Second, Method: "HEAD", Path: "/health?deep=1", Host: "www.example.com", StatusLow: 200, StatusHigh: 299}
	if r := attempt(t, discovery.Check{Spec: spec, Target: target}); r != "ok" {
		t.Fatal(r)
	}
	if got.Method != http.MethodHead || got.RequestURI != "/health?deep=1" || got.Host != "www.example.com" || !got.Close || got.UserAgent() != "edgekeeper-check" {
		t.Errorf("request %+v", got)
	}
	spec.Method, spec.Host = "GET", ""
	if r := attempt(t, discovery.Check{Spec: spec, Target: target}); r != "ok" || got.Host != target.String() {
		t.Errorf("%s, Host %q", r, got.Host)
	}
}

// Every verdict of a certificate can be told from the reason.
func TestHTTPS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := func(from, to time.Time) tls.Certificate {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"web.example"},
			NotBefore: from, NotAfter: to, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	now := time.Now().UTC().Truncate(time.Second)
	old, later := now.Add(-time.Hour), now.Add(time.Hour)
	for _, c := range []struct {
		name   string
		cert   tls.Certificate
		trust  bool
		server string
		skip   bool
		want   string
	}{
		{"trusted", certificate(old, later), true, "web.example", false, "ok"},
		{"unknown authority", certificate(old, later), false, "web.example", false, "tls: certificate signed by unknown authority"},
		{"not verified", certificate(old, later), false, "web.example", true, "ok"},
		{"expired", certificate(old.Add(-time.Hour), old), true, "web.example", false, "tls: certificate expired " + old.Format(time.RFC3339)},
		{"not yet valid", certificate(later, later.Add(time.Hour)), true, "web.example", false, "tls: certificate is not valid before " + later.Format(time.RFC3339)},
		{"another name", certificate(old, later), true, "api.example", false, "tls: certificate is not for api.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var sni string
			target := listen(t, func(conn net.Conn) {
				s := tls.Server(conn, &tls.Config{
					Certificates:       []tls.Certificate{c.cert},
					GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) { sni = h.ServerName; return nil, nil },
				})
				defer s.Close()
				answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(s)
			})
			spec := discovery.CheckSpec{
				Type: discovery.HTTP, Timeout: 5 * time.Second, Method: "GET", Path: "/", StatusLow: 200, StatusHigh: 299,
				TLS: true, SkipVerify: c.skip, ServerName: c.server,
			}
			check := discovery.Check{Spec: spec, Target: target}
			roots := x509.NewCertPool()
			if c.trust {
				leaf, err := x509.ParseCertificate(c.cert.Certificate[0])
				if err != nil {
					t.Fatal(err)
				}
				roots.AddCert(leaf)
			}
			p, err := httpProbe(check, roots)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), spec.Timeout)
			defer cancel()
			got := "ok"
			if err := p(ctx); err != nil {
				got = reason(err, spec.Timeout)
			}
			if got != c.want || sni != c.server {
				t.Errorf("attempt: %s, sni %q; want %s", got, sni, c.want)
			}
		})
	}
}

func TestCancelEndsAnAttempt(t *testing.T) {
	target := listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	p, err := New(discovery.Check{Spec: discovery.CheckSpec{Type: discovery.HTTP, Method: "GET", Path: "/"}, Target: target})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p(ctx) }()
	cancel()
	select {
	case err := <-done:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the attempt goes on")
	}
}

func TestNewRefuses(t *testing.T) {
	good := discovery.CheckSpec{Type: discovery.HTTP, Method: "GET", Path: "/"}
	for name, edit := range map[string]func(*discovery.CheckSpec){
		"pattern": func(s *discovery.CheckSpec) { s.BodyPattern = "(" },
		"path":    func(s *discovery.CheckSpec) { s.Path = "health" },
		"method":  func(s *discovery.CheckSpec) { s.Method = "GE T" },
		"type":    func(s *discovery.CheckSpec) { s.Type = 99 },
	} {
		spec := good
		edit(&spec)
		if _, err := New(discovery.Check{Spec: spec, Target: netip.MustParseAddrPort("10.0.0.1:80")}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := New(discovery.Check{Spec: good, Target: netip.MustParseAddrPort("[::1]:80")}); err != nil {
		t.Error(err)
	}
}

func ExampleRise() {
	r := NewRise(1, 1, discovery.Pending)
	for _, ok := range []bool{true, false, false} {
		retry := r.Observe(ok)
		fmt.Println(r.Health(), retry)
	}
	// Output:
	// up false
	// up true
	// down false
}
