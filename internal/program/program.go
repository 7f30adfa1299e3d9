// Package program runs a program once, for those who run scripts at intervals:
// the trackers of virtual routers and the native checks. A program has a process
// group of its own, and nothing of the director's environment but PATH, HOME,
// LANG and TZ: the rest may hold tokens. What it leaves behind is ended with it.
package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// termTime is what a program has from TERM to KILL, as keepalived gives it.
	termTime = 2 * time.Second
	// stopTime is the same when nobody waits for its result any more.
	stopTime = 500 * time.Millisecond
	// pipeTime is how long output is waited for when the script itself has ended:
	// a daemon that it has started may hold on to its output for ever.
	pipeTime = 200 * time.Millisecond
	// maxOutput is how much of a script's output is kept.
	maxOutput = 3 << 10
)

// Program is what is run.
type Program struct {
	Command []string      // the program and its arguments, without a shell. Required.
	User    string        // "name" or "name:group", looked up at each run; empty: whoever we are
	Env     []string      // "NAME=value", beside those that every program has
	Timeout time.Duration // after which it is ended; 0: only ctx ends it
}

// Outcome is the result of a run.
type Outcome struct {
	Code   int    // exit code; -1 when there is none
	Reason string // "exit code 1", "no result within 2s"
	Output string // of a failure, its first 3 KiB
	Err    error  // why it could not be run; nil: it ran
}

// Exited reports whether the program ended by itself.
func (o Outcome) Exited() bool { return o.Code >= 0 }

// OK reports whether the program ran and exited with 0.
func (o Outcome) OK() bool { return o.Code == 0 }

// Start runs the program. report is called once, when the result is known; the
// channel is closed when nothing of the run is left. What takes longer than
// Timeout, or than ctx, is ended: TERM to its process group, KILL two seconds
// later, half a second where it is ctx that has ended. Standard input is empty.
func (p Program) Start(ctx context.Context, report func(Outcome)) <-chan struct{} {
	done := make(chan struct{})
	text := &head{}
	cmd := exec.Command(p.Command[0], p.Command[1:]...)
	cmd.Stdout, cmd.Stderr = text, text
	cmd.WaitDelay = pipeTime
	for _, name := range []string{"PATH", "HOME", "LANG", "TZ"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.Env = append(cmd.Env, p.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	fail := func(err error) <-chan struct{} {
		report(Outcome{Code: -1, Reason: err.Error(), Err: err})
		close(done)
		return done
	}
	if p.User != "" {
		id, err := credential(p.User)
		if err != nil {
			return fail(err)
		}
		cmd.SysProcAttr.Credential = id
	}
	if err := cmd.Start(); err != nil {
		return fail(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	go func() {
		defer close(done)
		var timeout <-chan time.Time
		if p.Timeout > 0 {
			timer := time.NewTimer(p.Timeout)
			defer timer.Stop()
			timeout = timer.C
		}
		late := func(reason string, grace time.Duration) {
			select {
			case err := <-ended: // both at once: this process did not run in between
				report(result(err, text))
				return
			default:
			}
			report(Outcome{Code: -1, Reason: reason, Output: text.text()})
			end(ctx, cmd.Process.Pid, ended, grace)
		}
		select {
		case err := <-ended:
			report(result(err, text))
		case <-timeout:
			late("no result within "+p.Timeout.String(), termTime)
		case <-ctx.Done():
			late("stopped", stopTime)
		}
	}()
	return done
}

// end ends a process group: TERM, some time, KILL. It returns when its leader is
// gone, before which no other run begins; when ctx is done it hurries, and gives
// up on one that even KILL does not end because it waits for a dead disk.
func end(ctx context.Context, pid int, ended <-chan error, after time.Duration) {
	_ = syscall.Kill(-pid, syscall.SIGTERM) // gone already: fine
	hurry := ctx.Done()
	if ctx.Err() != nil {
		hurry = nil // it has after, which is short
	}
	gone := false
	select {
	case <-ended:
		gone = true
	case <-time.After(after):
	case <-hurry:
	}
	// Also when TERM has ended the leader: what it started may still run.
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	if gone {
		return
	}
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	select {
	case <-ended:
	case <-time.After(stopTime):
	}
}

func result(err error, text *head) Outcome {
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return Outcome{Reason: "exit code 0"}
	}
	o := Outcome{Code: -1, Reason: err.Error(), Output: text.text()}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			o.Reason = "ended by signal " + status.Signal().String()
		} else {
			o.Code, o.Reason = exit.ExitCode(), "exit code "+strconv.Itoa(exit.ExitCode())
		}
	}
	return o
}

// credential looks up "user" or "user:group", with the user's other groups.
func credential(name string) (*syscall.Credential, error) {
	userName, groupName, _ := strings.Cut(name, ":")
	u, err := user.Lookup(userName)
	if err != nil {
		return nil, fmt.Errorf("look up user: %w", err)
	}
	gid := u.Gid
	if groupName != "" {
		g, err := user.LookupGroup(groupName)
		if err != nil {
			return nil, fmt.Errorf("look up group: %w", err)
		}
		gid = g.Gid
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("look up groups of %s: %w", userName, err)
	}
	out := &syscall.Credential{}
	number := func(s string) uint32 {
		n, nerr := strconv.ParseUint(s, 10, 32)
		err = errors.Join(err, nerr)
		return uint32(n)
	}
	out.Uid, out.Gid = number(u.Uid), number(gid)
	for _, id := range ids {
		out.Groups = append(out.Groups, number(id))
	}
	if err != nil {
		return nil, fmt.Errorf("look up user %s: %w", name, err)
	}
	return out, nil
}

// head keeps the beginning of what is written to it.
type head struct {
	mu   sync.Mutex
	kept []byte
}

func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept = append(h.kept, p[:min(len(p), maxOutput-len(h.kept))]...)
	return len(p), nil
}

func (h *head) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.TrimSpace(strings.ToValidUTF8(string(h.kept), "?"))
}
