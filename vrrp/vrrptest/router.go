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

// Machine is what a run drives: *vrrp.Machine, a broken one that must be caught,
// or keepalived.
type Machine interface {
	Step(now time.Time, event vrrp.Event) []vrrp.Action
	Deadline() time.Time
	State() vrrp.State
	Claiming() bool
	HandingOver() bool
}

// router is one machine, its process and its host.
type router struct {
	process
	source    netip.Addr
	rank      uint8         // its priority in the configuration
	nopreempt bool          // of its own, whatever the site's
	cfg       vrrp.Config   // of the running process
	peers     uint8         // unicast: a set of router ids; 0: multicast
	list      uint8         // its virtual addresses, a set
	stale     bool          // the site's configuration is another by now
	changed   time.Duration // when it was last reconfigured while it runs
	priority  uint8         // effective, as last set

	machine  Machine       // nil: not running
	fast     *vrrp.Machine // the same, when it is a plain one
	failed   bool          // the interface is down
	deadline time.Duration // of the machine; never when zero
	startAt  time.Duration // a process waits for the guardian of the one before; 0: none does

	rest  []vrrp.Action // of a step that was interrupted
	guard guardian

	// From the configuration.
	replacedAfter, leaseTime, leaseSlack time.Duration

	// The host. It goes on when the process does not.
	held uint8 // addresses installed
	lifetime

	// What the checks need. Times by the host's own clock end in Local.
	master        bool
	tookAt        time.Duration      // when it last became master
	took          vrrp.Reason        // and why
	leftAt        time.Duration      // when it last took the address off to be backup
	left          vrrp.Reason        // and why
	sentLocal     time.Duration      // last advert of its own
	seq           uint64             // number of that advert
	resigned      bool               // its last advert had priority 0
	heardSeq      [maxRouters]uint64 // last number heard of each other router
	acceptedLocal time.Duration      // when it last had to accept an advert, or became backup
	acceptedAt    time.Duration      // the same in true time
	ranked        time.Duration      // its priority was changed since it last became backup; 0: it was not
	interval      time.Duration      // of the master, as it accepted it
	fresh         bool               // accepted counts: nothing shortened the timer since
	lowerLocal    time.Duration      // first advert of a lower master in the present row
	lowerSeen     bool
	toMaster      uint64 // transitions
	fromMaster    uint64
}

// holds reports whether an address is on the host at now.
func (r *router) holds(now time.Duration) bool {
	return r.held != 0 && !r.over(now)
}

func (r *router) running() bool { return r.machine != nil && !r.stopped }

func (r *router) alive() bool { return r.machine != nil }

// state is the machine's, Init when it does not run.
func (r *router) state() vrrp.State {
	if r.machine == nil {
		return vrrp.Init
	}
	return r.machine.State()
}

func (r *router) claiming() bool    { return r.machine != nil && r.machine.Claiming() }
func (r *router) handingOver() bool { return r.machine != nil && r.machine.HandingOver() }

// start makes a new process. It waits first for the guardian of its predecessor.
func (s *sim) start(r *router) {
	if r.guard.runs && s.opt.Flaw != FlawNoAwait {
		r.startAt = s.now + awaitTime
		s.trace(&r.process, "waits for the old guardian")
		return
	}
	s.begin(r)
}

// begin is the start proper, which takes leftover addresses off first.
func (s *sim) begin(r *router) {
	if r.guard.runs && s.opt.Flaw != FlawNoAwait { // it lingers: kill -9
		s.guardBye(r)
	}
	r.startAt = 0
	s.configure(r)
	if r.foreign {
		r.machine, r.fast = newKeepalived(r.cfg), nil
	} else {
		m, err := vrrp.NewMachine(r.cfg)
		if err != nil {
			panic(fmt.Sprintf("vrrptest: drew an invalid configuration: %v", err))
		}
		r.machine, r.fast = m, m
		if s.opt.Break != nil {
			r.machine, r.fast = s.opt.Break(m), nil
		}
	}
	r.held, r.stopped, r.failed = 0, false, false
	r.inbox, r.rest = r.inbox[:0], nil
	r.priority = r.cfg.Priority
	r.master, r.lowerSeen, r.fresh = false, false, false
	r.runsSince = s.now
	r.toMaster, r.fromMaster = 0, 0
	if r.guard.kept && !r.guard.runs {
		r.guard.startAt = s.now + 1 + s.upTo(guardStart)
		r.guard.plan()
	}
	if s.tracing {
		s.trace(&r.process, "starts, priority %d, addresses %b, lease %s", r.priority, r.list, r.leaseTime)
	}
	s.step(r, vrrp.Start{Source: r.source})
}

// kill ends the process at once; the host keeps the addresses.
func (s *sim) kill(r *router) {
	s.trace(&r.process, "killed")
	s.end(r)
	s.orphan(r)
}

func (s *sim) end(r *router) {
	r.machine, r.fast, r.stopped, r.master = nil, nil, false, false
	r.deadline, r.startAt, r.rest = 0, 0, nil
}

// shut stops it cleanly.
func (s *sim) shut(r *router) {
	s.trace(&r.process, "stops cleanly")
	s.step(r, vrrp.Stop{})
	if !r.stopped {
		s.end(r)
		s.guardBye(r)
	}
}

