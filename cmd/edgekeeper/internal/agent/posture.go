package agent

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/vrrp"
)

// posture says whether a director in that role has a virtual server in the
// kernel's table.
func posture(role vrrp.State, mode discovery.ActiveOn) bool {
	switch mode {
	case discovery.OnMaster:
		return role == vrrp.Master
	case discovery.Always:
	}
	return true
}

// standing is what the VRRP instances are at the moment. They are set by the
// runners, which wait for nobody, and read by the loop.
type standing struct {
	wake chan struct{} // holds one token

	mu  sync.Mutex
	now map[string]vrrp.State // by instance
}

func newStanding() *standing {
	return &standing{wake: make(chan struct{}, 1), now: map[string]vrrp.State{}}
}

func (r *standing) set(instance string, state vrrp.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now[instance] = state
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// all tells what they all are.
func (r *standing) all() map[string]vrrp.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.now)
}

func (r *standing) of(instance string) vrrp.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now[instance]
}

// standby says why a virtual server is not in the kernel's table; empty: it is.
func (a *agent) standby(spec *discovery.Spec) string {
	role := a.standing.of(spec.Instance)
	if posture(role, spec.ActiveOn) {
		return ""
	}
	return fmt.Sprintf("%s is %s here, and active_on is %q", spec.Instance, role, spec.ActiveOn)
}

// followsRole reports whether a virtual server comes and goes with a role.
func (a *agent) followsRole() bool {
	return slices.ContainsFunc(a.cfg.VirtualServers, func(s discovery.Spec) bool { return s.ActiveOn != discovery.Always })
}

// tookRole acts on a change of role at once: a new master has its addresses
// already.
func (a *agent) tookRole() {
	if a.decided && a.followsRole() {
		a.decide()
	}
}

// withdrawTime bounds the wait for virtual servers to go at a stop.
const withdrawTime = time.Second

// withdraw comes after the routers have stopped, whatever on_stop says: a virtual
// server for the master only would send back what the next master forwards here.
func (a *agent) withdraw(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, withdrawTime)
	defer cancel()
	gen, err := ask(ctx, a, func() uint64 {
		if !a.decided || !a.followsRole() || a.kernel.reconciler == nil {
			return 0
		}
		a.decide()
		return a.kernel.status().Generation
	})
	if err != nil || gen == 0 {
		return
	}
	if err := a.kernel.reconciler.WaitFor(ctx, gen); err != nil {
		a.event("ipvs", "active_on", "virtual servers of the master only may have stayed: "+err.Error())
	}
}

// loops says that a pool may pass packets back and forth between directors that
// are real servers of each other; empty when it may not. NAT changes the
// address, so what comes back is no packet to the virtual server.
func (a *agent) loops(d discovery.Decision, local func() []netip.Addr) string {
	if d.Spec.ActiveOn != discovery.Always || len(a.cfg.Instances) == 0 {
		return ""
	}
	for _, dest := range d.Want.Pool.Dests {
		if dest.Forward != lvs.NAT && len(d.Want.Pool.Dests) > 1 && slices.Contains(local(), dest.Addr.Addr()) {
			return fmt.Sprintf("real server %s is this host: two such directors can pass packets back and forth; set active_on = \"master\"", dest.Addr)
		}
	}
	return ""
}
