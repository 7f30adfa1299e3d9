package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/fwmark"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
)

// IPVS is the kernel's table as the director uses it; lvs/kernel has the real one.
type IPVS interface {
	reconcile.Driver
	SyncKernel
	Connections(ctx context.Context, filter lvs.ConnectionFilter) ([]lvs.Connection, error)
	Timeouts() (lvs.Timeouts, error)
	SetTimeouts(lvs.Timeouts) error
	Close() error
}

// dataplane is everything of the kernel but the addresses: the IPVS table, its
// timeouts, and the sysctls.
type dataplane struct {
	store      *store
	event      func(kind, object, text string)
	ipvs       IPVS // nil: no virtual server is configured
	reconciler *reconcile.Reconciler
	tuned      *tuned
	sync       *syncFollower // of use only with IPVS
	recorded   []lvs.Key     // ours, by the record of an earlier run

	mu    sync.Mutex
	drift string // the last repair
}

// open reads what the kernel holds. A configuration without virtual servers
// needs no IPVS: two hosts with a floating address are enough.
func (k *dataplane) open(ctx context.Context, p Platform, cfg *config.Config, log *slog.Logger) (lvs.Table, error) {
	k.recorded = k.store.record.Services
	var err error
	if k.tuned, err = openSysctls(p.Sysctls, SysctlState(cfg.StateDir)); err != nil {
		return nil, err
	}
	if len(cfg.VirtualServers) == 0 && len(k.recorded) == 0 && !k.store.record.Marks {
		return nil, nil
	}
	ipvs, err := p.OpenIPVS(ctx, log)
	if err != nil {
		return nil, err
	}
	have, err := ipvs.Table(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read IPVS table at start: %w", err), ipvs.Close())
	}
	k.ipvs, k.sync.kernel = ipvs, ipvs
	// Ops are events already; of the rest, what goes wrong is worth a line.
	k.reconciler = reconcile.New(ipvs, reconcile.Config{
		OnChange: k.changed, OnMarks: k.marked, Marks: p.OpenMarks(k.store.record.Marks),
		Log: slog.New(atLeast{slog.LevelWarn, log.Handler()}),
	})
	return have.Table, nil
}

// atLeast is a handler that drops lines below a level.
type atLeast struct {
	level slog.Level
	slog.Handler
}

func (h atLeast) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level && h.Handler.Enabled(ctx, l)
}

// changed turns an op into an event; of an op that keeps failing only the first
// failure and the success are.
func (k *dataplane) changed(c reconcile.Change) {
	text, object := c.Op.String(), c.Op.Service.Key.String()
	k.mu.Lock()
	if c.Drift && c.Err == nil {
		k.drift = fmt.Sprintf("%s: %s", object, c.Undone)
	}
	k.mu.Unlock()
	switch {
	case c.Err != nil && c.Again:
	case c.Err != nil:
		k.event("ipvs", object, fmt.Sprintf("%s: %v; tried again", text, c.Err))
	case c.Drift:
		k.event("drift", object, fmt.Sprintf("somebody else %s; repaired: %s", c.Undone, text))
	default:
		k.event("ipvs", object, text)
	}
}

// marked turns a write of the rules for firewall marks into an event.
func (k *dataplane) marked(c reconcile.MarksChange) {
	const object = "firewall marks"
	switch {
	case c.Err != nil:
		k.event("ipvs", object, c.Err.Error()+"; tried again")
	case c.Drift != "":
		k.mu.Lock()
		k.drift = "nftables table " + fwmark.TableName + ": " + c.Drift
		k.mu.Unlock()
		k.event("drift", object, "somebody else changed the nftables table "+fwmark.TableName+", repaired: "+c.Drift)
	default:
		k.event("ipvs", object, fmt.Sprintf("nftables table %s has the marks of %d ranges", fwmark.TableName, len(c.Want)))
	}
}

func (k *dataplane) lastDrift() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.drift
}

// status is the reconciler's; empty without IPVS.
func (k *dataplane) status() reconcile.Status {
	if k.reconciler == nil {
		return reconcile.Status{}
	}
	return k.reconciler.Status()
}

// finished reports whether the kernel has acknowledged all that is wanted of it.
func (k *dataplane) finished() bool {
	s := k.status()
	return s.Applied == s.Generation
}

// remaining lists the virtual servers of ours that may be in the kernel: what
// the reconciler says once it has looked, and until then what was recorded.
func (k *dataplane) remaining() []lvs.Key {
	s := k.status()
	if s.Adopted == nil {
		return k.recorded
	}
	return s.Owned
}

// takes reports why a running director cannot take the configuration.
func (k *dataplane) takes(cfg *config.Config) error {
	if k.ipvs == nil && len(cfg.VirtualServers) > 0 {
		return errors.New("the first virtual server needs a restart: the director runs without IPVS")
	}
	return nil
}

