package vrrptest

import (
	"net/netip"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// GroupOptions of a run of routers with sync groups.
type GroupOptions struct {
	// Seed decides everything.
	Seed uint64
	// Intervals is how long a run lasts, in the longest advert interval. Default 2000.
	Intervals int
	// Break replaces each group, to see that the checks catch it.
	Break func(*vrrp.Group) Coordinator
}

// Coordinator is what such a run drives: *vrrp.Group, or a broken one.
type Coordinator interface {
	Step(now time.Time, member int, event vrrp.Event) []vrrp.MemberAction
	Member(i int) *vrrp.Machine
}

// coordinator is what a run drives inside: ours, or keepalived's.
type coordinator interface {
	Step(now time.Time, member int, event vrrp.Event) []vrrp.MemberAction
	machine(i int) Machine
}

type ours struct{ Coordinator }

func (o ours) machine(i int) Machine { return o.Member(i) }

const maxMembers = 3

// groupSim is one run: routers with a group of instances each, every instance
// on a LAN of its own.
type groupSim struct {
	world
	opt     GroupOptions
	routers []*groupRouter
	lans    []*groupLAN

	ranked       bool          // all LANs rank the routers alike, also in ties
	equal        bool          // they all have one priority, so nobody preempts
	noPreempt    bool          // of any member
	interval     time.Duration // the longest
	delay        time.Duration // of a healthy LAN, at most
	hold         time.Duration // of handovers
	foreign      bool          // there is a keepalived
	reconfigured bool          // since the last calm
	faulted      time.Duration // last fault of a process or an interface
	changed      time.Duration // last change of any LAN
	reranked     time.Duration // last change of a priority
}

// groupLAN is the LAN of one member of each router.
type groupLAN struct {
	lan
	site     vrrp.Config
	together [maxRouters][maxRouters]time.Duration // since when both hold the address
}

// groupRouter is one process with a group, and its host.
type groupRouter struct {
	process
	group   coordinator // nil: not running
	members []*groupMember

	stale  bool                // the site's configuration is another by now
	ending bool                // it was stopped cleanly
	rest   []vrrp.MemberAction // of a step that was interrupted
}

// groupMember is one instance and its interface.
type groupMember struct {
	cfg      vrrp.Config
	source   netip.Addr
	rank     uint8 // its priority in the configuration
	priority uint8 // effective
	deadline time.Duration
	changed  time.Duration // when it was last reconfigured while it runs
	failed   bool

	held bool
	lifetime

	master        bool
	tookAt        time.Duration
	took          vrrp.Reason
	sentLocal     time.Duration // last advert of its own, by the host's clock
	seq           uint64
	heardSeq      [maxRouters]uint64
	acceptedLocal time.Duration // when it last had to accept an advert, or became backup, by the host's clock
	acceptedAt    time.Duration // the same in true time
	interval      time.Duration // of the master, as it accepted it
	fresh         bool          // accepted counts: nothing shortened the timer since

	// From the configuration.
	replacedAfter, leaseTime, leaseSlack time.Duration
}

func (m *groupMember) holds(now time.Duration) bool {
	return m.held && !m.over(now)
}

func (r *groupRouter) running() bool { return r.group != nil && !r.stopped }

// fit reports whether every interface works.
func (r *groupRouter) fit() bool {
	for _, m := range r.members {
		if m.failed {
			return false
		}
	}
	return true
}

func (r *groupRouter) state(i int) vrrp.State { return r.group.machine(i).State() }

func (r *groupRouter) masters() (n int) {
	for i := range r.members {
		if r.state(i) == vrrp.Master {
			n++
		}
	}
	return n
}

// RunGroups simulates one site of routers with sync groups. Faults of a LAN or
// an interface concern one member's; processes are stopped, killed, restarted
// and handed over as in Run. The error is a *Violation.
//
// Beyond the promises of Run, which hold for each address, members are masters
// together or not at all, after every step; and after a calm exactly one of the
// routers whose interfaces all work holds all addresses, and with preemption the
// best one.
func RunGroups(opt GroupOptions) (Report, error) {
	if opt.Intervals == 0 {
		opt.Intervals = 2000
	}
	run := func(tracing bool) *world {
		s := newGroupSim(opt)
		s.tracing = tracing
		s.run()
		return &s.world
	}
	return run(false).verdict(opt.Seed, run)
}

// bound is how long a calm may take to settle: that of a lone instance with the
// slowest of the settings, because all members must agree; and, where routers
// hinder each other, some attempts at times that differ.
func (s *groupSim) bound() time.Duration {
	var b, longest time.Duration
	for _, l := range s.lans {
		c := l.site
		i := max(c.Interval, s.interval) // adverts with an older one may be on their way
		if !s.reconfigured {
			i = c.Interval
		}
		down := c.Version.MasterDown(i, c.DownMultiplier, vrrp.PriorityMin)
		longest = max(longest, down)
		b = max(b, down+i/2+4*i+8*s.delay)
		if !s.noPreempt {
			b = max(b, 2*down+i/2+4*i+8*s.delay+s.hold+c.PreemptDelay)
		}
	}
	b += 2 * longest // after attempts of the storm
	if !s.ranked {
		b += 24 * longest
	}
	return s.pending() + lasts(b, s.slowest())
}

func (s *groupSim) run() {
	end := time.Duration(s.opt.Intervals) * s.interval
	s.describe()
	for _, r := range s.routers {
		s.start(r)
	}
	for s.now < end && s.violation == nil {
		s.calm()
		s.until(s.now + s.bound())
		s.checkCalm()
		s.settleIntervals()
		s.until(s.now + time.Duration(s.rng.Int64N(int64(20*s.interval))))
		s.checkCalm()
		for range 1 + s.rng.IntN(8) {
			s.fault()
			s.until(s.now + time.Duration(s.rng.Int64N(int64(6*s.interval))))
		}
	}
	s.report.Simulated = s.now
}

// until lets virtual time pass.
func (s *groupSim) until(end time.Duration) {
	for s.violation == nil {
		at := end
		var who *groupRouter
		member := 0
		for _, r := range s.routers {
			if r.stopped {
				if r.resumeAt < at {
					at, who = r.resumeAt, r
				}
				continue
			}
			for i, m := range r.members {
				if r.group != nil && m.deadline != 0 && m.deadline < at {
					at, who, member = m.deadline, r, i
				}
			}
		}
		switch {
		case len(s.wire) > 0 && s.wire[0].at < at:
			s.now = max(s.now, s.wire[0].at)
			s.flow.arrived++
			s.deliver(s.wire.pop())
		case who == nil:
			s.now = end
			return
		case who.stopped:
			s.now = max(s.now, at)
			s.resume(who)
		default:
			s.now = max(s.now, at)
			s.timeout(who, member)
		}
		s.checkHolders()
	}
}
