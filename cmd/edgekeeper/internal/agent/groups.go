package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/notify"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

// group is a sync group that runs. It drives its members in one loop, so they
// start, stop and hand over together.
type group struct {
	cfg   config.SyncGroup // as it was started
	run   *instance.Group
	notes []string // of the configuration in force; owned by the loop
}

// groups gives those of this moment, in the order of their first members.
func (r *routers) groups() []*group {
	var out []*group
	for _, x := range r.list() {
		if x.group != nil && !slices.Contains(out, x.group) {
			out = append(out, x.group)
		}
	}
	return out
}

// named gives the router of this name, or the members of the group; none when
// there is neither.
func (r *routers) named(name string) []*router {
	if x := r.find(name); x != nil {
		return []*router{x}
	}
	return slices.DeleteFunc(r.list(), func(x *router) bool { return x.group == nil || x.group.cfg.Name != name })
}

// unit is what runs, stops and hands over as one: a lone router, or a group.
type unit struct {
	name    string
	members []*router
	run     func(context.Context) error
}

// startAll starts routers, those of a group together. All are opened before the
// first runs: that writes to the disk and may fail, and then none of them runs.
// It gives up when the director stops meanwhile (errStopping).
func (r *routers) startAll(want []config.VRRP, groups []config.SyncGroup) ([]*router, error) {
	var opened []*unit
	done := map[string]bool{}
	for _, w := range want {
		if done[w.Router.Name] {
			continue // with its group
		}
		members := []config.VRRP{w}
		var g *group
		if i := slices.IndexFunc(groups, func(g config.SyncGroup) bool { return g.Name == w.Group }); w.Group != "" && i >= 0 {
			g, members = &group{cfg: groups[i]}, nil
			for _, name := range g.cfg.Instances {
				members = append(members, want[slices.IndexFunc(want, func(m config.VRRP) bool { return m.Router.Name == name })])
			}
		}
		var u *unit
		err := errStopping
		if !r.closing.Load() {
			u, err = r.openUnit(members, g)
		}
		if err != nil {
			for _, u := range opened {
				err = errors.Join(err, u.close())
			}
			return nil, err
		}
		opened = append(opened, u)
		for _, m := range members {
			done[m.Router.Name] = true
		}
	}
	var started []*router
	for _, u := range opened {
		r.start(u)
		started = append(started, u.members...)
	}
	return started, nil
}

// openUnit makes one router, or the members of a group.
func (r *routers) openUnit(members []config.VRRP, g *group) (*unit, error) {
	u := &unit{name: members[0].Router.Name}
	var runners []*instance.Runner
	for _, m := range members {
		x, err := r.open(m)
		if err != nil {
			return nil, errors.Join(err, u.close())
		}
		x.group = g
		u.members, runners = append(u.members, x), append(runners, x.runner)
	}
	u.run = runners[0].Run
	if g != nil {
		var err error
		u.name = g.cfg.Name
		g.run, err = instance.NewGroup(instance.GroupConfig{Name: u.name, Members: runners, OnRole: func(role instance.GroupRole) { r.agent.groupRole(u.name, role) }})
		if err != nil {
			return nil, errors.Join(err, u.close())
		}
		u.run = g.run.Run
		g.notes = g.cfg.Notes
	}
	return u, nil
}

// close releases what openUnit took.
func (u *unit) close() (err error) {
	for _, x := range u.members {
		err = errors.Join(err, x.open.close())
	}
	return err
}

// start runs a unit until one of its members is told to stop.
func (r *routers) start(u *unit) {
	a := r.agent
	if g := u.members[0].group; g != nil {
		for _, note := range g.notes {
			a.event("vrrp", u.name, note)
		}
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(a.work))
	done := make(chan struct{})
	for _, x := range u.members {
		x.stop, x.done = stop, done
	}
	go func() {
		defer close(done)
		defer stop()
		err := errors.Join(u.run(ctx), u.close())
		if err != nil && ctx.Err() == nil {
			a.post(a.work, func() { a.fail(fmt.Errorf("vrrp %s: %w", u.name, err)) })
		} else if err != nil {
			a.event("vrrp", u.name, "stopped with an error: "+err.Error())
		}
	}()
}

// units gives one router of each group, and the lone ones.
func units(all []*router) []*router {
	var out []*router
	for _, x := range all {
		if x.group == nil || !slices.ContainsFunc(out, func(o *router) bool { return o.group == x.group }) {
			out = append(out, x)
		}
	}
	return out
}

// unit is the name of what starts, stops and hands over together.
func (x *router) unit() string {
	if x.group != nil {
		return x.group.cfg.Name
	}
	return x.cfg.Router.Name
}

// groupRole records a change of a group's state; it is called by the runner, not
// by the loop.
func (a *agent) groupRole(name string, role instance.GroupRole) {
	a.event("vrrp", name, fmt.Sprintf("group %s, was %s: %s", role.State, role.Previous, role.Reason))
	e := notify.Event{Kind: notify.Group, Object: name, At: role.At, State: stateWord(role.State), Reason: role.Reason}
	if role.Previous != vrrp.Init {
		e.Previous = stateWord(role.Previous)
	}
	a.tell(e)
}

// basePriority is what the configuration or KV says. Of a group a key counts for
// all: that of the group, else the member's own, else that of the first member
// that has one.
func (a *agent) basePriority(x *router) (priority uint8, from string) {
	names := []string{x.cfg.Router.Name}
	if x.group != nil {
		names = append([]string{x.group.cfg.Name, x.cfg.Router.Name}, x.group.cfg.Instances...)
	}
	for _, name := range names {
		if o, ok := a.overrides.Priorities[discovery.RouterKey{Instance: name, RouterID: a.cfg.RouterID}]; ok {
			return o.Value, "kv " + o.Key
		}
	}
	return x.cfg.Router.Priority, "config"
}

// groupStatus renders the groups for status.
func (a *agent) groupStatus() []control.SyncGroup {
	var out []control.SyncGroup
	for _, g := range a.routers.groups() {
		s := g.run.Status()
		out = append(out, control.SyncGroup{
			Name: s.Name, Instances: s.Members, State: s.State.String(), Reason: s.Reason, Since: s.Since, Notes: g.notes,
		})
	}
	return out
}

// handedTo is the next master: of a group whichever member has heard it first.
func (r *routers) handedTo(x *router) string {
	for _, o := range r.list() {
		if o != x && (x.group == nil || o.group != x.group) {
			continue
		}
		if m := o.runner.Status().Master; m.IsValid() {
			return m.String()
		}
	}
	return ""
}
