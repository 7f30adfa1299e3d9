package check

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// tlsClient shakes hands for one check.
type tlsClient struct {
	spec      discovery.TLSSpec
	name      string
	protocols []string
	trust     *trust // nil: no files
}

func (m *Maker) tlsClient(c discovery.Check, spec discovery.TLSSpec, host string, protocols []string) *tlsClient {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return &tlsClient{
		spec: spec, name: cmp.Or(spec.ServerName, host, c.Target.Addr().String()), protocols: protocols,
		trust: m.trustOf(trustFiles{spec.CAFile, spec.CertFile, spec.KeyFile}),
	}
}

// shake speaks TLS over a connection, and gives the warning that the
// certificate deserves.
func (t *tlsClient) shake(ctx context.Context, conn net.Conn) (*tls.Conn, string, error) {
	conf := &tls.Config{
		ServerName:         t.name,
		MinVersion:         t.spec.MinVersion,
		InsecureSkipVerify: t.spec.SkipVerify, // asked for in the configuration
		NextProtos:         t.protocols,
	}
	if t.trust != nil {
		roots, cert, err := t.trust.load(time.Now())
		if err != nil {
			return nil, "", err
		}
		conf.RootCAs = roots
		if cert != nil {
			conf.Certificates = []tls.Certificate{*cert}
		}
	}
	tc := tls.Client(conn, conf)
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, "", err
	}
	return tc, expiry(tc.ConnectionState(), t.spec.Warn, time.Now()), nil
}

// expiry warns of the chain's certificate that expires first, when that is
// within the time given.
func expiry(s tls.ConnectionState, within time.Duration, now time.Time) string {
	if within <= 0 {
		return ""
	}
	chain := s.PeerCertificates
	if len(s.VerifiedChains) > 0 {
		chain = s.VerifiedChains[0]
	}
	var first time.Time
	for _, c := range chain {
		if first.IsZero() || c.NotAfter.Before(first) {
			first = c.NotAfter
		}
	}
	switch {
	case len(chain) == 0 || first.Sub(now) > within:
		return ""
	case !first.After(now):
		return "certificate expired " + first.UTC().Format(time.RFC3339)
	}
	return "certificate expires " + first.UTC().Format(time.RFC3339)
}

// trustFiles names the files of a trust.
type trustFiles struct{ ca, cert, key string }

// trust is what was read from files. They are looked at again at most once a
// second, and read when they have changed. While they cannot be read, what was
// read last stands.
type trust struct {
	maker  *Maker
	files  trustFiles
	looked time.Time
	seen   [3]stamp
	roots  *x509.CertPool
	cert   *tls.Certificate
	have   bool
	err    error
}

// stamp tells one content of a file from another.
type stamp struct {
	size  int64
	mtime time.Time
}

func (m *Maker) trustOf(files trustFiles) *trust {
	if files == (trustFiles{}) {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.trust == nil {
		m.trust = make(map[trustFiles]*trust)
	}
	t := m.trust[files]
	if t == nil {
		t = &trust{maker: m, files: files}
		m.trust[files] = t
	}
	return t
}

func (t *trust) load(now time.Time) (*x509.CertPool, *tls.Certificate, error) {
	t.maker.mu.Lock()
	defer t.maker.mu.Unlock()
	if t.looked.IsZero() || now.Sub(t.looked) >= time.Second {
		t.looked = now
		if seen := t.stamps(); seen != t.seen || !t.have || t.err != nil {
			t.seen = seen
			t.err = t.read()
		}
	}
	if t.err != nil && !t.have {
		return nil, nil, t.err
	}
	return t.roots, t.cert, nil
}

func (t *trust) stamps() (seen [3]stamp) {
	for i, name := range []string{t.files.ca, t.files.cert, t.files.key} {
		if name == "" {
			continue
		}
		if info, err := os.Stat(name); err == nil {
			seen[i] = stamp{info.Size(), info.ModTime()}
		}
	}
	return seen
}

var errNoPEM = errors.New("no certificate in it")

func (t *trust) read() error {
	var roots *x509.CertPool
	if t.files.ca != "" {
		pem, err := os.ReadFile(t.files.ca)
		if err != nil {
			return &localError{"CA file", err}
		}
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return &localError{fmt.Sprintf("CA file %s", t.files.ca), errNoPEM}
		}
	}
	var cert *tls.Certificate
	if t.files.cert != "" {
		pair, err := tls.LoadX509KeyPair(t.files.cert, t.files.key)
		if err != nil {
			return &localError{"client certificate", err}
		}
		cert = &pair
	}
	t.roots, t.cert, t.have = roots, cert, true
	return nil
}
