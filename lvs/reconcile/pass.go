package reconcile

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// loop is the state of the passes; the pass mutex guards it.
type loop struct {
	// have is the table as last read, with the ops acknowledged since. It is
	// shown in Status, so it is replaced, never changed.
	have   lvs.Observed
	read   bool      // have holds a reading
	stale  bool      // have is known to be wrong: read before anything is tried
	acted  bool      // something was changed since the last reading
	readAt time.Time // of the last reading
	took   time.Duration
	pace   time.Duration // what a reading takes: the faster of the last two, so that one hiccup does not count
	err    error         // of the last reading
	fails  int           // readings failed in a row

	desired   lvs.Desired
	whole     bool             // every virtual server is to be looked at, whatever look says
	look      map[lvs.Key]bool // those that may need an op: wanted anew, or not done yet
	drains    lvs.Drains
	held      int                      // ops that wait for others, as the last pass that could look found
	deadlines map[lvs.DestID]time.Time // of drains
	retries   map[lvs.DestID]*retry
	marks     marksState
	owned     map[lvs.Key]bool
	ownKeys   []lvs.Key // owned, in order; nil: not made yet
	released  bool

	applied, verified uint64
	adopted           *Adopted
	counts            map[Count]uint64
	drift             uint64
	lastDrift         time.Time
	applyTook         time.Duration
	applyAt           time.Time
	passes            uint64
}

// retry is an object whose last op failed.
type retry struct {
	op       lvs.Op
	drift    bool // some try was to undo what somebody else did
	err      error
	attempts int
	next     time.Time
}

// take takes over what is wanted from now on. All of it is ours.
func (l *loop) take(n news) {
	if n.set != nil {
		l.desired, l.whole = *n.set, true
		if l.desired.Pools == nil {
			l.desired.Pools = map[lvs.Key]lvs.Want{}
		}
		for k := range l.desired.Pools {
			l.own(k)
		}
		for k, owned := range l.desired.Owned {
			if owned {
				l.own(k)
			}
		}
	}
	for k, w := range n.change {
		l.desired.Pools[k] = w
		l.look[k] = true
		l.own(k)
	}
}

func (l *loop) own(k lvs.Key) {
	if !l.owned[k] {
		l.owned[k], l.ownKeys = true, nil
	}
}

func (l *loop) release(k lvs.Key) {
	delete(l.owned, k)
	l.ownKeys = nil
}

// scope returns the part of what is wanted that a pass has to look at. After a
// reading, and after a Set, that is all. Else it is what Change named, where an
// op is left to do, and what drains: of everything else the pass before has found
// that the table is as wanted, and nothing has changed since.
func (l *loop) scope(fresh bool) lvs.Desired {
	d := l.desired
	if fresh || l.whole {
		d.Owned = l.owned
		return d
	}
	for id := range l.drains {
		l.look[id.Key] = true
	}
	d.Pools, d.Owned = make(map[lvs.Key]lvs.Want, len(l.look)), make(map[lvs.Key]bool, len(l.look))
	for k := range l.look {
		if w, wanted := l.desired.Pools[k]; wanted {
			d.Pools[k] = w
		}
		d.Owned[k] = l.owned[k]
	}
	return d
}

// reconcile makes one pass and returns when the next is due; false means never,
// because the table was released.
func (r *Reconciler) reconcile(ctx context.Context) (time.Time, bool) {
	r.pass.Lock()
	defer r.pass.Unlock()
	l := &r.loop
	if l.released {
		return time.Time{}, false
	}
	n, gen := r.input()
	l.take(n)
	l.passes++
	before, hadRead := l.have.Table, l.read
	fresh := false
	if n.resync || l.stale && l.err == nil || !time.Now().Before(l.readDue(r.cfg)) {
		fresh = r.readTable(ctx)
	}
	if n.resync {
		clear(l.retries)
		l.marks.next = time.Time{}
	}
	if l.read && l.err == nil && gen > 0 {
		d := l.scope(fresh)
		want, drains, _ := lvs.Drain(l.have, d, l.drains, time.Now())
		l.drains = drains
		l.deadlines = deadlinesOf(drains, d)
		ops := lvs.Diff(l.have.Table, want)
		l.adopt(len(ops))
		l.whole = false
		clear(l.look)
		p := pass{r: r, l: l, gen: gen, want: want, fresh: fresh, made: map[lvs.Key]bool{}, failed: map[lvs.Key]bool{}}
		if hadRead {
			p.expected = before
		}
		p.run(ctx, ops)
		l.held = p.held
		if p.left == 0 {
			l.applied = gen
			if fresh && len(ops) == 0 {
				l.verified = gen
			}
		}
		l.disown(fresh)
		l.forget(ops)
	}
	next := l.next(r.cfg)
	r.publish(l.statusNow(next))
	return next, true
}

