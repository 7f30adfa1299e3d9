package vrrptest

import (
	"fmt"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// groupDelivery is an advert on its way.
type groupDelivery struct {
	at       time.Duration
	order    uint64
	member   int // and LAN
	from, to int
	priority uint8
	seq      uint64
}

// groupHeap is a priority queue by time.
type groupHeap []groupDelivery

func (h groupHeap) less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].order < h[j].order
}

func (h *groupHeap) push(d groupDelivery) {
	*h = append(*h, d)
	q := *h
	for i := len(q) - 1; i > 0 && q.less(i, (i-1)/2); i = (i - 1) / 2 {
		q[i], q[(i-1)/2] = q[(i-1)/2], q[i]
	}
}

func (h *groupHeap) pop() groupDelivery {
	q := *h
	first := q[0]
	last := len(q) - 1
	q[0] = q[last]
	q = q[:last]
	*h = q
	for i := 0; ; {
		small := i
		for _, c := range [2]int{2*i + 1, 2*i + 2} {
			if c < last && q.less(c, small) {
				small = c
			}
		}
		if small == i {
			return first
		}
		q[i], q[small] = q[small], q[i]
		i = small
	}
}

// start makes a new process, which first takes leftover addresses off. Members
// whose interface is down begin with a fault.
func (s *groupSim) start(r *groupRouter) {
	var cfgs []vrrp.Config
	for _, m := range r.members {
		cfgs = append(cfgs, m.cfg)
	}
	g, err := vrrp.NewGroup(cfgs...)
	if err != nil {
		panic(fmt.Sprintf("vrrptest: drew an invalid group: %v", err))
	}
	r.group = g
	if s.opt.Break != nil {
		r.group = s.opt.Break(g)
	}
	r.stopped, r.inbox, r.rest, r.runsSince = false, r.inbox[:0], nil, s.now
	r.pauseIn = 0 // the start of a process is done as a whole
	for _, m := range r.members {
		m.held, m.master, m.priority, m.deadline = false, false, m.cfg.Priority, 0
	}
	s.trace(r, "starts, priorities %d %d", r.members[0].priority, r.members[1].priority)
	for i, m := range r.members {
		if m.failed {
			s.step(r, i, vrrp.Failed{Why: "interface is down"})
		} else {
			s.step(r, i, vrrp.Start{Source: m.source})
		}
	}
}

// kill ends the process at once; the host keeps the addresses.
func (s *groupSim) kill(r *groupRouter) {
	s.trace(r, "killed")
	r.group, r.stopped, r.ending, r.rest = nil, false, false, nil
	for _, m := range r.members {
		m.master, m.deadline = false, 0
	}
}

func (s *groupSim) stop(r *groupRouter, d time.Duration) {
	s.trace(r, "SIGSTOP for %s", d)
	r.stopped, r.resumeAt = true, s.now+d
}

// resume continues a process: what waits in the sockets and the expired timers
// are served in either order.
func (s *groupSim) resume(r *groupRouter) {
	s.trace(r, "SIGCONT")
	r.stopped, r.runsSince = false, s.now
	if rest := r.rest; rest != nil {
		r.rest = nil
		s.perform(r, rest, r.restAt)
		s.settle(r, r.restAt)
	}
	if r.ending && !r.stopped {
		s.kill(r)
		return
	}
	timeouts := func() {
		for i := range r.members {
			s.timeout(r, i)
		}
	}
	if s.rng.IntN(2) == 0 {
		timeouts()
	}
	for i := 0; i < len(r.inbox) && r.running(); i++ {
		s.receive(r, r.inbox[i])
	}
	r.inbox = r.inbox[:0]
	timeouts()
}

func (s *groupSim) timeout(r *groupRouter, i int) {
	if m := r.members[i]; r.running() && m.deadline != 0 && m.deadline <= s.now {
		s.step(r, i, vrrp.Timeout{})
	}
}

// step is the driving loop of package vrrp's contract, for a group.
func (s *groupSim) step(r *groupRouter, member int, ev vrrp.Event) {
	now := s.now
	s.perform(r, r.group.Step(epoch.Add(now), member, ev), now)
	if !r.stopped {
		s.settle(r, now)
	}
}

// settle reads the clock again, and the deadlines.
func (s *groupSim) settle(r *groupRouter, decided time.Duration) {
	s.report.Steps++
	for i, l := range s.lans {
		if r.stopped || r.state(i) != vrrp.Master {
			continue
		}
		switch took := s.now - decided; {
		case took >= l.replacedAfter:
			s.perform(r, r.group.Step(epoch.Add(s.now), i, vrrp.Timeout{}), s.now)
		case took > 0:
			s.perform(r, r.group.Step(epoch.Add(s.now), i, vrrp.Advertise{}), s.now)
		}
	}
	for i, m := range r.members {
		m.deadline = 0
		if d := r.group.Member(i).Deadline(); !d.IsZero() {
			m.deadline = max(d.Sub(epoch), 1)
		}
	}
	if !r.stopped {
		s.checkTogether(r)
	}
}

