package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// ErrNoDirector says that nobody listens on the control socket.
var ErrNoDirector = errors.New("no director answers")

// Client talks to a director through its socket. It is a Director itself.
type Client struct {
	path string
	http *http.Client
}

var _ Director = (*Client)(nil)

// NewClient returns a client of the socket at path. It connects with each call.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return &Client{path: path, http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Snapshot implements Director.
func (c *Client) Snapshot(ctx context.Context) (Snapshot, error) {
	return call[Snapshot](ctx, c, http.MethodGet, "/v1/status", "")
}

// Events implements Director.
func (c *Client) Events(ctx context.Context, since uint64) ([]Event, error) {
	return call[[]Event](ctx, c, http.MethodGet, "/v1/events?since="+strconv.FormatUint(since, 10), "")
}

// Connections implements Director.
func (c *Client) Connections(ctx context.Context, filter lvs.ConnectionFilter) ([]Connection, error) {
	text, err := json.Marshal(filter)
	if err != nil {
		return nil, fmt.Errorf("ask director: %w", err)
	}
	return call[[]Connection](ctx, c, http.MethodGet, "/v1/connections?filter="+url.QueryEscape(string(text)), "")
}

// Handover implements Director.
func (c *Client) Handover(ctx context.Context, instance string) ([]Handover, error) {
	return call[[]Handover](ctx, c, http.MethodPost, "/v1/handover?instance="+url.QueryEscape(instance), "")
}

// Put implements Director.
func (c *Client) Put(ctx context.Context, key, value string) error {
	_, err := call[struct{}](ctx, c, http.MethodPut, kvPath(key), value)
	return err
}

// Delete implements Director.
func (c *Client) Delete(ctx context.Context, key string) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, kvPath(key), "")
	return err
}

// Plan implements Director.
func (c *Client) Plan(ctx context.Context, path, id string) (Plan, error) {
	return call[Plan](ctx, c, http.MethodPost, "/v1/plan?path="+url.QueryEscape(path)+"&id="+url.QueryEscape(id), "")
}

// Debug implements Director.
func (c *Client) Debug(ctx context.Context) (Debug, error) {
	return call[Debug](ctx, c, http.MethodGet, "/v1/debug", "")
}

func kvPath(key string) string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return "/v1/kv/" + strings.Join(parts, "/")
}

// Limits on how long a director may take to answer: one that is frozen accepts
// connections and never does.
const (
	answerTime   = 5 * time.Second
	handoverTime = 30 * time.Second
)

func call[T any](ctx context.Context, c *Client, method, path, body string) (T, error) {
	var out T
	limit := answerTime
	if method == http.MethodPost {
		limit = handoverTime
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://director"+path, strings.NewReader(body))
	if err != nil {
		return out, fmt.Errorf("ask director: %w", err)
	}
	resp, err := c.http.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return out, fmt.Errorf("control socket %s: %w; is the director running on this host? (-socket names another socket)", c.path, ErrNoDirector)
	case errors.Is(err, context.DeadlineExceeded):
		return out, fmt.Errorf("control socket %s: %w", c.path, context.Cause(ctx))
	case err != nil:
		return out, fmt.Errorf("ask director: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var f failure
		if err := json.NewDecoder(resp.Body).Decode(&f); err != nil || f.Error == "" {
			return out, fmt.Errorf("director answered %s", resp.Status)
		}
		if resp.StatusCode == http.StatusBadRequest {
			return out, fmt.Errorf("%w: %s", ErrBadRequest, f.Error)
		}
		return out, errors.New(f.Error)
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return out, fmt.Errorf("read director's answer: %w", err)
	}
	return out, nil
}
