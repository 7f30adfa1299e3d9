package traffic

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Load collects a client's results as they come: it is the client's standard
// output. It may be used concurrently.
type Load struct {
	mu      sync.Mutex
	rest    []byte
	results []Result
	err     error
}

// Write takes the client's output.
func (l *Load) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		r, err := parseResult(string(line))
		if err != nil {
			l.err = err
		} else {
			l.results = append(l.results, r)
		}
		l.rest = rest
	}
}

// Err returns the first thing that was not understood in the client's output.
func (l *Load) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Window returns the results of requests sent in [from, to), by time of
// sending; a zero to has no end. Requests still on their way are not in it.
func (l *Load) Window(from, to time.Time) Window {
	l.mu.Lock()
	defer l.mu.Unlock()
	var w Window
	for _, r := range l.results {
		if !r.Sent.Before(from) && (to.IsZero() || r.Sent.Before(to)) {
			w = append(w, r)
		}
	}
	slices.SortFunc(w, func(a, b Result) int { return a.Sent.Compare(b.Sent) })
	return w
}

// Gap returns the longest time between two answers that follow one another,
// among those of which the later one came after from: what a user of the site
// waits.
// With to given, it looks no further, and time without an answer until then counts.
func (l *Load) Gap(from, to time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var done []time.Time
	for _, r := range l.results {
		if r.Outcome == OK {
			done = append(done, r.Sent.Add(r.Latency))
		}
	}
	slices.SortFunc(done, time.Time.Compare)
	var gap time.Duration
	last := from
	for _, t := range done {
		switch {
		case t.Before(from):
			last = t
		case !to.IsZero() && t.After(to):
			return max(gap, to.Sub(last))
		default:
			gap = max(gap, t.Sub(last))
			last = t
		}
	}
	if !to.IsZero() {
		gap = max(gap, to.Sub(last))
	}
	return gap
}

// Window is a list of results in the order of sending.
type Window []Result

// Lost returns how many requests got no good answer.
func (w Window) Lost() int {
	n := 0
	for _, r := range w {
		if r.Outcome != OK && r.Outcome != Line {
			n++
		}
	}
	return n
}

// OK returns how many requests got a good answer.
func (w Window) OK() int { return len(w) - w.Lost() }

// Shares returns how many answers each server gave.
func (w Window) Shares() map[string]int {
	m := make(map[string]int)
	for _, r := range w {
		if r.Outcome == OK {
			m[r.Server]++
		}
	}
	return m
}

// Latency returns the median and the highest latency of the good answers.
func (w Window) Latency() (median, highest time.Duration) {
	var list []time.Duration
	for _, r := range w {
		if r.Outcome == OK {
			list = append(list, r.Latency)
		}
	}
	if len(list) == 0 {
		return 0, 0
	}
	slices.SortFunc(list, cmp.Compare[time.Duration])
	return list[len(list)/2], list[len(list)-1]
}

// String sums the window up in one line.
func (w Window) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sent, %d lost", len(w), w.Lost())
	shares := w.Shares()
	for _, name := range slices.Sorted(maps.Keys(shares)) {
		fmt.Fprintf(&b, ", %s %d", name, shares[name])
	}
	bad := make(map[Outcome]int)
	for _, r := range w {
		if r.Outcome != OK && r.Outcome != Line {
			bad[r.Outcome]++
		}
	}
	for _, o := range slices.Sorted(maps.Keys(bad)) {
		fmt.Fprintf(&b, ", %s %d", o, bad[o])
	}
	return b.String()
}
