package metrics

import "github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"

var (
	vrrpBase       = desc("vrrp_base_priority", "Priority before the shifts of the trackers: that of the configuration or of the KV.", "instance")
	trackerState   = desc("tracker_state", "1 for the state the tracker is in: up, down, or not known yet.", "tracker", "state")
	trackerValue   = desc("tracker_value", "Number in the tracked file.", "tracker")
	trackerChanges = desc("tracker_changes_total", "Changes of the tracker's verdict.", "tracker")
	trackShift     = desc("vrrp_tracker_shift", "What the tracker adds to the priority.", "instance", "tracker")
	trackFault     = desc("vrrp_tracker_fault", "Whether the tracker keeps the instance in state FAULT.", "instance", "tracker")
)

func (e emitter) tracker(t control.Tracker) {
	for _, state := range []string{"up", "down", "pending", "unknown"} {
		e.flag(trackerState, t.State == state, t.Name, state)
	}
	if t.Value != nil {
		e.gauge(trackerValue, float64(*t.Value), t.Name)
	}
	e.counter(trackerChanges, t.Changes, t.Name)
}

func (e emitter) tracks(r control.Router) {
	e.gauge(vrrpBase, float64(r.BasePriority), r.Name)
	for _, u := range r.Tracks {
		e.gauge(trackShift, float64(u.Shift), r.Name, u.Tracker)
		e.flag(trackFault, u.Fault, r.Name, u.Tracker)
	}
}
