package instance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// Pauses before something that failed is tried again.
const (
	redialPause = time.Second      // opening the socket
	watchPause  = time.Second      // watching the interface
	hostPause   = 30 * time.Second // installing addresses, after giving up mastership for it
)

// Names of the faults the loop sets itself.
const (
	faultLink   = "interface"
	faultSocket = "socket"
	faultHost   = "addresses"
	faultPeers  = "unicast peers"
)

// loop is what belongs to one Run. Only its own goroutine touches it.
type loop struct {
	r             *Runner
	machine       *vrrp.Machine
	codec         *vrrp.Codec
	lease         time.Duration
	slack         time.Duration // vrrp.Config.LeaseSlack
	replacedAfter time.Duration // vrrp.Config.ReplacedAfter
	reader        *reader       // nil without a socket
	advert        vrrp.Advert
	timer         *time.Timer
	group         *groupLoop // nil: alone
	peers         []*loop    // those of the group, itself among them

	faults    map[string]string
	redialAt  time.Time // faultSocket is tried again
	hostAt    time.Time // faultHost is cleared
	hostBad   time.Time // since when Install and Renew fail; zero: they succeed
	link      pendingLink
	doubts    []doubted // the first due first
	installed bool
	anew      bool         // Host has succeeded another, and not installed yet
	roles     []Role       // of the present step, not yet given to OnRole
	waiters   []chan error // callers of Handover
	logged    map[troubleKey]bool
	healAt    time.Time // when the next trouble may be over

	entered    time.Time             // when the present state was
	left       vrrp.Cause            // why the last state was left
	present    map[netip.Addr]string // virtual addresses on this host that we did not put there, and their devices
	heard      time.Time             // last advert of a master
	heardEvery time.Duration         // the interval in it
}

// Run drives the virtual router until ctx ends, then resigns, takes the
// addresses off, and returns nil. Faults of the interface, the socket and the
// host are states, not errors. Run may be called once.
func (r *Runner) Run(ctx context.Context) error {
	if r.grouped {
		return fmt.Errorf("run virtual router %s: %w", r.cfg.VRRP.Name, ErrGrouped)
	}
	machine, err := vrrp.NewMachine(r.cfg.VRRP)
	if err != nil {
		return fmt.Errorf("run virtual router %s: %w", r.cfg.VRRP.Name, err)
	}
	l, err := r.newLoop(machine)
	if err != nil {
		return err
	}
	r.around(ctx, []*Runner{r}, func() { l.run(ctx) })
	return nil
}

// newLoop makes the loop of a machine.
func (r *Runner) newLoop(machine *vrrp.Machine) (*loop, error) {
	codec, err := vrrp.NewCodec(r.cfg.VRRP)
	if err != nil {
		return nil, fmt.Errorf("run virtual router %s: %w", r.cfg.VRRP.Name, err)
	}
	l := &loop{
		r: r, machine: machine, codec: codec,
		faults:  maps.Clone(r.cfg.Faults),
		logged:  map[troubleKey]bool{},
		present: map[netip.Addr]string{},
		timer:   time.NewTimer(0),
	}
	l.timing()
	if l.faults == nil {
		l.faults = map[string]string{}
	}
	l.peers = []*loop{l}
	return l, nil
}

// begin is what comes before the first event.
func (l *loop) begin() {
	if err := l.r.cfg.Host.Remove(); err != nil {
		l.hostError("remove leftover addresses", err)
	}
	l.beginPeers()
	l.dial(faultSocket)
}

func (l *loop) run(ctx context.Context) {
	defer l.timer.Stop()
	l.begin()
	defer l.shutdown()
	for ctx.Err() == nil { // before anything else that is due: a loop that is late has much to do
		l.arm()
		select {
		case <-ctx.Done():
		case f, open := <-l.packets():
			l.received(f, open)
		case <-l.r.inbox.ready:
			l.ordered()
		case now := <-l.timer.C:
			l.expired(now)
		}
	}
}

// packets is the channel of the reader, nil without a socket.
func (l *loop) packets() <-chan *frame {
	if l.reader == nil {
		return nil
	}
	return l.reader.packets
}

// ordered does what others have asked for.
func (l *loop) ordered() {
	for _, f := range l.r.inbox.take() {
		f(l)
	}
}

