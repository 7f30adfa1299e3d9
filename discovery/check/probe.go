package check

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// Probe makes one attempt and returns nil when the target is healthy. It must
// return soon after ctx ends. A panic is a failed attempt.
type Probe func(ctx context.Context) error

// What is read of an answer.
const (
	maxBody   = 64 << 10 // of its body, for BodyPattern
	maxAnswer = 1 << 20  // in all
)

// New makes the probe of a check. It fails on a body pattern that is not RE2
// and on a method or path that cannot be sent.
func New(c discovery.Check) (Probe, error) {
	switch c.Spec.Type {
	case discovery.TCP:
		return TCP(c.Target), nil
	case discovery.HTTP:
		return HTTP(c)
	}
	return nil, fmt.Errorf("check type %d: unknown", c.Spec.Type)
}

// dialer connects for probes. Keep-alives would cost three system calls and do
// nothing for a connection this short.
var dialer = net.Dialer{KeepAlive: -1}

func dial(ctx context.Context, target netip.AddrPort) (net.Conn, error) {
	conn, err := dialer.DialTCP(ctx, "tcp", netip.AddrPort{}, target)
	if err != nil {
		return nil, err // and not a nil *net.TCPConn, which would be a Conn
	}
	return conn, nil
}

// TCP makes a probe that connects and closes.
func TCP(target netip.AddrPort) Probe {
	return func(ctx context.Context) error {
		conn, err := dial(ctx, target)
		if err != nil {
			return err
		}
		conn.Close()
		return nil
	}
}

// HTTP makes a probe that sends one HTTP/1.1 request over a connection of its
// own and looks at the final status, and at the body when there is a pattern. A
// redirect is not followed: it is a status like any other.
func HTTP(c discovery.Check) (Probe, error) { return httpProbe(c, nil) }

// httpProbe verifies certificates with roots, or with the system's for nil.
func httpProbe(c discovery.Check, roots *x509.CertPool) (Probe, error) {
	spec := c.Spec
	var pattern *regexp.Regexp
	if spec.BodyPattern != "" {
		var err error
		if pattern, err = regexp.Compile(spec.BodyPattern); err != nil {
			return nil, fmt.Errorf("body pattern: %w", err)
		}
	}
	u, err := url.ParseRequestURI(spec.Path)
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	u.Scheme, u.Host = "http", c.Target.String()
	if spec.Host != "" {
		u.Host = spec.Host
	}
	req, err := http.NewRequest(spec.Method, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	req.Header.Set("User-Agent", "edgekeeper-check")
	req.Close = true
	conf := tlsConfig(c, roots)
	return func(ctx context.Context) error {
		conn, err := dial(ctx, c.Target)
		if err != nil {
			return err
		}
		defer conn.Close()
		if deadline, ok := ctx.Deadline(); ok {
			if err := conn.SetDeadline(deadline); err != nil {
				return err
			}
		}
		// A cancelled context ends reads and writes at once.
		stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
		defer stop()
		if conf != nil {
			conn = tls.Client(conn, conf)
		}
		return exchange(conn, req, spec, pattern)
	}, nil
}

func tlsConfig(c discovery.Check, roots *x509.CertPool) *tls.Config {
	if !c.Spec.TLS {
		return nil
	}
	name := c.Spec.ServerName
	if name == "" {
		name = c.Spec.Host
		if host, _, err := net.SplitHostPort(name); err == nil {
			name = host
		}
	}
	if name == "" {
		name = c.Target.Addr().String()
	}
	return &tls.Config{
		ServerName:         name,
		RootCAs:            roots,
		InsecureSkipVerify: c.Spec.SkipVerify, // asked for in the configuration
		NextProtos:         []string{"http/1.1"},
	}
}

// exchange sends the request and judges the answer.
func exchange(conn net.Conn, req *http.Request, spec discovery.CheckSpec, pattern *regexp.Regexp) error {
	// Request.Write does not change the request, so attempts can share it.
	if err := req.Write(conn); err != nil {
		return err
	}
	from := &source{r: conn}
	// Bounded: headers without end must not fill the memory.
	in := bufio.NewReaderSize(io.LimitReader(from, maxAnswer), 4096)
	var resp *http.Response
	for {
		var err error
		resp, err = http.ReadResponse(in, req)
		if err != nil {
			return from.why(err)
		}
		// 100 and 103 go before the answer; 101 is one.
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			break
		}
	}
	defer resp.Body.Close()
	if resp.StatusCode < spec.StatusLow || resp.StatusCode > spec.StatusHigh {
		return statusError(resp.StatusCode)
	}
	if pattern == nil {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil && len(body) == 0 {
		return err
	}
	if !pattern.Match(body) {
		if err != nil {
			return err
		}
		return errBody
	}
	return nil
}

// source keeps how reading ended, which http.ReadResponse hides behind what it
// thinks of the half line that it got.
type source struct {
	r   io.Reader
	n   int
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += n
	if err != nil {
		s.err = err
	}
	return n, err
}

// why gives the cause of a failure to read an answer.
func (s *source) why(err error) error {
	switch {
	case s.n >= maxAnswer:
		return errLong
	case s.err != nil && !errors.Is(s.err, io.EOF):
		return s.err
	case s.err != nil && s.n == 0:
		return errClosed
	case s.err != nil:
		return io.ErrUnexpectedEOF
	}
	return err
}
