package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/process"
	"github.com/edgekeeper/edgekeeper/lvs/fwmark"
	"github.com/edgekeeper/edgekeeper/lvs/kernel"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
	"github.com/edgekeeper/edgekeeper/vrrp/conflict"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
	"github.com/edgekeeper/edgekeeper/vrrp/socket"
	"github.com/edgekeeper/edgekeeper/vrrp/vip"
)

// Host holds the addresses of one virtual router; vrrp/vip has the real one.
type Host interface {
	instance.Host
	Close() error
}

// Platform is what the director needs of the operating system. A nil field is
// the real thing.
type Platform struct {
	// Cleanup takes off the addresses that the state files in folder name.
	Cleanup func(folder string) error
	// OpenIPVS connects to the kernel's IPVS.
	OpenIPVS func(ctx context.Context, log *slog.Logger) (IPVS, error)
	// OpenMarks prepares the rules that give the packets of groups their firewall
	// marks. Leftover says that an earlier run may have left some.
	OpenMarks func(leftover bool) reconcile.Marks
	// PeekIPVS connects to it without loading a module.
	PeekIPVS func(ctx context.Context, log *slog.Logger) (IPVS, error)
	// OpenHost prepares the addresses of a virtual router.
	OpenHost func(cfg config.VRRP, stateFile string, log *slog.Logger) (Host, error)
	// SucceedHost prepares the Host that a running virtual router goes on with when
	// its configuration becomes another (vip.Host.Succeed). settle is called when
	// it has, or when the change is given up.
	SucceedHost func(now Host, cfg config.VRRP, log *slog.Logger) (next Host, settle func(taken bool) error, err error)
	// Dial opens the socket of a virtual router.
	Dial func(cfg config.VRRP) (instance.Conn, error)
	// OpenLookout prepares the lookout of a virtual router.
	OpenLookout func(cfg config.VRRP, log *slog.Logger) (Lookout, error)
	// Realtime sets the scheduling class of the calling thread, LockMemory that of
	// the memory.
	Realtime   func(priority int) error
	LockMemory func(lock bool) error
	// Addresses are all addresses of this host.
	Addresses func() []netip.Addr
	// Sysctls is the folder of the kernel's settings; default /proc/sys.
	Sysctls string
}

// hostConfig says which addresses of a virtual router go where.
func hostConfig(cfg config.VRRP, log *slog.Logger) vip.Config {
	return vip.Config{
		Name: cfg.Router.Name, Interface: cfg.Interface,
		Addresses: cfg.Router.Addresses, Excluded: cfg.Router.Excluded,
		Routes: cfg.Router.Routes, Rules: cfg.Router.Rules,
		ARPInterval: cfg.ARPInterval, NAInterval: cfg.NAInterval,
		VMACs: vmacs(cfg), NoAccept: cfg.NoAccept, Logger: log,
	}
}

// errOtherHost: it is not one of vrrp/vip.
var errOtherHost = errors.New("its addresses cannot change while it runs")

func succeedHost(now Host, cfg config.VRRP, log *slog.Logger) (Host, func(taken bool) error, error) {
	old, ok := now.(*vip.Host)
	if !ok {
		return nil, nil, errOtherHost
	}
	next, err := old.Succeed(hostConfig(cfg, log))
	if err != nil {
		return nil, nil, err
	}
	return next, func(taken bool) error {
		if taken {
			return next.Settle()
		}
		return old.Settle()
	}, nil
}

func (p Platform) withDefaults() Platform {
	if p.Cleanup == nil {
		p.Cleanup = vip.CleanupAll
	}
	if p.OpenIPVS == nil {
		p.OpenIPVS = func(ctx context.Context, log *slog.Logger) (IPVS, error) {
			return kernel.Open(ctx, kernel.Config{Log: log})
		}
	}
	if p.OpenMarks == nil {
		p.OpenMarks = func(leftover bool) reconcile.Marks { return fwmark.New(leftover) }
	}
	if p.PeekIPVS == nil {
		p.PeekIPVS = func(ctx context.Context, log *slog.Logger) (IPVS, error) {
			return kernel.Open(ctx, kernel.Config{NoModules: true, Log: log})
		}
	}
	if p.OpenHost == nil {
		monitor, pacer := new(vip.Monitor), new(vip.Pacer)
		p.OpenHost = func(cfg config.VRRP, stateFile string, log *slog.Logger) (Host, error) {
			v := hostConfig(cfg, log)
			v.StateFile, v.Monitor, v.Pacer = stateFile, monitor, pacer
			return vip.Open(v)
		}
	}
	if p.SucceedHost == nil {
		p.SucceedHost = succeedHost
	}
	if p.OpenLookout == nil {
		presence := new(conflict.Presence)
		p.OpenLookout = func(cfg config.VRRP, log *slog.Logger) (Lookout, error) {
			return conflict.New(conflict.Config{
				Interface: cfg.Interface, VRRP: cfg.Router, Source: cfg.Source, Interval: cfg.ConflictProbe,
				Presence: presence, Logger: log,
			})
		}
	}
	if p.Realtime == nil {
		p.Realtime = process.Realtime
	}
	if p.LockMemory == nil {
		p.LockMemory = process.LockMemory
	}
	if p.Addresses == nil {
		p.Addresses = hostAddresses
	}
	if p.Dial == nil {
		p.Dial = func(cfg config.VRRP) (instance.Conn, error) {
			return socket.Open(socket.Config{Interface: cfg.Interface, VMAC: transmitFrom(cfg), Source: cfg.Source, VRRP: cfg.Router})
		}
	}
	return p
}
