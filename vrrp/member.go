package vrrp

import (
	"net/netip"
	"time"
)

// What a Machine does differently as member of a sync group: where it would take
// over it only wants to, where its claim has succeeded it waits, and it moves
// when its Group says so.

// want waits for the other members. A member that is kept waiting looks again
// after an interval and the smallest skew, as keepalived's does
// (VRRP_TIMER_SKEW_MIN in vrrp_init_state); until then, what it hears may change
// its mind.
func (m *Machine) want(now time.Time, why Reason) {
	if m.state != Backup { // the owner, from Init or Fault
		m.forget()
		m.heard = now
		m.enter(Backup, why)
	}
	m.wants, m.graced = true, false
	m.down = now.Add(m.interval + m.cfg.Version.Skew(m.interval, PriorityMax))
}

// ready reports whether the member would be master now, were it alone. One that
// should have looked again an interval ago may have adverts unread: not yet.
func (m *Machine) ready(now time.Time) bool {
	return m.state == Master || m.state == Backup && m.wants && now.Sub(m.down) < m.interval
}

// whyLead says why a member takes over that has waited. A master of lower
// priority that was heard then may be gone now.
func (m *Machine) whyLead(now time.Time) Reason {
	why := m.whyTakeOver(now)
	if why.Cause == CauseLowerMaster && now.Sub(m.lowerAt) >= m.cfg.Version.MasterDown(m.interval, m.cfg.DownMultiplier, m.priority) {
		why.Cause, why.After = CauseSilence, now.Sub(m.lowerAt)
	}
	return why
}

// pursue begins the claim of a member. One that nobody contests has won at once,
// and sends adverts until the others have.
func (m *Machine) pursue(now time.Time, why Reason) {
	alone := !m.contested(why)
	m.forget()
	m.claimUntil, m.claimWhy = now.Add(m.cfg.ClaimWait()), why
	if !alone {
		m.await(why.Peer)
		m.awaitRecent(now)
	}
	m.advertise(now)
	if alone {
		m.win(now)
	}
}

// doubt takes back, once, that a claim has succeeded: somebody who has not heard
// us may hold the addresses.
func (m *Machine) doubt(now time.Time) {
	if m.won && !m.graced {
		m.won, m.graced = false, true
		m.claimUntil = now.Add(m.cfg.ClaimWait())
	}
}

// safe reports whether the claim has succeeded, or was not needed, and nothing
// may lie unread that says otherwise.
func (m *Machine) safe(now time.Time) bool {
	return m.state == Master || m.won && now.Sub(m.claimUntil) < m.cfg.ClaimWait()
}

// leads reports whether the member is master or about to be.
func (m *Machine) leads() bool { return m.state == Master || m.Claiming() }

// demote follows another member that became backup: addresses off, then priority
// 0, which tells a router that claims that they are, and lets a backup take over
// after its skew. A handover that goes on is over for this member too.
func (m *Machine) demote(now time.Time, why Reason) {
	m.checkLate(now)
	switch {
	case m.Claiming():
		m.abandon(now, m.cfg.Interval)
		m.master, m.masterPriority = netip.Addr{}, 0
	case m.state == Master:
		var until time.Time
		if m.handing {
			until = now.Add(m.hold)
		}
		m.enterBackup(now, m.cfg.Interval, why)
		m.yieldUntil = until
	default:
		return
	}
	m.yielded()
}
