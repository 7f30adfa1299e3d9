package consul

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/consul/api"
)

// Config is what sources of this package share.
type Config struct {
	Client *api.Client // from NewClient; required

	// Wait is how long Consul may hold a query that has nothing new, 10 minutes
	// at most; 0 means 1 minute. It is also how long a hung agent can go
	// unnoticed.
	Wait time.Duration

	// MaxStale is the longest time since a server's last contact with the
	// leader for which its answer is believed; 0 means 10 seconds.
	MaxStale time.Duration

	Log *slog.Logger // nil discards
}

// Limits of the requests of one query.
const (
	spacing      = 100 * time.Millisecond // between two starts
	dither       = 25 * time.Millisecond  // added to it, at most
	plainTimeout = 15 * time.Second       // of a read that does not block; Consul itself gives up after 7 s without a leader
	graceTimeout = 10 * time.Second       // added to wait + wait/16 for a read that does

	backoffMin, backoffMax         = 250 * time.Millisecond, 8 * time.Second // the agent is local: soon after it is back, so are we
	backoffBusyMin, backoffBusyMax = 2 * time.Second, 60 * time.Second       // after a 429
)

func (c Config) withDefaults() Config {
	if c.Wait <= 0 {
		c.Wait = time.Minute
	}
	c.Wait = min(c.Wait, 10*time.Minute)
	if c.MaxStale <= 0 {
		c.MaxStale = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// watch follows one thing in Consul. read asks once; it must give the
// QueryMeta of the answer, and an error for an answer that cannot be believed.
type watch[T any] struct {
	cfg   Config
	every time.Duration // not 0: Consul does not block for it, so it is asked so often
	read  func(context.Context, *api.QueryOptions) (T, *api.QueryMeta, error)
	equal func(a, b T) bool
	emit  func(v T, index uint64) // content is new, or an error has ended
	fail  func(err error)         // an error has begun, or is another one now

	newest  uint64         // index that Consul has reached; at first, what an earlier run knows of it
	reached func(T) uint64 // what an answer says of that; nil: its own index
	anew    bool           // what is emitted has a lower index than what was believed before
}

// run blocks until ctx ends.
func (w *watch[T]) run(ctx context.Context) {
	var (
		last    T      // emitted last
		have    bool   // last is something
		failing string // text of the standing error
		index   uint64
		normal  = newBackoff(backoffMin, backoffMax)
		busy    = newBackoff(backoffBusyMin, backoffBusyMax)
	)
	for {
		start := time.Now()
		v, next, err := w.fetch(ctx, index)
		if ctx.Err() != nil {
			return
		}
		var pause time.Duration
		if errors.Is(err, errLost) {
			// No failure yet: the plain query that follows tells whether it is one.
			index = 0
			pause = spacing
		} else if err != nil {
			// After an error the next query does not block, so that its end is
			// noticed at once and not when something changes.
			index = 0
			if text := errText(err); text != failing {
				failing = text
				w.fail(err)
			}
			if statusCode(err) == http.StatusTooManyRequests {
				pause = busy.NextBackOff()
			} else {
				pause = normal.NextBackOff()
			}
		} else {
			normal.Reset()
			busy.Reset()
			w.anew, w.newest = next < w.newest, next
			if w.reached != nil {
				w.newest = w.reached(v)
			}
			if next < index {
				index = 0 // Consul's data began anew: a snapshot restored, a cluster rebuilt
			} else {
				index = max(next, 1)
			}
			if w.every > 0 {
				index = 0
			}
			if !have || failing != "" || !w.equal(last, v) {
				last, have, failing = v, true, ""
				w.emit(v, next)
			}
			pause = max(spacing, w.every) + rand.N(dither) - time.Since(start)
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

// fetch asks once, blocking when index is not 0, and makes sure that the answer
// is fresh enough to be believed. The answer before it may be of another server.
func (w *watch[T]) fetch(ctx context.Context, index uint64) (T, uint64, error) {
	timeout := plainTimeout
	if index != 0 {
		timeout = w.cfg.Wait + w.cfg.Wait/16 + graceTimeout
	}
	v, meta, err := w.ask(ctx, timeout, &api.QueryOptions{AllowStale: true, WaitIndex: index, WaitTime: w.cfg.Wait})
	if err == nil && meta.QueryBackend == api.QueryBackendStreaming {
		woke := meta.LastIndex
		v, meta, err = w.ask(ctx, plainTimeout, &api.QueryOptions{AllowStale: true})
		if err == nil && meta.LastIndex < woke {
			// A server that is behind the one that woke us.
			v, meta, err = w.ask(ctx, plainTimeout, &api.QueryOptions{RequireConsistent: true})
		}
	}
	if err == nil && meta.LastContact > w.cfg.MaxStale {
		v, meta, err = w.ask(ctx, plainTimeout, &api.QueryOptions{})
	}
	// An older index is that of a server which has just come back and has not caught
	// up, or Consul's data began anew, and then the leader says so. A leader that was
	// started a moment ago may not have read its own log to the end; it answers
	// default reads meanwhile, and consistent ones only after.
	if err == nil && meta.LastIndex < w.newest {
		v, meta, err = w.ask(ctx, plainTimeout, &api.QueryOptions{RequireConsistent: true})
	}
	if err == nil {
		err = believable(meta)
	}
	if err != nil {
		var none T
		return none, 0, err
	}
	return v, meta.LastIndex, nil
}

func (w *watch[T]) ask(ctx context.Context, timeout time.Duration, opts *api.QueryOptions) (T, *api.QueryMeta, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, &timeoutError{timeout})
	defer cancel()
	v, meta, err := w.read(ctx, opts.WithContext(ctx))
	if err != nil && errors.Is(err, context.DeadlineExceeded) {
		err = context.Cause(ctx)
	}
	return v, meta, err
}

func newBackoff(first, most time.Duration) *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval:     first,
		RandomizationFactor: 0.5,
		Multiplier:          2,
		MaxInterval:         most,
	}
}

// sleep reports whether the whole of d went by before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
