package vrrptest

import (
	"fmt"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// start makes a new process, which first takes leftover addresses off. Members
// whose interface is down begin with a fault.
func (s *groupSim) start(r *groupRouter) {
	s.configure(r)
	var cfgs []vrrp.Config
	for _, m := range r.members {
		cfgs = append(cfgs, m.cfg)
	}
	if r.foreign {
		r.group = newKeepalivedGroup(cfgs)
	} else {
		g, err := vrrp.NewGroup(cfgs...)
		if err != nil {
			panic(fmt.Sprintf("vrrptest: drew an invalid group: %v", err))
		}
		r.group = ours{g}
		if s.opt.Break != nil {
			r.group = ours{s.opt.Break(g)}
		}
	}
	r.stopped, r.inbox, r.rest, r.runsSince = false, r.inbox[:0], nil, s.now
	r.pauseIn = 0 // the start of a process is done as a whole
	for _, m := range r.members {
		m.held, m.master, m.priority, m.deadline = false, false, m.cfg.Priority, 0
	}
	s.trace(&r.process, "starts, priorities %d %d", r.members[0].priority, r.members[1].priority)
	for i, m := range r.members {
		if m.failed {
			s.step(r, i, vrrp.Failed{Why: "interface is down"})
		} else {
			s.step(r, i, vrrp.Start{Source: m.source})
		}
	}
}

// configOf is the site's configuration for a member.
func (s *groupSim) configOf(r *groupRouter, i int) vrrp.Config {
	c := s.lans[i].site
	c.Priority = r.members[i].rank
	return c
}

// configure gives it to a process that starts.
func (s *groupSim) configure(r *groupRouter) {
	r.stale = false
	for i, m := range r.members {
		m.configure(s.configOf(r, i))
		if r.foreign {
			m.leaseTime = 0
		}
	}
}

func (m *groupMember) configure(c vrrp.Config) {
	m.cfg = c
	m.replacedAfter, m.leaseTime, m.leaseSlack = c.ReplacedAfter(), c.LeaseTime(), c.LeaseSlack()
}

// restart stops the process cleanly, or not, and starts it with the site's configuration.
func (s *groupSim) restart(r *groupRouter) {
	if s.rng.IntN(3) == 0 {
		s.kill(r)
	} else {
		s.shut(r)
	}
	if r.group == nil {
		s.start(r)
	}
}

// shut stops the process cleanly.
func (s *groupSim) shut(r *groupRouter) {
	s.trace(&r.process, "stops cleanly")
	r.ending = true
	s.step(r, 0, vrrp.Stop{})
	if !r.stopped {
		s.kill(r)
	}
}

// turn sets the rate of a router's clock.
func (s *groupSim) turn(r *groupRouter, ppm int64) {
	var deadlines []*time.Duration
	var lifetimes []*lifetime
	for _, m := range r.members {
		deadlines, lifetimes = append(deadlines, &m.deadline), append(lifetimes, &m.lifetime)
	}
	s.drift(&r.process, ppm, deadlines, lifetimes)
}

// kill ends the process at once; the host keeps the addresses.
func (s *groupSim) kill(r *groupRouter) {
	s.trace(&r.process, "killed")
	r.group, r.stopped, r.ending, r.rest = nil, false, false, nil
	for _, m := range r.members {
		m.master, m.deadline = false, 0
	}
}

func (s *groupSim) stop(r *groupRouter, d time.Duration) {
	s.trace(&r.process, "SIGSTOP for %s", d)
	r.stopped, r.resumeAt = true, s.now+d
}

// resume continues a process: what waits in the sockets and the expired timers
// are served in either order.
func (s *groupSim) resume(r *groupRouter) {
	s.trace(&r.process, "SIGCONT")
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
	now := r.local(s.now)
	s.perform(r, r.group.Step(epoch.Add(now), member, ev), now)
	if !r.stopped {
		s.settle(r, now)
	}
}

// settle reads the clock again, and the deadlines.
func (s *groupSim) settle(r *groupRouter, decided time.Duration) {
	s.report.Steps++
	for i, m := range r.members {
		if r.stopped || r.foreign || r.state(i) != vrrp.Master {
			continue
		}
		now := r.local(s.now)
		switch took := now - decided; {
		case took >= m.replacedAfter:
			s.perform(r, r.group.Step(epoch.Add(now), i, vrrp.Timeout{}), now)
		case m.leaseSlack > 0 && took > m.leaseSlack:
			s.perform(r, r.group.Step(epoch.Add(now), i, vrrp.Advertise{}), now)
		}
	}
	for i, m := range r.members {
		// (In a handover the backups are told to take over, and claim.)
		if m.leaseSlack > 0 && m.lag > m.leaseSlack && m.master && r.running() && !r.group.machine(i).HandingOver() {
			s.violate("%s renewed the lease of %s %s after the advert that backups count from", r.name, m.cfg.Name, m.lag)
		}
		m.deadline = 0
		if d := r.group.machine(i).Deadline(); !d.IsZero() {
			m.deadline = max(r.clock.when(d.Sub(epoch)), 1)
		}
	}
	if !r.stopped {
		s.checkTogether(r)
	}
}

// perform does the actions of a step decided at an earlier or the present time.
func (s *groupSim) perform(r *groupRouter, actions []vrrp.MemberAction, decided time.Duration) {
	for i, a := range actions {
		if r.interrupted() {
			r.rest = append([]vrrp.MemberAction(nil), actions[i:]...)
			r.restAt = decided
			s.trace(&r.process, "stopped in the middle of a step")
			s.stop(r, r.pauseFor)
			return
		}
		switch do := a.Action.(type) {
		case vrrp.SendAdvert:
			s.send(r, a.Member, do.Priority, decided)
			if m := r.members[a.Member]; do.Priority != vrrp.PriorityResign && m.held && m.master {
				s.renew(&m.lifetime, &r.process, m.leaseTime, m.sentLocal)
			}
		case vrrp.Enter:
			s.enter(r, a.Member, do, decided)
		case vrrp.Announce:
		}
	}
}

func (s *groupSim) enter(r *groupRouter, i int, e vrrp.Enter, decided time.Duration) {
	m := r.members[i]
	s.trace(&r.process, "%s %s: %s", m.cfg.Name, e.State, e.Reason)
	s.report.Transitions++
	if m.master = e.State == vrrp.Master; m.master {
		s.checkTakeover(r, i, e.Reason)
		m.held, m.tookAt, m.took = true, s.now, e.Reason
		s.renew(&m.lifetime, &r.process, m.leaseTime, m.sentLocal)
	} else {
		m.held = false
	}
	if e.State == vrrp.Backup && decided == r.local(s.now) {
		m.acceptedLocal, m.acceptedAt, m.fresh = decided, s.now, true
		m.interval = m.cfg.Interval
	}
}

func (s *groupSim) send(r *groupRouter, i int, priority uint8, decided time.Duration) {
	m, l := r.members[i], s.lans[i]
	s.report.Adverts++
	if priority != vrrp.PriorityResign {
		if age := decided - m.sentLocal; m.master && !r.foreign && age >= m.replacedAfter {
			s.violate("%s sent an advert for %s %s after its last one and did not elect again", r.name, m.cfg.Name, age)
		}
		m.seq++
	}
	m.sentLocal, m.replacedAfter = decided, m.cfg.ReplacedAfter()
	if m.failed {
		return
	}
	for to := range s.routers {
		if to != r.id {
			s.carry(&l.lan, delivery{seq: m.seq, interval: m.cfg.Interval, from: uint8(r.id), to: uint8(to), member: uint8(i), priority: priority, version: m.cfg.Version})
		}
	}
}

func (s *groupSim) deliver(d delivery) {
	r := s.routers[d.to]
	switch {
	case r.group == nil || r.members[d.member].failed || !r.members[d.member].hears(&d):
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

// hears reports whether the codec lets an advert through (router.hears).
func (m *groupMember) hears(d *delivery) bool {
	return d.version == m.cfg.Version && (d.version == vrrp.V3 || d.interval == m.cfg.Interval)
}

func (s *groupSim) receive(r *groupRouter, d delivery) {
	i := int(d.member)
	from, m := s.routers[d.from], r.members[i]
	if s.tracing {
		s.trace(&r.process, "%s hears priority %d from %s", m.cfg.Name, d.priority, from.name)
	}
	s.step(r, i, vrrp.Received{Source: from.members[i].source, Priority: d.priority, Interval: d.interval})
	if d.priority == vrrp.PriorityResign {
		m.fresh = false
		return
	}
	m.heardSeq[d.from] = max(m.heardSeq[d.from], d.seq)
	if mach := r.group.machine(i); mach.State() == vrrp.Backup && !mach.Claiming() && (d.priority >= m.priority || m.cfg.NoPreempt) {
		m.acceptedLocal, m.acceptedAt, m.fresh = r.local(s.now), s.now, true
		m.interval = d.interval
	} else { // it may accept it all the same, after a handover or during PreemptDelay
		m.interval = min(m.interval, d.interval)
	}
}
