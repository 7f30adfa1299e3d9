package control

import (
	"encoding/json"
)

// Plan is what a start or a reload with a configuration would change.
type Plan struct {
	Config  string `json:"config"`  // path
	Against string `json:"against"` // what it is compared with
	// Refused says why a running director would not take it; empty: it would.
	Refused string       `json:"refused,omitempty"`
	Changes []PlanChange `json:"changes"`
	Notes   []string     `json:"notes,omitempty"` // what a plan cannot know
}

// PlanChange is one change.
type PlanChange struct {
	Kind   string `json:"kind"`   // vrrp, address, sync_group, virtual_server, ipvs, setting
	Verb   string `json:"verb"`   // add, change, remove
	Object string `json:"object"` // the instance, address, virtual server …
	Text   string `json:"text,omitempty"`
}

// Debug is what a director knows of itself beside its Snapshot.
type Debug struct {
	Goroutines string          `json:"goroutines"` // stacks, as package runtime/pprof prints them
	Config     json.RawMessage `json:"config"`     // in force, without secrets
	Table      []string        `json:"table"`      // the kernel's IPVS table, as last read, a line each
}
