package track

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// proc is a folder like /proc.
type proc struct {
	t    *testing.T
	root string
}

func (p proc) run(pid int, state, comm string, words ...string) {
	p.t.Helper()
	dir := filepath.Join(p.root, strconv.Itoa(pid))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	line := ""
	for _, w := range words {
		line += w + "\x00"
	}
	for name, text := range map[string]string{"stat": fmt.Sprintf("%d (%s) %s 1 1", pid, comm, state), "cmdline": line} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p proc) end(pid int) {
	p.t.Helper()
	if err := os.RemoveAll(filepath.Join(p.root, strconv.Itoa(pid))); err != nil {
		p.t.Fatal(err)
	}
}

func TestProcessMatch(t *testing.T) {
	p := proc{t, t.TempDir()}
	p.run(1, "S", "haproxy", "/usr/sbin/haproxy", "-f", "/etc/haproxy/a.cfg")
	p.run(2, "S", "weird) R (name", "/opt/weird")
	p.run(3, "Z", "haproxy")
	p.run(4, "S", "kworker/0:1")
	p.run(5, "S", "named-by-itself", "python3", "x.py")
	for _, c := range []struct {
		name string
		pid  int
		want Process
		is   bool
	}{
		{"by name", 1, Process{Name: "haproxy"}, true},
		{"by path", 1, Process{Name: "/usr/sbin/haproxy"}, true},
		{"by another path", 1, Process{Name: "/usr/local/sbin/haproxy"}, false},
		{"by another name", 1, Process{Name: "haprox"}, false},
		{"exact arguments", 1, Process{Name: "haproxy", Arguments: []string{"-f", "/etc/haproxy/a.cfg"}}, true},
		{"exact arguments, there are more", 1, Process{Name: "haproxy", Arguments: []string{"-f"}}, false},
		{"initial arguments", 1, Process{Name: "haproxy", Arguments: []string{"-f"}, Match: MatchInitial}, true},
		{"initial arguments that differ", 1, Process{Name: "haproxy", Arguments: []string{"-W"}, Match: MatchInitial}, false},
		{"more initial arguments than there are", 1, Process{Name: "haproxy", Arguments: []string{"-f", "/etc/haproxy/a.cfg", "-W"}, Match: MatchInitial}, false},
		{"part of an argument", 1, Process{Name: "haproxy", Arguments: []string{"-f", "/etc/haproxy/"}, Match: MatchPartial}, true},
		{"part of an argument, initial", 1, Process{Name: "haproxy", Arguments: []string{"-f", "/etc/haproxy/"}, Match: MatchInitial}, false},
		{"a name with parentheses", 2, Process{Name: "weird) R (name"}, true},
		{"a zombie", 3, Process{Name: "haproxy"}, false},
		{"a kernel thread", 4, Process{Name: "kworker/0:1"}, true},
		{"the kernel's name of the process", 5, Process{Name: "named-by-itself"}, true},
		{"no such process", 9, Process{Name: "haproxy"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.root = p.root
			if got := c.want.matches(c.pid); got != c.is {
				t.Errorf("got %v, want %v", got, c.is)
			}
		})
	}
}

var errNot = errors.New("not permitted")

func noConnector() (*connector, error) { return nil, errNot }

func TestProcessQuorum(t *testing.T) {
	for _, c := range []struct {
		n, quorum, most int
		up              bool
		reason          string
	}{
		{0, 1, -1, false, "0 processes match, at least 1 needed"},
		{1, 1, -1, true, "1 process matches"},
		{9, 1, -1, true, "9 processes match"},
		{3, 1, 2, false, "3 processes match, at most 2 allowed"},
		{0, 0, 0, true, "0 processes match"},
		{1, 0, 0, false, "1 process matches, at most 0 allowed"},
	} {
		v := Process{Quorum: c.quorum, QuorumMax: c.most}.judge(c.n)
		if up := v.Result.State == vrrp.TrackUp; up != c.up || v.Reason != c.reason {
			t.Errorf("%+v: got %+v", c, v)
		}
	}
}

