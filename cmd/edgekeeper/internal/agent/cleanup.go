package agent

import (
	"context"
	"errors"
	"log/slog"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/statedir"
	"github.com/edgekeeper/edgekeeper/lvs/sysctl"
	"github.com/edgekeeper/edgekeeper/vrrp/guardian"
)

// Cleanup undoes what a director with this state folder left when it was
// killed: its addresses always, and its virtual servers, timeouts and kernel
// settings unless its on_stop was "keep". After a clean stop there is nothing to
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
	if err != nil || st.record.Keep {
		return err
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
