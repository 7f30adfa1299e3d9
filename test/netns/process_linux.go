package netns

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Command is what Start runs.
type Command struct {
	Path string
	Args []string
	Env  []string // added to the test's
}

// Tool is a program from PATH. A missing one fails the test when it is started.
func Tool(name string, args ...string) Command { return Command{Path: name, Args: args} }

// Role is a function of the map given to Main, as a process of its own. args
// are its os.Args[1:].
func Role(name string, args ...string) Command {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return Command{Path: self, Args: args, Env: []string{envRole + "=" + name}}
}

// Process is a running Command.
type Process struct {
	cmd  *exec.Cmd
	out  *output
	done chan struct{}
	err  error
}

// Start runs a command in the host's namespace. It is killed at the end of the
// test; its output is logged when the test has failed.
func (h *Host) Start(t testing.TB, c Command) *Process {
	t.Helper()
	path, err := exec.LookPath(c.Path)
	must(t, "find "+c.Path, err)
	p := &Process{cmd: exec.Command(path, c.Args...), out: new(output), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), c.Env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.WaitDelay = 2 * time.Second // a grandchild may hold the pipe
	h.Do(t, p.cmd.Start)              // the child inherits the namespace of the thread
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("output of %s on %s:\n%s", c.Path, h.Name, p.Output())
		}
	})
	return p
}

// Run runs a command in the host's namespace to its end and returns what it
// printed; a failure fails the test.
func (h *Host) Run(t testing.TB, c Command) string {
	t.Helper()
	p := h.Start(t, c)
	<-p.done
	if p.err != nil {
		t.Fatalf("run %s on %s: %v\n%s", c.Path, h.Name, p.err, p.Output())
	}
	return p.Output()
}

// Signal sends a signal.
func (p *Process) Signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatalf("netns: signal: %v", err)
	}
}

// Kill is kill -9, and waits until the process is gone.
func (p *Process) Kill(t testing.TB) {
	t.Helper()
	p.Signal(t, syscall.SIGKILL)
	<-p.done
}

// Stop sends SIGTERM and waits; a process that does not end within limit fails
// the test. The result is that of exec.Cmd.Wait.
func (p *Process) Stop(t testing.TB, limit time.Duration) error {
	t.Helper()
	p.Signal(t, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(limit):
		t.Fatalf("netns: process did not end within %s of SIGTERM", limit)
	}
	return p.err
}

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Output is what the process printed so far, both streams.
func (p *Process) Output() string { return p.out.String() }

// WaitOutput waits until the output contains text.
func (p *Process) WaitOutput(t testing.TB, text string, limit time.Duration) {
	t.Helper()
	Wait(t, limit, "output "+text, func() bool { return strings.Contains(p.Output(), text) })
}

// output collects both streams.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// poll is how often Wait looks.
const poll = 10 * time.Millisecond

// Wait looks until ok, or fails the test after limit. It returns for how long it
// was certainly not ok: until the last look began that found it so. A look that
// takes long on a busy machine does not count.
func Wait(t testing.TB, limit time.Duration, what string, ok func() bool) (not time.Duration) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(poll) {
		began := time.Since(start)
		if ok() {
			return not
		}
		if not = began; time.Since(start) > limit {
			t.Fatalf("netns: no %s within %s", what, limit)
		}
	}
}
