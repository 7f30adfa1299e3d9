package check

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// issue makes a certificate that signs itself.
func issue(t *testing.T, notBefore, notAfter time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "web.example"}, DNSNames: []string{"web.example"},
		NotBefore: notBefore, NotAfter: notAfter, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// inFiles writes a certificate and its key.
func inFiles(t *testing.T, c tls.Certificate) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// secure serves f over TLS.
func secure(t *testing.T, conf *tls.Config, f func(net.Conn)) netip.AddrPort {
	t.Helper()
	return listen(t, func(conn net.Conn) {
		s := tls.Server(conn, conf)
		defer s.Close()
		f(s)
	})
}

func TestTLS(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	old, later := now.Add(-time.Hour), now.Add(time.Hour)
	for _, c := range []struct {
		name    string
		cert    tls.Certificate
		trust   bool
		edit    func(*discovery.TLSSpec)
		most    uint16 // version that the server speaks
		want    string
		warning string
	}{
		{name: "trusted", cert: issue(t, old, later), trust: true, want: "ok"},
		{name: "unknown authority", cert: issue(t, old, later), want: "tls: certificate signed by unknown authority"},
		{name: "not verified", cert: issue(t, old, later), edit: func(s *discovery.TLSSpec) { s.SkipVerify = true }, want: "ok"},
		{name: "expired", cert: issue(t, old.Add(-time.Hour), old), trust: true, want: "tls: certificate expired " + old.Format(time.RFC3339)},
		{name: "not yet valid", cert: issue(t, later, later.Add(time.Hour)), trust: true, want: "tls: certificate is not valid before " + later.Format(time.RFC3339)},
		{
			name: "another name", cert: issue(t, old, later), trust: true, edit: func(s *discovery.TLSSpec) { s.ServerName = "api.example" },
			want: "tls: certificate is not for api.example",
		},
		{
			name: "expires soon", cert: issue(t, old, later), trust: true, edit: func(s *discovery.TLSSpec) { s.Warn = 2 * time.Hour },
			want: "ok", warning: "certificate expires " + later.Format(time.RFC3339),
		},
		{name: "expires later than that", cert: issue(t, old, later), trust: true, edit: func(s *discovery.TLSSpec) { s.Warn = time.Minute }, want: "ok"},
		{
			name: "expired and not verified", cert: issue(t, old.Add(-time.Hour), old), edit: func(s *discovery.TLSSpec) { s.SkipVerify, s.Warn = true, time.Hour },
			want: "ok", warning: "certificate expired " + old.Format(time.RFC3339),
		},
		{
			name: "too old a version", cert: issue(t, old, later), trust: true, most: tls.VersionTLS12, edit: func(s *discovery.TLSSpec) { s.MinVersion = tls.VersionTLS13 },
			want: "tls: protocol version not supported",
		},
		{name: "no CA file", cert: issue(t, old, later), edit: func(s *discovery.TLSSpec) { s.CAFile = "/nonexistent/ca.pem" }, want: "CA file: open /nonexistent/ca.pem: no such file or directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var sni string
			target := secure(t, &tls.Config{
				Certificates: []tls.Certificate{c.cert}, MaxVersion: c.most,
				GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) { sni = h.ServerName; return nil, nil },
			}, answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
			spec := discovery.CheckSpec{
				Type: discovery.HTTP, Timeout: 5 * time.Second, HTTP: discovery.HTTPSpec{Method: "GET", Path: "/", Status: success},
				TLS: discovery.TLSSpec{Enabled: true, ServerName: "web.example"},
			}
			if c.trust {
				spec.TLS.CAFile, _ = inFiles(t, c.cert)
			}
			if c.edit != nil {
				c.edit(&spec.TLS)
			}
			p, err := New(spec.For(target))
			if err != nil {
				t.Fatal(err)
			}
			note, got := made(t, p, spec.Timeout)
			if got != c.want || note.Warning != c.warning {
				t.Errorf("attempt: %s, warning %q; want %s, %q", got, note.Warning, c.want, c.warning)
			}
			if sni != spec.TLS.ServerName && !strings.HasPrefix(got, "CA file") {
				t.Errorf("SNI %q", sni)
			}
		})
	}
}

