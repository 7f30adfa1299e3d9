package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"
)

// WebhookConfig says where and how events are posted.
type WebhookConfig struct {
	URL    string // http or https
	Header string // that carries Secret, such as Authorization
	Secret string // value of Header; empty: no header
	CAFile string // PEM file with the authorities that may sign the server's certificate; empty: the system's
	// Run tells this run of the director from others: part of every event's id.
	Run string
}

// Webhook posts each event as a CloudEvents 1.0 JSON object (structured mode).
type Webhook struct {
	cfg    WebhookConfig
	client *http.Client
}

// NewWebhook reads the authorities' file; it sends nothing.
func NewWebhook(cfg WebhookConfig) (*Webhook, error) {
	pool, err := authorities(cfg.CAFile)
	if err != nil {
		return nil, err
	}
	return &Webhook{cfg: cfg, client: &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{RootCAs: pool}, IdleConnTimeout: time.Minute,
		},
		// A redirected POST would lose its body, and take the secret elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// authorities reads a PEM file; nil, the system's, for no file.
func authorities(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read ca_cert: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read ca_cert %s: %w", path, errNoCertificate)
	}
	return pool, nil
}

var errNoCertificate = errors.New("no certificate in it")

// CloudEvent is the body of a request (CloudEvents 1.0, JSON format).
type CloudEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`     // unique per source
	Source          string    `json:"source"` // the director
	Type            string    `json:"type"`   // io.github.edgekeeper.<kind>
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            Data      `json:"data"`
}

// Data is what happened.
type Data struct {
	Seq      uint64 `json:"seq"`
	Kind     string `json:"kind"`
	Object   string `json:"object"`
	Aspect   string `json:"aspect,omitempty"`
	State    string `json:"state"`
	Previous string `json:"previous,omitempty"`
	Priority uint8  `json:"priority,omitempty"`
	Reason   string `json:"reason"`
	RouterID string `json:"router_id"`
}

// NewCloudEvent makes the body for an event; run is WebhookConfig.Run.
func NewCloudEvent(run string, e Event) CloudEvent {
	return CloudEvent{
		SpecVersion: "1.0", ID: run + "-" + strconv.FormatUint(e.Seq, 10), Source: "/edgekeeper/directors/" + url.PathEscape(e.RouterID),
		Type: "io.github.edgekeeper." + e.Kind.String(), Subject: e.Object, Time: e.At, DataContentType: "application/json",
		Data: Data{
			Seq: e.Seq, Kind: e.Kind.String(), Object: e.Object, Aspect: e.Aspect, State: e.State, Previous: e.Previous,
			Priority: e.Priority, Reason: e.Reason, RouterID: e.RouterID,
		},
	}
}

// Deliver posts the event. An answer other than 2xx is an error, and a permanent
// one where the same request would get the same answer again.
func (w *Webhook) Deliver(ctx context.Context, e Event) error {
	body, err := json.Marshal(NewCloudEvent(w.cfg.Run, e))
	if err != nil {
		return fmt.Errorf("encode event: %w", errors.Join(err, ErrPermanent))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", errors.Join(err, ErrPermanent))
	}
	req.Header.Set("Content-Type", "application/cloudevents+json")
	req.Header.Set("User-Agent", "edgekeeper")
	if w.cfg.Secret != "" {
		req.Header.Set(w.cfg.Header, w.cfg.Secret)
	}
	res, err := w.client.Do(req)
	if err != nil {
		return fmt.Errorf("post event: %w", bare(err))
	}
	defer func() { _ = res.Body.Close() }() // only read
	answer := &head{}
	_, _ = io.Copy(answer, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	switch code := res.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 500 || code == http.StatusRequestTimeout || code == http.StatusTooEarly || code == http.StatusTooManyRequests:
		return fmt.Errorf("post event: %s %s", res.Status, clean(answer.text()))
	default:
		return fmt.Errorf("post event: %s %s: %w", res.Status, clean(answer.text()), ErrPermanent)
	}
}

// bare takes the URL out of an error: it may hold a token.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// Close closes idle connections.
func (w *Webhook) Close() error {
	w.client.CloseIdleConnections()
	return nil
}
