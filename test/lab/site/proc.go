package site

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Proc is a process on a host. Its output goes to a log file in the site's folder.
type Proc struct {
	Name string
	Host *Host
	Log  string // path of the log file
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of Wait, valid after done
}

// Command describes a process to start.
type Command struct {
	Name   string    // names the log file; default: the program's base name
	Args   []string  // program and arguments
	Env    []string  // in addition to the lab's own
	Dir    string    // working folder, default the lab's own
	Stdout io.Writer // nil: the log file
	Aside  bool      // stand back, on a site that has Options.Aside
}

// Start starts a process on h. The log file of an earlier process of the same
// name is appended to.
func (s *Site) Start(h *Host, c Command) (*Proc, error) {
	if c.Name == "" {
		c.Name = filepath.Base(c.Args[0])
	}
	p := &Proc{Name: c.Name, Host: h, Log: s.logFile(h.Name, c.Name), done: make(chan struct{})}
	f, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	defer f.Close() // the child has its own
	fmt.Fprintf(f, "# %s on %s: %s\n", time.Now().Format("15:04:05.000"), h.Name, strings.Join(c.Args, " "))
	p.cmd = exec.Command(c.Args[0], c.Args[1:]...)
	p.cmd.Env = append(os.Environ(), c.Env...)
	if p.cmd.Dir = c.Dir; c.Dir == "" {
		if p.cmd.Dir, err = os.Getwd(); err != nil { // entering a host's mounts leads to their root
			return nil, fmt.Errorf("find working folder: %w", err)
		}
	}
	p.cmd.Stdout, p.cmd.Stderr = f, f
	if c.Stdout != nil {
		p.cmd.Stdout = c.Stdout
		p.cmd.WaitDelay = time.Second // a grandchild may hold the pipe
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.Aside {
		s.standBack(p.cmd)
	}
	if err := h.fork(p.cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s on %s: %w", c.Name, h.Name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	s.procs = append(s.procs, p)
	s.log("%s: %s started (pid %d)", h.Name, c.Name, p.Pid())
	return p, nil
}

// standBack lets a program that is to be started stand back, with all that it
// starts, where the site knows that.
func (s *Site) standBack(cmd *exec.Cmd) {
	if s.aside == nil {
		return
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(s.aside.folder.Fd())
}

// Run runs a command on h to its end and returns its standard output.
func (s *Site) Run(h *Host, args ...string) (string, error) {
	return s.RunEnv(h, nil, args...)
}

// RunEnv is Run with additional environment.
func (s *Site) RunEnv(h *Host, env []string, args ...string) (string, error) {
	return s.RunWithin(time.Minute, h, env, args...)
}

// RunWithin is RunEnv with a limit of its own, at which the program is killed.
func (s *Site) RunWithin(limit time.Duration, h *Host, env []string, args ...string) (string, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	var out, msg strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &msg
	s.standBack(cmd)
	var err error
	if cmd.Dir, err = os.Getwd(); err != nil {
		return "", fmt.Errorf("find working folder: %w", err)
	}
	err = h.fork(cmd.Start)
	if err == nil {
		kill := time.AfterFunc(limit, func() { cmd.Process.Kill() })
		err = cmd.Wait()
		kill.Stop()
	}
	if err != nil {
		return out.String(), fmt.Errorf("run %s on %s: %w: %s", strings.Join(args, " "), h.Name, err, strings.TrimSpace(msg.String()))
	}
	return out.String(), nil
}

// Pid returns the process id.
func (p *Proc) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Proc) Done() <-chan struct{} { return p.done }

// Running reports whether the process has not ended.
func (p *Proc) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends a signal to the process alone.
func (p *Proc) Signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("send %s to %s: %w", sig, p.Name, err)
	}
	return nil
}

// Tree lists the process and all that descend from it, parents first.
func (p *Proc) Tree() ([]int, error) { return descendants(p.Pid()) }

// SignalTree sends a signal to the process and all that descend from it,
// the youngest generation first, so that no parent sees a child go.
func (p *Proc) SignalTree(sig syscall.Signal) error {
	tree, err := descendants(p.Pid())
	if err != nil {
		return err
	}
	slices.Reverse(tree)
	for _, pid := range tree {
		if e := syscall.Kill(pid, sig); e != nil && !errors.Is(e, syscall.ESRCH) {
			err = errors.Join(err, fmt.Errorf("send %s to %s: %w", sig, p.Name, e))
		}
	}
	return err
}

// Stop sends SIGTERM and waits; after limit it kills the process and says so.
// An exit status other than 0 is an error.
func (p *Proc) Stop(limit time.Duration) error {
	if !p.Running() {
		return nil
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if !p.Wait(limit) {
		err := p.SignalTree(syscall.SIGKILL)
		<-p.done
		return errors.Join(fmt.Errorf("stop %s on %s: still there %s after SIGTERM", p.Name, p.Host.Name, limit), err)
	}
	if p.err != nil {
		return fmt.Errorf("stop %s on %s: %w", p.Name, p.Host.Name, p.err)
	}
	return nil
}

// Wait waits for the end of the process and reports whether it came in time.
func (p *Proc) Wait(limit time.Duration) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-p.done:
		return true
	case <-t.C:
		return false
	}
}

// ExitCode returns the exit status of an ended process, -1 after a signal.
func (p *Proc) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

func (p *Proc) reaped() { p.Wait(2 * time.Second) }

func kill(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) } // gone already is as good

// eachProcess calls fn with the id of each process.
func eachProcess(fn func(pid int)) error {
	d, err := os.Open("/proc")
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			fn(pid)
		}
	}
	return nil
}

// descendants returns root and what descends from it, parents before children.
func descendants(root int) ([]int, error) {
	children := make(map[int][]int)
	err := eachProcess(func(pid int) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return // ended meanwhile
		}
		// pid (name) state ppid …; the name may hold anything, so search from its end
		_, rest, _ := strings.Cut(string(b[strings.LastIndexByte(string(b), ')')+1:]), " ")
		if f := strings.Fields(rest); len(f) > 1 {
			ppid, err := strconv.Atoi(f[1])
			if err == nil {
				children[ppid] = append(children[ppid], pid)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	tree := []int{root}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i]]...)
	}
	return tree, nil
}
