package scenario

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// T is a running scenario. Its methods belong to the scenario's goroutine,
// except Logf and Errorf, which any may call.
type T struct {
	Name    string
	ctx     context.Context
	out     string // folder for logs
	verbose bool
	print   func(string)
	began   time.Time
	cleanup []func()

	mu     sync.Mutex
	result Result
	poll   time.Duration
}

// Result is what a scenario leaves behind.
type Result struct {
	Name     string    `json:"name"`
	Doc      string    `json:"doc"`
	Pass     bool      `json:"pass"`
	Seconds  float64   `json:"seconds"`
	Failures []string  `json:"failures,omitempty"`
	Measures []Measure `json:"measures,omitempty"`
	Phases   []Phase   `json:"phases,omitempty"`
}

// Measure is a figure for the report.
type Measure struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Phase is a named part of a scenario.
type Phase struct {
	Name    string    `json:"name"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Traffic string    `json:"traffic,omitempty"`
	Sent    int       `json:"sent,omitempty"`
	Lost    int       `json:"lost,omitempty"`
}

// Context ends when the scenario's time is up.
func (t *T) Context() context.Context { return t.ctx }

// Logf prints a progress line when the lab is verbose.
func (t *T) Logf(format string, args ...any) {
	if t.verbose {
		t.say(format, args...)
	}
}

func (t *T) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.print(fmt.Sprintf("    %6.2f  %s", time.Since(t.began).Seconds(), fmt.Sprintf(format, args...)))
}

// Errorf fails the scenario and goes on.
func (t *T) Errorf(format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	t.say("FAIL: %s", msg)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.result.Failures = append(t.result.Failures, msg)
}

// Fatalf fails the scenario and ends it.
func (t *T) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}

// OK ends the scenario when err is not nil.
func (t *T) OK(err error) {
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// Failed reports whether the scenario has failed.
func (t *T) Failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.result.Failures) > 0
}

// Cleanup registers fn to run at the end, the latest first.
func (t *T) Cleanup(fn func()) { t.cleanup = append(t.cleanup, fn) }

// Measure records a figure for the report.
func (t *T) Measure(name, format string, args ...any) {
	value := fmt.Sprintf(format, args...)
	t.say("%s: %s", name, value)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.result.Measures = append(t.result.Measures, Measure{name, value})
}

// Phase runs fn as a named part of the scenario; the report counts traffic per phase.
func (t *T) Phase(name string, fn func()) {
	t.say("%s", name)
	t.mu.Lock()
	t.result.Phases = append(t.result.Phases, Phase{Name: name, From: time.Now()})
	i := len(t.result.Phases) - 1
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.result.Phases[i].To = time.Now()
	}()
	fn()
}

// Part runs fn with a clean-up and a log folder of its own, for scenarios that
// build more than one site, one after the other.
func (t *T) Part(name string, fn func()) {
	t.say("%s:", name)
	outer, out := t.cleanup, t.out
	t.cleanup, t.out = nil, filepath.Join(t.out, strings.ReplaceAll(name, " ", "-"))
	defer func() {
		t.finish()
		t.cleanup, t.out = outer, out
	}()
	fn()
}

// pollEvery is how often Within and Holds ask again.
const pollEvery = 20 * time.Millisecond

// PollEvery makes Within and Holds ask less often, for a site that leaves the
// machine little.
func (t *T) PollEvery(d time.Duration) { t.poll = d }

// Within waits until cond holds, and returns how long that took. When it does
// not within limit, the scenario ends as failed.
func (t *T) Within(limit time.Duration, what string, cond func() bool) time.Duration {
	began := time.Now()
	for !cond() {
		if time.Since(began) > limit {
			t.Fatalf("not within %s: %s", limit, what)
		}
		t.pause(t.poll)
	}
	return time.Since(began)
}

// Holds fails the scenario when cond ever stops to hold during d.
func (t *T) Holds(d time.Duration, what string, cond func() bool) {
	for end := time.Now().Add(d); time.Now().Before(end); t.pause(t.poll) {
		if !cond() {
			t.Errorf("%s: no more after %s", what, (d - time.Until(end)).Round(time.Millisecond))
			return
		}
	}
}

// Sleep lets the site run for d: for phases whose length is their content.
func (t *T) Sleep(d time.Duration) { t.pause(d) }

func (t *T) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.ctx.Done():
		t.Fatalf("ended: %v", context.Cause(t.ctx))
	}
}

// Binary returns the path of a needed program.
func (t *T) Binary(n Need) string {
	v := os.Getenv(n.Variable())
	switch reason, missing := strings.CutPrefix(v, "!"); {
	case missing:
		t.Fatalf("no %s: %s", n, reason)
	case v == "":
		t.Fatalf("no %s: the scenario does not name it among its needs", n)
	}
	return v
}

// Lab returns the path of the lab's own binary, for those who start it by name.
func (t *T) Lab() string { return os.Getenv("LAB_SELF") }

// File writes a file into the scenario's folder and returns its path.
func (t *T) File(name, content string) string {
	path := filepath.Join(t.out, name)
	t.OK(os.MkdirAll(filepath.Dir(path), 0o755))
	t.OK(os.WriteFile(path, []byte(content), 0o644))
	return path
}

// Parameter returns an environment variable that tunes a scenario, or its default.
func (t *T) Parameter(name, def string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return def
}

// DurationParameter is Parameter for a duration.
func (t *T) DurationParameter(name string, def time.Duration) time.Duration {
	d, err := time.ParseDuration(t.Parameter(name, def.String()))
	t.OK(err)
	return d
}
