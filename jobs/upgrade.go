package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Upgrade replaces the directors of a job by those of j, one node at a time:
// backups first, by rising priority, the master last, after a handover to a
// director that is new already.
//
// Nomad gives no say in the order in which it replaces the allocations of a
// system job, but leaves alone those on nodes that are not eligible. So all
// nodes but the ones that have had their turn are made ineligible while it
// lasts. The mark upgradeMark in a node's metadata remembers which, so that an
// upgrade that was cut short goes on where it was.
//
// Each step waits until the new director has heard the master (or is it), has
// loaded its pools and runs its sync daemon, and until as many connections are
// known to it as before, at most for SyncWait. Whenever an address is found on
// another director than it should be, the upgrade stops and says so; the nodes
// that have not had their turn keep the old version and stay ineligible.
//
// A new master of lower priority would lose the address to its preempting
// predecessor as soon as that is back, which would be a second move: its
// priority is raised by a live setting (`edgekeeper priority`), and stays so.
func (c *Client) Upgrade(ctx context.Context, j *Job, o UpgradeOptions) (*Upgrade, error) {
	u := &upgrade{c: c, o: o, job: j, result: &Upgrade{Job: j.ID()}}
	err := u.run(ctx)
	if err != nil && len(u.waiting) > 0 {
		names := make([]string, len(u.waiting))
		for i, d := range u.waiting {
			names[i] = d.Node
		}
		err = fmt.Errorf("%w; %s keep the old version and are not eligible: the same command goes on, `nomad job revert` and `nomad node eligibility -enable` go back", err, strings.Join(names, ", "))
	}
	return u.result, err
}

// UpgradeOptions tune Upgrade.
type UpgradeOptions struct {
	// StepTime bounds the wait for one director; default 2 minutes.
	StepTime time.Duration
	// SyncWait bounds the wait for connections to become known to a director
	// that was replaced, with a sync daemon; default 30 s.
	SyncWait time.Duration
}

// Upgrade is what an upgrade did.
type Upgrade struct {
	Job     string   `json:"job"`
	Version uint64   `json:"version"`
	Order   []string `json:"order"` // nodes, as they had their turn
	Moves   int      `json:"moves"` // of addresses, all of them deliberate
	Raised  []string `json:"raised,omitempty"`
}

// upgradeMark is the node metadata of a node whose eligibility an upgrade took.
const upgradeMark = "edgekeeper.upgrade"

type upgrade struct {
	c       *Client
	o       UpgradeOptions
	job     *Job
	result  *Upgrade
	waiting []Allocation // in their order, with the version of before
	done    []Allocation
}

func (u *upgrade) run(ctx context.Context) error {
	u.o.StepTime = cmp.Or(u.o.StepTime, 2*time.Minute)
	u.o.SyncWait = cmp.Or(u.o.SyncWait, 30*time.Second)
	if u.job.api.Type == nil || *u.job.api.Type != api.JobTypeSystem {
		return fmt.Errorf("upgrade job %s: not a system job", u.job.ID())
	}
	before, err := u.c.Status(ctx, u.job.ID())
	if err != nil {
		return err
	}
	all, err := directors(before)
	if err != nil {
		return fmt.Errorf("upgrade job %s: %w", u.job.ID(), err)
	}
	plan, err := u.c.Plan(ctx, u.job)
	if err != nil {
		return err
	}
	marked, err := u.marked(ctx, all)
	if err != nil {
		return err
	}
	if !plan.Changes && len(marked) == 0 {
		u.c.sayf("%s: nothing to upgrade, version %d is what the file says", u.job.ID(), before.Version)
		u.result.Version = before.Version
		return nil
	}
	if !slices.ContainsFunc(all, func(a Allocation) bool { return a.Director.masters() > 0 }) {
		return fmt.Errorf("upgrade job %s: no director is master, there is nothing to hand over from", u.job.ID())
	}
	goesOn := !plan.Changes
	for _, a := range all {
		if goesOn && a.Version == before.Version && !marked[a.NodeID] {
			u.done = append(u.done, a)
		} else {
			u.waiting = append(u.waiting, a)
		}
	}
	slices.SortStableFunc(u.waiting, order)
	for _, a := range u.waiting {
		if err := u.eligible(ctx, a, false); err != nil {
			return err
		}
	}
	eval := ""
	u.result.Version = before.Version
	if !goesOn {
		if u.result.Version, eval, err = u.c.register(ctx, u.job); err != nil {
			return err
		}
	}
	for len(u.waiting) > 0 {
		if err := u.step(ctx, eval); err != nil {
			return err
		}
		eval = ""
	}
	return nil
}

