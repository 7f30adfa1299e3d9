package program

import (
	"context"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func run(t *testing.T, ctx context.Context, p Program) (o Outcome) {
	t.Helper()
	select {
	case <-p.Start(ctx, func(result Outcome) { o = result }):
	case <-time.After(20 * time.Second):
		t.Fatal("the run does not end")
	}
	return o
}

func shell(text string) []string { return []string{"/bin/sh", "-c", text} }

func TestOutcome(t *testing.T) {
	t.Setenv("SECRET", "hunter2")
	for _, c := range []struct {
		name   string
		p      Program
		code   int
		reason string
		output string
		failed bool
	}{
		{name: "success", p: Program{Command: shell("echo fine")}, reason: "exit code 0"},
		{name: "failure", p: Program{Command: shell("echo bad; exit 7")}, code: 7, reason: "exit code 7", output: "bad"},
		{name: "environment", p: Program{Command: shell(`echo "$A $SECRET"; exit 1`), Env: []string{"A=1"}}, code: 1, reason: "exit code 1", output: "1"},
		{name: "signal", p: Program{Command: shell("kill -9 $$")}, code: -1, reason: "ended by signal killed"},
		{name: "timeout", p: Program{Command: shell("echo begun; exec sleep 60"), Timeout: 200 * time.Millisecond}, code: -1, reason: "no result within 200ms"},
		{name: "no such program", p: Program{Command: []string{"/no/such/program"}}, code: -1, reason: "fork/exec /no/such/program: no such file or directory", failed: true},
		{name: "no such user", p: Program{Command: shell("true"), User: "no-such-user-here"}, code: -1, reason: "look up user: user: unknown user no-such-user-here", failed: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := run(t, t.Context(), c.p)
			if o.Code != c.code || o.Reason != c.reason || c.output != "" && o.Output != c.output || (o.Err != nil) != c.failed || o.OK() != (c.code == 0) || o.Exited() != (c.code >= 0) {
				t.Errorf("got %+v", o)
			}
		})
	}
}

func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready := filepath.Join(t.TempDir(), "ready")
	begin := make(chan time.Time, 1)
	go func() { // when it does not listen to TERM any more
		for ctx.Err() == nil {
			if _, err := os.Stat(ready); err == nil {
				begin <- time.Now()
				cancel()
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	if o := run(t, ctx, Program{Command: shell(`trap "" TERM; : >` + ready + `; while :; do sleep 60; done`)}); o.Reason != "stopped" || o.Exited() {
		t.Errorf("got %+v", o)
	}
	if took := time.Since(<-begin); took < stopTime {
		t.Errorf("killed after %s", took)
	}
}

// TestHopeless: the end of ctx does not wait for a process that nothing
// ends.
func TestHopeless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		begin, never := time.Now(), make(chan error)
		time.AfterFunc(10*time.Second, cancel)
		end(ctx, 1<<30, never, termTime) // no such process group
		if took := time.Since(begin); took != 10*time.Second+stopTime {
			t.Errorf("gave up after %s", took)
		}
		begin = time.Now()
		end(ctx, 1<<30, never, stopTime)
		if took := time.Since(begin); took != 2*stopTime {
			t.Errorf("at the stop gave up after %s", took)
		}
	})
}

func TestCredential(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	got, err := credential(me.Username)
	if err != nil || strconv.Itoa(int(got.Uid)) != me.Uid || strconv.Itoa(int(got.Gid)) != me.Gid || len(got.Groups) == 0 {
		t.Errorf("got %+v, %v, want %+v", got, err, me)
	}
	if got, err = credential(me.Username + ":daemon"); err != nil || got.Gid != 1 {
		t.Errorf("with a group: %+v, %v", got, err)
	}
}
