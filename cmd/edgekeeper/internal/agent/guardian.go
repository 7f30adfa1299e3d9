package agent

import (
	"context"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/guardian"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

// guardianLock is held by the guardian of the director with this state folder.
func guardianLock(stateDir string) string { return filepath.Join(stateDir, "guardian.lock") }

// makeGuardian gives the keeper of the guardian, nil when there is to be none.
// It ends with the work of the agent, when every router has been stopped.
func (a *agent) makeGuardian() *guardian.Keeper {
	if !a.cfg.Guardian || a.opts.Guardian == nil {
		return nil
	}
	return guardian.NewKeeper(guardian.Config{
		Command: a.opts.Guardian, Lock: guardianLock(a.cfg.StateDir),
		Event: func(text string) { a.event("agent", "guardian", text) },
	})
}

// keepGuardian keeps a guardian from the first virtual router on: a process that
// has nothing to guard is memory, and takes a processor from the start of the
// director.
func (a *agent) keepGuardian(ctx context.Context) error {
	select {
	case <-a.guarding:
		return a.guardian.Run(ctx)
	case <-ctx.Done():
		return nil
	}
}

// guardInstances is called, in the loop, before virtual routers begin.
func (a *agent) guardInstances(list []config.VRRP) {
	if len(list) > 0 && !a.guards() {
		close(a.guarding)
	}
}

// guards reports whether there is, or is to be, something to guard.
func (a *agent) guards() bool {
	select {
	case <-a.guarding:
		return true
	default:
		return false
	}
}

// guard tells the keeper of one router.
type guard struct {
	keeper *guardian.Keeper
	cfg    config.VRRP
}

// guardOf gives the guard of a router, nil without a guardian.
func (a *agent) guardOf(cfg config.VRRP) instance.Guard {
	if a.guardian == nil {
		return nil
	}
	return guard{a.guardian, cfg}
}

func (g guard) Arm(source netip.Addr, resign []instance.Datagram, within time.Duration) {
	arm := guardian.Arm{
		Instance: g.cfg.Router.Name, Interface: g.cfg.Interface, Source: source, TTL: g.cfg.Router.UnicastTTL, Within: within,
		Routes: g.cfg.Router.Routes, Rules: g.cfg.Router.Rules, NoAccept: g.cfg.NoAccept,
	}
	for _, v := range vmacs(g.cfg) {
		arm.VMACs = append(arm.VMACs, v.Name)
	}
	for _, list := range [][]vrrp.Address{g.cfg.Router.Addresses, g.cfg.Router.Excluded} {
		for _, addr := range list {
			device := addr.Device
			if device == "" {
				device = g.cfg.Interface
			}
			arm.Addresses = append(arm.Addresses, guardian.Address{Device: device, Prefix: addr.Prefix})
		}
	}
	for _, d := range resign {
		arm.Packets = append(arm.Packets, guardian.Packet{To: d.To, Data: d.Packet})
	}
	g.keeper.Arm(arm)
}

func (g guard) Disarm() { g.keeper.Disarm(g.cfg.Router.Name) }

// guardianStatus renders the guardian for status, nil when there is none to be.
func (a *agent) guardianStatus() *control.Guardian {
	if a.guardian == nil || !a.guards() {
		return nil
	}
	s := a.guardian.Status()
	out := &control.Guardian{PID: s.PID, Restarts: s.Restarts, Armed: s.Armed, Error: s.Error}
	if s.PID != 0 {
		out.Since = &s.Since
	}
	return out
}
