package check

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// tooLate is how long after its timeout an attempt can end before it must be
// this process that did not run.
const tooLate = 500 * time.Millisecond

// tolerable is how late an attempt can begin without those after it being later,
// too.
const tolerable = 250 * time.Millisecond

// atOnce is how many attempts are begun before those that have ended are taken:
// most that go to a host nearby end at once, and need not all be under way together.
const atOnce = 256

// shortest keeps a check without an interval from turning in circles.
const shortest = 10 * time.Millisecond

// entry is one check of the set. There may be tens of thousands, so it is kept small.
type entry struct {
	said   *discovery.Said // emitted last; until then its check alone
	prober *prober         // nil: it does nothing but connect

	due     time.Duration // since the runner began
	place   int32         // in the heap; -1: not there
	late    int32         // nanoseconds from when the attempt was due to when it began
	attempt uint32        // of the connector, under way; 0: none
	fd      int32         // its connection
	rise    Rise
	begun   bool // an attempt has ended
	paced   bool // it has its own place within the interval
	delayed bool // spread again since the last attempt
	void    bool // the last attempt counted neither way for lateness
	removed bool
}

// prober makes the attempts of an entry that the connector cannot make.
type prober struct {
	probe  Probe
	cancel context.CancelFunc // of the attempt under way; nil: there is none
}

func (e *entry) check() discovery.Check { return e.said.Check() }

type result struct {
	e     *entry
	start time.Time
	took  time.Duration
	note  Note
	err   error
}

// runner is the state of one Run; only its loop touches entries.
type runner struct {
	*Scheduler
	ctx     context.Context
	emit    func(*discovery.Said)
	began   time.Time
	wg      sync.WaitGroup
	heap    byDue    // waiting for their time
	queue   []*entry // waiting for a place
	flying  int
	results chan result

	connector *connector // nil: probes only
}

func (r *runner) loop() {
	r.apply()
	var ready <-chan []unix.EpollEvent
	if r.connector != nil {
		ready = r.connector.ready
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		r.start(time.Now())
		if r.settle() || len(r.queue) > 0 && r.flying < r.cfg.MaxInFlight {
			continue // there are places
		}
		if len(r.heap) > 0 {
			timer.Reset(time.Until(r.began.Add(r.heap[0].due)))
		} else {
			timer.Stop()
		}
		select {
		case <-r.ctx.Done():
			return
		case <-r.changed:
			r.apply()
		case events := <-ready:
			r.connected(events)
		case res := <-r.results:
			r.finish(res)
			for more := true; more; {
				select {
				case res := <-r.results:
					r.finish(res)
				default:
					more = false
				}
			}
		case <-timer.C:
		}
	}
}

// apply brings the entries into line with the set. A check that a set was without
// begins anew, although that set was never seen here: who made it has forgotten what
// the check said.
func (r *runner) apply() {
	r.mu.Lock()
	defer r.mu.Unlock()
	want, stayed := r.want, both(r.stayed, r.want)
	if want == nil {
		return
	}
	r.want, r.stayed = nil, nil
	r.stats.Checks = len(want)
	have := make(map[discovery.Check]bool, len(r.entries))
	r.entries = slices.DeleteFunc(r.entries, func(e *entry) bool {
		if _, ok := stayed[e.check()]; ok {
			have[e.check()] = true
			return false
		}
		e.removed = true
		if e.place >= 0 {
			heap.Remove(&r.heap, int(e.place))
		}
		if e.prober != nil && e.prober.cancel != nil {
			e.prober.cancel()
		}
		if e.attempt != 0 {
			r.connector.drop(e)
			r.flying--
		}
		return true
	})
	now := r.at(time.Now())
	for c, seed := range want {
		if have[c] {
			continue
		}
		spec := c.Spec()
		e := &entry{said: discovery.Say(c, discovery.Verdict{}), rise: NewRise(spec.Retries, spec.Rise, seed), due: now}
		if r.connector == nil || !plainConnect(&spec, c.Target) {
			e.prober = &prober{probe: r.probe(c)}
		}
		r.entries = append(r.entries, e)
		heap.Push(&r.heap, e)
	}
}

// probe makes the probe of a check; of one that cannot be made it is a failure.
func (r *runner) probe(c discovery.Check) Probe {
	probe, err := r.cfg.New(c)
	if err != nil {
		return func(context.Context) (Note, error) { return Note{}, err }
	}
	return probe
}

// start begins what is due, as far as there are places.
func (r *runner) start(t time.Time) {
	now := r.at(t)
	for len(r.heap) > 0 && r.heap[0].due <= now {
		e := r.heap[0]
		if e.attempt != 0 {
			r.ended(e, r.connector.expire(e))
			continue
		}
		if late := now - e.due; e.begun && !e.delayed && late > max(e.check().Spec().Interval, time.Second) {
			// The process was stopped; so were all other checks.
			e.delayed = true
			e.due = now + r.spread(e.check())
			heap.Fix(&r.heap, 0)
			continue
		}
		heap.Pop(&r.heap)
		r.queue = append(r.queue, e)
	}
	n := 0
	late := time.Duration(0)
	for ; n < min(len(r.queue), atOnce) && r.flying < r.cfg.MaxInFlight; n++ {
		e := r.queue[n]
		r.queue[n] = nil
		if e.removed {
			continue
		}
		e.late = 0
		if behind := now - e.due; e.begun {
			late = max(late, behind)
			if behind < min(tolerable, e.check().Spec().Interval/4) {
				e.late = int32(behind)
			}
		}
		r.attempt(e)
	}
	r.queue = r.queue[n:]
	if len(r.queue) == 0 {
		r.queue = nil
	}
	r.mu.Lock()
	r.stats.InFlight, r.stats.Queued = r.flying, len(r.queue)
	r.stats.MaxLate = max(r.stats.MaxLate, late)
	r.mu.Unlock()
}

