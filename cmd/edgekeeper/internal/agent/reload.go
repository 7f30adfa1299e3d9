package agent

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/vrrp"
)

// reloads reads the configuration again at each signal, until ctx is done. When it
// would be the one in force, since nothing of what that was made of has changed,
// it is not read: with a hundred thousand real servers that takes seconds. One
// that was refused is not in force, and is refused anew.
func (a *agent) reloads(ctx context.Context) {
	inForce := a.opts.Inputs
	for {
		select {
		case <-a.opts.Reload:
			if inForce.Same() {
				a.post(ctx, a.again)
				continue
			}
			a.reading.Store(true)
			cfg, in, err := a.opts.Load()
			taken, stopped := ask(ctx, a, func() bool { return a.reload(cfg, err) })
			a.reading.Store(false)
			if stopped == nil && taken {
				inForce = in
			}
		case <-ctx.Done():
			return
		}
	}
}

// again is a reload of the configuration in force. Everything beside it that a
// reload looks at is looked at, and the kernel's table is read and put right;
// what was decided stands.
func (a *agent) again() {
	if err := a.take(a.cfg); err != nil {
		a.refuse(err)
		return
	}
	a.loaded("unchanged, so it was not read again")
	if a.kernel.reconciler != nil {
		a.kernel.reconciler.Resync()
	}
}

// reload takes a new configuration, whole or not at all: everything that can
// fail comes before anything that is not put back. It reports whether it is in
// force.
func (a *agent) reload(cfg *config.Config, err error) bool {
	a.tidiness.work() // it was read, also where it is not taken
	if err == nil {
		err = a.take(cfg)
	}
	if err != nil {
		a.refuse(err)
		return false
	}
	a.loaded("taken")
	a.touch()
	return true
}

func (a *agent) loaded(how string) {
	a.configAt.Refused, a.configAt.At, a.configAt.LoadedAt = "", nil, time.Now()
	a.event("config", a.opts.Path, how)
}

func (a *agent) refuse(err error) {
	now := time.Now()
	a.configAt.Refused, a.configAt.At = err.Error(), &now
	a.event("config", a.opts.Path, "refused, the configuration of before goes on: "+err.Error())
}

func (a *agent) take(cfg *config.Config) error {
	if err := errors.Join(a.changeable(cfg), a.kernel.takes(cfg)); err != nil {
		return err
	}
	next, err := a.makeSources(cfg)
	if err != nil {
		return err
	}
	targets, err := a.makeTargets(cfg)
	if err != nil {
		return err
	}
	a.guardInstances(cfg.Instances)
	if err := a.routers.set(cfg.Instances, cfg.SyncGroups); err != nil {
		return err
	}
	old := a.cfg
	a.cfg, a.learned = cfg, true
	a.useTargets(targets)
	a.setTrackers(cfg.Trackers, vrrp.TrackUnknown)
	a.favour(cfg.Process)
	a.routers.priorities()
	a.kernel.apply(cfg)
	if sameSources(old, cfg) {
		a.watch()
	} else {
		a.stopSources()
		if catalogsOf(old) != catalogsOf(cfg) {
			a.checkRecall()
			a.otherCatalogs()
		}
		if !takesOver(old, cfg) {
			next.before = a.source.registrar
		}
		a.startSources(next)
	}
	a.routers.findPeers()
	table := a.kernel.status().Observed.Table
	for _, spec := range cfg.VirtualServers {
		if _, ok := a.memory[spec.Name]; !ok {
			a.adopt(spec, table)
		}
	}
	return nil
}

// changeable names what cannot change while the director runs.
func (a *agent) changeable(cfg *config.Config) error {
	var errs []error
	for _, c := range []struct {
		what     string
		now, new any
	}{
		{"router_id", a.cfg.RouterID, cfg.RouterID},
		{"state_dir", a.cfg.StateDir, cfg.StateDir},
		{"guardian", a.cfg.Guardian, cfg.Guardian},
		{"log_level and log_json", a.cfg.Log, cfg.Log},
		{"control.socket", a.cfg.Control, cfg.Control},
		{"telemetry", a.cfg.Telemetry, cfg.Telemetry},
	} {
		if !reflect.DeepEqual(c.now, c.new) {
			errs = append(errs, fmt.Errorf("%s cannot change while the director runs; restart it for that", c.what))
		}
	}
	return errors.Join(errs...)
}
