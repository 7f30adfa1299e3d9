package drained

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain plays the guard when asked to: its server is a shell that tells what
// it is sent.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "guard" {
		code, err := Command([]string{"/bin/sh", "-c", os.Args[2]}, func(ctx context.Context) {
			fmt.Println("waiting")
			// The test ends the wait by closing standard input.
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _ = io.Copy(io.Discard, os.Stdin)
			}()
			select {
			case <-done:
				fmt.Println("drained")
			case <-ctx.Done():
				fmt.Println("hurried")
			}
		})
		if err != nil {
			fmt.Println(err)
			os.Exit(99)
		}
		os.Exit(code)
	}
	os.Exit(m.Run())
}

type guard struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.Closer
	lines chan string
}

func start(t *testing.T, script string) *guard {
	g := &guard{t: t, cmd: exec.Command(os.Args[0], "guard", script), lines: make(chan string, 16)}
	in, err := g.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	g.in = in
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	g.cmd.Stdout, g.cmd.Stderr = w, w
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go func() {
		defer close(g.lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			g.lines <- s.Text()
		}
	}()
	t.Cleanup(func() { _ = g.cmd.Process.Kill() })
	return g
}

func (g *guard) says(want string) {
	g.t.Helper()
	select {
	case got := <-g.lines:
		if got != want {
			g.t.Fatalf("got %q, want %q", got, want)
		}
	case <-time.After(20 * time.Second):
		g.t.Fatalf("nothing came, want %q", want)
	}
}

func (g *guard) send(s syscall.Signal) {
	g.t.Helper()
	if err := g.cmd.Process.Signal(s); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guard) ends(code int) {
	g.t.Helper()
	_ = g.cmd.Wait() // its result is in ProcessState
	if got := g.cmd.ProcessState.ExitCode(); got != code {
		g.t.Errorf("exit code %d, want %d", got, code)
	}
}

const server = `trap 'echo term; exit 7' TERM; trap 'echo hup' HUP; echo up; while :; do read x < /dev/null; sleep 0.02; done`

func TestCommand(t *testing.T) {
	t.Parallel()
	g := start(t, server)
	g.says("up")
	g.send(syscall.SIGHUP)
	g.says("hup")
	g.send(syscall.SIGTERM)
	g.says("waiting")
	g.send(syscall.SIGHUP) // it still serves, and is still told
	g.says("hup")
	g.in.Close()
	g.says("drained")
	g.says("term")
	g.ends(7)
}

func TestCommandHurried(t *testing.T) {
	t.Parallel()
	g := start(t, server)
	g.says("up")
	g.send(syscall.SIGTERM)
	g.says("waiting")
	g.send(syscall.SIGTERM)
	g.says("hurried")
	g.says("term")
	g.ends(7)
}

// TestCommandEnds: by itself, by a signal, amid the wait, and not at all.
func TestCommandEnds(t *testing.T) {
	t.Parallel()
	start(t, "exit 3").ends(3)
	start(t, "kill -9 $$").ends(128 + 9)
	g := start(t, `trap 'exit 5' HUP; echo up; while :; do sleep 0.02; done`)
	g.says("up")
	g.send(syscall.SIGTERM)
	g.says("waiting")
	g.send(syscall.SIGHUP)
	g.says("hurried")
	g.ends(5)
	if _, err := Command([]string{"/no/such/server"}, nil); err == nil || !strings.Contains(err.Error(), "start server") {
		t.Errorf("got %v", err)
	}
}

// TestCommandOrphan: the server does not outlive its guard.
func TestCommandOrphan(t *testing.T) {
	t.Parallel()
	g := start(t, `echo up; exec sleep 3600`)
	g.says("up")
	g.send(syscall.SIGKILL)
	select {
	case _, open := <-g.lines: // the server held the other end
		if open {
			t.Error("it says something")
		}
	case <-time.After(20 * time.Second):
		t.Error("the server lives")
	}
}
