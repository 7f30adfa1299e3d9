package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/statedir"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
	"github.com/edgekeeper/edgekeeper/lvs/sysctl"
	"github.com/edgekeeper/edgekeeper/vrrp/guardian"
)

// Cleanup undoes what a director with this state folder left when it was
// killed: its addresses and the virtual servers that only a master has always, and
// its other virtual servers, timeouts and kernel settings unless its on_stop was
// "keep". After a clean stop there is nothing to
// do. The error wraps statedir.ErrRunning when the director lives; then nothing
// is changed.
func Cleanup(ctx context.Context, dir string, p Platform, log *slog.Logger) (err error) {
	unlock, err := statedir.Lock(dir, statedir.Director)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := guardian.Await(ctx, guardianLock(dir)); err != nil {
		return err
	}
	p = p.withDefaults()
	if err := p.Cleanup(AddressFolder(dir)); err != nil {
		return err
	}
	st, err := openStore(dir)
	if err != nil {
		return err
	}
	if st.record.Keep {
		return withdraw(ctx, p, log, st.record)
	}
	if len(st.record.Services) > 0 || st.record.Timeouts != nil || st.record.Sync || st.record.Marks {
		if err := release(ctx, p, log, st.record); err != nil {
			return err
		}
	}
	s, err := sysctl.Open(sysctl.Config{Root: p.Sysctls, State: SysctlState(dir)})
	if err != nil {
		return err
	}
	if err := s.Restore(); err != nil {
		return err
	}
	return statedir.Remove(dir, kernelFile)
}

// Withdraw removes the virtual servers that only a master has (active_on =
// "master") on behalf of a director with this state folder that died as one: they
// would send back what the next master forwards to this host. What else the
// director left, its successor adopts. It is for the guardian, for whom that
// successor waits.
func Withdraw(ctx context.Context, dir string, p Platform, log *slog.Logger) error {
	st, err := openStore(dir)
	if err != nil {
		return err
	}
	return withdraw(ctx, p.withDefaults(), log, st.record)
}

func withdraw(ctx context.Context, p Platform, log *slog.Logger, record kernelRecord) (err error) {
	if len(record.Master) == 0 {
		return nil
	}
	ipvs, err := p.OpenIPVS(ctx, log)
	if err != nil {
		return fmt.Errorf("withdraw virtual servers of the master: %w", err)
	}
	defer func() { err = errors.Join(err, ipvs.Close()) }()
	return releaseServices(ctx, ipvs, reconcile.Config{Log: log}, record.Master)
}
