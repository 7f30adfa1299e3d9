// Package reconcile keeps the kernel's IPVS table equal to what is wanted, for
// as long as it runs, whoever else touches it.
//
// Set gives the whole desired table, Change some virtual servers of it; the
// newest wins. Both are acted on at once, from the last reading of the kernel and
// the ops acknowledged since, so a change of one weight is one netlink request,
// and after Change nothing else is looked at. The kernel is read back soon after
// and then again and again, and then everything is looked at, so that a stray
// `ipvsadm -C` is repaired within about a second.
//
// What a caller can rely on:
//
//   - Before the first Set nothing is changed, so a start cannot empty the
//     table; the first Set adopts what it finds and does only what differs.
//   - Virtual servers that were never in Desired are never touched. One that was
//     is ours from then on: it is removed when Desired no longer names it.
//   - An op that fails is tried again with growing pauses, alone: the rest of
//     the table goes on. The pause ends when the op for that object changes.
//   - A pool is not emptied because its replacement failed: while additions to a
//     pool fail, what would leave it without a real server waits.
//   - Departing real servers drain as lvs.Drain says.
//   - The packets of Desired.Marks have their firewall marks: the rules for it are
//     checked whenever the table is read, and put right.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// Driver is the kernel. lvs/kernel has the real one, lvs/lvstest a strict fake.
type Driver interface {
	// Table reads the whole table. An error is never an empty table. The lists in it
	// may be those of an earlier reading, and nobody writes to them. The maps are the
	// caller's until the next reading: it may put other lists of the same content there,
	// and a driver that keeps the reading keeps those.
	Table(ctx context.Context) (lvs.Observed, error)
	// Apply does the ops in order and returns their errors in the same places;
	// nil is done. One failure must not stop the ops behind it. A driver may
	// send them as a batch.
	Apply(ctx context.Context, ops []lvs.Op) []error
}

// Config are the options. The zero value is good.
type Config struct {
	// Check is the shortest pause between two readings of the kernel's table.
	// Default 1 s: it bounds how long somebody else's `ipvsadm -C` is felt. So
	// that this stays cheap, the pause is at least 50 times as long as a reading
	// takes (2 % of one processor at most), 10 times while something drains or
	// was just changed.
	Check time.Duration
	// Resync is the longest pause between two readings, whatever they cost.
	// Default 30 s.
	Resync time.Duration
	// RetryMin and RetryMax bound the pause before a failed op is tried again;
	// it doubles in between. Default 100 ms (most failures are somebody else's
	// change, and reading again settles those) and 30 s.
	RetryMin, RetryMax time.Duration
	// Marks keeps the rules that give packets their firewall marks; lvs/fwmark has
	// the real one. Nil when Desired.Marks is always empty.
	Marks Marks
	// OnMarks is called, like OnChange, after the rules were written, or could not
	// be read or written. Nil calls nobody.
	OnMarks func(MarksChange)
	// OnChange is called after each op, done or failed, from the goroutine of
	// Run (or of Release). It must not block, nor call Release. Nil calls nobody.
	OnChange func(Change)
	// Log takes one Info line for each op done, Warn for each first failure.
	// Nil discards.
	Log *slog.Logger
}

// The shares of time that reading the table may take: one part in so many.
const (
	idleShare = 50
	busyShare = 10
	// settle is how soon after a change the table is read back.
	settle = 100 * time.Millisecond
	// minPause keeps passes that nobody asked for apart.
	minPause = 10 * time.Millisecond
)

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&c.Check, time.Second)
	set(&c.Resync, 30*time.Second)
	set(&c.RetryMin, 100*time.Millisecond)
	set(&c.RetryMax, 30*time.Second)
	c.Resync = max(c.Resync, c.Check)
	c.RetryMax = max(c.RetryMax, c.RetryMin)
	if c.OnChange == nil {
		c.OnChange = func(Change) {}
	}
	if c.OnMarks == nil {
		c.OnMarks = func(MarksChange) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Change is one op that was tried.
type Change struct {
	Op         lvs.Op
	Result     Result
	Err        error  // nil unless Result is Conflict or Failed
	Again      bool   // with Err: the try before, of the same op, ended so too
	Drift      bool   // the op undoes what somebody else did to the table
	Undone     string // with Drift: that, in words, as lvs.Op.Undoes has it
	At         time.Time
	Generation uint64 // of the Set that it was done for
}

// Reconciler runs Desired into the kernel. Use New.
type Reconciler struct {
	driver Driver
	cfg    Config
	wake   chan struct{} // holds one token: something to do now

	// pass serializes passes over the table: those of Run, and Release.
	pass sync.Mutex
	loop loop

	mu      sync.Mutex // guards everything below; never held during I/O
	news    news
	gen     uint64
	changed chan struct{} // closed and replaced when status changes
	status  Status
}

// news are what Set, Change and Resync have left for the next pass.
type news struct {
	set    *lvs.Desired         // nil: no Set
	change map[lvs.Key]lvs.Want // since the Set
	resync bool
}

// New returns a Reconciler. It starts nothing: see Run.
func New(driver Driver, cfg Config) *Reconciler {
	return &Reconciler{
		driver:  driver,
		cfg:     cfg.withDefaults(),
		wake:    make(chan struct{}, 1),
		changed: make(chan struct{}),
		loop: loop{
			retries: map[lvs.DestID]*retry{}, owned: map[lvs.Key]bool{}, counts: map[Count]uint64{},
			look: map[lvs.Key]bool{}, desired: lvs.Desired{Pools: map[lvs.Key]lvs.Want{}},
		},
	}
}

// Set replaces the desired table and returns its generation, 1 for the first.
// It does not wait. The Reconciler keeps d, and changes d.Pools when Change is
// called: do not change it afterwards, nor read it then.
func (r *Reconciler) Set(d lvs.Desired) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.news.set, r.news.change = &d, nil
	return r.generation()
}

