package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// sequence is the number in a trailer: seconds since 1970 in the upper 32 bits,
// 1/65536 of a second in the next 16, a counter in the last 16. It wraps round,
// so order is that of RFC 1982.
type sequence uint64

// sequenceAt is the sequence of a time, with counter 0.
func sequenceAt(now time.Time) sequence {
	fraction := uint64(now.Nanosecond()) << 16 / uint64(time.Second)
	return sequence(uint64(uint32(now.Unix()))<<32 | fraction<<16)
}

// after is RFC 1982 section 3.2.
func (s sequence) after(o sequence) bool { return int64(s-o) > 0 }

// behind is by how much the clock of s is behind that of now, in whole seconds
// as keepalived counts them; negative when it is ahead.
func (s sequence) behind(now time.Time) time.Duration {
	return time.Duration(int32(uint32(now.Unix())-uint32(s>>32))) * time.Second
}

// within reports whether two clocks that differ by d are near enough.
func within(d, window time.Duration) bool { return d <= window && d >= -window }

// next is what a sender that sent s sends at now: the clock, or one more than s
// where the clock has not moved on; 0 is before the first. Nothing has to outlive a restart as long as
// the clock goes on meanwhile. A clock that was put back leaves s so far ahead
// that time-checking receivers refuse it; we then begin again at the clock. In
// the monotonic way growth is all that receivers know, so it goes on.
func (s sequence) next(now time.Time, h *HMAC) sequence {
	clock := sequenceAt(now)
	if s == 0 || clock.after(s) || h.AntiReplay == ReplayTime && -s.behind(now) > h.Window {
		return clock
	}
	return s + 1
}

// mark is the last sequence accepted of one sender.
type mark struct {
	source netip.Addr
	last   sequence
	used   uint64 // rank of last use
}

// multicastSenders is how many senders are remembered where there is no list of
// peers. More than two at once is a dispute about mastership.
const multicastSenders = 4

// marks are the last sequences of the senders: of each unicast peer, or of the
// four multicast senders last heard.
type marks struct {
	list  []mark
	clock uint64
}

// accept reports whether s is newer than what was accepted of source, and then
// notes it. It is called for adverts whose digest is right only, so that forged
// ones neither move a mark nor push one out.
//
// With ReplayTime a mark out of the window orders nothing that the window would
// let through; it is forgotten, which is how a sender whose clock was put right
// is heard again.
func (m *marks) accept(now time.Time, source netip.Addr, s sequence, h *HMAC, unicast bool) bool {
	m.clock++
	i := slices.IndexFunc(m.list, func(k mark) bool { return k.source == source })
	if i < 0 {
		i = m.place(unicast)
		m.list[i] = mark{source: source, last: s, used: m.clock}
		return true
	}
	k := &m.list[i]
	k.used = m.clock
	expired := h.AntiReplay == ReplayTime && !within(k.last.behind(now), h.Window)
	if !expired && !s.after(k.last) {
		return false
	}
	k.last = s
	return true
}

// place finds room for one more sender.
func (m *marks) place(unicast bool) int {
	if unicast || len(m.list) < multicastSenders {
		m.list = append(m.list, mark{})
		return len(m.list) - 1
	}
	oldest := 0
	for i := range m.list {
		if m.list[i].used < m.list[oldest].used {
			oldest = i
		}
	}
	return oldest
}

// keep forgets whoever is not a peer any more.
func (m *marks) keep(peers []netip.Addr) {
	m.list = slices.DeleteFunc(m.list, func(k mark) bool { return !slices.Contains(peers, k.source) })
}
