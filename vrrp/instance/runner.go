package instance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// Conn sends and receives VRRP packets on one interface. Receive is called
// from one goroutine, the other methods from another; Close ends Receive.
type Conn interface {
	// Source is the address that adverts are sent from.
	Source() netip.Addr
	// Tune is called when the virtual router has got another configuration
	// (vrrp.Reconfigure).
	Tune(vrrp.Config) error
	// Send sends what vrrp.Codec.Encode returned to one destination. It must
	// not block.
	Send(packet []byte, to netip.Addr) error
	// Receive waits for one packet and decodes its IP layer. The returned slices
	// point into buf. After Close it returns net.ErrClosed.
	Receive(buf []byte) (vrrp.Packet, error)
	// Close releases the socket.
	Close() error
}

// Host puts the virtual addresses on the host and takes them off. All methods
// but Watch are called from the loop and must not wait for anything but the
// kernel.
type Host interface {
	// Install puts every address on its interface, with a lifetime when lease is
	// not zero. An address that is there already is taken over. ErrIncomplete:
	// the addresses are there, but not all that goes with them.
	Install(lease time.Duration) error
	// Renew sets the lifetimes again, and puts back what is missing.
	Renew(lease time.Duration) error
	// Remove takes every address off. Absent addresses are no error.
	Remove() error
	// Announce sends one gratuitous ARP or neighbour advertisement per address.
	Announce() error
	// Watch reports the state of the interface, first as it is now, then each
	// change, and what somebody else did to the addresses and what goes with
	// them, until ctx ends. report does not block.
	Watch(ctx context.Context, report func(Change)) error
}

// Guard acts in our place when this process dies as master. Its methods are
// called from the loop and must return at once.
type Guard interface {
	// Arm is called when the addresses have been installed. resign are the
	// adverts, sent from source, that would give up mastership; none when only
	// this process can make them (authentication header). From within on after
	// our last sign of life another router may be master, and they must not be
	// sent any more. Where adverts are signed (vrrp.Config.HMAC), Arm is called
	// again after each advert, with a resign that is newer than it.
	Arm(source netip.Addr, resign []Datagram, within time.Duration)
	// Disarm is called when the addresses have been taken off.
	Disarm()
}

// Datagram is an advert and where it goes.
type Datagram struct {
	To     netip.Addr
	Packet []byte
}

// Change is what a Host's Watch reports.
type Change struct {
	Kind ChangeKind
	What string // the interface or address, with what happened, for the log
	Gone bool   // with LinkDown: the interface does not exist, or not any more
	// Address and Device are set with AddressFound and AddressGone.
	Address netip.Addr
	Device  string
}

// ChangeKind says what changed.
type ChangeKind uint8

// The changes of a host.
const (
	LinkUp ChangeKind = iota + 1
	LinkDown
	AddressLost    // a virtual address was removed, not by us
	AddressChanged // it has got another prefix length or peer, not from us
	RouteLost      // a route or rule that goes with the addresses was removed
	AddressFound   // Address is on Device of this host while it is not master, by somebody else
	AddressGone    // and no longer
)

// ErrIncomplete of a Host says that the addresses are there, but not all routes
// and rules. It is reported and tried again; mastership is kept, for the
// addresses are what clients ask for.
var ErrIncomplete = errors.New("addresses are there, but not all that goes with them")

// LossPolicy is what a master does when somebody else removes a virtual
// address, or a route or rule that goes with it.
type LossPolicy uint8

// The policies.
const (
	// LossRestore puts it back at once and announces it.
	LossRestore LossPolicy = iota
	// LossStepDown gives up mastership with priority 0 and takes part in the
	// next election, as keepalived does.
	LossStepDown
)

// String is the word of the configuration.
func (p LossPolicy) String() string {
	switch p {
	case LossRestore:
		return "restore"
	case LossStepDown:
		return "step-down"
	}
	return "unknown"
}

// Config is what New needs. VRRP, Dial and Host are required.
type Config struct {
	VRRP vrrp.Config
	// Dial opens the socket. It is called at the start of Run and again after
	// each fault, until it succeeds.
	Dial func() (Conn, error)
	// Host holds the addresses.
	Host Host
	// Lookout looks for other holders of the addresses. Nil: nobody does.
	Lookout Lookout
	// Guard acts when this process dies. Nil: nobody does, the lease ends.
	Guard Guard
	// Faults are faults, name to reason, that keep the router out from its start,
	// until SetFault clears them.
	Faults map[string]string
	// IgnoreLink takes part whether the interface is up or not, as keepalived's
	// dont_track_primary does: what becomes of the role is up to trackers. An
	// interface that does not exist is a fault all the same.
	IgnoreLink bool
	// OnLoss is what is done about a virtual address that somebody else removes.
	OnLoss LossPolicy
	// LinkUpDelay is how long the interface must be up before a fault of it ends,
	// LinkDownDelay how long down before there is one; an interface that is gone
	// is a fault at once. Default 0.
	LinkUpDelay, LinkDownDelay time.Duration
	// Logger gets one Info line per change of state, with its reason. Nil discards.
	Logger *slog.Logger
	// OnRole is called after each change of state, in order, from one goroutine
	// that is not the loop. A call that blocks delays later calls and the return
	// of Run, never an advert.
	OnRole func(Role)
	// OnTrouble is called from the same goroutine when a Trouble is first seen,
	// again when it is still there after the master has changed, and when it is
	// over (Trouble.Active is false then).
	OnTrouble func(Trouble)
}

