package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// Marks keeps the rules that give packets their firewall marks.
type Marks interface {
	// Ensure makes the rules what is wanted; none are wanted by an empty list. It
	// reports whether it had to write, and what somebody else had done to the
	// rules since the last call; "" is nothing.
	Ensure(ctx context.Context, want []lvs.Marking) (wrote bool, drift string, err error)
}

// MarksChange is one write of the rules for marks, or a failure.
type MarksChange struct {
	Want  []lvs.Marking
	Drift string // what somebody else had done; "" is nothing
	Err   error
	At    time.Time
}

// marksState is what the loop knows of the rules.
type marksState struct {
	want  []lvs.Marking // of the last try
	tried bool
	err   error // of the last try
	fails int   // in a row
	next  time.Time
}

// mark brings the rules in line with what is wanted, when the table was just
// read, when something else is wanted, or when a failed try is to be repeated.
// It reports whether they are.
func (p *pass) mark(ctx context.Context) bool {
	r, m := p.r, &p.l.marks
	if r.cfg.Marks == nil {
		return true
	}
	want := p.want.Marks
	same := m.tried && slices.Equal(m.want, want)
	switch {
	case same && m.err == nil && !p.fresh:
		return true
	case same && m.err != nil && time.Now().Before(m.next):
		p.left++
		return false
	}
	return r.ensureMarks(ctx, p, want)
}

func (r *Reconciler) ensureMarks(ctx context.Context, p *pass, want []lvs.Marking) bool {
	m := &r.loop.marks
	wrote, drift, err := r.cfg.Marks.Ensure(ctx, want)
	if err != nil && ctx.Err() != nil {
		p.left++ // stopped, not refused
		return false
	}
	first := err != nil && (m.err == nil || m.err.Error() != err.Error())
	m.want, m.tried, m.err = want, true, err
	c := MarksChange{Want: want, Drift: drift, Err: err, At: time.Now()}
	if err != nil {
		p.left++
		m.fails++
		m.next = c.At.Add(backoff(r.cfg, m.fails))
		if first {
			r.cfg.Log.Warn("cannot set firewall marks", "err", err)
			r.cfg.OnMarks(c)
		}
		return false
	}
	m.fails = 0
	if !wrote {
		return true
	}
	msg := "changed firewall marks"
	if drift != "" {
		msg = "repaired firewall marks, somebody else had changed them"
		r.loop.drift++
		r.loop.lastDrift = c.At
	}
	r.cfg.Log.Info(msg, "rules", len(want), "drift", drift)
	r.cfg.OnMarks(c)
	return true
}

// keepServices leaves virtual servers in place whose packets may not have gone
// over to another yet.
func (p *pass) keepServices(ops []lvs.Op) []lvs.Op {
	return p.filter(ops, func(op lvs.Op) bool {
		if op.Verb == lvs.RemoveService {
			p.held++
			return false
		}
		return true
	})
}

// unmark removes the rules when everything of ours is released.
func (r *Reconciler) unmark(ctx context.Context) error {
	if r.cfg.Marks == nil {
		return nil
	}
	if _, _, err := r.cfg.Marks.Ensure(ctx, nil); err != nil {
		return fmt.Errorf("release firewall marks: %w", err)
	}
	return nil
}