// readTable reads the kernel's table into have.
func (r *Reconciler) readTable(ctx context.Context) bool {
	l := &r.loop
	start := time.Now()
	have, err := r.driver.Table(ctx)
	if err != nil && ctx.Err() != nil {
		return false
	}
	l.readAt = time.Now()
	if err != nil {
		if l.err == nil {
			r.cfg.Log.Warn("cannot read the IPVS table", "err", err)
		}
		l.err = err
		l.fails++
		return false
	}
	if l.err != nil {
		r.cfg.Log.Info("the IPVS table can be read again")
	}
	if have.Table == nil {
		have.Table = lvs.Table{}
	}
	l.stale, l.acted = false, false
	took := l.readAt.Sub(start)
	if !l.read {
		l.took = r.cfg.Check / idleShare
	}
	l.pace = min(l.took, took)
	l.have, l.read, l.err, l.fails, l.took = have, true, nil, 0, took
	l.share()
	return true
}

// share lets the reading have the real servers of those virtual servers that are as
// wanted where those wanted are: most of a table, and else there twice for as long
// as it stands still.
func (l *loop) share() {
	for k, w := range l.desired.Pools {
		p, want := l.have.Table[k], w.Pool.Dests
		if len(want) == 0 || len(p.Dests) != len(want) || &p.Dests[0] == &want[0] || !slices.Equal(p.Dests, want) {
			continue
		}
		p.Dests = want
		l.have.Table[k] = p
	}
}

// adopt notes what the first pass finds.
func (l *loop) adopt(ops int) {
	if l.adopted != nil {
		return
	}
	a := &Adopted{Ops: ops}
	for k, p := range l.have.Table {
		if l.owned[k] {
			a.Services++
			a.Dests += len(p.Dests)
		}
	}
	l.adopted = a
}

// disown forgets virtual servers that are neither wanted nor in the kernel: if
// somebody else creates one of that name later, it is theirs. Only a reading
// tells that it is gone for sure.
func (l *loop) disown(fresh bool) {
	if !fresh {
		return
	}
	for k := range l.owned {
		_, wanted := l.desired.Pools[k]
		if _, there := l.have.Table[k]; !wanted && !there {
			l.release(k)
		}
	}
}

// forget drops the retries of objects that need no op any more.
func (l *loop) forget(ops []lvs.Op) {
	if len(l.retries) == 0 {
		return
	}
	needed := make(map[lvs.DestID]bool, len(ops))
	for _, op := range ops {
		needed[op.ID()] = true
	}
	for id := range l.retries {
		if !needed[id] {
			delete(l.retries, id)
		}
	}
}

// readDue is when the table is to be read next.
func (l *loop) readDue(cfg Config) time.Time {
	if l.err != nil {
		return l.readAt.Add(backoff(cfg, l.fails))
	}
	pause := max(cfg.Check, idleShare*l.pace)
	if len(l.drains) > 0 {
		pause = max(cfg.Check, busyShare*l.pace)
	}
	pause = min(pause, cfg.Resync)
	due := l.readAt.Add(pause)
	if l.acted { // read it back soon
		if soon := l.applyAt.Add(max(settle, busyShare*l.pace)); soon.Before(due) {
			due = soon
		}
	}
	return due
}

