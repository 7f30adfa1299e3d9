package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// A router that takes over while another may still hold the addresses claims
// them first: it sends its advert, as a master does, but installs nothing until
// the other has let go. The other, when it is one of ours, says so by priority
// 0 after its addresses are off (yielded); for one that says nothing there is
// ClaimWait. So two hosts do not hold an address at once, not even for the time
// that an advert takes, and between two routers of ours the claim costs a round
// trip. Outwardly a claiming router is a backup.
//
// No claim is needed where the master has been silent for the master-down time
// (it is gone, and its lease has ended), or has just stopped: then the takeover
// must not wait.

// ClaimWait is how long a claim waits for other routers at most.
func (c Config) ClaimWait() time.Duration { return c.Interval / 4 }

// Claiming reports whether the machine is about to become master and waits for
// another router to let go of the addresses. Its State is Backup then.
func (m *Machine) Claiming() bool { return !m.claimUntil.IsZero() }

// contested reports whether another router may hold the addresses now.
func (m *Machine) contested(why Reason) bool {
	switch why.Cause {
	case CauseOwner, CauseLowerMaster:
		return true
	case CauseResigned:
		return m.graceful
	case CauseSilence: // of a master, or of a network on which others start just now
		return !why.Peer.IsValid()
	case CauseNone, CauseStarted, CauseStopped, CauseHigherPriority, CauseHigherAddress, CauseOtherOwner, CauseLate, CauseHandedOver, CauseFailed, CauseRecovered, CauseSteppedDown, CauseGroup:
	}
	return false
}

// claim begins to take over, and does at once unless somebody else may hold the
// addresses.
func (m *Machine) claim(now time.Time, why Reason) {
	m.restoreOwner()
	switch {
	case m.member:
		m.want(now, why)
		return
	case !m.contested(why):
		m.enterMaster(now, why)
		return
	}
	m.forget()
	if m.state != Backup { // the owner, from Init or Fault
		m.enter(Backup, why)
	}
	m.claimUntil, m.claimWhy = now.Add(m.cfg.ClaimWait()), why
	m.await(why.Peer)
	m.awaitRecent(now)
	m.advertise(now)
}

// awaitRecent awaits whoever else has advertised of late: a router that claims
// like us may have the addresses by now, and the priority 0 that we hear first
// is not its own.
func (m *Machine) awaitRecent(now time.Time) {
	for _, x := range m.recent {
		if !x.last.IsZero() && x.source != m.source && now.Sub(x.last) < m.cfg.Interval+m.cfg.ClaimWait() {
			m.await(x.source)
		}
	}
}

// win ends a claim: nobody else holds the addresses. A member of a group waits
// for the others, and goes on as a master that has no addresses yet.
func (m *Machine) win(now time.Time) {
	if !m.member {
		m.enterMaster(now, m.claimWhy)
		return
	}
	m.won, m.claimUntil = true, m.advertAt
}

// claimTimeout makes the claim good when nobody has objected for long enough.
// When we were late, objections may lie unread in the socket: we claim once more.
func (m *Machine) claimTimeout(now time.Time) {
	switch wait := m.cfg.ClaimWait(); {
	case !due(now, m.claimUntil):
	case now.Sub(m.claimUntil) >= wait && !m.graced:
		m.graced, m.won = true, false
		m.claimUntil = now.Add(wait)
		m.advertise(now)
	case m.won:
		m.advertise(now)
		m.claimUntil = m.advertAt
	default:
		m.win(now)
	}
}

// claimReceived is what a claiming router does with an advert: the rules of a
// master decide who yields.
func (m *Machine) claimReceived(now time.Time, ev Received, zero resignation) {
	// Others than the master have nothing to hand over: they claim like us, and
	// answers and priority 0 of a lost claim follow each other as closely.
	holdsOn := zero.holdsOn && ev.Source == m.claimWhy.Peer
	switch {
	case ev.Source == m.source: // a duplicate of our address
	case ev.Priority == PriorityResign && !holdsOn && !m.won && m.released(ev.Source):
		m.win(now)
	case ev.Priority == PriorityResign:
		m.advertise(now) // RFC 9568 section 6.4.3 (g), so that no backup takes it for ours
	case ev.Priority > m.priority, ev.Priority == m.priority && m.source.Less(ev.Source):
		interval := m.cfg.Interval
		if m.cfg.Version == V3 {
			interval = ev.Interval
		}
		m.abandon(now, interval)
		m.master, m.masterPriority = ev.Source, ev.Priority
		m.yielded()
	default: // it has not heard us yet: a master, or another that claims
		m.await(ev.Source)
		m.doubt(now)
		if !m.cfg.NoLowerAnswer {
			m.advertise(now)
		}
	}
}

// await adds a router to those that must let go.
func (m *Machine) await(from netip.Addr) {
	if from.IsValid() && !slices.Contains(m.awaited, from) {
		m.awaited = append(m.awaited, from)
	}
}

// released notes priority 0 of a claim's rival and reports whether it was the
// last one. The owner, which does not listen before it claims, does not know
// whom it replaces and believes anybody. When all start at once, nobody knows
// how many there are, and only ClaimWait tells.
func (m *Machine) released(from netip.Addr) bool {
	i := slices.Index(m.awaited, from)
	if i >= 0 {
		m.awaited = slices.Delete(m.awaited, i, i+1)
	}
	switch m.claimWhy.Cause {
	case CauseSilence:
		return false
	case CauseOwner:
		return len(m.awaited) == 0
	default:
		return i >= 0 && len(m.awaited) == 0
	}
}

// abandon goes on as a backup that has never stopped being one.
func (m *Machine) abandon(now time.Time, interval time.Duration) {
	m.forget()
	m.interval = interval
	m.restart(now)
}

// yielded tells a router that is better than us, by priority 0, that no address
// is on this host: it may wait for that. To others this says nothing: they have
// heard the better router's advert, or will at once, because a master and a
// claiming router answer priority 0 (RFC 9568 section 6.4.3 (g)).
func (m *Machine) yielded() { m.do(SendAdvert{PriorityResign}) }

// recents is how many routers are remembered: more than can take over in the
// same moment, or one of them would not be awaited.
const recents = 8

// recent is when the last two adverts of a router arrived, nobody else's between
// them.
type recent struct {
	source       netip.Addr
	last, before time.Time
}

// resignation is what a priority 0 means; the packet does not say.
type resignation struct {
	// holdsOn: the sender keeps the addresses until it hears its successor. A
	// router that hands over says so by two adverts right before priority 0
	// (startHandover); one that just stops sends priority 0 alone, a good part of
	// an interval after its last advert.
	holdsOn bool
	// yields: another router advertises too, and the sender gives way to it.
	yields bool
}

// observe notes an advert of any router and says what a priority 0 means.
func (m *Machine) observe(now time.Time, ev Received) (r resignation) {
	if ev.Priority == PriorityResign {
		for i, x := range m.recent {
			if x.source == ev.Source {
				r.holdsOn = !x.before.IsZero() && now.Sub(x.before) < ev.Interval/4
				m.recent[i] = recent{}
			} else if !x.last.IsZero() && now.Sub(x.last) < ev.Interval {
				r.yields = true
			}
		}
		return r
	}
	if m.recent[0].source != ev.Source {
		i := slices.IndexFunc(m.recent[:], func(x recent) bool { return x.source == ev.Source })
		if i < 0 {
			i = len(m.recent) - 1
		}
		copy(m.recent[1:i+1], m.recent[:i])
		m.recent[0] = recent{source: ev.Source}
	}
	m.recent[0].before, m.recent[0].last = m.recent[0].last, now
	return r
}
