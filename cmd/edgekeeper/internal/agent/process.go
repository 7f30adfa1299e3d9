package agent

import (
	"fmt"
	"math"
	"sync"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/process"
)

// favours are what the kernel was asked to do for this process.
type favours struct {
	asked config.Process // owned by the loop: what is in force

	mu       sync.Mutex
	realtime string // why the last thread has no realtime priority
	memory   string // why the memory is not locked
}

// favour asks the kernel for what the configuration says; in the loop. What is
// refused is said and done without.
func (a *agent) favour(want config.Process) {
	was := a.favours.asked
	a.favours.asked = want
	if want.LockMemory != was.LockMemory {
		a.favourDone(&a.favours.memory, a.opts.Platform.LockMemory(want.LockMemory))
	}
	if want.RealtimePriority == 0 && was.RealtimePriority == 0 {
		return
	}
	for _, x := range a.routers.list() { // also those that have just started
		x.runner.OnThread(
			func() error { return a.opts.Platform.Realtime(want.RealtimePriority) },
			func(err error) { a.favourDone(&a.favours.realtime, err) })
	}
}

// favourDone notes what came of it; what is refused for several threads is one
// event.
func (a *agent) favourDone(why *string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	a.favours.mu.Lock()
	news := text != *why
	*why = text
	a.favours.mu.Unlock()
	if news && text != "" {
		a.event("agent", "process", "warning, going on without: "+text)
	}
}

// processStatus renders the process for status.
func (a *agent) processStatus() control.Process {
	s := process.Read()
	out := control.Process{
		RealtimePriority: a.favours.asked.RealtimePriority, LockMemory: a.favours.asked.LockMemory, LockedBytes: s.Locked,
		GCPauses: control.Histogram{Max: s.Max, Sum: s.Sum, Count: s.Count, Bounds: process.Bounds[:], Buckets: s.Buckets[:]},
		GCCycles: s.Cycles, GOGC: fmt.Sprint(s.GOGC), MemoryLimit: s.Limit,
	}
	if s.GOGC == math.MaxUint64 {
		out.GOGC = "off"
	}
	if s.Limit == math.MaxInt64 {
		out.MemoryLimit = 0
	}
	a.favours.mu.Lock()
	out.RealtimeError, out.LockError = a.favours.realtime, a.favours.memory
	a.favours.mu.Unlock()
	return out
}
