package control

import "time"

// SyncGroup is a set of VRRP instances that move together.
type SyncGroup struct {
	Name      string    `json:"name"`
	Instances []string  `json:"instances"`
	State     string    `json:"state"` // MASTER, BACKUP, FAULT, INIT
	Reason    string    `json:"reason"`
	Since     time.Time `json:"since"`
	Notes     []string  `json:"notes,omitempty"` // what the members' settings make of it
}
