package consul

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/consul/api"
)

// ClientConfig says how to reach Consul. An empty field comes from the
// environment as [api.DefaultConfig] reads it (CONSUL_HTTP_ADDR,
// CONSUL_HTTP_TOKEN, CONSUL_HTTP_TOKEN_FILE, CONSUL_CACERT, …).
type ClientConfig struct {
	Address    string // host:port, http://…, https://… or unix:///path
	Datacenter string // for requests that name none
	Namespace  string // Consul Enterprise
	Partition  string // Consul Enterprise

	// TokenFile goes before Token, as in Consul. It is read again for every
	// request, so a rotated token is used at once. While it cannot be read
	// every request fails with that reason.
	Token     string
	TokenFile string

	TLS bool // https even where Address does not say so
	// The files are read again for each new connection.
	CAFile     string // PEM bundle
	CAPath     string // directory of PEM files
	CertFile   string // client certificate, with KeyFile
	KeyFile    string
	ServerName string // name to verify in place of the address
	SkipVerify bool   // do not verify the server's certificate
}

// NewClient makes a client for cfg. It opens no connection. It fails on an
// address with an unknown scheme and on certificate files that cannot be read.
func NewClient(cfg ClientConfig) (*api.Client, error) {
	conf := api.DefaultConfig()
	set(&conf.Address, cfg.Address)
	set(&conf.Datacenter, cfg.Datacenter)
	set(&conf.Namespace, cfg.Namespace)
	set(&conf.Partition, cfg.Partition)
	set(&conf.TLSConfig.CAFile, cfg.CAFile)
	set(&conf.TLSConfig.CAPath, cfg.CAPath)
	set(&conf.TLSConfig.CertFile, cfg.CertFile)
	set(&conf.TLSConfig.KeyFile, cfg.KeyFile)
	set(&conf.TLSConfig.Address, cfg.ServerName)
	if cfg.TLS {
		conf.Scheme = "https"
	}
	if cfg.SkipVerify {
		conf.TLSConfig.InsecureSkipVerify = true
	}

	dial := (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	if path, ok := strings.CutPrefix(conf.Address, "unix://"); ok {
		// api.NewClient would dial without a context and drop our transport.
		conf.Address = "localhost"
		tcp := dial
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return tcp(ctx, "unix", path) }
	}
	conf.Transport = &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dial,
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     90 * time.Second,
		// Every blocking query holds a connection of its own and takes it up
		// again a moment later.
		MaxIdleConnsPerHost: 4096,
		// Over TLS all of them share one connection, which keeps below the
		// agent's limits.http_max_conns_per_client (200).
		ForceAttemptHTTP2: true,
		HTTP2:             &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
	var err error
	if conf.Transport.TLSClientConfig, err = rotating(conf.TLSConfig, conf.Address); err != nil {
		return nil, fmt.Errorf("read consul tls files: %w", err)
	}

	client := &http.Client{}
	tokens := &tokenTransport{base: once{conf.Transport}, token: conf.Token, file: conf.TokenFile}
	switch {
	case cfg.TokenFile != "":
		tokens.file = cfg.TokenFile
	case cfg.Token != "":
		tokens.token, tokens.file = cfg.Token, ""
	}
	client.Transport = tokens
	conf.HttpClient = client
	// api.NewClient reads a token file once and fails where it is missing. A
	// token that is not the environment's keeps it from looking; tokenTransport
	// puts the real one in its place.
	conf.TokenFile, conf.Token = "", "set per request"

	c, err := api.NewClient(conf)
	if err != nil {
		return nil, fmt.Errorf("make consul client: %w", err)
	}
	return c, nil
}

func set(dst *string, v string) {
	if v != "" {
		*dst = v
	}
}

// errLost ends a blocking query whose connection is not the one that its index
// came over: the query must begin anew.
var errLost = errors.New("the connection was lost between two queries")

// once lets net/http send a blocking query once, and only over a connection that
// was used before. After a broken connection it would send a GET again by
// itself, or on a new one, and a Consul that has begun anew in between, without
// its data, would wait for an index that is years away.
type once struct{ base http.RoundTripper }

func (o once) RoundTrip(req *http.Request) (*http.Response, error) {
	if index := req.URL.Query().Get("index"); index == "" || index == "0" {
		return o.base.RoundTrip(req)
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	var attempts atomic.Int32
	trace := &httptrace.ClientTrace{
		GetConn: func(string) {
			if attempts.Add(1) > 1 {
				cancel(errLost)
			}
		},
		GotConn: func(info httptrace.GotConnInfo) {
			if !info.Reused {
				cancel(errLost)
			}
		},
	}
	resp, err := o.base.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err != nil {
		if errors.Is(context.Cause(ctx), errLost) {
			err = errLost
		}
		cancel(nil)
		return nil, err
	}
	resp.Body = &closing{resp.Body, func() { cancel(nil) }}
	return resp, nil
}

// closing is a body that also does something else when it is closed.
type closing struct {
	io.ReadCloser
	also func()
}

func (c *closing) Close() error {
	defer c.also()
	return c.ReadCloser.Close()
}

// tokenTransport puts the token into each request, from the file where there is
// one.
type tokenTransport struct {
	base  http.RoundTripper
	token string
	file  string
}

func (t *tokenTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	token := t.token
	if t.file != "" {
		data, err := os.ReadFile(t.file)
		if err != nil {
			if req.Body != nil {
				req.Body.Close()
			}
			return nil, fmt.Errorf("read consul token file: %w", err)
		}
		token = strings.TrimSpace(string(data))
	}
	req = req.Clone(req.Context())
	if token != "" {
		req.Header.Set("X-Consul-Token", token)
	} else {
		req.Header.Del("X-Consul-Token")
	}
	resp, err := t.base.RoundTrip(req)
	if err == nil {
		resp.Body = &limited{ReadCloser: resp.Body, left: maxAnswer}
		if req.Method == http.MethodGet && resp.StatusCode == http.StatusOK {
			resp.Body = &something{ReadCloser: resp.Body, from: bufio.NewReader(resp.Body)}
		}
	}
	return resp, err
}

// something is a body that fails where it is null. Consul never answers that,
// and the client library takes it for no keys.
type something struct {
	io.ReadCloser
	from   *bufio.Reader
	looked bool
}

func (s *something) Read(p []byte) (int, error) {
	if !s.looked {
		s.looked = true
		if start, _ := s.from.Peek(4); string(start) == "null" {
			return 0, fmt.Errorf("%w: null", ErrMalformed)
		}
	}
	return s.from.Read(p)
}

// maxAnswer is the longest answer that is read, in bytes. Ten thousand instances
// with five checks each take a quarter of it.
const maxAnswer = 64 << 20

// errHuge ends an answer without an end, before it takes all memory.
var errHuge = fmt.Errorf("the answer is longer than %d MiB", maxAnswer>>20)

// limited is a body that fails where it is too long.
type limited struct {
	io.ReadCloser
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errHuge
	}
	n, err := l.ReadCloser.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}
