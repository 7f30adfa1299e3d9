package vip

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
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
	// VMACs are the macvlan interfaces that addresses name as their Device.
	VMACs []VMAC
	// NoAccept drops what is addressed to Addresses and Excluded, as a master
	// that does not own them may (RFC 9568 section 6.1, Accept_Mode).
	NoAccept bool
	// Passive is for who only takes off what another process has installed: Open
	// makes no interface and Close removes none.
	Passive bool
	// Routes and Rules are installed after the addresses.
	Routes []vrrp.Route
	Rules  []vrrp.Rule
	// StateFile remembers what may be installed. Its directory must exist.
	// Empty: nothing is remembered.
	StateFile string
	// Monitor listens for Watch, once for all hosts that share it. Nil: this
	// host listens for itself.
	Monitor *Monitor
	// ARPInterval and NAInterval are the least times between two gratuitous ARPs
	// or neighbour advertisements on one interface, of all hosts that share
	// Pacer. Zero: they are sent at once.
	ARPInterval, NAInterval time.Duration
	// Pacer, nil: this host has its own.
	Pacer *Pacer
	// Logger, nil discards.
	Logger *slog.Logger
}

// unleased is how often an address without a lease is installed again, should a
// notification of its loss have gone astray.
const unleased = time.Second

// settled is for how long what an address needs besides its lifetime is taken
// for what it was: the index of its interface, and whether it shares its prefix.
// A change that Watch sees ends it sooner.
const settled = 30 * time.Second

// kernelTimeout bounds one netlink request. The kernel answers in microseconds;
// a loop that must send adverts cannot wait for ever for anything.
const kernelTimeout = time.Second

// Host holds the addresses of one virtual router. Watch may run beside the
// other methods; those are for one goroutine.
type Host struct {
	cfg     Config
	log     *slog.Logger
	nl      *netlink.Handle
	links   []macvlan
	denial  *denial  // nil: packets are accepted
	parts   []part   // in the order of installation
	former  *Host    // that this one succeeds, until it has
	left    []part   // of that one, to be taken off
	targets []target // the addresses among them
	now     *announcers
	pacer   *Pacer
	whole   bool // every part was there at the last Install
	ready   map[target]*prepared
	renewer *renewer
	linked  map[string]bool // VMACs that are as they have to be
	fresh   time.Time       // when they were last forgotten
	renewed time.Time       // of the last Install
	stale   atomic.Bool     // Watch saw a change: prepare anew
	monitor *Monitor

	moved   chan struct{} // holding changed, for Watch
	mu      sync.Mutex
	holding holding
	term    uint64 // counts changes of holding
	later   later
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
	if err := nl.SetSocketTimeout(kernelTimeout); err != nil {
		nl.Close()
		return nil, fmt.Errorf("set netlink timeout: %w", err)
	}
	renewer, err := openRenewer()
	if err != nil {
		nl.Close()
		return nil, err
	}
	h := newHost(cfg, nl, newAnnouncers(nl), renewer)
	if err := h.begin(); err != nil {
		nl.Close()
		return nil, errors.Join(err, h.renewer.close())
	}
	return h, nil
}

// newHost is a host that has not done anything yet.
func newHost(cfg Config, nl *netlink.Handle, now *announcers, renewer *renewer) *Host {
	h := &Host{
		cfg: cfg, log: cfg.Logger.With("instance", cfg.Name), nl: nl, now: now, renewer: renewer,
		monitor: cfg.Monitor, pacer: cfg.Pacer,
		ready: map[target]*prepared{}, linked: map[string]bool{}, moved: make(chan struct{}, 1),
	}
	if h.monitor == nil {
		h.monitor = new(Monitor)
	}
	if h.pacer == nil {
		h.pacer = new(Pacer)
	}
	h.later.ready = make(chan struct{}, 1)
	for _, list := range [][]vrrp.Address{cfg.Addresses, cfg.Excluded} {
		for _, a := range list {
			device := a.Device
			if device == "" {
				device = cfg.Interface
			}
			h.targets = append(h.targets, target{a, device})
		}
	}
	h.parts = h.before()
	for _, t := range h.targets {
		h.parts = append(h.parts, t)
	}
	for _, r := range cfg.Routes {
		h.parts = append(h.parts, route{r})
	}
	for _, r := range cfg.Rules {
		h.parts = append(h.parts, rule{r})
	}
	return h
}

