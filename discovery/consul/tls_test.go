package consul

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/consulstub"
)

// authority signs certificates for tests.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{t: t}
	a.key, a.cert = a.issue(name, true)
	return a
}

// issue makes a key and a certificate for name, which may be an IP address.
func (a *authority) issue(name string, ca bool) (*ecdsa.PrivateKey, *x509.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{name}
	}
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, out
}

func (a *authority) pair(name string) tls.Certificate {
	key, cert := a.issue(name, false)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// write puts a pair and the authority's certificate into files, each whole.
func (a *authority) write(dir string, pair tls.Certificate) {
	a.t.Helper()
	der, err := x509.MarshalECPrivateKey(pair.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		a.t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{
		"key.pem": {Type: "EC PRIVATE KEY", Bytes: der}, "cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "ca.pem": {Type: "CERTIFICATE", Bytes: a.cert.Raw},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path+".new", pem.EncodeToMemory(b), 0o600); err != nil {
			a.t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			a.t.Fatal(err)
		}
	}
}

// TestRotatedCertificates replaces authority and certificates of both sides
// while a client goes on.
func TestRotatedCertificates(t *testing.T) {
	dir := t.TempDir()
	old := newAuthority(t, "old authority")
	old.write(dir, old.pair("director-1"))
	var serving atomic.Pointer[tls.Config]
	serve := func(a *authority, name string) {
		pool := x509.NewCertPool()
		pool.AddCert(a.cert)
		serving.Store(&tls.Config{Certificates: []tls.Certificate{a.pair(name)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})
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
	next := newAuthority(t, "new authority")
	serve(next, "127.0.0.1")
	if err := ask(); err == nil {
		t.Error("an authority that the file does not name is believed")
	}
	next.write(dir, next.pair("director-2"))
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
