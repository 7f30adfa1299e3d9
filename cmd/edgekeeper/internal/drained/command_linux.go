package drained

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// passed are the signals that a wrapped server is given at once.
var passed = []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGQUIT, syscall.SIGWINCH}

// Command runs a server and stands between it and whoever stops it: the first
// SIGTERM or SIGINT is held back for as long as wait takes, a second one is not;
// other signals are passed on. The server dies when its guard is killed. Command
// returns when the server has ended, with its exit code, which is 128 plus the
// signal's number for one that a signal ended.
//
// It keeps its thread until it returns: to the kernel, the death of a server's
// parent is that of the thread that started it.
func Command(args []string, wait func(context.Context)) (code int, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(stop)
	others := make(chan os.Signal, 16)
	signal.Notify(others, passed...)
	defer signal.Stop(others)

	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// A group of its own: a terminal's interrupt is for the guard.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start server: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // what it says is in ProcessState
		close(ended)
	}()

	pass := func(s os.Signal) { _ = cmd.Process.Signal(s) } // gone already: fine
	var first os.Signal
	ctx, hurry := context.WithCancel(context.Background())
	defer hurry()
	var waited chan struct{}
	for {
		select {
		case <-ended:
			hurry()
			if waited != nil {
				<-waited
			}
			return exitCode(cmd.ProcessState), nil
		case s := <-others:
			pass(s)
		case <-waited:
			waited = nil
			pass(first)
		case s := <-stop:
			if first == nil {
				first, waited = s, make(chan struct{})
				go func() {
					defer close(waited)
					wait(ctx)
				}()
				continue
			}
			hurry()
			if waited == nil {
				pass(s)
			}
		}
	}
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
