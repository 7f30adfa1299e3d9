// Package notify tells others what happened: scripts, FIFOs, webhooks, mail.
//
// The contract:
//
//   - Put never waits: not for a target, not for a disk, not for a network.
//   - Each target is told one event at a time, in the order of the sequence
//     numbers. A slow target delays no other one.
//   - While an event waits for a slow target, a newer one of the same object takes
//     its place and goes to the end, so a target that wakes up late hears the last
//     state of everything, and memory is bounded.
//   - Each attempt has a timeout. What fails for good is counted and reported;
//     the next event follows.
//   - Constructors start nothing and open nothing. Run blocks until its context
//     ends, and waits for what it has started.
package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Target is one receiver. Deliver makes one attempt and returns before long when
// ctx ends; it is never called twice at once. An error that wraps ErrPermanent
// is not tried again. A Target that is an io.Closer is closed when it is done
// with.
type Target interface {
	Deliver(ctx context.Context, e Event) error
}

// ErrPermanent marks an error that another attempt would only repeat.
var ErrPermanent = errors.New("not tried again")

// Forever is a number of retries without an end: until the event is delivered,
// or a newer one of the same object has come.
const Forever = -1

// maxPending is how many events wait for one target; each is the newest of its
// object. Beyond that the oldest is given up.
const maxPending = 1024

// Route is a target and what it is told.
type Route struct {
	Name    string // unique, such as `exec "arp"`
	Target  Target
	Wants   func(Event) bool // nil: everything
	Timeout time.Duration    // of one attempt; zero is 10 s
	Retries int              // after a failed attempt; Forever has no end
}

// Failure is a delivery that did not succeed.
type Failure struct {
	Route   string
	Event   Event
	Attempt int
	Again   bool // it will be tried again
	Err     error
}

// String says it in one sentence.
func (f Failure) String() string {
	end := "given up"
	if f.Again {
		end = "tried again"
	}
	return fmt.Sprintf("event %d (%s) not delivered: %v; %s", f.Event.Seq, f.Event.Title(), f.Err, end)
}

// Status is the state of one target.
type Status struct {
	Name      string
	Delivered uint64 // events
	Failed    uint64 // events given up
	Coalesced uint64 // events that a newer one of the same object replaced
	Queued    int    // events that wait or are being delivered
	Failing   bool   // the last attempt failed
	LastError string // of the last attempt that failed; empty when none did
	ErrorAt   time.Time
}

// Queue distributes events. Its methods may be called from any goroutine, before,
// during and after Run.
type Queue struct {
	onFailure func(Failure)

	mu      sync.Mutex
	seq     uint64
	workers []*worker
	started context.Context // of Run; nil before
	tasks   sync.WaitGroup
	idle    chan struct{} // closed, and made anew, when a worker falls idle
	hurry   chan struct{} // closed by Flush
}

// worker serves one target. Its fields are guarded by Queue.mu.
type worker struct {
	route   Route
	status  Status
	pending []Event            // by sequence number; one per key
	current *Event             // being delivered
	cancel  context.CancelFunc // ends its delivery
	using   Target             // during an attempt
	gone    bool               // no longer wanted
	wake    chan struct{}      // holds a token when something has changed
}

// New makes a queue. onFailure is told of the first failed attempt and of the
// end of every event that is not delivered, from the goroutine of its target;
// nil tells nobody.
func New(onFailure func(Failure)) *Queue {
	if onFailure == nil {
		onFailure = func(Failure) {}
	}
	return &Queue{onFailure: onFailure, idle: make(chan struct{}), hurry: make(chan struct{})}
}

// Set makes the routes those given. One that has the name of an earlier route
// takes over its waiting events and counters. What a route that is gone was
// delivering is finished, what waited for it is dropped.
func (q *Queue) Set(routes []Route) {
	q.mu.Lock()
	defer q.mu.Unlock()
	old := q.workers
	q.workers = make([]*worker, 0, len(routes))
	for _, r := range routes {
		if r.Timeout == 0 {
			r.Timeout = 10 * time.Second
		}
		if r.Wants == nil {
			r.Wants = func(Event) bool { return true }
		}
		i := slices.IndexFunc(old, func(w *worker) bool { return w.route.Name == r.Name })
		if i < 0 {
			w := &worker{route: r, status: Status{Name: r.Name}, wake: make(chan struct{}, 1)}
			q.workers = append(q.workers, w)
			q.start(w)
			continue
		}
		w := old[i]
		old = slices.Delete(slices.Clone(old), i, i+1)
		if w.route.Target != r.Target && w.using == nil {
			shut(w.route.Target) // else after the attempt
		}
		w.route = r
		w.pending = slices.DeleteFunc(w.pending, func(e Event) bool { return !r.Wants(e) })
		q.workers = append(q.workers, w)
	}
	for _, w := range old {
		w.gone, w.pending = true, nil
		w.poke()
		if q.started == nil {
			shut(w.route.Target)
		}
	}
	q.signalIdle()
}

