package vrrptest

import (
	"errors"
	"fmt"
	"math/rand/v2"
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

const maxMembers = 3

// groupSim is one run: routers with a group of instances each, every instance
// on a LAN of its own.
type groupSim struct {
	opt     GroupOptions
	rng     *rand.Rand
	now     time.Duration
	routers []*groupRouter
	lans    []*groupLAN
	wire    groupHeap
	order   uint64
	report  Report

	ranked    bool          // all LANs rank the routers alike, also in ties
	equal     bool          // they all have one priority, so nobody preempts
	noPreempt bool          // of any member
	interval  time.Duration // the longest
	delay     time.Duration // of a healthy LAN, at most
	hold      time.Duration // of handovers
	faulted   time.Duration // last fault of a process or an interface
	changed   time.Duration // last change of any LAN
	reranked  time.Duration // last change of a priority

	violation error
	tracing   bool
	lines     []string
}

// groupLAN is the LAN of one member of each router.
type groupLAN struct {
	lan
	site          vrrp.Config
	lease         time.Duration
	replacedAfter time.Duration
	together      [maxRouters][maxRouters]time.Duration // since when both hold the address
}

// groupRouter is one process with a group, and its host.
type groupRouter struct {
	id      int
	name    string
	group   Coordinator // nil: not running
	members []*groupMember

	stopped   bool // SIGSTOP
	ending    bool // it was stopped cleanly
	resumeAt  time.Duration
	inbox     []groupDelivery
	rest      []vrrp.MemberAction // of a step that was interrupted
	restAt    time.Duration
	pauseIn   int
	pauseFor  time.Duration
	runsSince time.Duration
}

// groupMember is one instance and its interface.
type groupMember struct {
	cfg      vrrp.Config
	source   netip.Addr
	priority uint8
	deadline time.Duration
	failed   bool

	held    bool
	expires time.Duration

	master   bool
	tookAt   time.Duration
	took     vrrp.Reason
	sent     time.Duration
	seq      uint64
	heardSeq [maxRouters]uint64
	accepted time.Duration // when it last had to accept an advert, or became backup
	fresh    bool          // accepted counts: nothing shortened the timer since
}

func (m *groupMember) holds(now time.Duration) bool {
	return m.held && (m.expires == 0 || now < m.expires)
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

func (r *groupRouter) state(i int) vrrp.State { return r.group.Member(i).State() }

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
	s := newGroupSim(opt)
	s.run()
	if s.violation == nil {
		return s.report, nil
	}
	again := newGroupSim(opt)
	again.tracing = true
	again.run()
	v := &Violation{Seed: opt.Seed, What: s.violation, Trace: again.lines}
	if again.violation == nil || again.violation.Error() != s.violation.Error() {
		v.What = errors.Join(s.violation, errors.New("the repetition did not show it: the run is not deterministic"))
	}
	if n := len(v.Trace); n > traceLen {
		v.Trace = v.Trace[n-traceLen:]
	}
	return s.report, v
}

// newGroupSim draws a site.
func newGroupSim(opt GroupOptions) *groupSim {
	s := &groupSim{opt: opt, rng: rand.New(rand.NewPCG(opt.Seed, 0x6a09e667f3bcc908))}
	rng := s.rng
	n, k := 2+min(rng.IntN(3), rng.IntN(3)), 2+rng.IntN(maxMembers-1)
	base := vrrp.Config{
		Version: vrrp.V2, Interval: time.Duration(1+rng.IntN(4)) * time.Second, DownMultiplier: 3,
		Announce: vrrp.AnnounceConfig{Delay: -1}, NoLowerAnswer: rng.IntN(4) == 0,
	}
	if rng.IntN(2) == 0 {
		base.Version = vrrp.V3
	}
	switch rng.IntN(6) {
	case 0:
		base.NoPreempt = true
	case 1:
		base.PreemptDelay = time.Duration(rng.Int64N(int64(10 * base.Interval)))
	case 2:
		base.DownMultiplier = 2 + rng.IntN(4)
	}
	s.equal, s.ranked = rng.IntN(4) == 0, rng.IntN(5) > 0
	mixed := rng.IntN(4) == 0    // intervals
	mirrored := rng.IntN(5) == 0 // ties are broken differently on one LAN
	s.ranked = s.ranked && !mirrored
	for i := range k {
		c := base
		c.Name, c.VRID = fmt.Sprintf("VI_%d", i+1), uint8(51+i)
		c.Addresses = []vrrp.Address{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 100}), 24)}}
		c.Priority = 100
		if mixed {
			c.Interval = time.Duration(1+rng.IntN(4)) * time.Second
		}
		if i > 0 && rng.IntN(8) == 0 {
			c.NoPreempt, c.PreemptDelay = true, 0
		}
		s.noPreempt = s.noPreempt || c.NoPreempt
		s.interval = max(s.interval, c.Interval)
		c = c.WithDefaults()
		s.lans = append(s.lans, &groupLAN{site: c, lease: c.LeaseTime(), replacedAfter: c.ReplacedAfter()})
	}
	s.delay, s.hold = 20*time.Millisecond, 3*s.interval
	for id := range n {
		r := &groupRouter{id: id, name: fmt.Sprintf("r%d", id+1)}
		priority := uint8(1 + rng.IntN(254))
		for i, l := range s.lans {
			host := id + 1
			if mirrored && i == 0 {
				host = n - id
			}
			m := &groupMember{cfg: l.site, source: netip.AddrFrom4([4]byte{10, 0, byte(i), byte(host)})}
			switch {
			case s.equal:
			case s.ranked:
				m.cfg.Priority = priority
			default:
				m.cfg.Priority = uint8(1 + rng.IntN(254))
			}
			r.members = append(r.members, m)
		}
		s.routers = append(s.routers, r)
	}
	for _, l := range s.lans {
		l.heal(0, s.delay)
	}
	return s
}

// bound is how long a calm may take to settle: that of a lone instance with the
// slowest of the settings, because all members must agree; and, where routers
// hinder each other, some attempts at times that differ.
func (s *groupSim) bound() time.Duration {
	var b, longest time.Duration
	for _, l := range s.lans {
		c := l.site
		down := c.Version.MasterDown(c.Interval, c.DownMultiplier, vrrp.PriorityMin)
		longest = max(longest, down)
		b = max(b, down+2*c.ClaimWait()+4*c.Interval+8*s.delay)
		if !s.noPreempt {
			b = max(b, 2*down+2*c.ClaimWait()+4*c.Interval+8*s.delay+s.hold+c.PreemptDelay)
		}
	}
	b += 2 * longest // after attempts of the storm
	if !s.ranked {
		b += 24 * longest
	}
	return b
}

func (s *groupSim) run() {
	end := time.Duration(s.opt.Intervals) * s.interval
	s.trace(nil, "%d routers, %d members, version %d, multiplier %d, ranked %v, equal %v, nopreempt %v",
		len(s.routers), len(s.lans), s.lans[0].site.Version, s.lans[0].site.DownMultiplier, s.ranked, s.equal, s.noPreempt)
	for _, r := range s.routers {
		s.start(r)
	}
	for s.now < end && s.violation == nil {
		s.calm()
		s.until(s.now + s.bound())
		s.checkCalm()
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

func (s *groupSim) trace(r *groupRouter, format string, args ...any) {
	if !s.tracing {
		return
	}
	name := "--"
	if r != nil {
		name = r.name
	}
	s.lines = append(s.lines, fmt.Sprintf("%14.6f %s %s", s.now.Seconds(), name, fmt.Sprintf(format, args...)))
}
