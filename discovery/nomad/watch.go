package nomad

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/nomad/api"
)

// Limits of the requests of one query; see discovery/consul.
const (
	spacing                = 100 * time.Millisecond
	dither                 = 25 * time.Millisecond
	plainTimeout           = 15 * time.Second
	graceTimeout           = 10 * time.Second
	backoffMin, backoffMax = 250 * time.Millisecond, 8 * time.Second
	maxStale               = 10 * time.Second // since the answering server last heard of the leader
)

// ErrNoLeader means that the answering server knows no leader.
var ErrNoLeader = errors.New("no known leader: the answer may be empty or old")

// watch asks the same thing again and again.
type watch[T any] struct {
	cfg  Config
	read func(*api.QueryOptions) (T, *api.QueryMeta, error)
	// emit is given every answer, also one that says what the one before said, and
	// every error.
	emit func(v T, index uint64, err error)
}

// run blocks until ctx ends.
func (w *watch[T]) run(ctx context.Context) {
	var index, newest uint64
	retry := &backoff.ExponentialBackOff{InitialInterval: backoffMin, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: backoffMax}
	for {
		start := time.Now()
		v, next, err := w.fetch(ctx, index, newest)
		if ctx.Err() != nil {
			return
		}
		w.emit(v, next, err)
		var pause time.Duration
		if err != nil {
			index, pause = 0, retry.NextBackOff()
		} else {
			retry.Reset()
			newest = next
			if next < index {
				index = 0 // Nomad's data began anew
			} else {
				index = max(next, 1)
			}
			pause = spacing + rand.N(dither) - time.Since(start)
		}
		t := time.NewTimer(max(pause, 0))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

func (w *watch[T]) fetch(ctx context.Context, index, newest uint64) (T, uint64, error) {
	timeout := plainTimeout
	if index != 0 {
		timeout = w.cfg.Wait + w.cfg.Wait/16 + graceTimeout
	}
	v, meta, err := w.ask(ctx, timeout, &api.QueryOptions{AllowStale: true, WaitIndex: index, WaitTime: w.cfg.Wait})
	if err == nil && (meta.LastContact > maxStale || meta.LastIndex < newest) {
		v, meta, err = w.ask(ctx, plainTimeout, &api.QueryOptions{})
	}
	if err == nil && !meta.KnownLeader {
		err = ErrNoLeader
	}
	if err != nil {
		var none T
		return none, 0, err
	}
	return v, meta.LastIndex, nil
}

func (w *watch[T]) ask(ctx context.Context, timeout time.Duration, opts *api.QueryOptions) (T, *api.QueryMeta, error) {
	late := fmt.Errorf("no answer within %s", timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, late)
	defer cancel()
	var none T
	if w.cfg.TokenFile != "" {
		token, err := os.ReadFile(w.cfg.TokenFile)
		if err != nil {
			return none, nil, fmt.Errorf("read nomad token file: %w", err)
		}
		opts.AuthToken = strings.TrimSpace(string(token))
	}
	v, meta, err := w.read(opts.WithContext(ctx))
	if err != nil && errors.Is(context.Cause(ctx), late) {
		err = late
	}
	return v, meta, err
}

// errText gives err as one short line that stays the same while the trouble does.
func errText(err error) string {
	var status api.UnexpectedResponseError
	text := err.Error()
	if errors.As(err, &status) && status.HasStatusCode() {
		text = fmt.Sprintf("status %d: %s", status.StatusCode(), status.Body())
	} else if i := strings.LastIndex(text, "\": "); strings.HasPrefix(text, "Get ") && i >= 0 {
		text = text[i+3:] // without the URL, which has an index
		if i := strings.Index(text, "->"); i >= 0 {
			if j := strings.Index(text[i:], ": "); j >= 0 {
				text = text[i+j+2:] // and without our port
			}
		}
	}
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
	return text[:min(len(text), 200)]
}
