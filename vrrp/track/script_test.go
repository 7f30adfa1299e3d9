package track

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// follow runs a source for the length of a test and gives what it emits.
func follow(t *testing.T, s Source) <-chan Verdict {
	t.Helper()
	out, done := make(chan Verdict, 100), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { done <- s.Run(ctx, func(v Verdict) { out <- v }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return out
}

// next waits for a verdict.
func next(t *testing.T, from <-chan Verdict) Verdict {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("no verdict within 10 s")
		return Verdict{}
	}
}

func wantState(t *testing.T, v Verdict, state vrrp.TrackState, reason string) {
	t.Helper()
	if v.Result.State != state || !strings.Contains(v.Reason, reason) {
		t.Errorf("got %s (%s), want %s (%s)", v.Result.State, v.Reason, state, reason)
	}
}

// scripted is a script whose runs take some time and end as told: + success, -
// failure, t a time-out after which the process lives for 2 s.
func scripted(s Script, results string, took time.Duration, starts *[]time.Duration) Script {
	begin := time.Now()
	s.Command = []string{"test"}
	s.run = func(ctx context.Context, report func(outcome)) <-chan struct{} {
		*starts = append(*starts, time.Since(begin))
		r := results[min(len(*starts), len(results))-1]
		done := make(chan struct{})
		go func() {
			defer close(done)
			wait := func(d time.Duration) {
				select {
				case <-time.After(d):
				case <-ctx.Done():
				}
			}
			switch r {
			case '+':
				wait(took)
				report(outcome{ok: true, reason: "exit code 0"})
			case '-':
				wait(took)
				report(outcome{reason: "exit code 1", output: "run " + strconv.Itoa(len(*starts))})
			case 't':
				wait(s.Timeout)
				report(outcome{reason: "no result"})
				wait(2 * time.Second)
			}
		}()
		return done
	}
	return s
}

func TestScriptSchedule(t *testing.T) {
	for _, c := range []struct {
		name    string
		script  Script
		results string
		took    time.Duration
		until   time.Duration
		want    string // seconds and first letter of each change
		starts  int
	}{
		{"first success is up at once", Script{Rise: 3, Fall: 3}, "+", 0, 5500 * time.Millisecond, "0u", 6},
		{"first failure is down at once", Script{Rise: 3, Fall: 3}, "-+", 0, 5500 * time.Millisecond, "0d 3u", 6},
		{"init_fail needs its successes", Script{Rise: 2, InitFail: true}, "+", 0, 5500 * time.Millisecond, "0d 1u", 6},
		{"fall of two", Script{Fall: 2}, "+-+--+", 0, 8500 * time.Millisecond, "0u 4d 5u", 9},
		{"a slow run leaves out those due meanwhile", Script{}, "+", 2500 * time.Millisecond, 8900 * time.Millisecond, "2.5u", 3},
		{"a time-out is a failure, and runs wait for its end", Script{Timeout: 1500 * time.Millisecond}, "+t+", 0, 8500 * time.Millisecond, "0u 2.5d 5u", 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var starts []time.Duration
				c.script.Interval = time.Second
				var got []string
				state := vrrp.TrackUnknown
				ctx, cancel := context.WithTimeout(t.Context(), c.until)
				defer cancel()
				err := scripted(c.script, c.results, c.took, &starts).Run(ctx, func(v Verdict) {
					if v.Result.State != state {
						state = v.Result.State
						got = append(got, strconv.FormatFloat(time.Since(begin).Seconds(), 'g', 3, 64)+state.String()[:1])
					}
				})
				if err != nil {
					t.Error(err)
				}
				if text := strings.Join(got, " "); text != c.want || len(starts) != c.starts {
					t.Errorf("got %q in %d starts at %v, want %q in %d", text, len(starts), starts, c.want, c.starts)
				}
			})
		})
	}
}

