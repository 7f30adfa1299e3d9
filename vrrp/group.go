package vrrp

import (
	"errors"
	"fmt"
	"time"
)

// Group moves several machines together: a sync group (keepalived's
// vrrp_sync_group). It is a value as Machine is, and the contract of Machine
// holds for it, with one loop for all members; see the package comment. It is
// not safe for concurrent use.
type Group struct {
	members []*Machine
	up      []Event // Start or Recovered of the members that can run; nil: it cannot

	began     time.Time // when it last began to take over
	lost      int       // times in a row that it fell back right after that
	lostAt    time.Time // the last of them
	notBefore time.Time // so it does not begin again earlier

	actions []MemberAction
}

// MemberAction is what must be done for one member.
type MemberAction struct {
	Member int // index in the configurations of NewGroup
	Action Action
}

// ErrOwners: some members of a group are owners of their addresses (priority
// 255) and others are not. An owner always takes its addresses, the others
// never would with it.
var ErrOwners = errors.New("a sync group has owners (priority 255) beside other members")

// NewGroup returns a group of machines in Init, in the order of the
// configurations, or the error of the first that is invalid.
func NewGroup(members ...Config) (*Group, error) {
	if len(members) == 0 {
		return nil, errors.New("a sync group has no members")
	}
	g := &Group{up: make([]Event, len(members))}
	for _, cfg := range members {
		m, err := NewMachine(cfg)
		if err != nil {
			return nil, fmt.Errorf("member %s: %w", cfg.Name, err)
		}
		m.member = true
		g.members = append(g.members, m)
		if (m.priority == PriorityOwner) != (g.members[0].priority == PriorityOwner) {
			return nil, fmt.Errorf("member %s: %w", cfg.Name, ErrOwners)
		}
	}
	return g, nil
}

// Member is a machine to ask for its state and its Deadline. Events go to
// Group.Step, not to its own.
func (g *Group) Member(i int) *Machine { return g.members[i] }

// State is that of the group: Master when every member is, Fault when one is,
// Init before all can run, Backup otherwise.
func (g *Group) State() State {
	state := g.members[0].state
	for _, m := range g.members[1:] {
		switch {
		case m.state == state:
		case m.state == Fault || state == Fault:
			return Fault
		case m.state == Init || state == Init:
			state = Init
		default:
			state = Backup
		}
	}
	return state
}

// Step applies an event of one member that happens at now. What must be done,
// for any member, is to be done in order; the slice is valid until the next
// Step.
//
// Start and Recovered say that this member can run: the group begins when all
// can. Failed of one is a fault of all. Stop and Handover are for the whole
// group, whichever member they name. SetPriority is for the member alone: a
// group whose priorities rank the routers differently on its networks stays
// where it is.
func (g *Group) Step(now time.Time, member int, event Event) []MemberAction {
	g.actions = g.actions[:0]
	switch ev := event.(type) {
	case Start, Recovered:
		g.recover(now, member, event)
	case Failed:
		g.fail(now, member, ev.Why)
	case Stop:
		clear(g.up)
		for i, m := range g.members {
			g.collect(i, m.Step(now, event))
		}
	case Handover:
		g.handover(now, ev)
	default:
		g.one(now, member, event)
	}
	g.advance(now)
	return g.actions
}

// one is an event that concerns one member, and what follows for the others.
func (g *Group) one(now time.Time, member int, event Event) {
	m := g.members[member]
	led, was := m.leads(), m.state
	handing := m.handing
	acts := m.Step(now, event)
	why := g.whyOf(m, acts)
	announced := was == Master && m.state == Master && announces(acts)
	g.collect(member, acts)
	switch _, heard := event.(Received); {
	case led && !m.leads():
		if !handing {
			g.fellBack(now)
		}
		for i, other := range g.members {
			g.act(i, func() { other.demote(now, why) })
		}
	case heard && announced:
		// Clients on the other networks were misled by the same router, whose
		// other members give way without our hearing of them (keepalived's
		// vrrp_state_master_rx announces for the siblings too).
		for i, other := range g.members {
			if other != m && other.state == Master {
				a := other.cfg.Announce
				g.act(i, func() { other.announce(now, a.LowerRepeat, a.LowerDelay) })
			}
		}
	}
}

// whyOf is the reason that others follow m for.
func (g *Group) whyOf(m *Machine, acts []Action) Reason {
	why := "gave up its claim"
	for _, a := range acts {
		if e, ok := a.(Enter); ok {
			why = e.Reason.String()
		}
	}
	return Reason{Cause: CauseGroup, Why: "with " + m.cfg.Name + ": " + why}
}

func announces(acts []Action) bool {
	for _, a := range acts {
		if _, ok := a.(Announce); ok {
			return true
		}
	}
	return false
}

