package agent

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
)

// reloads reads the configuration again at each signal.
func (a *agent) reloads(ctx context.Context) {
	for {
		select {
		case <-a.opts.Reload:
			cfg, err := a.opts.Load()
			a.post(a.work, func() { a.reload(cfg, err) })
		case <-ctx.Done():
			return
		case <-a.work.Done():
			return
		}
	}
}

// reload takes a new configuration, whole or not at all.
func (a *agent) reload(cfg *config.Config, err error) {
	if err == nil {
		err = a.changeable(cfg)
	}
	if err == nil {
		err = a.kernel.change(a.work, cfg)
	}
	if err != nil {
		now := time.Now()
		a.configAt.Refused, a.configAt.At = err.Error(), &now
		a.event("config", a.opts.Path, "refused, the configuration of before goes on: "+err.Error())
		return
	}
	a.configAt.Refused, a.configAt.At, a.configAt.LoadedAt = "", nil, time.Now()
	old := a.cfg
	a.cfg = cfg
	if err := a.routers.set(cfg.Instances); err != nil {
		a.fail(err)
		return
	}
	if !sameSources(old, cfg) {
		a.stopSources()
		a.stopSources = nil
	}
	a.watchSources()
	for _, spec := range cfg.VirtualServers {
		if _, ok := a.memory[spec.Name]; !ok {
			a.adopt(spec)
		}
	}
	a.event("config", a.opts.Path, "taken")
	a.touch()
}

// changeable names what cannot change while the director runs.
func (a *agent) changeable(cfg *config.Config) error {
	for _, c := range []struct {
		what     string
		now, new any
	}{
		{"router_id", a.cfg.RouterID, cfg.RouterID},
		{"state_dir", a.cfg.StateDir, cfg.StateDir},
		{"control.socket", a.cfg.Control, cfg.Control},
		{"telemetry", a.cfg.Telemetry, cfg.Telemetry},
	} {
		if !reflect.DeepEqual(c.now, c.new) {
			return fmt.Errorf("%s cannot change while the director runs; restart it for that", c.what)
		}
	}
	return nil
}
