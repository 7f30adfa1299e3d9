package reconcile

import (
	"fmt"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// Result is how an op ended.
type Result uint8

// The results.
const (
	// Done: the kernel did it.
	Done Result = iota
	// Gone: the object to remove was not there any more, which is as good.
	Gone
	// Conflict: the table was not as it was read. Somebody else changed it, it
	// is read again, and the op that fits is tried next.
	Conflict
	// Failed: the kernel refused; it is tried again after a pause.
	Failed
)

var results = [...]string{Done: "done", Gone: "gone", Conflict: "conflict", Failed: "failed"}

// Results returns every result, in order.
func Results() []Result { return []Result{Done, Gone, Conflict, Failed} }

// String gives the name, for logs and metric labels.
func (r Result) String() string {
	if int(r) < len(results) {
		return results[r]
	}
	return fmt.Sprintf("%d", uint8(r))
}

// MarshalText gives the name.
func (r Result) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Status is what the Reconciler knows.
type Status struct {
	Generation uint64 // of the newest Set; 0 before the first
	Applied    uint64 // newest generation of which the kernel acknowledged every op
	Verified   uint64 // newest generation that was read back from the kernel and found complete

	// Adopted says what the first pass with a desired table found; nil before.
	Adopted *Adopted
	// Owned are the virtual servers that are ours, in order: created or adopted
	// by this process, or named by Desired.Owned, and still in the kernel or
	// wanted. Recorded and given back as Desired.Owned, it carries ownership over
	// a restart.
	Owned []lvs.Key

	Counts    map[Count]uint64 // ops tried since start
	Drift     uint64           // ops, and writes of the rules for marks, that undid what somebody else did
	LastDrift time.Time        // zero: never
	HeldBack  int              // ops that wait because a pool's additions fail
	Errors    []ObjectError    // objects whose last op failed, in order
	Draining  []Draining       // in order
	MarksErr  error            // why the rules for firewall marks are not as wanted; nil: they are

	// Observed is the table as last read, with the ops acknowledged since.
	Observed  lvs.Observed
	ReadAt    time.Time     // when it was last read; zero: never
	ReadErr   error         // of the last reading; nil: it went well
	ReadTook  time.Duration // the last good reading
	ApplyTook time.Duration // the last pass that had ops: from the first request to the last answer
	ApplyAt   time.Time     // when that ended
	Passes    uint64
	NextAt    time.Time // when the next pass is due, unless something wakes it earlier
}

// Count names one counter of ops.
type Count struct {
	Verb   lvs.Verb
	Result Result
}

// Adopted is what the first pass found in the kernel of what is wanted.
type Adopted struct {
	Services int // virtual servers in scope that were there already
	Dests    int // their real servers
	Ops      int // ops that were needed all the same
}

// ObjectError is the last error of one virtual server or real server.
type ObjectError struct {
	ID       lvs.DestID // zero Addr: the virtual server itself
	Op       lvs.Op
	Err      error
	Attempts int
	Next     time.Time // when it is tried again, unless its op changes before
}

// Draining is one departing real server.
type Draining struct {
	ID       lvs.DestID
	Since    time.Time
	Deadline time.Time
	Active   uint32 // connections when the table was last read
	Known    bool   // whether Active has been read since the weight became 0
}
