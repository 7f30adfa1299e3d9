package vrrp

// TrackState is what a tracker says of the thing that it watches.
type TrackState uint8

// The states of a tracker.
const (
	// TrackUnknown: nothing is known and nothing follows from it. A tracker that
	// a running router begins to use is here until its first verdict.
	TrackUnknown TrackState = iota
	// TrackPending: nothing is known yet, and a router that would be at fault
	// waits for the first verdict before it takes part. keepalived does this with
	// scripts at its start (SCRIPT_INIT_STATE_INIT).
	TrackPending
	TrackUp
	TrackDown
)

// String is the word used in status, events and metrics.
func (s TrackState) String() string {
	switch s {
	case TrackUnknown:
		return "unknown"
	case TrackPending:
		return "pending"
	case TrackUp:
		return "up"
	case TrackDown:
		return "down"
	}
	return "invalid"
}

// TrackResult is the present verdict of a tracker.
type TrackResult struct {
	State TrackState
	// Numeric: the tracker gives a number, Value, and its State is TrackUp as
	// soon as the number is known (keepalived's track_file).
	Numeric bool
	Value   int
}

// TrackWeightMax bounds the weight of a tracker, in both directions; it is
// keepalived's bound too.
const TrackWeightMax = 253

// TrackUse is how one virtual router uses a tracker.
type TrackUse struct {
	// Weight, -TrackWeightMax to TrackWeightMax, is added to the priority: a
	// positive one while the tracker is up, a negative one while it is down. A
	// number is multiplied by it. Zero: a tracker that is down, or whose number is
	// not zero, is a fault.
	Weight int
	// Reverse turns the sign of the shift around; with weight zero it makes the
	// tracker a fault while it is up, or while its number is zero.
	Reverse bool
}

// TrackEffect is what one tracker does to one virtual router.
type TrackEffect struct {
	Shift int  // of the priority
	Fault bool // the router takes no part
}

// Effect gives what a result does to the router. The rules are keepalived's
// (vrrp_track.c): a number whose product with the weight is below
// -TrackWeightMax is a fault, a product above TrackWeightMax counts as that.
func (u TrackUse) Effect(r TrackResult) TrackEffect {
	switch r.State {
	case TrackUnknown:
		return TrackEffect{}
	case TrackPending:
		return TrackEffect{Fault: u.Weight == 0}
	case TrackUp, TrackDown:
	}
	weight := u.Weight
	if u.Reverse {
		weight = -weight
	}
	up := r.State == TrackUp
	switch {
	case u.Weight == 0 && r.Numeric:
		return TrackEffect{Fault: (r.Value != 0) != u.Reverse}
	case u.Weight == 0:
		return TrackEffect{Fault: up == u.Reverse}
	case r.Numeric:
		// Beyond this no product is in range, and none overflows within.
		shift := weight * min(max(r.Value, -TrackWeightMax-1), TrackWeightMax+1)
		if shift < -TrackWeightMax {
			return TrackEffect{Fault: true}
		}
		return TrackEffect{Shift: min(shift, TrackWeightMax)}
	case up == (u.Weight > 0):
		return TrackEffect{Shift: weight}
	}
	return TrackEffect{}
}

// EffectivePriority is the base priority with all shifts, clamped once after the
// last. The owner of the addresses is not shifted.
func EffectivePriority(base uint8, shifts ...int) uint8 {
	if base == PriorityOwner {
		return base
	}
	sum := int(base)
	for _, s := range shifts {
		sum += s
	}
	return Clamp(sum)
}

// RiseFall counts results in a row: Rise successes make up of down, Fall
// failures make down of up. The first result of a counter that is neither
// decides at once.
type RiseFall struct {
	Rise, Fall int // at least 1
	State      TrackState
	row        int // results against State
}

// Count takes one result and returns the state it leads to.
func (c *RiseFall) Count(ok bool) TrackState {
	next, need := TrackDown, c.Fall
	if ok {
		next, need = TrackUp, c.Rise
	}
	switch {
	case c.State == next:
		c.row = 0
	case c.State != TrackUp && c.State != TrackDown:
		c.State, c.row = next, 0
	default:
		if c.row++; c.row >= need {
			c.State, c.row = next, 0
		}
	}
	return c.State
}
