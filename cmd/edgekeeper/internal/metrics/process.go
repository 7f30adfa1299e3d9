package metrics

import "github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"

var (
	gcPauses      = histogram("gc_pause_seconds", "Pauses of the whole program for the garbage collector; sum and buckets count each as the upper end of its range.")
	gcPauseMax    = desc("gc_pause_max_seconds", "Longest pause for the garbage collector.")
	gcCycles      = desc("gc_cycles_total", "Garbage collections.")
	memoryLocked  = desc("memory_locked_bytes", "Memory that is kept in RAM.")
	processFavour = desc("process_refused", "Whether the kernel refused what the process block asks for.", "what")
)

func (e emitter) process(p control.Process) {
	e.histogram(gcPauses, p.GCPauses)
	e.gauge(gcPauseMax, p.GCPauses.Max)
	e.counter(gcCycles, p.GCCycles)
	e.gauge(memoryLocked, float64(p.LockedBytes))
	e.flag(processFavour, p.RealtimeError != "", "realtime_priority")
	e.flag(processFavour, p.LockError != "", "lock_memory")
}
