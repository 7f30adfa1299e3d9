package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// handoverLimit bounds the time until all directors agree who is master after a
// handover, and until a priority is in force.
const handoverLimit = 20 * time.Second

// handOver gives away whatever a director is master of, in such a way that it
// does not take it back when it has been started anew.
func (u *upgrade) handOver(ctx context.Context, m member) error {
	for {
		held := u.base[m.node].masterOf()
		if len(held) == 0 {
			return nil
		}
		r := u.base[m.node].router(held[0])
		// A priority that cannot be written now could not be lowered afterwards, with
		// the address already moved: the one it has is written as a proof.
		if r.preempts() {
			if _, err := u.order(ctx, m, "priority", r.unit(), strconv.Itoa(int(r.Base))); err != nil {
				return fmt.Errorf("%w: %s: it would take %s back, and its priority cannot be changed: %w", ErrFlap, m.node, r.unit(), err)
			}
		}
		text, err := u.order(ctx, m, "handover", "-json", r.unit())
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrFlap, m.node, err)
		}
		var answer []struct {
			Seconds float64 `json:"seconds"`
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || len(answer) == 0 {
			return fmt.Errorf("%w: %s: read the answer of handover: %q", ErrFlap, m.node, text)
		}
		to, err := u.taken(ctx, m, r)
		if err != nil {
			return err
		}
		u.done.Moves = append(u.done.Moves, Move{Instance: r.unit(), From: m.node, To: to.node, Seconds: answer[0].Seconds})
		u.sayf("%s: handed %s over to %s in %.2f s", m.node, r.unit(), to.node, answer[0].Seconds)
		if r.preempts() {
			if err := u.yield(ctx, m, to, r.Name, r.PriorityFrom == "config"); err != nil {
				return fmt.Errorf("%w: %s: %w", ErrFlap, m.node, err)
			}
		}
	}
}

// taken waits until exactly one other director is master of what r was, and
// takes the roles that follow as what should be.
func (u *upgrade) taken(ctx context.Context, from member, r *routerCondition) (member, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, handoverLimit, fmt.Errorf("not clear within %s", handoverLimit))
	defer cancel()
	for {
		now := map[string]*condition{}
		var masters []member
		for _, m := range u.all {
			c, err := u.ask(ctx, m)
			if err != nil {
				break
			}
			now[m.node] = c
			if x := c.router(r.Name); x != nil && x.State == master {
				masters = append(masters, m)
			}
		}
		if len(now) == len(u.all) && len(masters) == 1 && masters[0].node != from.node {
			for _, m := range u.all {
				moved := *u.base[m.node]
				moved.Routers = slices.Clone(moved.Routers)
				for i := range moved.Routers {
					if x := now[m.node].router(moved.Routers[i].Name); x != nil && moved.Routers[i].unit() == r.unit() {
						moved.Routers[i] = *x
					}
				}
				u.base[m.node] = &moved
			}
			if why := u.still(ctx, ""); why != nil {
				return member{}, why
			}
			return masters[0], nil
		}
		if err := pause(ctx, poll); err != nil {
			return member{}, fmt.Errorf("%w: %s was handed over by %s, and who is master is %w", ErrFlap, r.unit(), from.node, err)
		}
	}
}

// yield sees to it that the director that has handed over stays below the new
// master when it comes back. A priority of the new master that an earlier
// upgrade has lowered is given back; otherwise the one below it is set. configured says that
// the director had its priority from its configuration before the proof.
func (u *upgrade) yield(ctx context.Context, m, to member, instance string, configured bool) error {
	old, next := u.base[m.node].router(instance), u.base[to.node].router(instance)
	below := func() bool {
		return u.base[m.node].router(instance).Priority < u.base[to.node].router(instance).Priority
	}
	reset := fmt.Sprintf("edgekeeper priority -reset %s", old.unit())
	// What was written as a proof goes, unless it was in force before.
	withdraw := func() error {
		if !configured {
			return nil
		}
		_, err := u.order(ctx, m, "priority", "-reset", old.unit())
		return err
	}
	if below() {
		return withdraw()
	}
	if next.PriorityFrom != "config" && next.Configured > old.Priority {
		if _, err := u.order(ctx, to, "priority", "-reset", old.unit()); err != nil {
			return err
		}
		if u.inForce(ctx, instance, below) == nil {
			u.sayf("%s: has its configured priority %d of %s again", to.node, next.Configured, old.unit())
			return withdraw()
		}
	}
	lower := int(old.Base) - int(old.Priority) + int(next.Priority) - 1
	if lower < 1 {
		return fmt.Errorf("its priority of %s cannot be below the %d of %s, so it would take the address back", old.unit(), next.Priority, to.node)
	}
	if _, err := u.order(ctx, m, "priority", old.unit(), strconv.Itoa(lower)); err != nil {
		return err
	}
	if err := u.inForce(ctx, instance, below); err != nil {
		return fmt.Errorf("priority %d of %s: %w", lower, old.unit(), err)
	}
	u.sayf("%s: has priority %d of %s from now on, so that it does not take it back", m.node, lower, old.unit())
	u.done.Notes = append(u.done.Notes, fmt.Sprintf("%s keeps priority %d of %s, below %s; when the address may move back: %s, on %s", m.node, lower, old.unit(), to.node, reset, m.node))
	return nil
}

// inForce waits until the directors tell priorities of which holds is true.
func (u *upgrade) inForce(ctx context.Context, instance string, holds func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, handoverLimit, fmt.Errorf("not in force within %s", handoverLimit))
	defer cancel()
	for {
		for _, m := range u.all {
			if c, err := u.ask(ctx, m); err == nil {
				if b, x := u.base[m.node].router(instance), c.router(instance); b != nil && x != nil {
					b.Priority, b.Base, b.PriorityFrom = x.Priority, x.Base, x.PriorityFrom
				}
			}
		}
		if holds() {
			return nil
		}
		if err := pause(ctx, poll); err != nil {
			return err
		}
	}
}