// stop suspends the process.
func (s *sim) stop(r *router, d time.Duration) {
	s.trace(&r.process, "SIGSTOP for %s", d)
	r.stopped = true
	r.resumeAt = s.now + d
	if s.opt.Flaw == FlawRenewsAlone {
		r.ends = 0
	}
	if s.opt.Flaw == FlawGuardianHasty && r.guard.runs {
		r.guard.actAt = s.now + 1 + s.upTo(guardAct)
		r.guard.plan()
	}
}

// resume continues it. What waits in the socket and the expired timer are
// served in either order: in a real process, reader and loop race.
func (s *sim) resume(r *router) {
	s.trace(&r.process, "SIGCONT")
	s.dirty = true
	r.stopped = false
	r.runsSince = s.now
	s.keeperResumes(r)
	if rest := r.rest; rest != nil {
		r.rest = nil
		s.perform(r, rest, r.restAt)
		s.settle(r, r.restAt)
	}
	if r.running() && r.held != 0 && !r.holds(s.now) {
		s.lost(r)
	}
	if s.rng.IntN(2) == 0 {
		s.timeout(r)
	}
	for i := 0; i < len(r.inbox) && r.running(); i++ {
		s.receive(r, &r.inbox[i])
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
	now := r.local(s.now)
	s.perform(r, r.machine.Step(epoch.Add(now), ev), now)
	if !r.stopped {
		s.settle(r, now)
	}
}

// settle reads the clock again: when the step was held up, the machine is
// asked once more before anything else.
func (s *sim) settle(r *router, decided time.Duration) {
	if r.running() && r.master && !r.foreign && s.opt.Flaw != FlawNoSecondLook {
		switch now := r.local(s.now); {
		case now == decided:
		case now-decided >= r.replacedAfter:
			s.perform(r, r.machine.Step(epoch.Add(now), vrrp.Timeout{}), now)
		case r.leaseSlack > 0 && now-decided > r.leaseSlack:
			s.perform(r, r.machine.Step(epoch.Add(now), vrrp.Advertise{}), now)
		}
	}
	// (In a handover the backups are told to take over, and claim.)
	if r.leaseSlack > 0 && r.lag > r.leaseSlack && r.master && r.running() && !r.handingOver() {
		s.violate("%s renewed its lease %s after the advert that backups count from", r.name, r.lag)
	}
	s.steps++
	r.deadline = 0
	if r.machine == nil {
		return
	}
	var d time.Time
	if r.fast != nil {
		d = r.fast.Deadline()
	} else {
		d = r.machine.Deadline()
	}
	if !d.IsZero() {
		r.deadline = max(r.clock.when(d.Sub(epoch)), 1)
	}
}

// perform does the actions of a step decided at an earlier or the present time.
func (s *sim) perform(r *router, actions []vrrp.Action, decided time.Duration) {
	for i, a := range actions {
		if r.interrupted() {
			r.rest = append([]vrrp.Action(nil), actions[i:]...)
			r.restAt = decided
			s.trace(&r.process, "stopped in the middle of a step")
			s.stop(r, r.pauseFor)
			return
		}
		switch a := a.(type) {
		case vrrp.SendAdvert:
			s.send(r, a.Priority, decided)
			if a.Priority != vrrp.PriorityResign && r.held != 0 && r.master {
				s.change(r)
				s.lease(r)
			}
		case vrrp.Enter:
			s.enter(r, a, decided)
		case vrrp.Announce:
		}
	}
}

// receive hands an advert to the machine.
func (s *sim) receive(r *router, d *delivery) {
	if s.tracing {
		s.trace(&r.process, "hears priority %d from %s", d.priority, s.routers[d.from].name)
	}
	s.heard = d
	owed := d.priority == vrrp.PriorityResign && r.master && !r.foreign && !r.handingOver() && r.local(s.now)-r.sentLocal < r.replacedAfter
	seq := r.seq
	now, ev := r.local(s.now), vrrp.Received{Source: s.routers[d.from].source, Priority: d.priority, Interval: d.interval}
	if r.fast != nil { // the direct call keeps the event off the garbage-collected heap
		s.perform(r, r.fast.Step(epoch.Add(now), ev), now)
	} else {
		s.perform(r, r.machine.Step(epoch.Add(now), ev), now)
	}
	if !r.stopped {
		s.settle(r, now)
	}
	s.heard = nil
	if owed && r.seq == seq && r.running() { // RFC 9568 section 6.4.3 (g)
		s.violate("%s is master, heard priority 0 from %s and did not answer", r.name, s.routers[d.from].name)
	}
	// What the machine knows now, noted for the checks.
	if d.priority == vrrp.PriorityResign {
		r.fresh = false
		return
	}
	r.heardSeq[d.from] = max(r.heardSeq[d.from], d.seq)
	switch lower := d.priority < r.priority; {
	case r.claiming(): // its delay is over; a tie that it wins changes nothing
	case !lower:
		r.lowerSeen = false
	case !r.lowerSeen:
		r.lowerSeen, r.lowerLocal = true, now
	}
	// A claiming router accepts nothing: what it yields to ends its claim.
	if r.state() == vrrp.Backup && !r.claiming() && (d.priority >= r.priority || !r.preempts()) {
		r.acceptedLocal, r.acceptedAt, r.fresh, r.ranked = now, s.now, true, 0
		r.interval = d.interval
	} else { // it may accept it all the same, after a handover or during PreemptDelay
		r.interval = min(r.interval, d.interval)
	}
}

// preempts: the owner of the addresses always does (RFC 9568 section 6.1).
func (r *router) preempts() bool {
	return !r.cfg.NoPreempt || r.cfg.Priority == vrrp.PriorityOwner
}