// TestClientCertificate: the server asks for one, and it is read again when its
// file changes.
func TestClientCertificate(t *testing.T) {
	now := time.Now()
	server, client, other := issue(t, now.Add(-time.Hour), now.Add(time.Hour)), issue(t, now.Add(-time.Hour), now.Add(time.Hour)), issue(t, now.Add(-time.Hour), now.Add(time.Hour))
	roots := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(client.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(leaf)
	target := secure(t, &tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert}, answering("HTTP/1.1 200 OK\r\n\r\n"))
	spec := discovery.CheckSpec{
		Type: discovery.HTTP, Timeout: 5 * time.Second, HTTP: discovery.HTTPSpec{Method: "GET", Path: "/", Status: success},
		TLS: discovery.TLSSpec{Enabled: true, SkipVerify: true},
	}
	if got := attempt(t, spec.For(target)); got != "tls: certificate required" {
		t.Errorf("without a certificate: %s", got)
	}
	spec.TLS.CertFile, spec.TLS.KeyFile = inFiles(t, other)
	m := new(Maker)
	p, err := m.New(spec.For(target))
	if err != nil {
		t.Fatal(err)
	}
	if _, got := made(t, p, spec.Timeout); !strings.HasPrefix(got, "tls: ") {
		t.Errorf("with a wrong certificate: %s", got)
	}
	cert, key := inFiles(t, client)
	for from, to := range map[string]string{cert: spec.TLS.CertFile, key: spec.TLS.KeyFile} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	for _, tr := range m.trust {
		tr.looked = time.Time{} // a second has gone by
	}
	if _, got := made(t, p, spec.Timeout); got != "ok" {
		t.Errorf("with the new certificate: %s", got)
	}
	// A file that goes away leaves what was read.
	if err := os.Remove(spec.TLS.CertFile); err != nil {
		t.Fatal(err)
	}
	for _, tr := range m.trust {
		tr.looked = time.Time{}
	}
	if _, got := made(t, p, spec.Timeout); got != "ok" {
		t.Errorf("without the file: %s", got)
	}
}

func TestTLSIsExpected(t *testing.T) {
	target := listen(t, func(c net.Conn) {
		bufio.NewReader(c).ReadByte()
		io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n")
	})
	spec := discovery.CheckSpec{Type: discovery.TCP, Timeout: 5 * time.Second, TLS: discovery.TLSSpec{Enabled: true}}
	if got := attempt(t, spec.For(target)); got != "tls: the answer is not TLS" {
		t.Error(got)
	}
}

// overH2 serves handler over HTTP/2, with a certificate or without TLS.
func overH2(t *testing.T, cert *tls.Certificate, handler http.HandlerFunc) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	protocols.SetHTTP2(true)
	s := &http.Server{Handler: handler, Protocols: protocols}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if cert == nil {
			s.Serve(l)
			return
		}
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*cert}}
		s.ServeTLS(l, "", "")
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return netip.MustParseAddrPort(l.Addr().String())
}

func TestHTTP2(t *testing.T) {
	cert := issue(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.ProtoMajor != 2 || r.Host != "web.example" || r.Header.Get("X-Check") != "1" || string(body) != "hello" || r.Method != http.MethodPost {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		io.WriteString(w, "fine")
	}
	base := discovery.CheckSpec{
		Type: discovery.HTTP, Timeout: 5 * time.Second,
		HTTP: discovery.HTTPSpec{
			Version2: true, Method: "POST", Path: "/", Host: "web.example", Headers: discovery.MakeList([]string{"X-Check: 1"}), RequestBody: "hello",
			Status: success, Body: "^fine$",
		},
	}
	secured := base
	secured.TLS = discovery.TLSSpec{Enabled: true, SkipVerify: true}
	refused := base
	refused.HTTP.Headers = discovery.List{}
	for _, c := range []struct {
		name   string
		spec   discovery.CheckSpec
		target netip.AddrPort
		want   string
	}{
		{"prior knowledge", base, overH2(t, nil, handler), "ok"},
		{"tls", secured, overH2(t, &cert, handler), "ok"},
		{"status", refused, overH2(t, nil, handler), "status 418"},
		{"http/1 behind tls", secured, secure(t, &tls.Config{Certificates: []tls.Certificate{cert}}, answering("HTTP/1.1 200 OK\r\n\r\n")), "the server does not speak HTTP/2"},
		{"closed port", base, closedPort(t), "connection refused"},
		{"silence", func() discovery.CheckSpec { s := base; s.Timeout = 100 * time.Millisecond; return s }(), listen(t, func(c net.Conn) { io.Copy(io.Discard, c) }), "timeout after 100ms"},
		{"closed", base, listen(t, func(c net.Conn) { bufio.NewReader(c).ReadByte() }), "*"},
		{"garbage", base, listen(t, func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n"); io.Copy(io.Discard, c) }), "*"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := attempt(t, c.spec.For(c.target))
			if got != c.want && (c.want != "*" || got == "ok") {
				t.Errorf("attempt: %s, want %s", got, c.want)
			}
			if c.want == "*" {
				t.Log(got)
			}
		})
	}
}
