package vrrptest

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

const maxRouters = 7

// inboxLen is the socket buffer of a stopped process, in adverts.
const inboxLen = 64

// Machine is what a run drives: *vrrp.Machine, or a broken one that must be
// caught.
type Machine interface {
	Step(now time.Time, event vrrp.Event) []vrrp.Action
	Deadline() time.Time
	State() vrrp.State
	Claiming() bool
	HandingOver() bool
}

// router is one machine, its process and its host.
type router struct {
	id       int
	name     string
	source   netip.Addr
	cfg      vrrp.Config
	priority uint8 // effective, as last set

	machine  *vrrp.Machine // nil: not running
	broken   Machine       // instead of machine, in the tests of this package
	failed   bool          // the interface is down
	deadline time.Duration // of the machine; never when zero

	stopped  bool // SIGSTOP
	resumeAt time.Duration
	inbox    []delivery
	rest     []vrrp.Action // of a step that was interrupted
	restAt   time.Duration // when that step decided
	pauseIn  int           // stop in the middle of a step, before this action; 0: do not
	pauseFor time.Duration

	// The host. It goes on when the process does not.
	held    bool
	expires time.Duration // when the kernel takes the address off; never when zero

	// What the checks need.
	master    bool
	tookAt    time.Duration      // when it last became master
	took      vrrp.Reason        // and why
	leftAt    time.Duration      // when it last took the address off to be backup
	left      vrrp.Reason        // and why
	sent      time.Duration      // last advert of its own
	seq       uint64             // number of that advert
	heardSeq  [maxRouters]uint64 // last number heard of each other router
	accepted  time.Duration      // when it last had to accept an advert, or became backup
	fresh     bool               // accepted counts: nothing shortened the timer since
	runsSince time.Duration      // neither stopped nor restarted since
	lowerAt   time.Duration      // first advert of a lower master in the present row
	lowerSeen bool
}

// holds reports whether the address is on the host at now.
func (r *router) holds(now time.Duration) bool {
	return r.held && (r.expires == 0 || now < r.expires)
}

func (r *router) running() bool { return (r.machine != nil || r.broken != nil) && !r.stopped }

func (r *router) alive() bool { return r.machine != nil || r.broken != nil }

// state is the machine's, Init when it does not run.
func (r *router) state() vrrp.State {
	switch {
	case r.broken != nil:
		return r.broken.State()
	case r.machine != nil:
		return r.machine.State()
	}
	return vrrp.Init
}

// claiming: see vrrp.Machine.Claiming.
func (r *router) claiming() bool {
	switch {
	case r.broken != nil:
		return r.broken.Claiming()
	case r.machine != nil:
		return r.machine.Claiming()
	}
	return false
}

// handingOver: see vrrp.Machine.HandingOver.
func (r *router) handingOver() bool {
	switch {
	case r.broken != nil:
		return r.broken.HandingOver()
	case r.machine != nil:
		return r.machine.HandingOver()
	}
	return false
}

// start makes a new process, which first takes leftover addresses off.
func (s *sim) start(r *router) {
	m, err := vrrp.NewMachine(r.cfg)
	if err != nil {
		panic(fmt.Sprintf("vrrptest: drew an invalid configuration: %v", err))
	}
	r.machine, r.broken = m, nil
	if s.opt.Break != nil {
		r.broken, r.machine = s.opt.Break(m), nil
	}
	r.held, r.stopped, r.failed = false, false, false
	r.inbox, r.rest = r.inbox[:0], nil
	r.priority = r.cfg.Priority
	r.master, r.lowerSeen = false, false
	r.runsSince = s.now
	s.trace(r, "starts, priority %d", r.priority)
	s.step(r, vrrp.Start{Source: r.source})
}

// kill ends the process at once; the host keeps the address.
func (s *sim) kill(r *router) {
	s.trace(r, "killed")
	r.machine, r.broken, r.stopped, r.master = nil, nil, false, false
	r.deadline, r.rest = 0, nil
}

// stop suspends the process.
func (s *sim) stop(r *router, d time.Duration) {
	s.trace(r, "SIGSTOP for %s", d)
	r.stopped = true
	r.resumeAt = s.now + d
}

// resume continues it. What waits in the socket and the expired timer are
// served in either order: in a real process, reader and loop race.
func (s *sim) resume(r *router) {
	s.trace(r, "SIGCONT")
	r.stopped = false
	r.runsSince = s.now
	if rest := r.rest; rest != nil {
		r.rest = nil
		s.perform(r, rest, r.restAt)
		s.settle(r, r.restAt)
	}
	if s.rng.IntN(2) == 0 {
		s.timeout(r)
	}
	for i := 0; i < len(r.inbox) && r.running(); i++ {
		s.receive(r, r.inbox[i])
	}
	r.inbox = r.inbox[:0]
	if r.running() {
		s.timeout(r)
	}
}

// timeout serves the timer if it is due.
func (s *sim) timeout(r *router) {
	if r.running() && r.deadline != 0 && r.deadline <= s.now {
		s.step(r, vrrp.Timeout{})
	}
}

// step is the driving loop of package vrrp's contract.
func (s *sim) step(r *router, ev vrrp.Event) {
	now := s.now
	s.perform(r, s.ask(r, ev), now)
	if !r.stopped {
		s.settle(r, now)
	}
}

