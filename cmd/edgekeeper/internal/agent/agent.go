// Package agent is the director: the one place where catalogs, checks, KV, VRRP
// and the IPVS table meet.
//
// Everything that arrives (answers of catalogs, verdicts, KV settings, changes
// of role, orders) is handled by one goroutine, the loop, which merges it into a
// desired table and hands that to the reconciler. The VRRP runners are beside
// it: they tell the loop what happened, and never wait for it.
//
// Order of a start: the state folder is locked, the guardian of a director that
// died is waited for, left-over addresses are removed, the kernel's IPVS table is read and adopted, VRRP begins, the sources
// begin; the first table is wanted when every source has spoken once, or after a
// short grace.
//
// Order of a stop: mastership is handed over, the addresses go, and only then
// the sources end, the connection-sync daemon stops, the IPVS table is released
// (or kept, as on_stop says) and the kernel's settings are put back.
// Notifications are delivered meanwhile, for two seconds at most.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/inputs"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/statedir"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/guardian"
	"github.com/edgekeeper/edgekeeper/vrrp/vip"
)

// Options are what a director needs to run.
type Options struct {
	// Path is where the configuration came from, for status.
	Path string
	// Config is the configuration to start with. Required.
	Config *config.Config
	// Inputs is what Config was made of. Nil: nobody knows, and the first reload
	// reads all of it.
	Inputs *inputs.Reader
	// Load reads the configuration again, and tells what it is made of: at a value
	// from Reload, when what the one in force was made of has changed. Required
	// when Reload is given.
	Load func() (*config.Config, *inputs.Reader, error)
	// LoadFrom reads the configuration at another path, for Plan; nil: no plans.
	LoadFrom func(path, id string) (*config.Config, error)
	// Reload asks for a reload (SIGHUP).
	Reload <-chan os.Signal
	// Guardian makes the command that ends in guardian.Main. Nil: no guardian,
	// whatever the configuration says.
	Guardian func() *exec.Cmd
	// Settled is called, in a goroutine of its own, when the work of a start, or of
	// changes, is over: the kernel has its table, and nothing has been decided for
	// some seconds; where there is no end to changes, once a minute. Nil calls nobody.
	Settled func()
	// Log receives one Info line per event. Nil discards.
	Log *slog.Logger
	// Platform is the kernel; the zero value is the real one.
	Platform Platform
}

// grace is how long the first table waits for sources that have not spoken.
const grace = 3 * time.Second

// stopTime bounds what is undone after the addresses are gone.
const stopTime = 2 * time.Second

// AddressFolder is where a director with this state folder records the
// addresses that it may have installed; vip.CleanupAll takes them off.
func AddressFolder(stateDir string) string { return filepath.Join(stateDir, "addresses") }

// Run runs a director until ctx is done and everything is undone. It returns
// nil after a clean stop. A state folder in use by another director is an error
// that wraps statedir.ErrRunning, and then nothing was touched.
func Run(ctx context.Context, opts Options) (err error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	opts.Platform = opts.Platform.withDefaults()
	dir := opts.Config.StateDir
	unlock, err := statedir.Lock(dir, statedir.Director)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := guardian.Await(ctx, guardianLock(dir)); err != nil {
		return err
	}
	if err := os.MkdirAll(AddressFolder(dir), 0o700); err != nil {
		return fmt.Errorf("make state folder: %w", err)
	}
	st, err := openStore(dir)
	if err != nil {
		return err
	}
	return newAgent(opts, st).run(ctx)
}

// run is the life of the director.
func (a *agent) run(ctx context.Context) (err error) {
	// A damaged record keeps nobody from starting: the configured addresses are
	// taken off by their routers, and a lease takes off the others.
	err = a.opts.Platform.Cleanup(AddressFolder(a.cfg.StateDir))
	if errors.Is(err, vip.ErrUnreadable) {
		a.event("agent", a.cfg.RouterID, err.Error())
		err = a.opts.Platform.Cleanup(AddressFolder(a.cfg.StateDir)) // it has been set aside
	}
	if err != nil {
		return fmt.Errorf("remove left-over addresses: %w", err)
	}
	sources, err := a.makeSources(a.cfg)
	if err != nil {
		return err
	}
	targets, err := a.makeTargets(a.cfg)
	if err != nil {
		return err
	}
	var telling sync.WaitGroup
	defer telling.Wait() // beside what is undone of the kernel
	table, err := a.kernel.open(ctx, a.opts.Platform, a.cfg, a.log)
	if err != nil {
		return err
	}
	defer func() {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		err = errors.Join(err, a.kernel.close(undo, a.cfg.OnStop == config.Release))
	}()
	a.kernel.apply(a.cfg)
	for _, spec := range a.cfg.VirtualServers {
		a.adopt(spec, table)
	}

	// VRRP outlives the rest: work ends only when the addresses are gone.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	tasks, work := errgroup.WithContext(work)
	a.work = work

	notifying, stopNotify := context.WithCancel(context.WithoutCancel(ctx))
	a.useTargets(targets)
	telling.Go(func() { _ = a.queue.Run(notifying) }) // returns nil

	server := &control.Server{Path: a.cfg.Control.Socket, Director: a, Log: a.log}
	tasks.Go(func() error { return server.Run(work) })
	tasks.Go(func() error { return a.loop(work) })
	if a.guardian != nil {
		tasks.Go(func() error { return a.keepGuardian(work) })
	}
	tasks.Go(func() error { return a.checks.Run(work, a.verdict) })
	if a.kernel.reconciler != nil {
		tasks.Go(func() error { return a.kernel.reconciler.Run(work) })
		tasks.Go(func() error { a.kernel.sync.run(work); return nil })
	}
	if t := a.cfg.Telemetry; t != nil {
		tasks.Go(func() error { return a.serveTelemetry(work, t.Address.String()) })
	}
	a.post(work, func() { a.begin(sources) })
	tasks.Go(func() error { a.reloads(work); return nil })

	select {
	case <-ctx.Done():
		a.log.Info("stopping: handing over")
	case <-work.Done(): // a task failed
	}
	a.kernel.sync.leave()
	a.routers.stop(context.WithoutCancel(ctx))
	a.withdraw(context.WithoutCancel(ctx))
	telling.Go(func() {
		a.flush(context.WithoutCancel(ctx))
		stopNotify()
	})
	stopWork()
	err = tasks.Wait()
	a.running.Wait()
	telling.Go(func() { a.lost(deregister(ctx, a.source.registrar)) })
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return err
}

// begin starts VRRP and the sources, in the loop.
func (a *agent) begin(sources sourceSet) {
	a.event("agent", a.cfg.RouterID, "started with "+a.opts.Path)
	a.checkRecall()
	a.setTrackers(a.cfg.Trackers, vrrp.TrackPending)
	a.guardInstances(a.cfg.Instances)
	if err := a.routers.set(a.cfg.Instances, a.cfg.SyncGroups); err != nil {
		if !errors.Is(err, errStopping) {
			a.fail(err)
		}
		return
	}
	a.favour(a.cfg.Process)
	a.routers.priorities()
	a.startSources(sources)
	a.touch()
}
