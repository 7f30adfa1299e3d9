package notify

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Time between the attempts of one event: doubling, with jitter.
const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// start runs a worker when Run does; with mu held.
func (q *Queue) start(w *worker) {
	if q.started == nil || q.started.Err() != nil {
		return
	}
	ctx := q.started
	q.tasks.Go(func() {
		for q.serve(ctx, w) {
		}
	})
}

// serve delivers the next event, waiting for it if there is none. It returns
// false when the worker's time is over.
func (q *Queue) serve(ctx context.Context, w *worker) bool {
	q.mu.Lock()
	if w.gone || ctx.Err() != nil {
		lost := w.pending
		w.pending = nil
		w.status.Failed += uint64(len(lost))
		shut(w.route.Target)
		q.mu.Unlock()
		for _, e := range lost {
			q.onFailure(Failure{Route: w.route.Name, Event: e, Err: errStopped})
		}
		return false
	}
	if len(w.pending) == 0 {
		q.mu.Unlock()
		select {
		case <-w.wake:
		case <-ctx.Done():
		}
		return true
	}
	e := w.pending[0]
	w.pending = w.pending[1:]
	delivery, cancel := context.WithCancel(ctx)
	w.current, w.cancel = &e, cancel
	q.mu.Unlock()

	end := q.deliver(delivery, w, e)

	q.mu.Lock()
	cancel()
	w.current, w.cancel = nil, nil
	switch end {
	case delivered:
		w.status.Delivered++
		w.status.Failing = false
	case replaced:
		w.status.Coalesced++
	case givenUp:
		w.status.Failed++
	}
	q.signalIdle()
	q.mu.Unlock()
	return true
}

var errStopped = errors.New("the director stopped first")

// outcome is the end of an event at one target.
type outcome uint8

const (
	delivered outcome = iota
	replaced          // by a newer one of the same object
	givenUp
)

// deliver makes attempts until one succeeds, none is left, or a newer event of
// the same object waits.
func (q *Queue) deliver(ctx context.Context, w *worker, e Event) outcome {
	pause := &backoff.ExponentialBackOff{InitialInterval: firstRetry, MaxInterval: lastRetry, Multiplier: 2, RandomizationFactor: 0.2}
	pause.Reset()
	for attempt := 1; ; attempt++ {
		last := q.hurried()
		route, err := q.attempt(ctx, w, e)
		if err == nil {
			return delivered
		}
		again := !errors.Is(err, ErrPermanent) && ctx.Err() == nil && !last && (route.Retries == Forever || attempt <= route.Retries)
		if !again || attempt == 1 {
			q.onFailure(Failure{Route: route.Name, Event: e, Attempt: attempt, Again: again, Err: err})
		}
		if !again {
			return givenUp
		}
		if !q.pause(ctx, w, e, pause.NextBackOff()) {
			return replaced
		}
	}
}

// attempt uses the route of this moment, which Set may replace.
func (q *Queue) attempt(ctx context.Context, w *worker, e Event) (Route, error) {
	q.mu.Lock()
	route := w.route
	w.using = route.Target
	q.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, route.Timeout)
	defer cancel()
	err := route.Target.Deliver(ctx, e)
	q.mu.Lock()
	defer q.mu.Unlock()
	w.using = nil
	if w.route.Target != route.Target {
		shut(route.Target)
	}
	if err != nil {
		w.failed(err)
	}
	return route, err
}

func (q *Queue) hurried() bool {
	select {
	case <-q.hurry:
		return true
	default:
		return false
	}
}

// pause waits for the time of the next attempt, which comes at once when Flush
// is called. It returns false when the event need not be delivered any more.
func (q *Queue) pause(ctx context.Context, w *worker, e Event, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		q.mu.Lock()
		stale := w.gone || w.waiting(e.key()) >= 0 || !w.route.Wants(e)
		q.mu.Unlock()
		if stale {
			return false
		}
		select {
		case <-w.wake:
		case <-q.hurry:
			return true
		case <-t.C:
			return true
		case <-ctx.Done():
			return true // to an attempt that fails, and says so
		}
	}
}
