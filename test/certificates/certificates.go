// Package certificates makes certificates for tests: authorities, and what they
// sign, in files that can be replaced while somebody reads them.
package certificates

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
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates for tests.
type Authority struct {
	Cert *x509.Certificate // its own

	t   testing.TB
	key *ecdsa.PrivateKey
}

// New makes an authority with a certificate of its own.
func New(t testing.TB, name string) *Authority {
	t.Helper()
	a := &Authority{t: t}
	a.key, a.Cert = a.issue(name, true)
	return a
}

// issue makes a key and a certificate for name, which may be an IP address.
func (a *Authority) issue(name string, ca bool) (*ecdsa.PrivateKey, *x509.Certificate) {
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
	if a.Cert != nil {
		parent, signer = a.Cert, a.key
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

// Pair makes a certificate of server and client for a name, which may be an IP
// address.
func (a *Authority) Pair(name string) tls.Certificate {
	a.t.Helper()
	key, cert := a.issue(name, false)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// Write puts a pair and the authority's certificate into a folder, as cert.pem,
// key.pem and ca.pem, each of them whole at every moment.
func (a *Authority) Write(dir string, pair tls.Certificate) {
	a.t.Helper()
	der, err := x509.MarshalECPrivateKey(pair.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		a.t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{
		"key.pem": {Type: "EC PRIVATE KEY", Bytes: der}, "cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "ca.pem": {Type: "CERTIFICATE", Bytes: a.Cert.Raw},
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