// Change replaces, or adds, these virtual servers of the desired table and
// returns its generation; all others are wanted as before. It does not wait, and
// what it costs does not depend on the others. The Reconciler keeps the wants: do
// not change them afterwards.
func (r *Reconciler) Change(pools map[lvs.Key]lvs.Want) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.news.change == nil {
		r.news.change = make(map[lvs.Key]lvs.Want, len(pools))
	}
	maps.Copy(r.news.change, pools)
	return r.generation()
}

// generation begins another one.
func (r *Reconciler) generation() uint64 {
	r.gen++
	r.status.Generation = r.gen
	r.poke()
	return r.gen
}

// Resync reads the kernel's table now, tries failed ops again, and repairs what
// differs. It does not wait.
func (r *Reconciler) Resync() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.news.resync = true
	r.poke()
}

func (r *Reconciler) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// WaitFor waits until the kernel has acknowledged every op of that generation
// or of a later one. If ctx ends first, the error says what stands in the way.
func (r *Reconciler) WaitFor(ctx context.Context, generation uint64) error {
	for {
		r.mu.Lock()
		applied, changed, readErr, failed := r.status.Applied, r.changed, r.status.ReadErr, r.status.Errors
		r.mu.Unlock()
		if applied >= generation {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			errs := []error{ctx.Err(), readErr}
			for _, e := range failed {
				errs = append(errs, e.Err)
			}
			return fmt.Errorf("wait for generation %d, %d is applied: %w", generation, applied, errors.Join(errs...))
		}
	}
}

// Run reconciles until ctx ends, and then returns nil. It leaves the kernel's
// table as it is: see Release. Run is called once.
func (r *Reconciler) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-r.wake:
		}
		next, ok := r.reconcile(ctx)
		if !ok {
			<-ctx.Done()
			return nil
		}
		timer.Reset(time.Until(next))
	}
}

// Release removes from the kernel every virtual server that is ours: wanted
// now, held or not, or owned. It is for the end, after Run has returned or in
// its stead; Run does nothing more once it was called. A virtual server that is
// already gone is no error.
func (r *Reconciler) Release(ctx context.Context) error {
	r.pass.Lock()
	defer r.pass.Unlock()
	r.loop.released = true
	l := &r.loop
	n, gen := r.input()
	l.take(n)
	// The end is short of time, and a large table takes seconds to read: what is
	// known of it does, unless that is known to be wrong.
	if known := l.read && !l.stale && l.err == nil; !known && !r.readTable(ctx) {
		return fmt.Errorf("release virtual servers: %w", errors.Join(l.err, ctx.Err()))
	}
	ops := lvs.Diff(l.have.Table, lvs.Desired{Owned: l.owned})
	for i := range ops {
		ops[i].Reason = "released on stop"
	}
	l.drains, l.deadlines, l.held = nil, nil, 0
	p := pass{r: r, l: l}
	var errs []error
	for i, err := range r.driver.Apply(ctx, ops) {
		c := Change{Op: ops[i], Err: err, At: time.Now(), Generation: gen}
		r.record(&c)
		if c.Err != nil {
			errs = append(errs, c.Err)
			continue
		}
		p.did(ops[i])
		l.release(ops[i].Service.Key)
	}
	errs = append(errs, r.unmark(ctx))
	r.publish(l.statusNow(time.Time{}))
	return errors.Join(errs...)
}

// input takes what Set, Change and Resync left.
func (r *Reconciler) input() (n news, gen uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, r.news = r.news, news{}
	return n, r.gen
}

// publish replaces the status and wakes those who wait for it.
func (r *Reconciler) publish(s Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Generation = r.gen
	r.status = s
	close(r.changed)
	r.changed = make(chan struct{})
}

// Status returns what is known now. The maps and slices in it are not changed
// any more by anybody.
func (r *Reconciler) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.status
	s.Counts = maps.Clone(s.Counts)
	s.Errors = slices.Clone(s.Errors)
	return s
}
