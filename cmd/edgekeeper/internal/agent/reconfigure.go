package agent

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"sync"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/vrrp"
)

// change is another configuration for a router that runs, prepared and not yet
// in force. There is no election: a master keeps the addresses that stay.
type change struct {
	of      *router
	cfg     config.VRRP
	host    Host
	settle  func(taken bool) error
	lookout Lookout
}

// openHost is the Host of a router at this moment, for whoever closes it last.
type openHost struct {
	mu   sync.Mutex
	host Host
}

func (o *openHost) set(h Host) {
	o.mu.Lock()
	o.host = h
	o.mu.Unlock()
}

func (o *openHost) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.host.Close()
}

// sameRouter reports whether a router need not change at all: what it tracks, how
// often it probes and how adverts are signed is set apart from the rest.
func sameRouter(a, b config.VRRP) bool {
	a.ConflictProbe = b.ConflictProbe
	a.Tracks, b.Tracks = nil, nil
	a.Router.HMAC, b.Router.HMAC = nil, nil
	return reflect.DeepEqual(a, b)
}

// inPlace reports whether a router that runs can become another one.
func inPlace(a, b config.VRRP) bool {
	if !a.Router.Reconfigurable(b.Router) {
		return false
	}
	a.Router = b.Router
	a.OnLoss, a.UpDelay, a.DownDelay = b.OnLoss, b.UpDelay, b.DownDelay
	a.ARPInterval, a.NAInterval, a.OwnInterface = b.ARPInterval, b.NAInterval, b.OwnInterface
	return sameRouter(a, b)
}

// sort finds out which of the running routers go on as they are, which change
// while they run, and which leave, to start again or not. What can fail of a
// change is done here. Members of a group do the same.
func (r *routers) sort(want []config.VRRP, groups []config.SyncGroup) (stay, leave []*router, changes []*change) {
	for _, first := range units(r.running) {
		members := []*router{first}
		if first.group != nil {
			members = slices.DeleteFunc(slices.Clone(r.running), func(o *router) bool { return o.group != first.group })
		}
		list, goOn := r.follow(members, want, groups)
		switch {
		case !goOn:
			leave = append(leave, members...)
		default:
			changes = append(changes, list...)
			stay = append(stay, slices.DeleteFunc(members, func(x *router) bool {
				return slices.ContainsFunc(list, func(c *change) bool { return c.of == x })
			})...)
		}
	}
	return stay, leave, changes
}

// follow prepares the changes of a lone router, or of a group; false: it has to
// start again, or is wanted no more.
func (r *routers) follow(members []*router, want []config.VRRP, groups []config.SyncGroup) ([]*change, bool) {
	if g := members[0].group; g != nil && !slices.ContainsFunc(groups, func(next config.SyncGroup) bool {
		return next.Name == g.cfg.Name && slices.Equal(next.Instances, g.cfg.Instances)
	}) {
		return nil, false
	}
	next := make([]config.VRRP, len(members))
	for i, x := range members {
		at := slices.IndexFunc(want, func(w config.VRRP) bool { return w.Router.Name == x.cfg.Router.Name })
		if at < 0 || !sameRouter(x.cfg, want[at]) && (!inPlace(x.cfg, want[at]) || r.moves(x, want)) {
			return nil, false
		}
		next[i] = want[at]
	}
	var list []*change
	for i, x := range members {
		if sameRouter(x.cfg, next[i]) {
			continue
		}
		c, err := r.prepare(x, next[i])
		if err != nil {
			r.agent.event("vrrp", x.cfg.Router.Name, "starts again: "+err.Error())
			r.undo(list)
			return nil, false
		}
		list = append(list, c)
	}
	return list, true
}

// moves reports whether an address comes to a router from another one of this
// director, or goes there. Then one takes it off before the other has it.
func (r *routers) moves(x *router, want []config.VRRP) bool {
	shares := func(a, b config.VRRP) bool {
		return a.Router.Name != b.Router.Name && slices.ContainsFunc(addressesOf(a), func(ip netip.Addr) bool { return slices.Contains(addressesOf(b), ip) })
	}
	for _, w := range want {
		if shares(x.cfg, w) || w.Router.Name == x.cfg.Router.Name && slices.ContainsFunc(r.running, func(o *router) bool { return shares(w, o.cfg) }) {
			return true
		}
	}
	return false
}

func addressesOf(v config.VRRP) (out []netip.Addr) {
	for _, list := range [][]vrrp.Address{v.Router.Addresses, v.Router.Excluded} {
		for _, a := range list {
			out = append(out, a.Prefix.Addr())
		}
	}
	return out
}

// prepare does what can fail of a change.
func (r *routers) prepare(x *router, cfg config.VRRP) (*change, error) {
	p := r.agent.opts.Platform
	host, settle, err := p.SucceedHost(x.open.host, cfg, r.agent.log)
	if err != nil {
		return nil, fmt.Errorf("vrrp %s: %w", cfg.Router.Name, err)
	}
	lookout, err := p.OpenLookout(cfg, r.agent.log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("vrrp %s: %w", cfg.Router.Name, err), settle(false))
	}
	return &change{x, cfg, host, settle, lookout}, nil
}

// undo gives up changes that were prepared.
func (r *routers) undo(list []*change) {
	for _, c := range list {
		if err := c.settle(false); err != nil {
			r.agent.event("vrrp", c.cfg.Router.Name, err.Error())
		}
	}
}

// apply puts a change in force and gives the router as it is then.
func (r *routers) apply(c *change) *router {
	x := *c.of // somebody may be reading the one in the list
	x.cfg, x.lookout = c.cfg, c.lookout
	x.open.set(c.host)
	err := x.runner.Reconfigure(r.agent.runnerConfig(c.cfg, c.host, c.lookout))
	text := "reconfigured while it runs"
	if err = errors.Join(err, c.settle(true)); err != nil {
		text += ": " + err.Error()
	}
	r.agent.event("vrrp", c.cfg.Router.Name, text)
	return &x
}
