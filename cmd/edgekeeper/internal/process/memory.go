package process

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// The targets of the garbage collector, in percent of what lives: a start makes
// much that nobody needs a moment later, such as the text of a large
// configuration, and is to be short; what runs for months is to be small.
const (
	startPercent = 400
	runPercent   = 25
)

// worthwhile is how much the heap must have grown before anything of it is given
// back again, in parts of it: to look for that costs a collection.
const worthwhile = 4

// kept are the bytes of the heap that Settled has left; 0: memory is used freely.
var kept atomic.Uint64

// Start has memory be used freely, for a start or the reading of a configuration,
// until Settled is called. Whoever sets GOGC has it as they set it.
func Start() {
	runtime.MemProfileRate = 0 // nobody can ask for the profile
	kept.Store(0)
	setPercent(startPercent)
}

// Settled is called when the work of a start, or of a change, is over: from then on
// memory is used sparingly, and what is not needed any more is given back to the
// kernel, where it is much. It takes as long as a collection.
func Settled() {
	setPercent(runPercent)
	if last := kept.Load(); heap() < last+last/worthwhile {
		return
	}
	plainPages()
	debug.FreeOSMemory()
	leaveProgram()
	kept.Store(heap())
	leaveAfterCollections()
}

func setPercent(n int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(n)
	}
}

// heap is what the heap takes of the kernel's memory.
func heap() (bytes uint64) {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(samples)
	for _, s := range samples {
		bytes += s.Value.Uint64()
	}
	return bytes
}
