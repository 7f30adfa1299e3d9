package vrrp

import (
	"net/netip"
	"time"
)

// Two routers that both say they own the addresses (priority 255) are a mistake
// in the configuration that no RFC settles. As in keepalived, the one with the
// lower address yields. One that does not know this rule goes on; the one with
// the higher address then gives way, so that there are not two masters: for two
// of its intervals it lets the other hear its adverts, then it listens for 1.2 of
// the longer of both intervals, and when the other is still heard, it takes
// priority 254 until that one is gone.
//
// keepalived counts two of its adverts; here answers to the other's adverts shift
// the beat, so the time that two take is counted.
type rogue struct{ from, until time.Time } // an advert in between is one too many

// rogueAdverts is how many adverts of ours another owner may take to yield.
const rogueAdverts = 2

// otherOwner notes an advert of an owner that should yield to us, and reports
// whether it has had its time.
func (m *Machine) otherOwner(now time.Time, ev Received) bool {
	switch r := &m.rogue; {
	case now.Before(r.from):
	case now.Before(r.until):
		m.priority = PriorityMax
		return true
	default:
		r.from = now.Add(rogueAdverts * m.cfg.Interval)
		r.until = r.from.Add(max(m.cfg.Interval, ev.Interval) * 12 / 10)
	}
	return false
}

// restoreOwner ends what otherOwner began, when the other is gone.
func (m *Machine) restoreOwner() {
	if m.cfg.Priority == PriorityOwner {
		m.priority = PriorityOwner
	}
}

// otherOwnerGone reports whether an advert shows that: it is from another
// master, or the owner's priority is another.
func (m *Machine) otherOwnerGone(from netip.Addr, priority uint8) bool {
	return from != m.master || priority != PriorityOwner
}