// TestScriptOutput: that of the last failure is kept when the script is well
// again, and a failure that changes nothing is not the reason of the verdict.
func TestScriptOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starts []time.Duration
		var got []Verdict
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		s := scripted(Script{Fall: 2, Interval: time.Second}, "+--+", 0, &starts)
		if err := s.Run(ctx, func(v Verdict) { got = append(got, v) }); err != nil {
			t.Error(err)
		}
		up := vrrp.TrackResult{State: vrrp.TrackUp}
		want := []Verdict{
			{up, "exit code 0", ""},
			{up, "exit code 0", "run 2"},
			{vrrp.TrackResult{State: vrrp.TrackDown}, "exit code 1", "run 3"},
			{up, "exit code 0", "run 3"},
		}
		if len(got) != len(want) {
			t.Fatalf("got %+v", got)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%d: got %+v, want %+v", i, got[i], want[i])
			}
		}
	})
}

func shell(text string) []string { return []string{"/bin/sh", "-c", text} }

func TestScriptProcess(t *testing.T) {
	for _, c := range []struct {
		name           string
		command        []string
		state          vrrp.TrackState
		reason, output string
	}{
		{"success", shell("echo ignored"), vrrp.TrackUp, "exit code 0", ""},
		{"failure", shell("echo out; echo err >&2; exit 3"), vrrp.TrackDown, "exit code 3", "out\nerr"},
		{"signal", shell("kill -9 $$"), vrrp.TrackDown, "ended by signal killed", ""},
		{"no such program", []string{"/nowhere/program"}, vrrp.TrackDown, "no such file", ""},
		{"its environment", shell(`test -z "$SECRET" && test -n "$PATH"`), vrrp.TrackUp, "", ""},
		{"no input", shell(`test -z "$(cat)"`), vrrp.TrackUp, "", ""},
		{"a daemon that keeps the output open", shell("sleep 60 & echo $! >> $PWD/x; exit 0"), vrrp.TrackUp, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("SECRET", "token")
			t.Chdir(t.TempDir())
			v := next(t, follow(t, Script{Command: c.command, Interval: time.Hour, Timeout: 10 * time.Second}))
			wantState(t, v, c.state, c.reason)
			if v.Output != c.output {
				t.Errorf("output %q, want %q", v.Output, c.output)
			}
			if pid, err := os.ReadFile("x"); err == nil { // left alone; ended here
				n, _ := strconv.Atoi(strings.TrimSpace(string(pid)))
				if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
					t.Errorf("the daemon was not left alone: %v", err)
				}
			}
		})
	}
}

// TestScriptGroup: a script that does not end in time is ended with all that it
// has started, also when they do not listen to TERM.
func TestScriptGroup(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"listens to TERM", `sleep 60 & echo $! > child; wait`},
		{"does not", `trap "" TERM; sh -c 'trap "" TERM; while :; do sleep 60; done' & echo $! > child; while :; do sleep 60; done`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			// In this time it must have started its child.
			s := Script{Command: shell("cd " + dir + "; echo started; " + c.text), Interval: time.Hour, Timeout: 2 * time.Second}
			v := next(t, follow(t, s))
			wantState(t, v, vrrp.TrackDown, "no result within 2s")
			if v.Output != "started" {
				t.Errorf("output %q", v.Output)
			}
			text, err := os.ReadFile(filepath.Join(dir, "child"))
			if err != nil {
				t.Fatal(err)
			}
			pid := strings.TrimSpace(string(text))
			for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				n, _ := strconv.Atoi(pid)
				if _, _, alive := describe("/proc", n); !alive {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("process %s lives", pid)
				}
			}
		})
	}
}

// TestScriptStop: the end of Run ends a script that runs.
func TestScriptStop(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s := Script{Command: shell(`trap "" TERM; echo x > ` + dir + `/started; while :; do sleep 60; done`), Interval: time.Hour, Timeout: time.Hour}
	go func() {
		done <- s.Run(ctx, func(v Verdict) { t.Errorf("verdict %+v of a script that was stopped", v) })
	}()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(dir + "/started"); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the script does not run")
		}
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Run does not return")
	}
}

func TestScriptUser(t *testing.T) {
	v := next(t, follow(t, Script{Command: shell("true"), User: "no-such-user-here", Interval: time.Hour, Timeout: time.Second}))
	wantState(t, v, vrrp.TrackDown, "look up user")
	if os.Getuid() != 0 {
		return // only root becomes somebody else
	}
	v = next(t, follow(t, Script{Command: shell(`test "$(id -un)" = nobody`), User: "nobody", Interval: time.Hour, Timeout: 10 * time.Second}))
	wantState(t, v, vrrp.TrackUp, "")
}