func (r *runner) attempt(e *entry) {
	if e.prober == nil {
		spec := e.check().Spec()
		r.connect(e, &spec)
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, e.check().Spec().Timeout)
	e.prober.cancel, e.delayed = cancel, false
	r.flying++
	start := time.Now()
	probe := e.prober.probe
	r.wg.Go(func() {
		defer cancel()
		note, err := guarded(ctx, probe)
		r.results <- result{e, start, time.Since(start), note, err}
	})
}

func guarded(ctx context.Context, probe Probe) (note Note, err error) {
	defer func() {
		if v := recover(); v != nil {
			note, err = Note{}, &panicError{v}
		}
	}()
	return probe(ctx)
}

// finish takes the result of an attempt and says when the next one is.
func (r *runner) finish(res result) {
	r.flying--
	e, spec := res.e, res.e.check().Spec()
	if e.prober != nil {
		e.prober.cancel = nil
	}
	if e.removed || r.ctx.Err() != nil {
		return
	}
	e.begun = true
	start := r.at(res.start)
	end := start + res.took
	switch {
	case res.err != nil && ours(res.err):
		r.blocked(e, res)
		e.due = end + max(spec.RetryDelay, 100*time.Millisecond)
		r.count(false, true)
	case res.err != nil && timedOut(res.err) && res.took > spec.Timeout+tooLate && !e.void:
		e.void = true
		e.due = end
		r.count(false, true)
	default:
		e.void = false
		retry := e.rise.Observe(res.err == nil)
		r.count(res.err != nil, false)
		r.judge(e, spec, res)
		switch {
		case retry:
			e.due = end + spec.RetryDelay
		case !e.paced:
			e.paced = true
			e.due = start + r.spread(e.check())
			if e.due < end { // else all that do not answer would go on in step
				e.due += spec.Interval
			}
			e.due = r.together(e.due, spec.Interval)
		default:
			e.due = start + max(spec.Interval, shortest) + jitter(spec.Jitter) - time.Duration(e.late)
		}
	}
	e.due = max(e.due, end)
	heap.Push(&r.heap, e)
}

// at is when t is, since the runner began.
func (r *runner) at(t time.Time) time.Duration { return t.Sub(r.began) }

// together moves a time on to the next that checks of the same interval share:
// to be woken is most of what a check costs. There are 256 of them within the
// interval, fewer where that would leave each less than sixteen checks, but no two
// are more than a quarter of a second apart. Those who share one go on to do so, as
// each attempt is an interval after the one before was due.
func (r *runner) together(t, interval time.Duration) time.Duration {
	moments := min(max(len(r.entries)/16, 32), 256)
	step := min(interval/time.Duration(moments), 250*time.Millisecond)
	if step <= 0 {
		return t
	}
	return (t + step - 1).Truncate(step)
}

// judge emits the verdict where it is a new one.
func (r *runner) judge(e *entry, spec discovery.CheckSpec, res result) {
	health := e.rise.Health()
	if health == discovery.Pending {
		return
	}
	was := e.said.Verdict()
	v := was
	v.Took, v.Blocked = res.took, ""
	switch {
	case health != v.Health:
		v.Health = health
		v.Reason = "ok"
		if res.err != nil {
			v.Reason = reason(res.err, spec.Timeout)
		}
	case health == discovery.Down && res.err != nil:
		v.Reason = reason(res.err, spec.Timeout)
	}
	switch {
	case health == discovery.Down:
		v.Warning, v.Weight = "", discovery.WeightAdvice{}
	case res.err == nil:
		v.Warning, v.Weight = res.note.Warning, res.note.Weight
	}
	was.Took = v.Took
	if v != was {
		r.say(e, v)
	}
}

// blocked says why an attempt could not be made. The verdict stands.
func (r *runner) blocked(e *entry, res result) {
	v := e.said.Verdict()
	why := reason(res.err, 0)
	if v.Blocked == why {
		return
	}
	v.Blocked = why
	r.cfg.Log.Warn("check cannot be made", "target", e.check().Target, "type", e.check().Spec().Type, "error", res.err)
	r.say(e, v)
}

// say emits a verdict.
func (r *runner) say(e *entry, v discovery.Verdict) {
	e.said = discovery.Say(e.check(), v)
	r.emit(e.said)
}

// jitter gives a time from 0 to most.
func jitter(most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return rand.N(most + 1)
}

func (r *runner) count(failed, void bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Attempts++
	if failed {
		r.stats.Failures++
	}
	if void {
		r.stats.Void++
	}
}
