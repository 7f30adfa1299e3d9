package instance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// ErrGrouped: the virtual router is a member of a Group, which runs it.
var ErrGrouped = errors.New("member of a sync group, which runs it")

// GroupConfig is what NewGroup needs. Name and Members are required.
type GroupConfig struct {
	// Name of the group in logs and status.
	Name string
	// Members were made by New and are run by the group, not by their own Run.
	// Their Logger, OnRole and OnTrouble stay in use; what all of them call comes
	// from one goroutine, in order.
	Members []*Runner
	// Logger gets one Info line per change of the group's state. Nil discards.
	Logger *slog.Logger
	// OnRole is called after each change of the group's state, from the goroutine
	// of the members' OnRole and after those that led to it.
	OnRole func(GroupRole)
}

// GroupRole is one change of state of a group (vrrp.Group.State).
type GroupRole struct {
	State    vrrp.State
	Previous vrrp.State
	Reason   string // one sentence: the member that led, and its reason
	At       time.Time
}

// GroupStatus is a snapshot of a group; its members have their own.
type GroupStatus struct {
	Name    string
	Members []string // names
	State   vrrp.State
	Reason  string
	Since   time.Time
}

// Group runs several virtual routers as one: a sync group (vrrp.Group). One loop
// drives all of them. Its methods may be called from any goroutine, before,
// during and after Run; those of its members too, and a member's Handover is
// that of the group.
type Group struct {
	cfg     GroupConfig
	machine *vrrp.Group
	log     *slog.Logger

	mu     sync.Mutex
	status GroupStatus
}

// NewGroup checks cfg and returns a Group, to which its members belong from now
// on. It starts nothing. The error wraps vrrp.ErrOwners where members do not
// agree on being owners, and ErrGrouped when one is in a group already.
func NewGroup(cfg GroupConfig) (*Group, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Group{cfg: cfg, log: cfg.Logger.With("group", cfg.Name)}
	g.status = GroupStatus{Name: cfg.Name, State: vrrp.Init, Since: time.Now()}
	var routers []vrrp.Config
	for _, r := range cfg.Members {
		if r.grouped {
			return nil, fmt.Errorf("new group %s: member %s: %w", cfg.Name, r.cfg.VRRP.Name, ErrGrouped)
		}
		routers = append(routers, r.cfg.VRRP)
		g.status.Members = append(g.status.Members, r.cfg.VRRP.Name)
	}
	var err error
	if g.machine, err = vrrp.NewGroup(routers...); err != nil {
		return nil, fmt.Errorf("new group %s: %w", cfg.Name, err)
	}
	for _, r := range cfg.Members {
		r.grouped, r.outbox = true, cfg.Members[0].outbox
	}
	return g, nil
}

// Run drives the members until ctx ends; then all resign, take their addresses
// off, and it returns nil. It may be called once.
func (g *Group) Run(ctx context.Context) error {
	gl := &groupLoop{g: g, machine: g.machine}
	for i, r := range g.cfg.Members {
		l, err := r.newLoop(g.machine.Member(i))
		if err != nil {
			return fmt.Errorf("run group %s: %w", g.cfg.Name, err)
		}
		l.group = gl
		gl.loops = append(gl.loops, l)
	}
	for _, l := range gl.loops {
		l.peers = gl.loops
	}
	g.cfg.Members[0].around(ctx, g.cfg.Members, func() { gl.run(ctx) })
	return nil
}

// SetPriority sets the effective priority of every member (Runner.SetPriority).
func (g *Group) SetPriority(priority uint8, reason string) {
	for _, r := range g.cfg.Members {
		r.SetPriority(priority, reason)
	}
}

// SetFault keeps the group out of the election while at least one named fault is
// set, here or on a member. An empty why clears the name.
func (g *Group) SetFault(name, why string) {
	for _, r := range g.cfg.Members {
		r.SetFault(name, why)
	}
}

// Handover gives mastership of all members to another router: see
// Runner.Handover.
func (g *Group) Handover(ctx context.Context, hold time.Duration) error {
	return g.cfg.Members[0].Handover(ctx, hold)
}

// Status is a copy of the present state. It does not wait for the loop.
func (g *Group) Status() GroupStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.status
	s.Members = append([]string(nil), s.Members...)
	return s
}

// groupLoop drives the loops of the members in one goroutine.
type groupLoop struct {
	g       *Group
	machine *vrrp.Group
	loops   []*loop
	led     bool   // of the present step: why is the reason of the member that leads
	why     string // and not that of one that follows
}

// run waits for whatever comes first to any member.
func (gl *groupLoop) run(ctx context.Context) {
	const sources = 3 // of each member: packets, orders, timer
	cases := make([]reflect.SelectCase, 1+sources*len(gl.loops))
	for i := range cases {
		cases[i].Dir = reflect.SelectRecv
	}
	cases[0].Chan = reflect.ValueOf(ctx.Done())
	for i, l := range gl.loops {
		defer l.timer.Stop()
		cases[2+sources*i].Chan = reflect.ValueOf(l.r.inbox.ready)
		cases[3+sources*i].Chan = reflect.ValueOf(l.timer.C)
	}
	for _, l := range gl.loops {
		l.begin()
	}
	for ctx.Err() == nil {
		for i, l := range gl.loops {
			l.arm()
			cases[1+sources*i].Chan = reflect.ValueOf(l.packets())
		}
		chosen, value, open := reflect.Select(cases)
		if chosen == 0 {
			break
		}
		l := gl.loops[(chosen-1)/sources]
		switch (chosen - 1) % sources {
		case 0:
			f, _ := value.Interface().(*frame)
			l.received(f, open)
		case 1:
			l.ordered()
		case 2:
			l.expired(time.Now())
		}
	}
	for _, l := range gl.loops {
		l.refuse()
	}
	for _, l := range gl.loops {
		l.shutdown()
	}
}

// act steps the group with an event of one member.
func (gl *groupLoop) act(l *loop, now time.Time, event vrrp.Event) {
	for i, other := range gl.loops {
		if other != l {
			continue
		}
		for _, a := range gl.machine.Step(now, i, event) {
			if e, ok := a.Action.(vrrp.Enter); ok && !gl.led {
				gl.led = e.Reason.Cause != vrrp.CauseGroup
				gl.why = gl.loops[a.Member].r.cfg.VRRP.Name + ": " + e.Reason.String()
			}
			gl.loops[a.Member].perform(a.Action)
		}
	}
}

// publish copies the state of the group into its status, and tells of a change.
func (gl *groupLoop) publish() {
	g := gl.g
	role := GroupRole{State: gl.machine.State(), Reason: gl.why, At: time.Now()}
	gl.led, gl.why = false, ""
	g.mu.Lock()
	role.Previous = g.status.State
	if role.State != role.Previous {
		g.status.State, g.status.Reason, g.status.Since = role.State, role.Reason, role.At
	}
	g.mu.Unlock()
	if role.State == role.Previous {
		return
	}
	g.log.Info("state", "from", role.Previous, "to", role.State, "reason", role.Reason)
	if g.cfg.OnRole != nil {
		gl.loops[0].r.outbox.put(func() { g.cfg.OnRole(role) })
	}
}