// directors are the allocations of a job, each with its director.
func directors(s *Status) ([]Allocation, error) {
	var errs []error
	for _, a := range s.Allocations {
		if a.Director == nil {
			errs = append(errs, fmt.Errorf("director on %s does not answer (%s): %s", a.Node, a.State, cmp.Or(a.Error, "no director task runs")))
		}
	}
	if len(s.Allocations) == 0 {
		errs = append(errs, ErrNotRunning)
	}
	return s.Allocations, errors.Join(errs...)
}

// order sorts backups before masters, then by priority.
func order(a, b Allocation) int {
	top := func(a Allocation) (p uint8) {
		for _, r := range a.Director.Routers {
			p = max(p, r.Priority)
		}
		return p
	}
	return cmp.Or(cmp.Compare(a.Director.masters(), b.Director.masters()), cmp.Compare(top(a), top(b)), cmp.Compare(a.Node, b.Node))
}

// step replaces the next director.
func (u *upgrade) step(ctx context.Context, eval string) error {
	next := u.waiting[0]
	ctx, cancel := context.WithTimeoutCause(ctx, u.o.StepTime, fmt.Errorf("not within %s", u.o.StepTime))
	defer cancel()
	if err := u.handOver(ctx, next); err != nil {
		return err
	}
	holders, err := u.holders(ctx)
	if err != nil {
		return err
	}
	connections := u.connections(ctx, next)
	u.c.sayf("%s: %s is replaced", u.job.ID(), next.Node)
	if err := u.eligible(ctx, next, true); err != nil {
		return err
	}
	if err := u.c.await(ctx, u.job.ID(), u.result.Version, eval, map[string]bool{next.NodeID: true}); err != nil {
		return err
	}
	fresh, err := u.ready(ctx, next)
	if err != nil {
		return err
	}
	if err := u.synchronized(ctx, fresh, connections); err != nil {
		return err
	}
	if now, err := u.holders(ctx); err != nil {
		return err
	} else if !slices.Equal(now, holders) {
		return fmt.Errorf("an address moved while %s was replaced: masters were %s, are %s", next.Node, strings.Join(holders, ", "), strings.Join(now, ", "))
	}
	u.c.sayf("%s: %s serves, %s", u.job.ID(), next.Node, fresh.Director.Roles())
	u.result.Order = append(u.result.Order, next.Node)
	u.waiting, u.done = u.waiting[1:], append(u.done, fresh)
	return nil
}

