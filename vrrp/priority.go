package vrrp

import "time"

// Priorities with a meaning of their own (RFC 9568 section 5.2.4).
const (
	PriorityResign  uint8 = 0   // in an advert: the master gives up
	PriorityMin     uint8 = 1   // lowest a router can have
	PriorityDefault uint8 = 100 //
	PriorityMax     uint8 = 254 // highest of a router that does not own the addresses
	PriorityOwner   uint8 = 255 // owns the addresses
)

// Clamp keeps an effective priority in 1..254: trackers and overrides can
// neither make an owner nor resign.
func Clamp(priority int) uint8 {
	return uint8(min(max(priority, int(PriorityMin)), int(PriorityMax)))
}

// Skew is the time by which a router of lower priority waits longer, so that
// the best backup wins: (256-priority)/256 of a second in version 2, of the
// master's advertisement interval in version 3 (RFC 3768 section 6.1, RFC 9568
// section 6.1).
func (v Version) Skew(interval time.Duration, priority uint8) time.Duration {
	unit := interval
	if v == V2 {
		unit = time.Second
	}
	return unit * time.Duration(256-int(priority)) / 256
}

// MasterDown is the time without adverts after which a backup of this priority
// takes over: multiplier times the interval, plus the skew.
func (v Version) MasterDown(interval time.Duration, multiplier int, priority uint8) time.Duration {
	return time.Duration(multiplier)*interval + v.Skew(interval, priority)
}