// TestProcessScan: without the connector, at intervals, with the delays.
func TestProcessScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := proc{t, t.TempDir()}
		p.run(7, "S", "haproxy", "haproxy")
		begin := time.Now()
		var got []string
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		source := Process{
			Name: "haproxy", Quorum: 1, QuorumMax: -1, Interval: time.Second, Delay: Delay{Up: 3 * time.Second, Down: 1500 * time.Millisecond},
			root: p.root, connect: noConnector,
		}
		go func() {
			done <- source.Run(ctx, func(v Verdict) {
				got = append(got, strconv.FormatFloat(time.Since(begin).Seconds(), 'g', 3, 64)+v.Result.State.String()[:1])
			})
		}()
		at := func(seconds float64) {
			time.Sleep(time.Duration(seconds*1e9) - time.Since(begin))
			synctest.Wait()
		}
		at(1.5)
		p.end(7) // seen at 2
		at(2.5)
		p.run(8, "S", "haproxy", "haproxy") // back at 3, before the delay is over
		at(4.5)
		p.end(8) // seen at 5, counts at 6.5
		at(7.5)
		p.run(9, "S", "haproxy", "haproxy") // seen at 8, counts at 11
		at(12)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if text := strings.Join(got, " "); text != "0u 6.5d 11u" {
			t.Errorf("got %s", text)
		}
	})
}

// TestProcessEvents: with the connector, at once.
func TestProcessEvents(t *testing.T) {
	p := proc{t, t.TempDir()}
	c := &connector{changes: make(chan change), done: make(chan struct{})}
	var err error
	if c.file, err = os.Open(os.DevNull); err != nil {
		t.Fatal(err)
	}
	got := follow(t, Process{
		Name: "haproxy", Quorum: 1, QuorumMax: -1, Interval: time.Hour,
		root: p.root, connect: func() (*connector, error) { return c, nil },
	})
	wantState(t, next(t, got), vrrp.TrackDown, "at least 1 needed")
	p.run(7, "S", "haproxy", "haproxy")
	c.changes <- change{pid: 7}
	wantState(t, next(t, got), vrrp.TrackUp, "1 process matches")
	p.run(8, "S", "haproxy", "haproxy")
	c.changes <- change{lost: true}
	wantState(t, next(t, got), vrrp.TrackUp, "2 processes match")
	p.run(8, "S", "other", "other") // it became something else
	c.changes <- change{pid: 8}
	wantState(t, next(t, got), vrrp.TrackUp, "1 process matches")
	p.end(7)
	c.changes <- change{pid: 8, gone: true} // none of ours: no news
	c.changes <- change{pid: 7, gone: true}
	wantState(t, next(t, got), vrrp.TrackDown, "0 processes match")
	p.run(9, "S", "haproxy", "haproxy")
	close(c.changes) // the kernel stops telling: all are looked at
	wantState(t, next(t, got), vrrp.TrackUp, "1 process matches")
}

// TestProcessReal watches a real process, through the connector where the
// kernel has it for us.
func TestProcessReal(t *testing.T) {
	argument := fmt.Sprintf("%d.%d", 3600+os.Getpid(), 1)
	got := follow(t, Process{Name: "sleep", Arguments: []string{argument}, Quorum: 1, QuorumMax: -1, Interval: 50 * time.Millisecond})
	wantState(t, next(t, got), vrrp.TrackDown, "0 processes")
	cmd := exec.Command("sleep", argument)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wantState(t, next(t, got), vrrp.TrackUp, "1 process")
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	wantState(t, next(t, got), vrrp.TrackDown, "0 processes")
}

func TestConnectorEvents(t *testing.T) {
	message := func(what uint32, numbers ...uint32) []byte {
		order := binary.NativeEndian
		b := make([]byte, nlHeader)
		b = order.AppendUint32(order.AppendUint32(b, cnIdxProc), cnValProc)
		b = append(b, make([]byte, 12)...)
		b = append(order.AppendUint32(b, what), make([]byte, 12)...)
		for _, n := range numbers {
			b = order.AppendUint32(b, n)
		}
		return b
	}
	for _, c := range []struct {
		name string
		b    []byte
		want change
		ok   bool
	}{
		{"fork", message(procFork, 1, 1, 7, 7), change{pid: 7}, true},
		{"a new thread", message(procFork, 1, 1, 8, 7), change{pid: 8}, false},
		{"exec", message(procExec, 7, 7), change{pid: 7}, true},
		{"comm", message(procComm, 7, 7, 0, 0, 0, 0), change{pid: 7}, true},
		{"exit", message(procExit, 7, 7, 0, 17, 1, 1), change{pid: 7, gone: true}, true},
		{"the end of a thread", message(procExit, 8, 7, 0, 17, 1, 1), change{pid: 8, gone: true}, false},
		{"something else", message(0x40, 7, 7), change{}, false},
		{"too short", message(procExec, 7), change{}, false},
		{"nothing", nil, change{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, ok := changeOf(c.b); ok != c.ok || ok && got != c.want {
				t.Errorf("got %+v, %v", got, ok)
			}
		})
	}
}

func FuzzConnector(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, nlHeader+cnHeader+procHeader+8))
	f.Fuzz(func(_ *testing.T, b []byte) { changeOf(b) })
}
