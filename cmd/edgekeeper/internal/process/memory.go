package process

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
)

// The targets of the garbage collector, in percent of what lives: a start makes
// much that nobody needs a moment later, such as the text of a large
// configuration, and is to be short; what runs for months is to be small.
const (
	startPercent = 400
	runPercent   = 25
)

// Start has memory be used freely until the returned function is called, once or
// more often, at the end of the start: that gives back to the kernel what is not
// needed any more, and from then on memory is used sparingly. Whoever sets GOGC
// has it as they set it. Reading the configuration again is as a start.
func Start() (started func()) {
	runtime.MemProfileRate = 0 // nobody can ask for the profile
	own := os.Getenv("GOGC") == ""
	if own {
		debug.SetGCPercent(startPercent)
	}
	return sync.OnceFunc(func() {
		if own {
			debug.SetGCPercent(runPercent)
		}
		plainPages()
		debug.FreeOSMemory()
		leaveProgram()
	})
}
