package control

// Process is how the kernel and the Go runtime treat the director.
type Process struct {
	RealtimePriority int       `json:"realtime_priority"` // as configured; 0: none
	RealtimeError    string    `json:"realtime_error,omitempty"`
	LockMemory       bool      `json:"lock_memory"` // as configured
	LockError        string    `json:"lock_error,omitempty"`
	LockedBytes      uint64    `json:"locked_bytes"`
	GCPauses         Histogram `json:"gc_pauses"` // of the whole program
	GCCycles         uint64    `json:"gc_cycles"`
	GOGC             string    `json:"gogc"`                   // percent, or off
	MemoryLimit      uint64    `json:"memory_limit,omitempty"` // GOMEMLIMIT in bytes; 0: none
}