// perform does the actions of a step decided at an earlier or the present time.
func (s *groupSim) perform(r *groupRouter, actions []vrrp.MemberAction, decided time.Duration) {
	for i, a := range actions {
		if r.pauseIn > 0 {
			if r.pauseIn--; r.pauseIn == 0 {
				r.rest = append([]vrrp.MemberAction(nil), actions[i:]...)
				r.restAt = decided
				s.trace(r, "stopped in the middle of a step")
				s.stop(r, r.pauseFor)
				return
			}
		}
		switch do := a.Action.(type) {
		case vrrp.SendAdvert:
			s.send(r, a.Member, do.Priority, decided)
			if m := r.members[a.Member]; do.Priority != vrrp.PriorityResign && m.held && m.master {
				s.renew(m, a.Member)
			}
		case vrrp.Enter:
			s.enter(r, a.Member, do, decided)
		case vrrp.Announce:
		}
	}
}

func (s *groupSim) enter(r *groupRouter, i int, e vrrp.Enter, decided time.Duration) {
	m := r.members[i]
	s.trace(r, "%s %s: %s", m.cfg.Name, e.State, e.Reason)
	s.report.Transitions++
	if m.master = e.State == vrrp.Master; m.master {
		s.checkTakeover(r, i, e.Reason)
		m.held, m.tookAt, m.took = true, s.now, e.Reason
		s.renew(m, i)
	} else {
		m.held = false
	}
	if e.State == vrrp.Backup && decided == s.now {
		m.accepted, m.fresh = s.now, true
	}
}

// renew sets the lifetime of an address anew. The kernel is late.
func (s *groupSim) renew(m *groupMember, i int) {
	m.expires = 0
	if l := s.lans[i].lease; l > 0 {
		m.expires = s.now + l + time.Duration(s.rng.Int64N(int64(vrrp.LeaseEnd(l)-l)))
	}
}

func (s *groupSim) send(r *groupRouter, i int, priority uint8, decided time.Duration) {
	m, l := r.members[i], s.lans[i]
	s.report.Adverts++
	if priority != vrrp.PriorityResign {
		if age := decided - m.sent; m.master && age >= l.replacedAfter {
			s.violate("%s sent an advert for %s %s after its last one and did not elect again", r.name, m.cfg.Name, age)
		}
		m.seq++
	}
	m.sent = decided
	if m.failed {
		return
	}
	for to := range s.routers {
		if to == r.id || l.cut[r.id][to] || l.loss > 0 && s.rng.Float64() < l.loss {
			continue
		}
		copies := 1
		if l.duplicate > 0 && s.rng.Float64() < l.duplicate {
			copies = 2
		}
		for range copies {
			s.order++
			s.wire.push(groupDelivery{l.arrival(s.rng, s.now, r.id, to), s.order, i, r.id, to, priority, m.seq})
		}
	}
}

func (s *groupSim) deliver(d groupDelivery) {
	r := s.routers[d.to]
	switch {
	case r.group == nil || r.members[d.member].failed:
	case r.stopped:
		if len(r.inbox) < inboxLen {
			r.inbox = append(r.inbox, d)
		}
	default:
		for i, m := range r.members { // timers due at this very moment, before or after
			if m.deadline == s.now && s.rng.IntN(2) == 0 {
				s.timeout(r, i)
			}
		}
		if r.running() {
			s.receive(r, d)
		}
	}
}

func (s *groupSim) receive(r *groupRouter, d groupDelivery) {
	from, m := s.routers[d.from], r.members[d.member]
	if s.tracing {
		s.trace(r, "%s hears priority %d from %s", m.cfg.Name, d.priority, from.name)
	}
	s.step(r, d.member, vrrp.Received{Source: from.members[d.member].source, Priority: d.priority, Interval: m.cfg.Interval})
	if d.priority == vrrp.PriorityResign {
		m.fresh = false
		return
	}
	m.heardSeq[d.from] = max(m.heardSeq[d.from], d.seq)
	if mach := r.group.Member(d.member); mach.State() == vrrp.Backup && !mach.Claiming() && (d.priority >= m.priority || m.cfg.NoPreempt) {
		m.accepted, m.fresh = s.now, true
	}
}
