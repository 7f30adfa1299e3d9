package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
)

// IPVS is the kernel's table as the director uses it; lvs/kernel has the real one.
type IPVS interface {
	reconcile.Driver
	Connections(ctx context.Context, filter lvs.ConnectionFilter) ([]lvs.Connection, error)
	Timeouts() (lvs.Timeouts, error)
	SetTimeouts(lvs.Timeouts) error
	Close() error
}

// dataplane is everything of the kernel but the addresses: the IPVS table, its
// timeouts, and the sysctls.
type dataplane struct {
	platform   Platform
	log        *slog.Logger
	event      func(kind, object, text string)
	ipvs       IPVS // nil: no virtual server is configured
	reconciler *reconcile.Reconciler
	adopted    lvs.Table
	recorded   map[lvs.Key]bool // ours, by the record of an earlier run
	timeouts   lvs.Timeouts     // of before; zero fields were not changed
	tuned      *tuned

	mu    sync.Mutex
	drift string // the last repair
}

// open reads what the kernel holds and prepares it. A configuration without
// virtual servers needs no IPVS: two hosts with a floating address are enough.
func (k *dataplane) open(ctx context.Context, cfg *config.Config, st *store, event func(kind, object, text string)) error {
	k.event = event
	if err := st.loadOwned(); err != nil {
		return err
	}
	k.recorded = st.owned
	var err error
	if k.tuned, err = openSysctls(k.platform.Sysctls, SysctlState(cfg.StateDir)); err != nil {
		return err
	}
	if len(cfg.VirtualServers) == 0 && len(st.owned) == 0 {
		return nil
	}
	ipvs, err := k.platform.OpenIPVS(ctx, k.log)
	if err != nil {
		return err
	}
	have, err := ipvs.Table(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("read IPVS table at start: %w", err), ipvs.Close())
	}
	k.ipvs, k.adopted = ipvs, have.Table
	k.reconciler = reconcile.New(ipvs, reconcile.Config{OnChange: k.changed})
	if err := k.apply(cfg); err != nil {
		return errors.Join(err, k.close(ctx, false))
	}
	return nil
}

// changed turns an op into an event.
func (k *dataplane) changed(c reconcile.Change) {
	switch text := c.Op.String(); {
	case c.Err != nil:
		k.event("ipvs", c.Op.Service.Key.String(), fmt.Sprintf("%s: %v; tried again", text, c.Err))
	case c.Drift:
		k.mu.Lock()
		k.drift = text
		k.mu.Unlock()
		k.event("drift", c.Op.Service.Key.String(), "somebody else changed the table, repaired: "+text)
	default:
		k.event("ipvs", c.Op.Service.Key.String(), text)
	}
}

func (k *dataplane) lastDrift() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.drift
}

// status is the reconciler's; empty and in sync without IPVS.
func (k *dataplane) status() reconcile.Status {
	if k.reconciler == nil {
		return reconcile.Status{}
	}
	return k.reconciler.Status()
}

// remaining lists the virtual servers of ours that may be in the kernel: what
// the reconciler says once it has looked, and until then what was recorded.
func (k *dataplane) remaining() []lvs.Key {
	s := k.status()
	if s.Adopted == nil {
		return slices.Collect(maps.Keys(k.recorded))
	}
	return s.Owned
}

// change prepares the kernel for another configuration.
func (k *dataplane) change(_ context.Context, cfg *config.Config) error {
	if k.ipvs == nil && len(cfg.VirtualServers) > 0 {
		return errors.New("the first virtual server needs a restart: the director runs without IPVS")
	}
	return k.apply(cfg)
}

// apply sets timeouts and sysctls.
func (k *dataplane) apply(cfg *config.Config) error {
	want := lvs.Timeouts{TCP: cfg.IPVS.TCPTimeout, TCPFin: cfg.IPVS.TCPFinTimeout, UDP: cfg.IPVS.UDPTimeout}
	if k.ipvs != nil && !reflect.DeepEqual(want, lvs.Timeouts{}) {
		before, err := k.ipvs.Timeouts()
		if err != nil {
			return fmt.Errorf("read IPVS timeouts: %w", err)
		}
		if err := k.ipvs.SetTimeouts(want); err != nil {
			return fmt.Errorf("set IPVS timeouts: %w", err)
		}
		if k.timeouts == (lvs.Timeouts{}) {
			k.timeouts = before
		}
	}
	k.tuned.set(settings(cfg), k.event)
	return nil
}

// close puts everything back; release says whether the virtual servers go too.
func (k *dataplane) close(ctx context.Context, release bool) error {
	var errs []error
	if k.ipvs != nil {
		if release {
			errs = append(errs, k.reconciler.Release(ctx))
			if k.timeouts != (lvs.Timeouts{}) {
				errs = append(errs, k.ipvs.SetTimeouts(k.timeouts))
			}
		}
		errs = append(errs, k.ipvs.Close())
	}
	if release {
		errs = append(errs, k.tuned.sysctl.Restore())
	}
	return errors.Join(errs...)
}
