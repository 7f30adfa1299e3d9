package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// UpgradeOptions are how directors are upgraded.
type UpgradeOptions struct {
	// Version is what the node's meta edgekeeper_version becomes, which the job's
	// artifact or binary names; empty: each director is restarted with the program
	// that is on its host.
	Version string
	// Step bounds the time that one director may take until it is ready.
	Step time.Duration
	// Settle is how long nothing may change after each step.
	Settle time.Duration
	// CatchUp bounds the wait for connections to be synchronized, where they are.
	CatchUp time.Duration
}

// Upgraded is what an upgrade did, also one that was aborted.
type Upgraded struct {
	Directors []UpgradedDirector `json:"directors"`
	Moves     []Move             `json:"moves"`           // of virtual addresses, in their order
	Notes     []string           `json:"notes,omitempty"` // what is left for the operator
}

// UpgradedDirector is one that has been started anew.
type UpgradedDirector struct {
	Node string `json:"node"`
	From string `json:"from"` // versions, as the directors tell them
	To   string `json:"to"`
}

// Move is a handover of a VRRP instance.
type Move struct {
	Instance string  `json:"instance"`
	From     string  `json:"from"` // nodes
	To       string  `json:"to"`
	Seconds  float64 `json:"seconds"` // from the order to the first advert of the new master
}

// ErrFlap is a change that an upgrade did not order: a role, a director that is
// gone, a pool in trouble. The upgrade ends there.
var ErrFlap = errors.New("upgrade aborted")

// ErrNotBegun is a fleet in no condition to be upgraded; nothing was changed.
var ErrNotBegun = errors.New("upgrade not begun, nothing was changed")

// member is a director of the fleet.
type member struct {
	node, nodeID, alloc string
}

// fleet is what an upgrade needs of the world; Nomad, or a test.
type fleet interface {
	// members lists the directors that run, or says why they are not whole.
	members(ctx context.Context) ([]member, error)
	ask(ctx context.Context, m member) (*condition, error)
	order(ctx context.Context, m member, args ...string) (string, error)
	// replace ends a director, and returns when it runs again.
	replace(ctx context.Context, m member) (member, error)
}

type upgrade struct {
	fleet
	o    UpgradeOptions
	sayf func(string, ...any)
	all  []member
	base map[string]*condition // by node: as it should be
	done *Upgraded
}

// run upgrades a whole fleet: backups first, a master last, after a handover.
func (u *upgrade) run(ctx context.Context) error {
	if err := u.survey(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrNotBegun, err)
	}
	for i := range u.all {
		if err := u.step(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// survey looks at the whole fleet before anything is touched, and orders it.
func (u *upgrade) survey(ctx context.Context) (err error) {
	if u.all, err = u.members(ctx); err != nil {
		return err
	}
	u.base = map[string]*condition{}
	masters, others := map[string][]string{}, map[string]int{}
	var wrong []string
	for _, m := range u.all {
		c, err := u.ask(ctx, m)
		if err != nil {
			return fmt.Errorf("%s does not answer: %w", m.node, err)
		}
		u.base[m.node] = c
		for _, why := range append(c.lacks(), c.alarms()...) {
			wrong = append(wrong, m.node+": "+why)
		}
		for _, r := range c.Routers {
			switch r.State {
			case master:
				masters[r.Name] = append(masters[r.Name], m.node)
			case backup:
				others[r.Name]++
			}
		}
	}
	for _, m := range u.all {
		for _, r := range u.base[m.node].Routers {
			switch on := masters[r.Name]; {
			case len(on) != 1:
				wrong = append(wrong, fmt.Sprintf("%s has %d masters", r.Name, len(on)))
			case on[0] == m.node && others[r.Name] == 0:
				wrong = append(wrong, fmt.Sprintf("%s has no backup that could take it from %s", r.Name, m.node))
			}
		}
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(slices.Compact(wrong), "; "))
	}
	slices.SortFunc(u.all, func(a, b member) int {
		return cmp.Or(cmp.Compare(len(u.base[a.node].masterOf()), len(u.base[b.node].masterOf())), cmp.Compare(a.node, b.node))
	})
	for i, m := range u.all {
		u.sayf("%d. %s, version %s: %s", i+1, m.node, u.base[m.node].release(), u.base[m.node].roles())
	}
	return nil
}

// step upgrades one director.
func (u *upgrade) step(ctx context.Context, i int) error {
	m, before := u.all[i], u.base[u.all[i].node]
	if u.o.Version != "" && strings.TrimPrefix(before.release(), "v") == strings.TrimPrefix(u.o.Version, "v") {
		u.sayf("%s: has version %s already", m.node, before.release())
		return nil
	}
	if err := u.handOver(ctx, m); err != nil {
		return err
	}
	began := time.Now()
	u.sayf("%s: is started anew", m.node)
	short, cancel := context.WithTimeoutCause(ctx, u.o.Step, fmt.Errorf("not ready within %s", u.o.Step))
	defer cancel()
	next, err := u.replace(short, m)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrFlap, m.node, err)
	}
	u.all[i] = next
	now, err := u.ready(short, next, before)
	if err != nil {
		return err
	}
	u.done.Directors = append(u.done.Directors, UpgradedDirector{Node: m.node, From: before.release(), To: now.release()})
	pools, servers := now.loaded()
	u.sayf("%s: version %s after %s: %s, %d pools with %d real servers", m.node, now.release(), time.Since(began).Round(100*time.Millisecond), now.roles(), pools, servers)
	if err := u.catchUp(ctx, next); err != nil {
		return err
	}
	return u.watch(ctx, u.o.Settle, "")
}