// arm sets the timer to whatever comes first.
func (l *loop) arm() {
	next := l.machine.Deadline()
	for _, t := range []time.Time{l.redialAt, l.hostAt, l.healAt, l.link.at, l.doubtAt()} {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if next.IsZero() {
		l.timer.Stop()
		return
	}
	l.timer.Reset(time.Until(next))
}

// expired handles the timer. What has arrived meanwhile counts first: the
// adverts of a new master must be seen before our own deadline is.
func (l *loop) expired(time.Time) {
	if d := l.machine.Deadline(); !d.IsZero() {
		if late := time.Since(d); late >= 0 {
			l.r.mu.Lock()
			l.r.status.Lateness.observe(late)
			l.r.mu.Unlock()
		}
	}
	for _, peer := range l.peers {
		peer.drain()
	}
	l.step(vrrp.Timeout{})
	now := time.Now()
	if !l.redialAt.IsZero() && !now.Before(l.redialAt) {
		l.dial(faultSocket)
	}
	if !l.hostAt.IsZero() && !now.Before(l.hostAt) {
		l.hostAt = time.Time{}
		l.setFault(faultHost, "")
	}
	if !l.healAt.IsZero() && !now.Before(l.healAt) {
		l.healQuiet(now)
	}
	l.linkSettled(now)
	l.settleDoubts(now)
}

// drain handles the packets that have arrived.
func (l *loop) drain() {
	for l.reader != nil {
		select {
		case f, open := <-l.reader.packets:
			l.received(f, open)
		default:
			return
		}
	}
}

// dial opens the socket unless a fault makes that pointless, and starts or
// recovers the machine. cleared names the fault whose end brought us here.
func (l *loop) dial(cleared string) {
	l.redialAt = time.Time{}
	if _, down := l.faults[faultLink]; down || l.reader != nil {
		return
	}
	conn, err := l.r.cfg.Dial()
	if err != nil {
		l.redialAt = time.Now().Add(redialPause)
		l.setFault(faultSocket, err.Error())
		return
	}
	l.reader = startReader(conn)
	l.r.mu.Lock()
	l.r.status.Source = conn.Source()
	l.r.mu.Unlock()
	delete(l.faults, faultSocket)
	l.setFault(cleared, "")
}

// hangup closes the socket.
func (l *loop) hangup() {
	if l.reader == nil {
		return
	}
	if err := l.reader.stop(); err != nil {
		l.failed("close socket", err)
	}
	l.reader = nil
	l.r.mu.Lock()
	l.r.status.Source = l.reader.source()
	l.r.mu.Unlock()
}

// setFault sets or clears a named fault and tells the machine when the first
// came or the last went.
func (l *loop) setFault(name, why string) {
	if why == "" {
		delete(l.faults, name)
	} else {
		l.faults[name] = why
	}
	l.r.mu.Lock()
	if !maps.Equal(l.r.status.Faults, l.faults) {
		l.r.status.Faults = maps.Clone(l.faults)
	}
	l.r.mu.Unlock()
	switch {
	case len(l.faults) > 0:
		if l.machine.State() != vrrp.Fault || l.group != nil { // the group must know whose fault it is
			l.step(vrrp.Failed{Why: cmp.Or(why, l.anyFault())})
		}
	case l.reader == nil:
		l.dial(name) // comes back here
	case l.machine.State() == vrrp.Init:
		l.step(vrrp.Start{Source: l.reader.source()})
	case l.machine.State() == vrrp.Fault:
		l.step(vrrp.Recovered{Source: l.reader.source(), Why: name + " recovered"})
	}
}

// received handles what the reader delivers. The channel is closed when the
// socket was closed under us: dial again.
func (l *loop) received(f *frame, open bool) {
	if open {
		l.receive(f)
		return
	}
	l.hangup()
	l.redialAt = time.Now().Add(redialPause)
	l.setFault(faultSocket, "socket was closed")
}

// receive checks one packet and steps the machine when it is an advert of ours.
func (l *loop) receive(f *frame) {
	defer func() { l.reader.free <- f }()
	if f.err != nil {
		if d, ok := errors.AsType[vrrp.Drop](f.err); ok {
			l.drop(d, vrrp.Packet{})
			return
		}
		l.failed("receive", f.err)
		return
	}
	err := l.codec.Decode(time.Now(), &l.advert, f.packet)
	if d, ok := errors.AsType[vrrp.Drop](err); ok {
		l.drop(d, f.packet)
		return
	}
	from := f.packet.Source
	l.r.mu.Lock()
	l.r.status.Counters.Received++
	if l.advert.Priority == vrrp.PriorityResign {
		l.r.status.Counters.ResignsSeen++
	}
	if cfg := &l.r.cfg.VRRP; cfg.Version == vrrp.V3 && cfg.IPv4() {
		l.r.status.Counters.Checksums[l.advert.Checksum]++
	}
	l.r.mu.Unlock()
	l.authenticated(from)
	if l.advert.Priority != vrrp.PriorityResign {
		l.heard, l.heardEvery = time.Now(), l.advert.Interval
	}
	if !l.codec.SameAddresses(&l.advert) {
		l.trouble(TroubleAddresses, from, func() string {
			return fmt.Sprintf("its address list is %v, ours is %v", l.advert.Addresses, l.codec.Addresses())
		})
	}
	cfg := &l.r.cfg.VRRP
	if cfg.Version == vrrp.V3 && cfg.IPv4() && l.advert.Checksum != cfg.Checksum {
		l.trouble(TroubleChecksumForm, from, func() string {
			return fmt.Sprintf("its checksum has the form %q, ours is %q", l.advert.Checksum, cfg.Checksum)
		})
	}
	if l.advert.Interval != cfg.Interval { // version 3: adopted, not dropped
		l.trouble(TroubleInterval, from, func() string {
			return fmt.Sprintf("its advert interval is %s, ours is %s", l.advert.Interval, cfg.Interval)
		})
	}
	if cfg.Priority == vrrp.PriorityOwner && l.advert.Priority == vrrp.PriorityOwner && from != l.reader.source() {
		l.trouble(TroubleOwners, from, func() string { return "it says that it owns the addresses (priority 255), and so do we" })
	}
	rival := l.machine.State() == vrrp.Master && !l.machine.HandingOver() && l.advert.Priority != vrrp.PriorityResign
	l.step(vrrp.Received{Source: from, Priority: l.advert.Priority, Interval: l.advert.Interval})
	if l.advert.Priority == vrrp.PriorityResign {
		l.yielded(from)
	}
	if rival && l.machine.State() == vrrp.Master {
		l.trouble(TroubleSecondMaster, from, func() string {
			return fmt.Sprintf("another master with priority %d, ours is %d", l.advert.Priority, l.machine.Priority())
		})
	}
}

// drop counts a packet that is no advert of ours.
func (l *loop) drop(d vrrp.Drop, p vrrp.Packet) {
	l.r.mu.Lock()
	l.r.status.Counters.Dropped[d]++
	l.r.mu.Unlock()
	if d == vrrp.DropVRID && !l.codec.SharesAddress(&l.advert) {
		return // somebody else's virtual router, as it should be
	}
	l.trouble(troubleOf(d), p.Source, func() string { return l.codec.Explain(d, p) })
}

func (l *loop) setPriority(priority uint8, reason string) {
	before := l.machine.Priority()
	l.step(vrrp.SetPriority{Priority: priority})
	after := l.machine.Priority()
	cfg := l.r.cfg.VRRP
	l.r.mu.Lock()
	l.r.status.PriorityReason = reason
	l.r.status.MasterDown = cfg.Version.MasterDown(cfg.Interval, cfg.DownMultiplier, after)
	l.r.mu.Unlock()
	if before != after {
		l.r.log.Info("priority", "from", before, "to", after, "reason", reason)
	}
}

func (l *loop) handover(hold time.Duration, done chan error) {
	if l.machine.State() != vrrp.Master {
		done <- ErrNotMaster
		return
	}
	l.waiters = append(l.waiters, done)
	l.step(vrrp.Handover{Hold: hold})
}

// shutdown resigns, takes the addresses off and closes the socket.
func (l *loop) shutdown() {
	l.refuse()
	l.step(vrrp.Stop{})
	l.hangup()
}

// refuse answers the callers of Handover when it is too late for one.
func (l *loop) refuse() {
	for _, w := range l.waiters {
		w <- ErrStopped
	}
	l.waiters = nil
}
