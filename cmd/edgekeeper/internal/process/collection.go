package process

import (
	"runtime"
	"sync"
	"time"
)

// leavePause is the shortest time from one leaving of the program to the next.
const leavePause = 10 * time.Second

// leaving has the program's pages left after collections of garbage. A collection
// looks up every function that is on a stack, in tables of all functions, and has
// then touched most of their pages; and there may have been rare work since the one
// before, such as an answer on the control socket.
type leaving struct {
	mu   sync.Mutex
	last time.Time
}

// due reports whether the pages are to be left at that time, and takes it that they
// are.
func (l *leaving) due(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.last) < leavePause {
		return false
	}
	l.last = now
	return true
}

// leaveAfterCollections begins with it, once and for as long as the process runs.
var leaveAfterCollections = sync.OnceFunc(func() {
	var l leaving
	afterCollections(func() {
		if settled := kept.Load() > 0; settled && l.due(time.Now()) {
			leaveProgram()
		}
	})
})

// afterCollections has do called soon after each collection that ends from now on.
// It must not block.
func afterCollections(do func()) {
	// Nobody has this object, so the next collection finds that out, and tells.
	runtime.AddCleanup(&struct{ do func() }{do}, func(do func()) {
		do()
		afterCollections(do)
	}, do)
}