// Role is one change of state.
type Role struct {
	State    vrrp.State
	Previous vrrp.State
	Reason   vrrp.Reason
	At       time.Time
	Priority uint8
	Master   netip.Addr // known master, ourselves when State is Master
}

// Errors of Handover.
var (
	// ErrNotMaster: there is nothing to hand over.
	ErrNotMaster = errors.New("not master")
	// ErrNoPeer: no router answered; this one remains master.
	ErrNoPeer = errors.New("no other router took over")
	// ErrNotHeard: mastership was given up before another router was heard as
	// master, because of a fault, or because this one was late.
	ErrNotHeard = errors.New("mastership was given up before another router was heard")
	// ErrStopped: Run ended first.
	ErrStopped = errors.New("virtual router stopped")
)

// Runner runs one virtual router. Its methods may be called from any
// goroutine, before, during and after Run.
type Runner struct {
	cfg    Config
	log    *slog.Logger
	inbox  queue[func(*loop)]
	outbox queue[func()]
	ended  chan struct{} // closed when Run returns

	grouped bool // a Group runs it

	// Of the loop, while it runs:
	beside  func(Host, Lookout) context.CancelFunc // starts what runs beside it
	unwatch context.CancelFunc                     // ends that

	mu     sync.Mutex // the loop changes cfg with it held; others read it so
	status Status
}

// New checks cfg and returns a Runner. It starts nothing.
func New(cfg Config) (*Runner, error) {
	if cfg.Dial == nil || cfg.Host == nil {
		return nil, errors.New("new virtual router: Dial and Host are required")
	}
	cfg.VRRP = cfg.VRRP.WithDefaults()
	if err := cfg.VRRP.Validate(); err != nil {
		return nil, fmt.Errorf("new virtual router %s: %w", cfg.VRRP.Name, err)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Runner{
		cfg:    cfg,
		log:    cfg.Logger.With("instance", cfg.VRRP.Name, "vrid", cfg.VRRP.VRID),
		inbox:  newQueue[func(*loop)](),
		outbox: newQueue[func()](),
		ended:  make(chan struct{}),
	}
	r.status = newStatus(cfg.VRRP)
	return r, nil
}

// SetPriority sets the effective priority, clamped to 1..254, from now on; the
// reason is shown in Status. The owner (255) keeps its priority.
func (r *Runner) SetPriority(priority uint8, reason string) {
	r.inbox.put(func(l *loop) { l.setPriority(priority, reason) })
}

// SetFault keeps the router out of the election while at least one named
// fault is set: a failed script, a lost interface. An empty why clears the name.
func (r *Runner) SetFault(name, why string) {
	r.inbox.put(func(l *loop) { l.setFault(name, why) })
}

// SetHMAC replaces vrrp.Config.HMAC, nil for none, from the next advert on. The
// election goes on undisturbed. The error is that of vrrp.Config.Validate; then
// nothing changes.
func (r *Runner) SetHMAC(h *vrrp.HMAC) error {
	r.mu.Lock()
	cfg := r.cfg.VRRP
	r.mu.Unlock()
	cfg.HMAC = h
	if err := cfg.WithDefaults().Validate(); err != nil {
		return fmt.Errorf("set HMAC of virtual router %s: %w", cfg.Name, err)
	}
	r.inbox.put(func(l *loop) { l.setHMAC(h) })
	return nil
}

// OnThread has f called by the loop, on the thread that is its own: to set the
// thread's scheduling class, say. It must not wait for anything but the kernel.
// done gets its result, from the goroutine of the callbacks. The thread ends with
// Run.
func (r *Runner) OnThread(f func() error, done func(error)) {
	r.inbox.put(func(l *loop) {
		err := f()
		l.r.outbox.put(func() { done(err) })
	})
}

// SetPeers replaces the unicast peers of a router with vrrp.Config.DynamicPeers
// from the next advert on; the election goes on undisturbed. An empty list
// changes nothing, because adverts must go somewhere: while none has ever been
// known, the router is in state FAULT with why for a reason.
func (r *Runner) SetPeers(peers []netip.Addr, why string) {
	peers = slices.Clone(peers)
	r.inbox.put(func(l *loop) { l.setPeers(peers, why) })
}

// Handover gives mastership to another router and returns when that router has
// been heard as master and our addresses are off, of which it is told then. For hold, any master is then
// accepted (vrrp.Handover); zero is the default.
//
// Errors: ErrNotMaster; ErrNoPeer when nobody answered, and this router is
// still master; ErrNotHeard; ErrStopped; the error of ctx.
func (r *Runner) Handover(ctx context.Context, hold time.Duration) error {
	done := make(chan error, 1)
	r.inbox.put(func(l *loop) { l.handover(hold, done) })
	select {
	case err := <-done:
		return err
	case <-r.ended:
		select {
		case err := <-done:
			return err
		default:
			return ErrStopped
		}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Status is a copy of the present state. It does not wait for the loop.
func (r *Runner) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status.clone()
}
