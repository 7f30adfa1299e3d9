package vrrp

import (
	"net/netip"
	"time"
)

// masterReceived is RFC 9568 section 6.4.3, (f) to (o).
func (m *Machine) masterReceived(now time.Time, ev Received) {
	if m.handing {
		if ev.Priority != PriorityResign {
			m.handedOver(now, ev)
		}
		return
	}
	if ev.Priority == PriorityResign {
		m.advertise(now)
		// Whoever gives up held the addresses until now, as a second master does
		// that has heard us after a partition without our hearing it.
		m.announce(now, m.cfg.Announce.LowerRepeat, m.cfg.Announce.LowerDelay)
		return
	}
	why := Reason{Peer: ev.Source, PeerPriority: ev.Priority}
	switch {
	case ev.Priority > m.priority:
		why.Cause = CauseHigherPriority
	case ev.Priority == m.priority && m.source.Less(ev.Source):
		why.Cause = CauseHigherAddress
	case ev.Source == m.source:
		return // our own address: a duplicate, there is no rule that would settle it
	case ev.Priority == PriorityOwner && m.otherOwner(now, ev):
		why.Cause = CauseOtherOwner
	default:
		// A second master that must yield to us. Tell it at once, and put the
		// switches right that it misled.
		if !m.cfg.NoLowerAnswer {
			m.advertise(now)
		}
		m.announce(now, m.cfg.Announce.LowerRepeat, m.cfg.Announce.LowerDelay)
		return
	}
	m.accept(now, ev, why)
}

// accept becomes backup of the router that sent ev, and tells it so when the
// addresses are off.
func (m *Machine) accept(now time.Time, ev Received, why Reason) {
	m.master, m.masterPriority = ev.Source, ev.Priority
	interval := m.cfg.Interval
	if m.cfg.Version == V3 {
		interval = ev.Interval
	}
	m.enterBackup(now, interval, why)
	m.yielded()
}

// masterTimeout does what is due: the advert first.
func (m *Machine) masterTimeout(now time.Time) {
	if m.handing && due(now, m.advertAt.Add(m.cfg.Interval/4)) {
		// We asked others to take over and were not there to hear them. Whoever
		// did has had its time since then.
		until := m.advertAt.Add(m.hold)
		m.enterBackup(now, m.cfg.Interval, Reason{Cause: CauseLate, After: now.Sub(m.sent)})
		m.yieldUntil = until
		return
	}
	if due(now, m.advertAt) {
		m.handing = false // nobody took over: go on as master
		m.advertise(now)
	}
	if due(now, m.secondAt) {
		m.announce(now, m.seconds, 0)
	}
	if due(now, m.refreshAt) {
		m.do(Announce{m.cfg.Announce.RefreshRepeat})
		m.refreshAt = now.Add(m.cfg.Announce.Refresh)
	}
}

// stepDown resigns and becomes backup of nobody.
func (m *Machine) stepDown(now time.Time, why string) {
	m.do(SendAdvert{PriorityResign})
	m.master, m.masterPriority = netip.Addr{}, 0
	m.enterBackup(now, m.cfg.Interval, Reason{Cause: CauseSteppedDown, Why: why})
}

// HandoverHold is the time a router that handed over accepts any master when
// Handover.Hold does not say: five times the master-down time of the lowest
// priority, so that the next master has settled and its state can be read,
// before a router with a higher priority takes the role back.
func (c Config) HandoverHold() time.Duration {
	return 5 * c.Version.MasterDown(c.Interval, c.DownMultiplier, PriorityMin)
}

// handoverWait is how long a backup may take to answer priority 0: the longest
// skew and half an interval for the way, but less than ReplacedAfter.
func (c Config) handoverWait() time.Duration {
	return min(c.Version.Skew(c.Interval, PriorityMin)+c.Interval/2, c.longestHandover())
}

// longestHandover stays below ReplacedAfter.
func (c Config) longestHandover() time.Duration { return time.Duration(c.DownMultiplier) * c.Interval }

// startHandover resigns but keeps the addresses until the next master is heard.
// Two adverts right before priority 0 tell our backups so (observe).
func (m *Machine) startHandover(now time.Time, hold time.Duration) {
	if hold <= 0 {
		hold = m.cfg.HandoverHold()
	}
	m.handing, m.hold = true, hold
	m.do(SendAdvert{m.priority})
	m.do(SendAdvert{m.priority})
	m.do(SendAdvert{PriorityResign})
	m.sent = now
	m.advertAt = now.Add(m.cfg.handoverWait())
}

// handedOver becomes backup of the next master, whatever its priority is.
func (m *Machine) handedOver(now time.Time, ev Received) {
	until := now.Add(m.hold)
	m.accept(now, ev, Reason{Cause: CauseHandedOver, Peer: ev.Source, PeerPriority: ev.Priority})
	m.yieldUntil = until
}
