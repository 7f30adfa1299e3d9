package vip

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// Config says which addresses go where.
type Config struct {
	// Name is the instance, for the state file and errors.
	Name string
	// Interface is the interface of the virtual router: it is watched, and it
	// carries every address that names no device. Required.
	Interface string
	// Addresses and Excluded are installed alike.
	Addresses []vrrp.Address
	Excluded  []vrrp.Address
	// StateFile remembers what may be installed. Its directory must exist.
	// Empty: nothing is remembered.
	StateFile string
	// Logger, nil discards.
	Logger *slog.Logger
}

// kernelTimeout bounds one netlink request. The kernel answers in microseconds;
// a loop that must send adverts cannot wait for ever for anything.
const kernelTimeout = time.Second

// target is one address and where it goes.
type target struct {
	address vrrp.Address
	device  string
}

// Host holds the addresses of one virtual router. Watch may run beside the
// other methods; those are for one goroutine.
type Host struct {
	cfg     Config
	log     *slog.Logger
	nl      *netlink.Handle
	targets []target
	conns   map[string]*announcer // by device
	whole   bool                  // every address was there at the last Install

	mu   sync.Mutex
	held bool // addresses are ours to have: a removal seen now is somebody else's
}

// Open prepares the host: it removes what the state file of a predecessor
// names, and writes the new one. It installs nothing. The interface need not
// exist yet.
func Open(cfg Config) (*Host, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	nl, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	h := &Host{cfg: cfg, log: cfg.Logger.With("instance", cfg.Name), nl: nl, conns: map[string]*announcer{}}
	if err := nl.SetSocketTimeout(kernelTimeout); err != nil {
		nl.Close()
		return nil, fmt.Errorf("set netlink timeout: %w", err)
	}
	for _, list := range [][]vrrp.Address{cfg.Addresses, cfg.Excluded} {
		for _, a := range list {
			device := a.Device
			if device == "" {
				device = cfg.Interface
			}
			h.targets = append(h.targets, target{a, device})
		}
	}
	if cfg.StateFile != "" {
		if err := Cleanup(cfg.StateFile); err != nil {
			h.log.Warn("clean up leftover addresses", "error", err)
		}
		if err := writeState(cfg.StateFile, cfg.Name, h.targets); err != nil {
			nl.Close()
			return nil, err
		}
	}
	return h, nil
}

// Install puts every address on its interface; see the package comment for the
// lifetimes. All are tried; the error joins what went wrong.
func (h *Host) Install(lease time.Duration) error {
	h.setHeld(true)
	h.whole = false
	var errs []error
	for _, t := range h.targets {
		if err := h.replace(t, lease); err != nil {
			errs = append(errs, fmt.Errorf("install %s on %s: %w", t.address.Prefix, t.device, err))
		}
	}
	h.whole = len(errs) == 0
	return errors.Join(errs...)
}

// Renew installs again, which sets the lifetimes anew and puts back what is
// missing. Without a lease there is nothing to renew while all are there:
// Watch reports the loss of one.
func (h *Host) Renew(lease time.Duration) error {
	if lease == 0 && h.whole && !h.missing() {
		return nil
	}
	return h.Install(lease)
}

// missing reports whether an address is not on its interface.
func (h *Host) missing() bool {
	for _, t := range h.targets {
		if ok, err := h.present(t); err != nil || !ok {
			return true
		}
	}
	return false
}

// Remove takes every address off. What is absent, with its interface or
// without, is fine.
func (h *Host) Remove() error {
	h.setHeld(false)
	h.whole = false
	var errs []error
	for _, t := range h.targets {
		if err := remove(h.nl, t.device, t.address.Prefix); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Present reports whether every address is on its interface now.
func (h *Host) Present() (bool, error) {
	for _, t := range h.targets {
		ok, err := h.present(t)
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// Close removes the state file if the addresses are off, and releases the
// sockets.
func (h *Host) Close() error {
	var errs []error
	if h.cfg.StateFile != "" {
		if h.isHeld() {
			errs = append(errs, fmt.Errorf("close host of %s: addresses are still installed", h.cfg.Name))
		} else {
			errs = append(errs, removeState(h.cfg.StateFile))
		}
	}
	for _, a := range h.conns {
		errs = append(errs, a.conn.Close())
	}
	h.nl.Close()
	return errors.Join(errs...)
}

func (h *Host) setHeld(held bool) {
	h.mu.Lock()
	h.held = held
	h.mu.Unlock()
}

func (h *Host) isHeld() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held
}

// announcer is the packet socket on one device.
type announcer struct {
	conn  *packet.Conn
	index int
}

// ipNet is the form of a prefix that netlink takes.
func ipNet(p netip.Prefix) *net.IPNet {
	ip := p.Addr()
	return &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(p.Bits(), ip.BitLen())}
}
