package agent

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

var _ control.Director = (*agent)(nil)

// Put implements control.Director. A key or value that would be refused when it
// is read back, or that names something this director does not have, is refused
// before it is written.
func (a *agent) Put(ctx context.Context, key, value string) error {
	_, refused := discovery.ParseOverrides(discovery.Overrides{}, map[string]discovery.Pair{key: {Value: value}})
	if len(refused) > 0 {
		return fmt.Errorf("%w: %s = %q: %s; nothing was changed", control.ErrBadRequest, key, value, refused[0].Why)
	}
	type owner struct {
		kv      kvStore
		unknown error
	}
	o, err := ask(ctx, a, func() owner { return owner{a.source.kv, a.exists(key)} })
	if err != nil {
		return err
	}
	if o.unknown != nil {
		return fmt.Errorf("%w: %w; nothing was changed", control.ErrBadRequest, o.unknown)
	}
	_, _, err = o.kv.Put(ctx, key, value)
	return err
}

// Delete implements control.Director.
func (a *agent) Delete(ctx context.Context, key string) error {
	kv, err := ask(ctx, a, func() kvStore { return a.source.kv })
	if err != nil {
		return err
	}
	_, had, err := kv.Delete(ctx, key)
	if err == nil && !had {
		given, gone := ask(ctx, a, func() bool { return a.giveUp(key) })
		if given || gone != nil {
			return gone
		}
		return fmt.Errorf("%w: %s is not set", control.ErrBadRequest, key)
	}
	return err
}

// exists reports what a well-formed key names that this director does not have.
func (a *agent) exists(key string) error {
	part := strings.Split(key, "/")
	switch {
	case part[0] == "priority":
		if len(a.routers.named(part[1])) == 0 {
			return fmt.Errorf("no VRRP instance %q, and no sync group", part[1])
		}
		if part[2] != a.cfg.RouterID && !a.source.shared {
			return fmt.Errorf("without Consul the priority of %s is set on that director; this one is %s", part[2], a.cfg.RouterID)
		}
		return nil
	case part[0] == "drain" && part[1] == discovery.ReservedName:
		for _, d := range a.decisions {
			if slices.ContainsFunc(slices.Concat(d.Servers, d.Fallback), func(s discovery.Judged) bool {
				return s.Node() == part[2] || s.Addr.Addr().String() == part[2]
			}) {
				return nil
			}
		}
		return fmt.Errorf("no pool has a real server on node %q", part[2])
	}
	i := slices.IndexFunc(a.decisions, func(d discovery.Decision) bool { return d.Spec.Name == part[1] })
	if i < 0 {
		return fmt.Errorf("no virtual server %q", part[1])
	}
	if len(part) < 3 {
		return nil
	}
	lists := [][]discovery.Judged{a.decisions[i].Servers, a.decisions[i].Fallback}
	if slices.ContainsFunc(lists, func(list []discovery.Judged) bool { return called(list, part[2]) }) {
		return nil
	}
	var names []string
	for _, s := range slices.Concat(lists...) {
		names = append(names, orElse(s.ID(), s.Addr.String()))
	}
	return fmt.Errorf("virtual server %s has no real server %q; there are: %s", part[1], part[2], strings.Join(names, ", "))
}

// called reports whether a real server has that name: its address and port, its
// address, its id or its node. Of ten thousand no names are made.
func called(list []discovery.Judged, name string) bool {
	addr, _ := netip.ParseAddrPort(name) // zero when it is none
	host, _ := netip.ParseAddr(name)
	for i := range list {
		s := &list[i]
		if s.ID() == name || s.Node() == name || s.Addr == addr && addr.String() == name || s.Addr.Addr() == host && host.String() == name {
			return true
		}
	}
	return false
}

// Events implements control.Director.
func (a *agent) Events(_ context.Context, since uint64) ([]control.Event, error) {
	return a.history.since(since), nil
}

// Connections implements control.Director.
func (a *agent) Connections(ctx context.Context, filter lvs.ConnectionFilter) ([]control.Connection, error) {
	if a.kernel.ipvs == nil {
		return []control.Connection{}, nil
	}
	list, err := a.kernel.ipvs.Connections(ctx, filter)
	if err != nil {
		return nil, err
	}
	out := make([]control.Connection, 0, len(list))
	for _, c := range list {
		out = append(out, control.Connection{
			Protocol: c.Protocol.String(), Client: c.Client, Virtual: c.Virtual, Mark: c.Mark, Server: c.Dest,
			State: c.State, Expires: c.Expires.Seconds(),
		})
	}
	return out, nil
}