// ready waits until a director that was started anew could take over.
func (u *upgrade) ready(ctx context.Context, m member, before *condition) (*condition, error) {
	last := ""
	for {
		why := "it does not answer"
		c, err := u.ask(ctx, m)
		switch {
		case err != nil:
			why += ": " + err.Error()
		case c.PID == before.PID && c.Started.Equal(before.Started):
			why = "it is still the one from before"
		default:
			if took := c.masterOf(); len(took) > 0 {
				return nil, fmt.Errorf("%w: %s took %s although it had a master", ErrFlap, m.node, strings.Join(took, ", "))
			}
			lacks := append(c.lacks(), c.missing(u.server(m))...)
			if len(lacks) == 0 {
				u.base[m.node] = c
				return c, nil
			}
			why = strings.Join(lacks, "; ")
		}
		if why != last && ctx.Err() == nil {
			u.sayf("%s: waiting: %s", m.node, why)
			last = why
		}
		// When the time is over, the next lines say what it was waiting for.
		if err := u.still(ctx, m.node); err != nil && ctx.Err() == nil {
			return nil, err
		}
		if err := pause(ctx, poll); err != nil {
			return nil, fmt.Errorf("%w: %s: %w: %s", ErrFlap, m.node, err, last)
		}
	}
}

// server is a director that serves while m is away: the one that is master of
// most.
func (u *upgrade) server(m member) *condition {
	var out *condition
	for _, o := range u.all {
		if c := u.base[o.node]; o.node != m.node && (out == nil || len(c.masterOf()) > len(out.masterOf())) {
			out = c
		}
	}
	return out
}

// catchUp waits until a director knows the connections that it would have to go
// on with. Those that are idle are told when their next packet comes, so that
// there is an end to it.
func (u *upgrade) catchUp(ctx context.Context, m member) error {
	if u.base[m.node].IPVS.Sync == nil {
		return nil
	}
	want := uint32(0)
	for began := time.Now(); ; {
		for _, o := range u.all {
			if c, err := u.ask(ctx, o); err == nil && o.node != m.node && len(c.masterOf()) > 0 {
				want, _ = c.open()
			}
		}
		c, err := u.ask(ctx, m)
		if err == nil {
			_, have := c.open()
			if late := time.Since(began) >= u.o.CatchUp; have >= want || late {
				u.sayf("%s: knows %d of %d open connections", m.node, min(have, want), want)
				if late {
					u.done.Notes = append(u.done.Notes, fmt.Sprintf("%s knew %d of %d open connections after %s; idle ones are told with their next packet", m.node, have, want, u.o.CatchUp))
				}
				return nil
			}
		}
		if err := u.still(ctx, ""); err != nil {
			return err
		}
		if err := pause(ctx, poll); err != nil {
			return err
		}
	}
}

// watch looks at all directors but one for a while: nothing may change.
func (u *upgrade) watch(ctx context.Context, d time.Duration, but string) error {
	for end := time.Now().Add(d); ; {
		if err := u.still(ctx, but); err != nil {
			return err
		}
		if !time.Now().Before(end) {
			return nil
		}
		if err := pause(ctx, poll); err != nil {
			return err
		}
	}
}

// silences is how often a director may leave a question unanswered: the way
// through Nomad has its own faults.
const silences = 3

// still looks once at all directors but one, and returns ErrFlap when one is not
// as it should be.
func (u *upgrade) still(ctx context.Context, but string) error {
	for _, m := range u.all {
		if m.node == but {
			continue
		}
		c, err := u.insist(ctx, m)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("%w: %s does not answer any more: %w", ErrFlap, m.node, err)
		}
		if why := c.flap(u.base[m.node]); why != "" {
			return fmt.Errorf("%w: %s: %s", ErrFlap, m.node, why)
		}
	}
	return nil
}

// insist asks a director until it answers or has been silent too often.
func (u *upgrade) insist(ctx context.Context, m member) (c *condition, err error) {
	for range silences {
		if c, err = u.ask(ctx, m); err == nil || pause(ctx, poll) != nil {
			break
		}
	}
	return c, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