// next is when the next pass is due: a reading, a retry or a drain deadline,
// and never at once, whatever waits for something else.
func (l *loop) next(cfg Config) time.Time {
	next := l.readDue(cfg)
	if l.stale && l.err == nil {
		next = time.Time{}
	}
	for _, rt := range l.retries {
		if rt.next.Before(next) {
			next = rt.next
		}
	}
	if l.marks.err != nil && l.marks.next.Before(next) {
		next = l.marks.next
	}
	now := time.Now()
	for _, t := range l.deadlines {
		// One that has passed belongs to a held pool: only a Set ends that.
		if t.After(now) && t.Before(next) {
			next = t
		}
	}
	if soonest := now.Add(minPause); next.Before(soonest) {
		return soonest
	}
	return next
}

func backoff(cfg Config, attempts int) time.Duration {
	d := cfg.RetryMin
	for range attempts - 1 {
		if d >= cfg.RetryMax/2 {
			return cfg.RetryMax
		}
		d *= 2
	}
	return d
}

func deadlinesOf(drains lvs.Drains, d lvs.Desired) map[lvs.DestID]time.Time {
	if len(drains) == 0 {
		return nil
	}
	out := make(map[lvs.DestID]time.Time, len(drains))
	for id, since := range drains {
		out[id] = since.Add(d.Pools[id.Key].Drain)
	}
	return out
}

func (l *loop) statusNow(next time.Time) Status {
	s := Status{
		Applied: l.applied, Verified: l.verified, Adopted: l.adopted,
		Counts: maps.Clone(l.counts), Drift: l.drift, LastDrift: l.lastDrift, HeldBack: l.held,
		Observed: l.have, ReadAt: l.readAt, ReadErr: l.err, ReadTook: l.took,
		MarksErr: l.marks.err, ApplyTook: l.applyTook, ApplyAt: l.applyAt, Passes: l.passes, NextAt: next,
	}
	if l.ownKeys == nil {
		l.ownKeys = slices.SortedFunc(maps.Keys(l.owned), lvs.Key.Compare)
	}
	s.Owned = l.ownKeys
	for id, rt := range l.retries {
		s.Errors = append(s.Errors, ObjectError{ID: id, Op: rt.op, Err: rt.err, Attempts: rt.attempts, Next: rt.next})
	}
	slices.SortFunc(s.Errors, func(a, b ObjectError) int { return a.ID.Compare(b.ID) })
	for id, since := range l.drains {
		st, known := l.have.Dest(id)
		s.Draining = append(s.Draining, Draining{ID: id, Since: since, Deadline: l.deadlines[id], Active: st.Active, Known: known})
	}
	slices.SortFunc(s.Draining, func(a, b Draining) int {
		return cmp.Or(a.ID.Compare(b.ID), a.Since.Compare(b.Since))
	})
	return s
}

// record counts, reports and logs one op, and gives its error its meaning.
func (r *Reconciler) record(c *Change) {
	l := &r.loop
	removal := c.Op.Verb.IsRemoval()
	missing := errors.Is(c.Err, lvs.ErrNotFound) || errors.Is(c.Err, lvs.ErrNoService)
	switch {
	case c.Err == nil:
		c.Result = Done
	case removal && missing:
		c.Result, c.Err = Gone, nil
	case missing || errors.Is(c.Err, lvs.ErrExists):
		c.Result, c.Drift = Conflict, true
	default:
		c.Result = Failed
	}
	l.counts[Count{c.Op.Verb, c.Result}]++
	if c.Drift && c.Err == nil {
		l.drift++
		l.lastDrift = c.At
	}
	if rt := l.retries[c.Op.ID()]; c.Err != nil && rt != nil && rt.op.Same(c.Op) {
		c.Again = rt.err.Error() == c.Err.Error()
	}
	level, msg := slog.LevelInfo, "changed IPVS table"
	if c.Drift {
		msg = "repaired IPVS table, somebody else had changed it"
	}
	if c.Err != nil {
		level, msg = slog.LevelWarn, "cannot change IPVS table"
		if c.Again {
			level = slog.LevelDebug // said already
		}
	}
	// Putting ten thousand ops in words for nobody is a good part of the work.
	if ctx := context.Background(); r.cfg.Log.Enabled(ctx, level) {
		r.cfg.Log.Log(ctx, level, msg, "op", c.Op.String(), "result", c.Result.String(), "err", c.Err)
	}
	r.cfg.OnChange(*c)
}
