package reconcile

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// pass applies the ops of one pass.
type pass struct {
	r    *Reconciler
	l    *loop
	gen  uint64
	want lvs.Desired
	// expected is the table as we left it behind: where what was read since
	// differs, it was somebody else. Nil before the first reading.
	expected lvs.Table

	made   map[lvs.Key]bool // virtual servers that were added
	failed map[lvs.Key]bool // pools of which an op failed or waits
	held   int              // ops held back
	left   int              // ops not done, for whatever reason
	fresh  bool             // have was read in this pass: nobody else has seen it
	copied bool             // have is a copy of ours
	pools  map[lvs.Key]bool // pools within it that are copies of ours
}

// run applies the ops in two steps, so that what failed in one can keep the next
// from doing harm: what adds, then what takes away. A new virtual server refuses
// connections until it has a real server, so both go to the driver together.
func (p *pass) run(ctx context.Context, ops []lvs.Op) {
	if len(ops) == 0 {
		p.mark(ctx)
		return
	}
	start := time.Now()
	// The order of Diff has one behind the other.
	lowers := slices.IndexFunc(ops, lvs.Op.Lowers)
	if lowers < 0 {
		lowers = len(ops)
	}
	adds, takes := ops[:lowers], ops[lowers:]
	tried := p.apply(ctx, adds)
	// Packets go to a new virtual server when it has its real servers, and before
	// the one that had them goes.
	if !p.mark(ctx) {
		takes = p.keepServices(takes)
	}
	tried += p.apply(ctx, p.guard(takes))
	if tried > 0 {
		p.l.acted = true
		p.l.applyAt = time.Now()
		p.l.applyTook = p.l.applyAt.Sub(start)
	}
}

// orphan reports whether the op adds a real server to a virtual server that could
// not be added, or finishes that one. The kernel refuses each of them, and that
// says nothing new.
func (p *pass) orphan(op lvs.Op) bool {
	if op.Verb != lvs.AddDest && op.Verb != lvs.SetService || !p.failed[op.Service.Key] {
		return false
	}
	_, there := p.l.have.Table[op.Service.Key]
	return !there
}

// guard leaves out what would empty a pool whose additions failed.
func (p *pass) guard(ops []lvs.Op) []lvs.Op {
	if len(p.failed) == 0 {
		return ops
	}
	after := lvs.Table{}
	for _, op := range ops {
		k := op.Service.Key
		if !p.failed[k] || op.Verb == lvs.RemoveService {
			continue
		}
		if _, ok := after[k]; !ok {
			after[k] = p.l.have.Table[k].Clone()
		}
		_ = lvs.Apply(after, op) // have is what Diff started from: it cannot be refused
	}
	return p.filter(ops, func(op lvs.Op) bool {
		pool, tested := after[op.Service.Key]
		if !tested || pool.Live() || !p.want.Pools[op.Service.Key].Pool.Live() {
			return true
		}
		p.held++
		return false
	})
}

// filter leaves out the ops that are not to be done now. It does not write to ops.
func (p *pass) filter(ops []lvs.Op, keep func(lvs.Op) bool) []lvs.Op {
	i := slices.IndexFunc(ops, func(op lvs.Op) bool { return !keep(op) })
	if i < 0 {
		return ops
	}
	p.leave(ops[i])
	out := slices.Clone(ops[:i])
	for _, op := range ops[i+1:] {
		if keep(op) {
			out = append(out, op)
		} else {
			p.leave(op)
		}
	}
	return out
}

// leave takes note of an op that is not done: its virtual server is looked at
// again in the next pass.
func (p *pass) leave(op lvs.Op) {
	p.left++
	p.l.look[op.Service.Key] = true
}

// apply gives the ops to the kernel, but for those that wait for their next
// try, takes note of the answers, and returns how many were tried.
func (p *pass) apply(ctx context.Context, ops []lvs.Op) int {
	now := time.Now()
	ops = p.filter(ops, func(op lvs.Op) bool {
		rt := p.l.retries[op.ID()]
		if p.orphan(op) {
			return false
		}
		if rt == nil || !rt.op.Same(op) || !now.Before(rt.next) {
			return true
		}
		p.failed[op.Service.Key] = true
		return false
	})
	if len(ops) == 0 {
		return 0
	}
	for i, err := range p.r.driver.Apply(ctx, ops) {
		if err != nil && p.orphan(ops[i]) {
			p.leave(ops[i])
			continue
		}
		p.note(ctx, ops[i], err)
	}
	return len(ops)
}

