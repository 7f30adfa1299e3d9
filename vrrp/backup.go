package vrrp

import "time"

// backupReceived is RFC 9568 section 6.4.2, (g) to (l).
func (m *Machine) backupReceived(now time.Time, ev Received, zero resignation) {
	if m.otherOwnerGone(ev.Source, ev.Priority) {
		m.restoreOwner()
	}
	if ev.Priority == PriorityResign {
		m.masterResigned(now, ev, zero)
		return
	}
	lower := ev.Priority < m.priority
	switch {
	case !lower:
		m.preemptAt = time.Time{}
	case now.Before(m.yieldUntil), m.cfg.NoPreempt && m.priority != PriorityOwner:
	case m.cfg.PreemptDelay > 0:
		if m.preemptAt.IsZero() {
			m.preemptAt = now.Add(m.cfg.PreemptDelay)
		}
		if due(now, m.preemptAt) {
			m.heardLower(now, ev)
			return
		}
	default:
		m.heardLower(now, ev)
		return
	}
	m.follow(now, ev)
}

// follow accepts the advert that arrived at then.
func (m *Machine) follow(then time.Time, ev Received) {
	m.master, m.masterPriority = ev.Source, ev.Priority
	m.lower = Received{}
	if m.cfg.Version == V3 {
		m.interval = ev.Interval // RFC 9568 section 6.4.2 (j): the master's interval counts
	}
	m.restart(then)
}

// heardLower notes a master that is not accepted. The timer goes on: when it
// ends we take over, now from that one and not from one that has resigned.
func (m *Machine) heardLower(now time.Time, ev Received) {
	m.lower, m.lowerAt = ev, now
	m.resigned, m.graceful = false, false
}

// masterResigned shortens the timer to the skew when it is the master that
// resigns. Priority 0 from anybody else says nothing about our master: it is
// late, or comes from a second master that gives up. Nor does that of a master
// which yields to another (accept): the other's adverts count now.
func (m *Machine) masterResigned(now time.Time, ev Received, zero resignation) {
	known := m.master.IsValid() || m.lower.Source.IsValid()
	if zero.yields || known && ev.Source != m.master && ev.Source != m.lower.Source {
		return
	}
	if m.resigned && ev.Source == m.master {
		return // the same, twice
	}
	m.master, m.masterPriority = ev.Source, ev.Priority
	m.resigned, m.graceful = true, zero.holdsOn
	m.graced = false
	m.down = now.Add(m.cfg.Version.Skew(m.interval, m.priority))
}

// backupTimeout takes over when the master-down timer has run out.
//
// When it ran out a while ago, we were late, and adverts may lie unread in the
// socket: we listen before we take over, for 1/64 of an interval when we were as
// late as that (a process that was stopped and goes on at this moment needs no
// more to read them), for a quarter when we were later than that. When it was
// longer than an interval ago, they may have been lost too, and a master may be
// about to send: we listen for one more interval.
func (m *Machine) backupTimeout(now time.Time) {
	if !due(now, m.down) {
		return
	}
	if late := now.Sub(m.down); late >= m.interval/64 && !m.graced {
		m.graced, m.wants = true, false
		listen := m.interval / 64
		switch {
		case late >= m.interval:
			listen = m.interval
		case late >= m.interval/4:
			listen = m.interval / 4
		}
		m.down = now.Add(listen)
		return
	}
	m.claim(now, m.whyTakeOver(now))
}

// whyTakeOver says why a backup whose timer has run out takes over.
func (m *Machine) whyTakeOver(now time.Time) Reason {
	switch {
	case m.priority == PriorityOwner && m.member: // it waited for its group
		return Reason{Cause: CauseOwner}
	case m.resigned:
		return Reason{Cause: CauseResigned, Peer: m.master}
	case m.lower.Source.IsValid():
		return Reason{Cause: CauseLowerMaster, Peer: m.lower.Source, PeerPriority: m.lower.Priority}
	}
	return Reason{Cause: CauseSilence, Peer: m.master, PeerPriority: m.masterPriority, After: now.Sub(m.heard)}
}

// setPriority moves a running master-down timer by the difference of the
// skews, as keepalived does; a master tells its new priority with its next
// advert. A backup that was about to take over from a lower master, and now is
// not better than that one any more, accepts the advert that it last refused.
func (m *Machine) setPriority(priority uint8) {
	if m.cfg.Priority == PriorityOwner {
		return
	}
	priority = Clamp(int(priority))
	if m.state == Backup && !m.Claiming() && !m.wants {
		v := m.cfg.Version
		m.down = m.down.Add(v.Skew(m.interval, priority) - v.Skew(m.interval, m.priority))
	}
	m.priority = priority
	if m.state == Backup && !m.Claiming() && m.lower.Source.IsValid() && m.lower.Priority >= priority {
		m.follow(m.lowerAt, m.lower)
	}
}
