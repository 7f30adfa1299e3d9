package vrrp

import (
	"reflect"
	"slices"
	"time"
)

// Reconfigure gives a machine another configuration without an election. The
// effective priority stays: whoever changes Config.Priority sends SetPriority
// too. A master tells by an advert at once, so that the leases of the new form
// begin with it, and announces its addresses where they are others; what must be
// installed and taken off is for the caller to see. A backup whose timer is
// computed otherwise begins to wait anew. In a claim or a handover that goes on,
// the new configuration counts for what comes after it.
//
// Config must be valid, and pass Reconfigurable; otherwise nothing happens.
type Reconfigure struct{ Config Config }

func (Reconfigure) event() {}

// Reconfigurable reports whether a running router can become one of the other
// configuration. Not what makes it another virtual router to its peers, or needs
// another socket: identifier, version, family, ownership, authentication type,
// unicast or not.
func (c Config) Reconfigurable(next Config) bool {
	if next.Validate() != nil || c.IPv4() != next.IPv4() || (c.Priority == PriorityOwner) != (next.Priority == PriorityOwner) || c.Unicast() != next.Unicast() {
		return false
	}
	c.Interval, c.DownMultiplier, c.Priority = next.Interval, next.DownMultiplier, next.Priority
	c.NoPreempt, c.PreemptDelay, c.NoLowerAnswer = next.NoPreempt, next.PreemptDelay, next.NoLowerAnswer
	c.Addresses, c.Excluded, c.Routes, c.Rules = next.Addresses, next.Excluded, next.Routes, next.Rules
	c.Peers, c.PeerTTL, c.AnyPeerTTL = next.Peers, next.PeerTTL, next.AnyPeerTTL
	c.Auth.Secret, c.HMAC, c.Checksum = next.Auth.Secret, next.HMAC, next.Checksum
	c.Announce, c.Lease = next.Announce, next.Lease
	return reflect.DeepEqual(c, next)
}

// reconfigure is Reconfigure.
func (m *Machine) reconfigure(now time.Time, next Config) {
	next = next.WithDefaults()
	if !m.cfg.Reconfigurable(next) {
		return
	}
	old := m.cfg
	m.cfg = next
	if old.PreemptDelay != next.PreemptDelay {
		m.preemptAt = time.Time{}
	}
	if old.Announce.Refresh != next.Announce.Refresh {
		m.refreshAt = time.Time{}
	}
	switch {
	case m.state == Master && !m.handing:
		m.advertise(now)
		// The next in time for those who have not heard of a longer interval.
		m.advertAt = now.Add(min(old.Interval, next.Interval))
		if next.Announce.Refresh > 0 && m.refreshAt.IsZero() {
			m.refreshAt = now.Add(next.Announce.Refresh)
		}
		if !slices.Equal(old.Addresses, next.Addresses) || !slices.Equal(old.Excluded, next.Excluded) {
			m.announce(now, next.Announce.Repeat, next.Announce.Delay)
		}
	case m.state == Backup && !m.Claiming():
		m.rewait(now, old)
	}
}

// rewait is what a new configuration does to the wait of a backup.
func (m *Machine) rewait(now time.Time, old Config) {
	next := &m.cfg
	if lower := m.lower; lower.Source.IsValid() &&
		(next.NoPreempt && m.priority != PriorityOwner || next.PreemptDelay > old.PreemptDelay) {
		m.follow(m.lowerAt, lower) // it is to be left in its role after all
	}
	if next.Version == V2 || !m.master.IsValid() {
		m.interval = next.Interval // version 3 goes by the master's
	}
	if !m.resigned && !m.wants && (old.Interval != next.Interval || old.DownMultiplier != next.DownMultiplier) {
		m.restart(now)
	}
}
