package track

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
	// termTime is what a script has from TERM to KILL, as keepalived gives it.
	termTime = 2 * time.Second
	// stopTime is the same when nobody waits for its result any more.
	stopTime = 500 * time.Millisecond
	// pipeTime is how long output is waited for when the script itself has ended:
	// a daemon that it has started may hold on to its output for ever.
	pipeTime = 200 * time.Millisecond
	// maxOutput is how much of a script's output is kept.
	maxOutput = 3 << 10
)

// process runs the command once. Its environment is PATH, HOME, LANG and TZ of
// ours and nothing else: the rest may hold tokens. Standard input is empty.
func (s Script) process(ctx context.Context, report func(outcome)) <-chan struct{} {
	done := make(chan struct{})
	text := &head{}
	cmd := exec.Command(s.Command[0], s.Command[1:]...)
	cmd.Stdout, cmd.Stderr = text, text
	cmd.WaitDelay = pipeTime
	for _, name := range []string{"PATH", "HOME", "LANG", "TZ"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	fail := func(err error) <-chan struct{} {
		report(outcome{reason: err.Error()})
		close(done)
		return done
	}
	if s.User != "" {
		id, err := credential(s.User)
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
		timeout := time.NewTimer(s.Timeout)
		defer timeout.Stop()
		select {
		case err := <-ended:
			report(result(err, text))
		case <-timeout.C:
			report(outcome{reason: "no result within " + s.Timeout.String(), output: text.text()})
			end(ctx, cmd.Process.Pid, ended, termTime)
		case <-ctx.Done():
			report(outcome{reason: "stopped"})
			end(ctx, cmd.Process.Pid, ended, stopTime)
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

func result(err error, text *head) outcome {
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return outcome{ok: true, reason: "exit code 0"}
	}
	o := outcome{reason: err.Error(), output: text.text()}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			o.reason = "ended by signal " + status.Signal().String()
		} else {
			o.reason = "exit code " + strconv.Itoa(exit.ExitCode())
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
