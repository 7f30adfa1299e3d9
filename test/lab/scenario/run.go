package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Options of a run.
type Options struct {
	Out     string         // results folder
	Verbose bool           // progress of every step
	Print   func(string)   // takes one line; must be safe for concurrent use
	Earlier []Result       // what has run already, and is not run again
	Keep    func([]Result) // takes all results after each scenario; may be nil
}

var errLimit = errors.New("the scenario's time limit is over")

// Run runs scenarios one after the other and returns all results, the earlier
// ones among them.
func Run(ctx context.Context, list []Scenario, o Options) []Result {
	results := slices.Clone(o.Earlier)
	for i, s := range list {
		if ctx.Err() != nil {
			break
		}
		if Ran(o.Earlier, s) {
			continue
		}
		o.Print(fmt.Sprintf("=== %d/%d %s: %s", i+1, len(list), s.Name, s.Doc))
		r := runOne(ctx, s, o)
		verdict := "pass"
		if !r.Pass {
			verdict = "FAIL"
		}
		o.Print(fmt.Sprintf("--- %s %s (%.1f s)", verdict, s.Name, r.Seconds))
		results = append(results, r)
		if o.Keep != nil {
			o.Keep(results)
		}
	}
	return results
}

// Ran reports whether a scenario has a result.
func Ran(results []Result, s Scenario) bool {
	return slices.ContainsFunc(results, func(r Result) bool { return r.Name == s.Name })
}

func runOne(ctx context.Context, s Scenario, o Options) Result {
	ctx, cancel := context.WithTimeoutCause(ctx, s.Limit, errLimit)
	defer cancel()
	t := &T{Name: s.Name, ctx: ctx, out: filepath.Join(o.Out, s.Name), verbose: o.Verbose, print: o.Print, poll: pollEvery, began: time.Now()}
	t.result = Result{Name: s.Name, Doc: s.Doc}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer t.finish()
		defer func() {
			if r := recover(); r != nil {
				t.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		for _, n := range s.Needs {
			t.Binary(n)
		}
		s.Run(t)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		select { // verbs see the end of the context; what hangs elsewhere is left behind
		case <-done:
		case <-time.After(20 * time.Second):
			t.Errorf("hangs after its time limit of %s", s.Limit)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.result
	r.Seconds = time.Since(t.began).Seconds()
	r.Pass = len(r.Failures) == 0
	return r
}

// finish runs the cleanups; a failed scenario shows what its processes said last.
func (t *T) finish() {
	if t.Failed() {
		t.showLogs()
	}
	for i := len(t.cleanup) - 1; i >= 0; i-- {
		func() {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("panic in clean-up: %v", r)
				}
			}()
			t.cleanup[i]()
		}()
	}
	t.cleanup = nil
}

const shownLines = 12

func (t *T) showLogs() {
	logs, err := filepath.Glob(filepath.Join(t.out, "*.log"))
	if err != nil {
		return
	}
	for _, path := range logs {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		t.say("last lines of %s:", path)
		for _, l := range lines[max(0, len(lines)-shownLines):] {
			t.say("  | %s", l)
		}
	}
}
