package consul

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/edgekeeper/edgekeeper/test/certificates"
	"github.com/edgekeeper/edgekeeper/test/consulstub"
)

// TestRotatedCertificates replaces authority and certificates of both sides
// while a client goes on.
func TestRotatedCertificates(t *testing.T) {
	dir := t.TempDir()
	old := certificates.New(t, "old authority")
	old.Write(dir, old.Pair("director-1"))
	var serving atomic.Pointer[tls.Config]
	serve := func(a *certificates.Authority, name string) {
		pool := x509.NewCertPool()
		pool.AddCert(a.Cert)
		serving.Store(&tls.Config{Certificates: []tls.Certificate{a.Pair(name)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})
	}
	serve(old, "127.0.0.1")
	stub := consulstub.New()
	var peer atomic.Value
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer.Store(r.TLS.PeerCertificates[0].Subject.CommonName)
		stub.ServeHTTP(w, r)
	}))
	srv.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return serving.Load(), nil }}
	srv.StartTLS()
	defer srv.Close()

	file := func(name string) string { return filepath.Join(dir, name) }
	client, err := NewClient(ClientConfig{Address: srv.URL, CAFile: file("ca.pem"), CertFile: file("cert.pem"), KeyFile: file("key.pem")})
	if err != nil {
		t.Fatal(err)
	}
	ask := func() error {
		srv.CloseClientConnections() // the next request needs a new one
		_, _, err := client.Health().Service("web", "", false, nil)
		return err
	}
	if err := ask(); err != nil || peer.Load() != "director-1" {
		t.Fatalf("first: %v as %v", err, peer.Load())
	}
	if err := os.WriteFile(file("cert.pem"), []byte("half a certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ask(); err != nil {
		t.Errorf("halfway through a rotation: %v", err)
	}
	next := certificates.New(t, "new authority")
	serve(next, "127.0.0.1")
	if err := ask(); err == nil {
		t.Error("an authority that the file does not name is believed")
	}
	next.Write(dir, next.Pair("director-2"))
	if err := ask(); err != nil || peer.Load() != "director-2" {
		t.Errorf("rotated: %v as %v", err, peer.Load())
	}
	serve(next, "127.0.0.2")
	if err := ask(); err == nil || !strings.Contains(err.Error(), "127.0.0.2, not 127.0.0.1") {
		t.Errorf("a certificate for another address: %v", err)
	}
}

func TestHostOf(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:8501": "127.0.0.1", "https://consul.example:8501/path": "consul.example", "[::1]:8501": "::1", "https://[fd00::1]": "fd00::1", "localhost": "localhost",
	} {
		if got := hostOf(address); got != want {
			t.Errorf("hostOf(%q) = %q, want %q", address, got, want)
		}
	}
}
