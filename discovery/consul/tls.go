package consul

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/hashicorp/consul/api"
)

// rotating makes a TLS configuration whose certificates are read again from
// their files for each new connection, so that rotated ones are used without a
// restart. Files that cannot be read at that moment (or do not belong together,
// halfway through a rotation) leave those of before in use.
//
// address is where the connections go, whose name the certificate must have
// unless conf names another.
func rotating(conf api.TLSConfig, address string) (*tls.Config, error) {
	first, err := api.SetupTLSConfig(&conf)
	if err != nil {
		return nil, err
	}
	if conf.CAFile == "" && conf.CAPath == "" && conf.CertFile == "" {
		return first, nil
	}
	var mu sync.Mutex
	last := first
	fresh := func() *tls.Config {
		mu.Lock()
		defer mu.Unlock()
		if now, err := api.SetupTLSConfig(&conf); err == nil {
			last = now
		}
		return last
	}
	out := first.Clone()
	if conf.CertFile != "" {
		out.Certificates = nil
		out.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &fresh().Certificates[0], nil
		}
	}
	if first.RootCAs != nil && !first.InsecureSkipVerify {
		// crypto/tls takes authorities only once, so the verification that it
		// would do is done here, with those of this moment. The name is ours:
		// that of the connection's state is empty where it is an IP address.
		name := cmp.Or(first.ServerName, hostOf(address))
		if name == "" {
			return nil, fmt.Errorf("%q has no host to verify the certificate of", address)
		}
		out.InsecureSkipVerify = true
		out.VerifyConnection = func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return errors.New("tls: the server has no certificate")
			}
			opts := x509.VerifyOptions{Roots: fresh().RootCAs, DNSName: name, Intermediates: x509.NewCertPool()}
			for _, c := range s.PeerCertificates[1:] {
				opts.Intermediates.AddCert(c)
			}
			if _, err := s.PeerCertificates[0].Verify(opts); err != nil {
				return fmt.Errorf("tls: failed to verify certificate: %w", err)
			}
			return nil
		}
	}
	return out, nil
}

// hostOf gives the host of host:port or of a URL.
func hostOf(address string) string {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	address, _, _ = strings.Cut(address, "/")
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return strings.Trim(address, "[]")
}