// Put hands an event to every target that wants it. It never waits.
func (q *Queue) Put(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.seq++
	e.Seq, e.Reason = q.seq, clip(e.Reason, maxReason)
	if e.At.IsZero() {
		e.At = time.Now()
	}
	for _, w := range q.workers {
		if !w.route.Wants(e) {
			continue
		}
		if i := w.waiting(e.key()); i >= 0 {
			w.pending = slices.Delete(w.pending, i, i+1)
			w.status.Coalesced++
		} else if len(w.pending) == maxPending {
			w.pending = slices.Delete(w.pending, 0, 1)
			w.status.Failed++
			w.failed(errFull)
		}
		w.pending = append(w.pending, e)
		w.poke()
	}
}

var errFull = fmt.Errorf("more than %d objects wait, the oldest was given up", maxPending)

// Run delivers until ctx ends, which also ends what is being delivered then. It
// returns nil, and may be called once.
func (q *Queue) Run(ctx context.Context) error {
	q.mu.Lock()
	q.started = ctx
	for _, w := range q.workers {
		q.start(w)
	}
	q.mu.Unlock()
	<-ctx.Done()
	q.tasks.Wait()
	return nil
}

// Flush waits until everything that was put has been delivered or given up, or
// ctx ends; it comes before the end of Run. From then on an event gets one
// attempt, and after half of the time what was being delivered at the call is
// ended, so that a target that hangs can still be told the last state.
func (q *Queue) Flush(ctx context.Context) {
	q.mu.Lock()
	select {
	case <-q.hurry:
	default:
		close(q.hurry)
	}
	last := q.seq
	busy := map[*worker]uint64{}
	for _, w := range q.workers {
		if w.current != nil {
			busy[w] = w.current.Seq
		}
	}
	q.mu.Unlock()
	if end, ok := ctx.Deadline(); ok {
		half := time.AfterFunc(time.Until(end)/2, func() { q.end(busy) })
		defer half.Stop()
	}
	for {
		q.mu.Lock()
		done, idle := !slices.ContainsFunc(q.workers, func(w *worker) bool { return w.owes(last) }), q.idle
		q.mu.Unlock()
		if done {
			return
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return
		}
	}
}

// end ends deliveries, unless they have ended by themselves.
func (q *Queue) end(deliveries map[*worker]uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for w, seq := range deliveries {
		if w.current != nil && w.current.Seq == seq {
			w.cancel()
		}
	}
}

// Status tells how each target does, in the order of Set.
func (q *Queue) Status() []Status {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make([]Status, 0, len(q.workers))
	for _, w := range q.workers {
		s := w.status
		s.Queued = len(w.pending)
		if w.current != nil {
			s.Queued++
		}
		out = append(out, s)
	}
	return out
}

// signalIdle wakes Flush.
func (q *Queue) signalIdle() {
	close(q.idle)
	q.idle = make(chan struct{})
}

// owes reports whether an event up to the one numbered seq is not done with.
func (w *worker) owes(seq uint64) bool {
	return w.current != nil && w.current.Seq <= seq || len(w.pending) > 0 && w.pending[0].Seq <= seq
}

func (w *worker) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// waiting is the index of the waiting event with that key, or -1.
func (w *worker) waiting(k key) int {
	return slices.IndexFunc(w.pending, func(e Event) bool { return e.key() == k })
}

func (w *worker) failed(err error) {
	w.status.Failing, w.status.LastError, w.status.ErrorAt = true, err.Error(), time.Now()
}

// shut closes a target that holds something open.
func shut(t Target) {
	if c, ok := t.(io.Closer); ok {
		_ = c.Close() // nothing is left to be written
	}
}
