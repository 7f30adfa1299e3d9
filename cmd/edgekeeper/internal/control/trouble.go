package control

import "time"

// Trouble is one episode of something wrong between a VRRP instance and the
// other routers, or this host.
type Trouble struct {
	Kind    string     `json:"kind"`              // second-master, address-conflict, auth, …
	Peer    string     `json:"peer,omitempty"`    // the other router
	Address string     `json:"address,omitempty"` // the virtual address it is about
	MAC     string     `json:"mac,omitempty"`     // address-conflict: who has it
	Detail  string     `json:"detail"`            // what was seen, with both values
	Cause   string     `json:"likely_cause"`
	Count   uint64     `json:"count"`
	First   time.Time  `json:"first"`
	Last    time.Time  `json:"last"`
	Cleared *time.Time `json:"cleared,omitempty"` // nil: it lasts
	Healed  string     `json:"healed,omitempty"`  // how it ended
}

// Transition counts changes to a state for a cause.
type Transition struct {
	State string `json:"state"`
	Cause string `json:"cause"`
	Count uint64 `json:"count"`
}

// Histogram counts durations.
type Histogram struct {
	Max     float64   `json:"max_seconds"`
	Sum     float64   `json:"sum_seconds"`
	Count   uint64    `json:"count"`
	Bounds  []float64 `json:"bounds_seconds,omitempty"` // upper bounds of the buckets but the last
	Buckets []uint64  `json:"buckets,omitempty"`        // not cumulative, one more than bounds
}