// handOver takes the addresses off a director, to one that is new already, and
// keeps them there.
func (u *upgrade) handOver(ctx context.Context, from Allocation) error {
	now, err := u.c.director(ctx, from.ID)
	if err != nil {
		return err
	}
	if now == nil || now.masters() == 0 {
		return nil
	}
	if len(u.done) == 0 {
		return fmt.Errorf("%s is the only director and master: an upgrade would interrupt the service, use jobs run", from.Node)
	}
	for _, r := range now.Routers {
		if r.State != "MASTER" {
			continue
		}
		u.c.sayf("%s: %s hands over %s", u.job.ID(), from.Node, r.Name)
		if _, err := u.c.order(ctx, from.ID, "handover", r.Name); err != nil {
			return err
		}
		u.result.Moves++
		if err := u.keep(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// keep raises the priority of the new master above that of the old one, as
// long as the handover's truce lasts.
func (u *upgrade) keep(ctx context.Context, old Router) error {
	for {
		for _, a := range u.done {
			d, err := u.c.director(ctx, a.ID)
			if err != nil || d == nil {
				continue // asked again
			}
			i := slices.IndexFunc(d.Routers, func(r Router) bool { return r.Name == old.Name && r.State == "MASTER" })
			if i < 0 || d.Routers[i].Priority > old.Priority {
				if i >= 0 {
					return nil
				}
				continue
			}
			to := min(int(old.Priority)+1, 254)
			if _, err := u.c.order(ctx, a.ID, "priority", old.Name, fmt.Sprint(to)); err != nil {
				return err
			}
			u.result.Raised = append(u.result.Raised, fmt.Sprintf("%s on %s to %d", old.Name, a.Node, to))
			u.c.sayf("%s: priority of %s on %s is %d now, so that it remains master; `edgekeeper priority -reset %s` there gives the address back", u.job.ID(), old.Name, a.Node, to, old.Name)
			return nil
		}
		if err := pause(ctx, "a new master of "+old.Name); err != nil {
			return err
		}
	}
}

// ready waits until the director on a node answers and is ready to serve.
func (u *upgrade) ready(ctx context.Context, on Allocation) (Allocation, error) {
	last := ""
	for {
		s, err := u.c.Status(ctx, u.job.ID())
		if err != nil {
			return on, err
		}
		why := "no director answers"
		for _, a := range s.Allocations {
			if a.NodeID != on.NodeID || a.Version != u.result.Version {
				continue
			}
			if a.Director == nil {
				why = cmp.Or(a.Error, why)
			} else if why = a.Director.waits(); why == "" {
				return a, nil
			}
		}
		if why != last {
			u.c.sayf("%s: %s: %s", u.job.ID(), on.Node, why)
			last = why
		}
		if err := pause(ctx, on.Node+": "+why); err != nil {
			return on, err
		}
	}
}

// connections counts what a director with a sync daemon knows of.
func (u *upgrade) connections(ctx context.Context, a Allocation) int {
	out, err := u.c.order(ctx, a.ID, "connections", "-json")
	if err != nil {
		return 0
	}
	var list []json.RawMessage
	if json.Unmarshal([]byte(out), &list) != nil {
		return 0
	}
	return len(list)
}

// synchronized waits until a director knows as many connections as before. What
// ends meanwhile is not missed: SyncWait bounds it, and its end is no error.
func (u *upgrade) synchronized(ctx context.Context, a Allocation, want int) error {
	if a.Director.IPVS.Sync == nil || want == 0 {
		return nil
	}
	short, cancel := context.WithTimeout(ctx, u.o.SyncWait)
	defer cancel()
	for {
		have := u.connections(short, a)
		if have >= want {
			u.c.sayf("%s: %s knows %d connections, %d before", u.job.ID(), a.Node, have, want)
			return nil
		}
		if pause(short, "connections") != nil {
			u.c.sayf("%s: %s knows %d connections, %d before; those of the sync daemon's next round follow", u.job.ID(), a.Node, have, want)
			return ctx.Err()
		}
	}
}

// holders lists which node is master of what, over all directors.
func (u *upgrade) holders(ctx context.Context) ([]string, error) {
	s, err := u.c.Status(ctx, u.job.ID())
	if err != nil {
		return nil, err
	}
	var out []string
	for _, a := range s.Allocations {
		if a.Director == nil {
			continue
		}
		for _, r := range a.Director.Routers {
			if r.State == "MASTER" {
				out = append(out, r.Name+" on "+a.Node)
			}
		}
	}
	slices.Sort(out)
	return out, nil
}

func pause(ctx context.Context, what string) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
	case <-time.After(poll):
		return nil
	}
}

// eligible gives a node back, or takes it.
func (u *upgrade) eligible(ctx context.Context, a Allocation, yes bool) error {
	mark := new("true")
	if yes {
		mark = nil
	}
	set := func() error {
		_, err := u.c.nomad.Nodes().Meta().Apply(&api.NodeMetaApplyRequest{NodeID: a.NodeID, Meta: map[string]*string{upgradeMark: mark}}, read(ctx))
		if err != nil {
			return fmt.Errorf("mark node %s: %w", a.Node, plain(err))
		}
		return nil
	}
	if !yes { // the mark first: what is marked can be given back
		if err := set(); err != nil {
			return err
		}
	}
	if _, err := u.c.nomad.Nodes().ToggleEligibility(a.NodeID, yes, write(ctx)); err != nil {
		return fmt.Errorf("set eligibility of node %s: %w", a.Node, plain(err))
	}
	if yes {
		return set()
	}
	return nil
}

// marked are the nodes that an upgrade cut short left ineligible. A node that
// somebody else made ineligible is an error: it would not be upgraded.
func (u *upgrade) marked(ctx context.Context, all []Allocation) (map[string]bool, error) {
	out := map[string]bool{}
	var errs []error
	for _, a := range all {
		n, _, err := u.c.nomad.Nodes().Info(a.NodeID, read(ctx))
		if err != nil {
			return nil, fmt.Errorf("read node %s: %w", a.Node, plain(err))
		}
		switch {
		case n.Meta[upgradeMark] == "true":
			out[a.NodeID] = true
		case n.SchedulingEligibility != api.NodeSchedulingEligible:
			errs = append(errs, fmt.Errorf("node %s is not eligible, so Nomad would not upgrade it: nomad node eligibility -enable %.8s", a.Node, a.NodeID))
		}
	}
	return out, errors.Join(errs...)
}
