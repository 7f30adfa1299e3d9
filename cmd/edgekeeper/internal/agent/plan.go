package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/plan"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// Plan implements control.Director: what a reload with the configuration at path
// would change. It is computed with what the running director knows of catalogs,
// checks and KV, and changes nothing.
func (a *agent) Plan(ctx context.Context, path, id string) (control.Plan, error) {
	if a.opts.LoadFrom == nil {
		return control.Plan{}, fmt.Errorf("%w: this director cannot read other configurations", control.ErrBadRequest)
	}
	cfg, err := a.opts.LoadFrom(path, id)
	if err != nil {
		return control.Plan{}, fmt.Errorf("%w: %w", control.ErrBadRequest, err)
	}
	return ask(ctx, a, func() control.Plan { return a.planned(path, cfg) })
}

// planned compares a configuration with the running director; in the loop.
func (a *agent) planned(path string, cfg *config.Config) control.Plan {
	out := control.Plan{Config: path, Against: fmt.Sprintf("the running director (%s)", a.opts.Path), Changes: []control.PlanChange{}}
	if err := errors.Join(a.changeable(cfg), a.kernel.takes(cfg)); err != nil {
		out.Refused = err.Error()
	}
	masters := map[string]bool{}
	for _, x := range a.routers.list() {
		masters[x.cfg.Router.Name] = x.runner.Status().Present
	}
	out.Changes = append(out.Changes, plan.Configs(a.cfg, cfg, masters)...)
	have := a.kernel.status().Observed.Table
	view := discovery.View{Answers: a.known, Verdicts: &a.verdicts, Overrides: a.overrides, Now: time.Now()}
	ops, notes := plan.Pools(cfg.VirtualServers, view, a.memory, have, a.store.owned)
	out.Changes, out.Notes = append(out.Changes, ops...), notes
	return out
}

// Preview tells what a start with a configuration would change on this host,
// where no director runs: it reads the kernel's table and the state folder, and
// changes neither.
func Preview(ctx context.Context, path string, cfg *config.Config, p Platform) (out control.Plan, err error) {
	p = p.withDefaults()
	out = control.Plan{Config: path, Against: "the kernel (no director runs)", Changes: plan.Configs(nil, cfg, nil)}
	st, err := openStore(cfg.StateDir)
	if err != nil {
		return out, err
	}
	var have lvs.Table
	if len(cfg.VirtualServers)+len(st.owned) > 0 {
		if have, err = readTable(ctx, p); err != nil {
			out.Notes = append(out.Notes, fmt.Sprintf("the kernel's IPVS table cannot be read, and is taken for empty: %v", err))
		}
	}
	ops, notes := plan.Pools(cfg.VirtualServers, discovery.View{Now: time.Now()}, nil, have, st.owned)
	out.Changes, out.Notes = append(out.Changes, ops...), append(out.Notes, notes...)
	return out, nil
}

// readTable reads the kernel's table without loading a module for it.
func readTable(ctx context.Context, p Platform) (t lvs.Table, err error) {
	k, err := p.PeekIPVS(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	have, err := k.Table(ctx)
	return have.Table, err
}