// settle reads the clock again: when the step was held up, the machine is
// asked once more before anything else.
func (s *sim) settle(r *router, decided time.Duration) {
	if r.running() && r.state() == vrrp.Master {
		switch took := s.now - decided; {
		case took >= s.replacedAfter:
			s.perform(r, s.ask(r, vrrp.Timeout{}), s.now)
		case took > 0:
			s.perform(r, s.ask(r, vrrp.Advertise{}), s.now)
		}
	}
	s.steps++
	r.deadline = 0
	if !r.alive() {
		return
	}
	var d time.Time
	if r.broken != nil {
		d = r.broken.Deadline()
	} else {
		d = r.machine.Deadline()
	}
	if !d.IsZero() {
		r.deadline = max(d.Sub(epoch), 1)
	}
}

// ask is Machine.Step at the present time.
func (s *sim) ask(r *router, ev vrrp.Event) []vrrp.Action {
	if r.broken != nil {
		return r.broken.Step(epoch.Add(s.now), ev)
	}
	return r.machine.Step(epoch.Add(s.now), ev)
}

// perform does the actions of a step decided at an earlier or the present time.
func (s *sim) perform(r *router, actions []vrrp.Action, decided time.Duration) {
	for i, a := range actions {
		if r.pauseIn > 0 && len(actions) > 0 {
			if r.pauseIn--; r.pauseIn == 0 {
				r.rest = append([]vrrp.Action(nil), actions[i:]...)
				r.restAt = decided
				s.trace(r, "stopped in the middle of a step")
				s.stop(r, r.pauseFor)
				return
			}
		}
		switch a := a.(type) {
		case vrrp.SendAdvert:
			s.send(r, a.Priority, decided)
			if a.Priority != vrrp.PriorityResign && r.held && r.master {
				s.lease(r)
			}
		case vrrp.Enter:
			s.enter(r, a, decided)
		case vrrp.Announce:
		}
	}
}

// enter does a change of state on the host.
func (s *sim) enter(r *router, e vrrp.Enter, decided time.Duration) {
	s.trace(r, "%s: %s", e.State, e.Reason)
	s.report.Transitions++
	r.master = e.State == vrrp.Master
	if e.State == vrrp.Backup && r.held {
		r.leftAt, r.left = s.now, e.Reason
	}
	if r.master {
		s.checkTakeover(r, e.Reason)
		r.held, r.tookAt, r.took = true, s.now, e.Reason
		s.lease(r)
	} else {
		r.held = false
	}
	if e.State == vrrp.Backup && decided == s.now { // else noted when the step was interrupted
		r.accepted, r.fresh, r.lowerSeen = s.now, true, false
	}
}

// lease sets the lifetime of the address anew. The kernel is up to 8 percent
// and 0.3 s late.
func (s *sim) lease(r *router) {
	r.expires = 0
	if l := s.leaseTime; l > 0 {
		late := time.Duration(s.rng.Int64N(int64(vrrp.LeaseEnd(l) - l)))
		r.expires = s.now + l + late
	}
}

// send puts an advert on the LAN.
func (s *sim) send(r *router, priority uint8, decided time.Duration) {
	s.report.Adverts++
	if priority != vrrp.PriorityResign {
		if r.master {
			s.checkLate(r, decided)
		}
		r.seq++
	}
	r.sent = decided // also of a handover, which waits for an answer
	for to := range s.routers {
		if to == r.id || s.lan.cut[r.id][to] || (s.lan.loss > 0 && s.rng.Float64() < s.lan.loss) {
			continue
		}
		copies := 1
		if s.lan.duplicate > 0 && s.rng.Float64() < s.lan.duplicate {
			copies = 2
		}
		for range copies {
			s.order++
			s.wire.push(delivery{s.lan.arrival(s.rng, s.now, r.id, to), s.order, r.id, to, priority, r.seq})
		}
	}
}

// deliver hands an advert to a router's socket.
func (s *sim) deliver(d delivery) {
	r := s.routers[d.to]
	switch {
	case !r.alive() || r.failed:
	case r.stopped:
		if len(r.inbox) < inboxLen {
			r.inbox = append(r.inbox, d)
		}
	default:
		s.timeoutBefore(r)
		if r.running() {
			s.receive(r, d)
		}
	}
}

// timeoutBefore serves a timer that is due at the very moment an advert arrives,
// before or after the advert.
func (s *sim) timeoutBefore(r *router) {
	if r.deadline == s.now && s.rng.IntN(2) == 0 {
		s.timeout(r)
	}
}

func (s *sim) receive(r *router, d delivery) {
	from := s.routers[d.from]
	if s.tracing {
		s.trace(r, "hears priority %d from %s", d.priority, from.name)
	}
	now, ev := s.now, vrrp.Received{Source: from.source, Priority: d.priority, Interval: s.site.Interval}
	if r.broken != nil {
		s.perform(r, s.ask(r, ev), now)
	} else { // the direct call keeps the event off the garbage-collected heap
		s.perform(r, r.machine.Step(epoch.Add(now), ev), now)
	}
	if !r.stopped {
		s.settle(r, now)
	}
	// What the machine knows now, noted for the checks.
	if d.priority == vrrp.PriorityResign {
		r.fresh = false
	} else {
		r.heardSeq[d.from] = max(r.heardSeq[d.from], d.seq)
		switch lower := d.priority < r.priority; {
		case r.claiming(): // its delay is over; a tie that it wins changes nothing
		case !lower:
			r.lowerSeen = false
		case !r.lowerSeen:
			r.lowerSeen, r.lowerAt = true, s.now
		}
		// A claiming router accepts nothing: what it yields to ends its claim.
		if r.state() == vrrp.Backup && !r.claiming() && (d.priority >= r.priority || r.cfg.NoPreempt) {
			r.accepted, r.fresh = s.now, true
		}
	}
}