// fail is a fault of one member: of all.
func (g *Group) fail(now time.Time, member int, why string) {
	g.up[member] = nil
	for i, m := range g.members {
		reason := Reason{Cause: CauseGroup, Why: "with " + g.members[member].cfg.Name + ": " + why}
		if i == member {
			reason = Reason{Cause: CauseFailed, Why: why}
		}
		g.act(i, func() {
			m.checkLate(now)
			m.leave(Fault, reason)
		})
	}
}

// recover notes that a member can run. When all can, they begin together.
func (g *Group) recover(now time.Time, member int, event Event) {
	g.up[member] = event
	for _, ev := range g.up {
		if ev == nil {
			return
		}
	}
	for i, m := range g.members {
		if m.state != Init && m.state != Fault {
			continue
		}
		why := Reason{Cause: CauseStarted}
		switch ev := g.up[i].(type) {
		case Start:
			m.source = ev.Source
		case Recovered:
			m.source, why = ev.Source, Reason{Cause: CauseRecovered, Why: ev.Why}
		default: // nothing else is noted
		}
		if i != member && m.state == Fault {
			why = Reason{Cause: CauseGroup, Why: "with " + g.members[member].cfg.Name + ", which can run again"}
		}
		g.act(i, func() { m.begin(now, why) })
	}
}

// handover gives up with all members, which wait for an answer equally long, as
// far as their adverts allow.
func (g *Group) handover(now time.Time, ev Handover) {
	var wait, hold time.Duration
	for _, m := range g.members {
		if m.state != Master || m.handing || now.Sub(m.sent) >= m.cfg.ReplacedAfter() {
			return // the late one has a Timeout due
		}
		wait = max(wait, m.cfg.handoverWait())
		hold = max(hold, m.cfg.HandoverHold())
	}
	if ev.Hold <= 0 {
		ev.Hold = hold
	}
	for i, m := range g.members {
		g.collect(i, m.Step(now, ev))
		m.advertAt = now.Add(min(wait, m.cfg.longestHandover()))
	}
}

// advance takes what steps towards mastership all members agree on.
func (g *Group) advance(now time.Time) {
	leading, wanting := true, true
	for _, m := range g.members {
		leading = leading && m.leads()
		wanting = wanting && (m.leads() || m.ready(now))
	}
	switch {
	case leading:
		g.assume(now)
	case wanting:
		g.promote(now)
	}
}

// promote begins to take over with every member. Where one has to claim its
// addresses, all do; where nobody is to be waited for, all take theirs.
func (g *Group) promote(now time.Time) {
	if now.Before(g.notBefore) {
		for _, m := range g.members {
			m.down = g.notBefore
		}
		return
	}
	g.began = now
	whys := make([]Reason, len(g.members))
	contested := false
	for i, m := range g.members {
		whys[i] = m.whyLead(now)
		contested = contested || m.contested(whys[i])
	}
	for i, m := range g.members {
		switch {
		case m.leads():
		case contested:
			g.act(i, func() { m.pursue(now, whys[i]) })
		default:
			g.act(i, func() { m.enterMaster(now, whys[i]) })
		}
	}
}

// assume makes the claims good when all have succeeded.
func (g *Group) assume(now time.Time) {
	for _, m := range g.members {
		if !m.safe(now) {
			return
		}
	}
	for i, m := range g.members {
		if m.state != Master {
			g.act(i, func() { m.enterMaster(now, m.claimWhy) })
		}
	}
}

// fellBack counts takeovers that came to nothing. Two routers of which each is
// better on one network, and which try in step, would drive each other back for
// ever; from the second time on they wait for times that differ.
func (g *Group) fellBack(now time.Time) {
	var down, interval time.Duration
	for _, m := range g.members {
		down = max(down, m.cfg.Version.MasterDown(m.cfg.Interval, m.cfg.DownMultiplier, PriorityMin))
		interval = max(interval, m.cfg.Interval)
	}
	if now.Sub(g.began) >= interval { // it was master, and everybody has heard so
		g.lost = 0
		return
	}
	if now.Sub(g.lostAt) >= 8*down {
		g.lost = 0
	}
	g.lostAt = now
	if g.lost++; g.lost > 1 {
		g.notBefore = now.Add(down + down*time.Duration(g.draw())/256)
	}
}

// draw is a number from 0 to 255 that differs between routers and from one time
// to the next: FNV-1a over the sources and the count.
func (g *Group) draw() uint8 {
	h := uint32(2166136261)
	add := func(b byte) { h = (h ^ uint32(b)) * 16777619 }
	for _, m := range g.members {
		for _, b := range m.source.AsSlice() {
			add(b)
		}
	}
	add(byte(g.lost))
	return uint8(h ^ h>>8 ^ h>>16 ^ h>>24)
}

// act lets a member do something outside of Machine.Step.
func (g *Group) act(member int, f func()) {
	m := g.members[member]
	m.actions = m.actions[:0]
	f()
	g.collect(member, m.actions)
}

func (g *Group) collect(member int, acts []Action) {
	for _, a := range acts {
		g.actions = append(g.actions, MemberAction{member, a})
	}
}
