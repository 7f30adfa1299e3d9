// Package track watches the things on which a virtual router's priority, or its
// taking part at all, may depend: an interface, what a script says, a number in
// a file, processes that run.
//
// The contract of every source:
//
//   - Run(ctx, emit) blocks until ctx is done, and then returns nil. What cannot
//     be watched is tried again, by itself; it is no error.
//   - emit is called from one goroutine at a time, and only when something has
//     changed: first with what is found at the start, then with each news. It may
//     block; what is watched meanwhile is looked at afterwards.
//   - An error is no verdict. A source that cannot tell keeps what it said last,
//     and says nothing before it knows something; a script that cannot be run or
//     does not end in time is one that failed.
//
// What a verdict does to a priority is arithmetic of package vrrp
// (vrrp.TrackUse); nothing here knows of virtual routers, and no virtual router
// waits for anything here.
package track

import (
	"context"
	"log/slog"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// Source is one thing that is watched.
type Source interface {
	Run(ctx context.Context, emit func(Verdict)) error
}

// Verdict is what a source says. Verdicts are comparable.
type Verdict struct {
	Result vrrp.TrackResult
	Reason string // a sentence without its end: "exit code 1", "interface eth1 has no carrier"
	Output string // of a script's last failure, its first 3 KiB
}

// verdict makes one of a source that is up or down.
func verdict(up bool, reason string) Verdict {
	v := Verdict{Result: vrrp.TrackResult{State: vrrp.TrackDown}, Reason: reason}
	if up {
		v.Result.State = vrrp.TrackUp
	}
	return v
}

// teller emits what is news.
type teller struct {
	emit func(Verdict)
	last Verdict
}

func (t *teller) tell(v Verdict) {
	if v != t.last {
		t.last = v
		t.emit(v)
	}
}

// quiet returns log, or one that discards.
func quiet(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
