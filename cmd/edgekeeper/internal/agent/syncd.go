package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/vrrp"
)

// SyncKernel starts and stops the kernel's connection-synchronization daemons.
type SyncKernel interface {
	SyncDaemons(ctx context.Context) ([]lvs.SyncDaemon, error)
	ApplySync(ctx context.Context, op lvs.SyncOp) error
}

// syncRetry is when the daemons are looked at again after a failure: an
// interface or its address may come late.
const syncRetry = 2 * time.Second

// syncFollower runs the daemon that the role of a VRRP instance asks for:
// master on the master, backup otherwise, none when the instance is stopped. It
// has a goroutine of its own, so that neither VRRP nor the loop waits for the
// kernel to end a daemon.
type syncFollower struct {
	kernel SyncKernel
	event  func(kind, object, text string)
	wake   chan struct{} // holds one token

	pass sync.Mutex // one pass at a time

	mu      sync.Mutex // never held while the kernel is asked
	cfg     *config.ConnectionSync
	ours    bool // the daemons are ours to start and stop
	renew   bool // the daemon is to be started anew
	leaving bool // roles count no more
	roles   map[string]vrrp.State
	running []lvs.SyncDaemon // as last seen
	settled *lvs.SyncDaemon  // what the last pass found or brought about
	err     string
}

func newSyncFollower(event func(kind, object, text string)) *syncFollower {
	return &syncFollower{event: event, wake: make(chan struct{}, 1), roles: map[string]vrrp.State{}}
}

// set takes a configuration; ours says that daemons which run may be stopped.
func (f *syncFollower) set(cfg *config.ConnectionSync, ours bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	// The longest message does not read back as it was asked for, so a change of
	// it cannot be seen in the kernel.
	f.renew = f.renew || f.cfg != nil && cfg != nil && f.cfg.Sync != cfg.Sync
	f.cfg, f.ours = cfg, ours
	f.poke()
}

// role notes what a VRRP instance has become. It does not wait.
func (f *syncFollower) role(instance string, state vrrp.State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.leaving {
		return
	}
	f.roles[instance] = state
	if f.cfg != nil && f.cfg.Instance == instance {
		f.poke()
	}
}

// leave comes before the routers stop. A master that hands over goes on sending
// what the next one lacks, until stop; it does not take up a backup's daemon for
// the blink of an eye.
func (f *syncFollower) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leaving = true
}

func (f *syncFollower) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// want gives the daemon that should run, and why; under mu.
func (f *syncFollower) want() (lvs.SyncDaemon, string) {
	if f.cfg == nil {
		return lvs.SyncDaemon{}, "not configured"
	}
	state := f.roles[f.cfg.Instance]
	why := fmt.Sprintf("%s is %s", f.cfg.Instance, state)
	switch state {
	case vrrp.Master:
		return lvs.SyncDaemon{State: lvs.SyncMaster, SyncConfig: f.cfg.Sync}, why
	case vrrp.Backup, vrrp.Fault: // in a fault it may hear on, and be needed again
		return lvs.SyncDaemon{State: lvs.SyncBackup, SyncConfig: f.cfg.Sync}, why
	case vrrp.Init:
	}
	return lvs.SyncDaemon{}, why
}

// run follows until ctx is done. The daemon stays as it is then: see stop.
func (f *syncFollower) run(ctx context.Context) {
	timer := time.NewTimer(reviewEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		case <-timer.C:
		}
		next := reviewEvery
		if f.follow(ctx) != nil {
			next = syncRetry
		}
		timer.Reset(next)
	}
}

// follow looks at the kernel once and repairs what differs.
func (f *syncFollower) follow(ctx context.Context) error {
	f.pass.Lock()
	defer f.pass.Unlock()
	f.mu.Lock()
	want, why := f.want()
	ours, renew, settled := f.ours, f.renew, f.settled
	f.renew = false
	f.mu.Unlock()
	if !ours {
		return nil
	}
	have, err := f.kernel.SyncDaemons(ctx)
	if err == nil {
		// Settled already, and still different: that was somebody else.
		if settled != nil && *settled == want && !renew {
			why = "somebody else changed it"
		}
		err = f.apply(ctx, have, want, renew, why)
	}
	if err == nil {
		have, err = f.kernel.SyncDaemons(ctx)
	}
	f.mu.Lock()
	before := f.err
	f.running, f.err, f.settled = have, "", &want
	if err != nil {
		f.err, f.settled, f.renew = err.Error(), nil, f.renew || renew
	}
	now := f.err
	f.mu.Unlock()
	if now != "" && now != before && ctx.Err() == nil {
		f.event("sync", want.Interface, now+"; tried again")
	}
	return err
}

func (f *syncFollower) apply(ctx context.Context, have []lvs.SyncDaemon, want lvs.SyncDaemon, renew bool, why string) error {
	ops := lvs.SyncDiff(have, want)
	if renew {
		ops = append(lvs.SyncDiff(have, lvs.SyncDaemon{}), lvs.SyncDiff(nil, want)...)
	}
	for _, op := range ops {
		if err := f.kernel.ApplySync(ctx, op); err != nil {
			return err
		}
		f.event("sync", op.Daemon.Interface, op.String()+": "+why)
	}
	return nil
}

// stop ends the daemons of ours, after run.
func (f *syncFollower) stop(ctx context.Context) error {
	f.set(nil, f.ours)
	return f.follow(ctx)
}

// stopSync ends the daemons that a director has left behind.
func stopSync(ctx context.Context, k SyncKernel) error {
	have, err := k.SyncDaemons(ctx)
	errs := []error{err}
	for _, op := range lvs.SyncDiff(have, lvs.SyncDaemon{}) {
		errs = append(errs, k.ApplySync(ctx, op))
	}
	return errors.Join(errs...)
}

// status renders the state for status; nil when the daemons are not ours.
func (f *syncFollower) status() *control.Sync {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ours || f.cfg == nil {
		return nil
	}
	out := &control.Sync{State: lvs.SyncOff.String(), Instance: f.cfg.Instance, Interface: f.cfg.Sync.Interface, ID: f.cfg.Sync.ID, Group: f.cfg.Sync.Group, Port: f.cfg.Sync.Port, Error: f.err}
	for _, d := range f.running {
		out.State, out.Interface, out.ID, out.Group, out.Port, out.MaxLength = d.State.String(), d.Interface, d.ID, d.Group, d.Port, d.MaxLength
	}
	return out
}