// Install puts every part of the master on the host, in order; see the package
// comment for the lifetimes. All are tried; the error joins what went wrong. It
// is instance.ErrIncomplete when every address is there.
func (h *Host) Install(lease time.Duration) error {
	h.forget()
	h.setHolding(holds)
	h.whole = false
	// An address of ours with another prefix length would be in the way (IPv6) or
	// stay when ours goes (IPv4).
	err := sweep(h.nl, h.targets, true)
	return errors.Join(err, h.put(lease, func(part) bool { return true }), h.succeed(true, lease))
}

// Renew sets the lifetimes anew, and puts back what is missing. Without a lease
// there is nothing to renew while all are there, and Watch reports the loss of
// one: it is done once a second then.
func (h *Host) Renew(lease time.Duration) error {
	changed := h.stale.Swap(false)
	if changed || time.Since(h.fresh) >= settled {
		h.forget()
	}
	if lease == 0 && h.whole && !changed && time.Since(h.renewed) < unleased {
		return nil
	}
	return h.put(lease, part.tracked)
}

// forget has every address prepared anew, and every VMAC looked at.
func (h *Host) forget() {
	h.fresh = time.Now()
	clear(h.ready)
	clear(h.linked)
}

// put installs the parts that are chosen.
func (h *Host) put(lease time.Duration, choose func(part) bool) error {
	var errs, beside []error
	for _, p := range h.parts {
		if !choose(p) {
			continue
		}
		err := p.install(h, lease)
		switch {
		case err == nil:
		case p.essential():
			errs = append(errs, fmt.Errorf("install %s: %w", p, err))
		default:
			beside = append(beside, fmt.Errorf("install %s: %w", p, err))
		}
	}
	h.whole = len(errs)+len(beside) == 0
	h.renewed = time.Now()
	if len(errs) == 0 && len(beside) > 0 {
		return fmt.Errorf("%w: %w", instance.ErrIncomplete, errors.Join(beside...))
	}
	return errors.Join(append(errs, beside...)...)
}

// Remove takes every part off, in the opposite order, and our addresses also in
// the form that somebody else may have given them. What is absent, with its
// interface or without, is fine.
func (h *Host) Remove() error {
	h.setHolding(leaves)
	h.whole = false
	var errs []error
	for _, p := range slices.Backward(h.parts) {
		if err := p.remove(h.nl); err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, h.succeed(false, 0), sweep(h.nl, h.targets, false))
	err := errors.Join(errs...)
	if err == nil {
		h.setHolding(free)
	}
	return err
}

// Close removes the state file if the addresses are off, and releases the
// sockets.
func (h *Host) Close() error {
	var errs []error
	held, _ := h.isHeld()
	if held != holds {
		errs = append(errs, h.end())
	}
	if h.cfg.StateFile != "" {
		if held == holds {
			errs = append(errs, fmt.Errorf("close host of %s: addresses are still installed", h.cfg.Name))
		} else {
			errs = append(errs, removeState(h.cfg.StateFile))
		}
	}
	errs = append(errs, h.now.close())
	errs = append(errs, h.renewer.close())
	h.nl.Close()
	return errors.Join(errs...)
}

// holding is whether addresses on this host are ours to have.
type holding uint8

const (
	leaves holding = iota // they come off, or may not have
	holds                 // a removal seen now is somebody else's
	free                  // all are off: one seen now is somebody else's
)

func (h *Host) setHolding(to holding) {
	h.mu.Lock()
	if to != h.holding {
		h.later.rounds, h.later.begun = 0, false
		h.term++
	}
	h.holding = to
	h.mu.Unlock()
	select {
	case h.moved <- struct{}{}:
	default:
	}
}

// isHeld gives what is held, and a number that changes with it.
func (h *Host) isHeld() (holding, uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.holding, h.term
}

// ipNet is the form of a prefix that netlink takes.
func ipNet(p netip.Prefix) *net.IPNet {
	ip := p.Addr()
	return &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(p.Bits(), ip.BitLen())}
}