// apply sets timeouts and sysctls. What cannot be set is reported, and does not
// keep the director from serving.
func (k *dataplane) apply(cfg *config.Config) {
	k.tune(cfg)
	if err := k.setTimeouts(lvs.Timeouts{TCP: cfg.IPVS.TCPTimeout, TCPFin: cfg.IPVS.TCPFinTimeout, UDP: cfg.IPVS.UDPTimeout}); err != nil {
		k.event("ipvs", "timeouts", err.Error())
	}
	// Recorded before the daemon starts, and until it is stopped at the end.
	k.store.record.Sync = k.store.record.Sync || cfg.IPVS.Sync != nil
	k.sync.set(cfg.IPVS.Sync, k.store.record.Sync)
	k.store.record.Keep = cfg.OnStop == config.Keep
	if err := k.store.writeRecord(); err != nil {
		k.event("agent", "state", err.Error())
	}
}

// tune sets the kernel's parameters.
func (k *dataplane) tune(cfg *config.Config) {
	reverse := k.tuned.reversePath(cfg)
	k.tuned.forVMAC = append(vmacSettings(cfg), reverse...)
	k.tuned.set(append(settings(cfg), reverse...), k.event)
}

// setTimeouts sets the given timeouts; those that are zero go back to what they
// were before this director, or one before it, changed them.
func (k *dataplane) setTimeouts(want lvs.Timeouts) error {
	if k.ipvs == nil || want == (lvs.Timeouts{}) && k.store.record.Timeouts == nil {
		return nil
	}
	if k.store.record.Timeouts == nil {
		before, err := k.ipvs.Timeouts()
		if err != nil {
			return fmt.Errorf("read IPVS timeouts: %w", err)
		}
		k.store.record.Timeouts = &before
		if err := k.store.writeRecord(); err != nil {
			return err
		}
	}
	before := *k.store.record.Timeouts
	if err := k.ipvs.SetTimeouts(lvs.Timeouts{TCP: or(want.TCP, before.TCP), TCPFin: or(want.TCPFin, before.TCPFin), UDP: or(want.UDP, before.UDP)}); err != nil {
		return fmt.Errorf("set IPVS timeouts: %w", err)
	}
	return nil
}

func or(a, b time.Duration) time.Duration {
	if a != 0 {
		return a
	}
	return b
}

// close ends the use of the kernel. Released, everything of ours goes and what
// was changed is put back; kept, it stays for the next start.
func (k *dataplane) close(ctx context.Context, release bool) error {
	var errs []error
	if k.ipvs != nil && k.store.record.Sync {
		err := k.sync.stop(ctx)
		if err == nil {
			k.store.record.Sync = false
			err = k.store.writeRecord()
		}
		errs = append(errs, err)
	}
	if release {
		if k.ipvs != nil {
			if k.status().Adopted == nil {
				// Stopped before its first look at the table: what an earlier run has
				// left there is ours all the same.
				k.reconciler.Set(lvs.Desired{Owned: k.store.owned})
			}
			errs = append(errs, k.reconciler.Release(ctx), k.setTimeouts(lvs.Timeouts{}))
		}
		errs = append(errs, k.tuned.sysctl.Restore())
		if errors.Join(errs...) == nil {
			k.store.record = kernelRecord{}
			errs = append(errs, k.store.writeRecord())
		}
	} else {
		errs = append(errs, k.tuned.releaseVMAC()) // what is kept are virtual servers
	}
	if k.ipvs != nil {
		errs = append(errs, k.ipvs.Close())
	}
	return errors.Join(errs...)
}

// release removes virtual servers from the kernel on behalf of a director that
// is gone.
func release(ctx context.Context, p Platform, log *slog.Logger, record kernelRecord) (err error) {
	ipvs, err := p.OpenIPVS(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ipvs.Close()) }()
	if record.Sync {
		if err := stopSync(ctx, ipvs); err != nil {
			return err
		}
	}
	if err := releaseServices(ctx, ipvs, reconcile.Config{Log: log, Marks: p.OpenMarks(record.Marks)}, record.Services); err != nil {
		return err
	}
	if record.Timeouts != nil {
		return ipvs.SetTimeouts(*record.Timeouts)
	}
	return nil
}

// releaseServices removes virtual servers, those of them that are there.
func releaseServices(ctx context.Context, ipvs IPVS, cfg reconcile.Config, keys []lvs.Key) error {
	r := reconcile.New(ipvs, cfg)
	owned := map[lvs.Key]bool{}
	for _, key := range keys {
		owned[key] = true
	}
	r.Set(lvs.Desired{Owned: owned})
	return r.Release(ctx)
}

// keysOf lists the identities of the desired virtual servers.
func keysOf(d lvs.Desired) []lvs.Key { return slices.Collect(maps.Keys(d.Pools)) }
