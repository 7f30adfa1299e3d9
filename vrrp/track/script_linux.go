package track

import (
	"context"
	"log/slog"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// Script runs a program at intervals; exit code 0 is a success. A run that is due
// while the one before still runs is left out.
type Script struct {
	// Command is the program and its arguments, without a shell. Required.
	Command []string
	// Interval is the time between starts. Required.
	Interval time.Duration
	// Timeout is how long a run may take before it counts as failed and is ended:
	// TERM to its process group, and KILL two seconds later. Required.
	Timeout time.Duration
	// Rise and Fall are results in a row that change the verdict. The first
	// result decides at once. Both at least 1.
	Rise, Fall int
	// InitFail begins with the verdict down, so that Rise successes are needed.
	InitFail bool
	// User is who runs it, "name" or "name:group". Empty: whoever we are.
	User string
	// Log gets a Debug line per run. Nil discards.
	Log *slog.Logger

	run runFunc // a test's; nil: a process
}

// outcome is the result of one run.
type outcome struct {
	ok     bool
	reason string
	output string // of a failure
}

// runFunc starts a run. report is called once, when the result is known; the
// channel is closed when nothing of the run is left.
type runFunc func(ctx context.Context, report func(outcome)) <-chan struct{}

// Run implements Source. When ctx ends, a running script is ended, which takes
// half a second where it does not listen to TERM.
func (s Script) Run(ctx context.Context, emit func(Verdict)) error {
	start := s.run
	if start == nil {
		start = s.process
	}
	out := teller{emit: emit}
	count := vrrp.RiseFall{Rise: max(s.Rise, 1), Fall: max(s.Fall, 1)}
	if s.InitFail {
		count.State = vrrp.TrackDown
		out.tell(verdict(false, "has not succeeded yet"))
	}
	var (
		results = make(chan outcome, 1)
		running <-chan struct{}
		failed  string // output of the last failure
	)
	tick := time.NewTicker(s.Interval)
	defer tick.Stop()
	begin := func() {
		running = start(ctx, func(o outcome) {
			select {
			case results <- o:
			case <-ctx.Done():
			}
		})
	}
	begin()
	for {
		select {
		case <-ctx.Done():
			if running != nil {
				<-running
			}
			return nil
		case o := <-results:
			if ctx.Err() != nil {
				continue // it was ended by us
			}
			quiet(s.Log).Debug("script ran", "command", s.Command[0], "ok", o.ok, "reason", o.reason)
			now := count.Count(o.ok)
			if !o.ok {
				failed = o.output
			}
			v := Verdict{Result: vrrp.TrackResult{State: now}, Reason: o.reason, Output: failed}
			if o.ok != (now == vrrp.TrackUp) {
				v.Reason = out.last.Reason // the verdict is that of the runs before
			}
			out.tell(v)
		case <-running:
			running = nil
		case <-tick.C:
			if running == nil {
				begin()
			}
		}
	}
}
