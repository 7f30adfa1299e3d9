package check

import (
	"bufio"
	"context"
	"crypto/md5"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// http makes a probe that sends one request over a connection of its own and
// looks at the final status, and at the body where something is said of it. A
// redirect is not followed: it is a status like any other.
func (m *Maker) http(c discovery.Check, spec discovery.CheckSpec) (Probe, error) {
	x := &httpExchange{spec: spec.HTTP}
	for _, p := range []struct {
		text string
		to   **regexp.Regexp
	}{{spec.HTTP.Body, &x.match}, {spec.HTTP.BodyNot, &x.matchNot}} {
		if p.text == "" {
			continue
		}
		var err error
		if *p.to, err = regexp.Compile(p.text); err != nil {
			return nil, fmt.Errorf("body pattern: %w", err)
		}
	}
	var err error
	if x.req, err = request(c, spec); err != nil {
		return nil, err
	}
	if spec.HTTP.Version2 {
		return m.over(c, spec, spec.HTTP.Host, []string{"h2"}, func(ctx context.Context, conn net.Conn) (Note, error) {
			return Note{}, overHTTP2(ctx, conn, x.fresh(), x.judge)
		}), nil
	}
	return m.over(c, spec, spec.HTTP.Host, []string{"http/1.1"}, func(_ context.Context, conn net.Conn) (Note, error) {
		return Note{}, x.overHTTP1(conn)
	}), nil
}

func request(c discovery.Check, spec discovery.CheckSpec) (*http.Request, error) {
	h := spec.HTTP
	u, err := url.ParseRequestURI(h.Path)
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	u.Scheme, u.Host = "http", c.Target.String()
	if spec.TLS.Enabled {
		u.Scheme = "https"
	}
	if h.Host != "" {
		u.Host = h.Host
	}
	req, err := http.NewRequest(h.Method, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	req.Header.Set("User-Agent", "edgekeeper-check")
	for _, line := range h.Headers.Texts() {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("header %q: no colon", line)
		}
		if value = strings.TrimSpace(value); http.CanonicalHeaderKey(name) == "User-Agent" {
			req.Header.Set(name, value)
		} else {
			req.Header.Add(name, value)
		}
	}
	req.Close = !h.Version2
	return req, nil
}

// httpExchange is one request and what its answer must be.
type httpExchange struct {
	spec            discovery.HTTPSpec
	req             *http.Request
	match, matchNot *regexp.Regexp
}

// fresh gives the request for one attempt. What sends a request does not change
// it, but it reads the body.
func (x *httpExchange) fresh() *http.Request {
	if x.spec.RequestBody == "" {
		return x.req
	}
	req := *x.req
	req.Body = io.NopCloser(strings.NewReader(x.spec.RequestBody))
	req.ContentLength = int64(len(x.spec.RequestBody))
	return &req
}

func (x *httpExchange) overHTTP1(conn net.Conn) error {
	req := x.fresh()
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
	return x.judge(resp)
}

// judge looks at an answer.
func (x *httpExchange) judge(resp *http.Response) error {
	if !x.spec.Status.Has(resp.StatusCode) {
		return statusError(resp.StatusCode)
	}
	if x.spec.Digest != "" {
		if err := x.digest(resp); err != nil {
			return err
		}
	}
	if x.match == nil && x.matchNot == nil {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil && len(body) == 0 {
		return err
	}
	switch {
	case x.match != nil && !x.match.Match(body):
		if err != nil {
			return err
		}
		return errBody
	case x.matchNot != nil && x.matchNot.Match(body):
		return errBodyNot
	case x.matchNot != nil && err != nil: // what is missing could match
		return err
	}
	return nil
}

// digest compares the whole body, which patterns may then read again.
func (x *httpExchange) digest(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch sum := md5.Sum(body); {
	case err != nil:
		return err
	case hex.EncodeToString(sum[:]) != x.spec.Digest:
		return errDigest
	}
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	return nil
}

// overHTTP2 sends one request over a connection that speaks HTTP/2, by ALPN or
// by prior knowledge (RFC 9113 section 3.3), and lets judge look at the answer.
func overHTTP2(ctx context.Context, conn net.Conn, req *http.Request, judge func(*http.Response) error) error {
	if tc, ok := conn.(interface{ ConnectionState() tls.ConnectionState }); ok && tc.ConnectionState().NegotiatedProtocol != "h2" {
		return errNoHTTP2
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	give := func(context.Context, string, string) (net.Conn, error) { return conn, nil }
	transport := &http.Transport{
		Protocols: protocols, DialContext: give, DialTLSContext: give, DisableCompression: true,
		MaxResponseHeaderBytes: maxBody,
	}
	cc, err := transport.NewClientConn(ctx, req.URL.Scheme, conn.RemoteAddr().String())
	if err != nil {
		return fmt.Errorf("http/2: %w", err)
	}
	defer cc.Close() //nolint:errcheck // the connection is closed anyway
	resp, err := cc.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("http/2: %w", err)
	}
	defer resp.Body.Close()
	return judge(resp)
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