// note takes the kernel's answer to one op.
func (p *pass) note(ctx context.Context, op lvs.Op, err error) {
	id := op.ID()
	if err != nil && ctx.Err() != nil {
		p.leave(op) // stopped, not refused
		return
	}
	rt := p.l.retries[id]
	// A reading amid somebody's changes shows a part of them: what the repair of
	// that part could not do is drift still when the next reading shows the rest.
	c := Change{Op: op, Err: err, Drift: p.drift(op) || rt != nil && rt.drift, At: time.Now(), Generation: p.gen}
	if c.Drift {
		c.Undone = p.undone(op)
	}
	p.r.record(&c)
	if c.Err == nil {
		delete(p.l.retries, id)
		p.did(op)
		return
	}
	p.leave(op)
	p.failed[op.Service.Key] = true
	if rt == nil || !rt.op.Same(op) {
		rt = &retry{op: op}
		p.l.retries[id] = rt
	}
	rt.err, rt.drift = c.Err, c.Drift
	rt.attempts++
	rt.next = c.At.Add(backoff(p.r.cfg, rt.attempts))
	if c.Result == Conflict {
		p.l.stale = true // the table is not as we thought
	}
}

// drift reports whether the op undoes somebody else's change: whether the
// object is not as we left it. (Nothing is compared with what is wanted, so a
// new Set, and the end of a drain, are no drift.)
func (p *pass) drift(op lvs.Op) bool {
	if p.expected == nil {
		return false
	}
	k := op.Service.Key
	was, had := p.expected[k]
	switch op.Verb {
	case lvs.AddService:
		return had
	case lvs.SetService:
		return had && !p.made[k] && was.Service.Normal() != op.Was.Service
	case lvs.RemoveService:
		return false
	case lvs.AddDest, lvs.SetDest, lvs.RemoveDest:
	}
	left, had := was.Dest(op.Dest.Addr)
	switch op.Verb {
	case lvs.AddDest:
		return had
	case lvs.SetDest:
		return !had || left.Normal() != op.Was.Dest
	default:
		return !had
	}
}

// undone says what somebody else did that the op repairs. A real server that is set
// and that we have not left there goes, and drains before: that it came was it.
func (p *pass) undone(op lvs.Op) string {
	if _, had := p.expected[op.Service.Key].Dest(op.Dest.Addr); op.Verb == lvs.SetDest && !had {
		op = lvs.Op{Verb: lvs.RemoveDest, Service: op.Service, Dest: op.Was.Dest}
	}
	return op.Undoes()
}

// did brings have up to date with an op that is done. The
// counters of a real server that was changed are dropped: how many connections
// it has is unknown until it is read again.
func (p *pass) did(op lvs.Op) {
	p.own(op.Service.Key)
	_ = lvs.Apply(p.l.have.Table, op) // have is what Diff started from: it cannot be refused
	if op.Verb == lvs.AddService {
		p.made[op.Service.Key] = true
	}
	p.dropStats(op)
}

func (p *pass) dropStats(op lvs.Op) {
	if op.Verb.IsDest() {
		if stats, ok := p.l.have.Dests[op.Service.Key]; ok {
			p.l.have.Dests[op.Service.Key] = stats.Without(op.Dest.Addr)
		}
		return
	}
	if op.Verb == lvs.RemoveService {
		delete(p.l.have.Services, op.Service.Key)
		delete(p.l.have.Dests, op.Service.Key)
	}
}

// own makes have, and the pool within it, copies that may be changed: the original
// is in somebody's Status, or the driver's, which shares between two readings what
// is equal.
func (p *pass) own(k lvs.Key) {
	have := &p.l.have
	if !p.copied {
		have.Table = maps.Clone(have.Table)
		have.Dests = maps.Clone(have.Dests)
		have.Services = maps.Clone(have.Services)
		p.copied, p.pools = true, map[lvs.Key]bool{}
	}
	if !p.pools[k] {
		if pool, ok := have.Table[k]; ok {
			have.Table[k] = pool.Clone()
			have.Dests[k] = slices.Clone(have.Dests[k])
		}
		p.pools[k] = true
	}
}
