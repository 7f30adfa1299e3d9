//go:build priv

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/test/netns"
)

// realtimeThreads lists the realtime priorities of a process's threads that have
// one (proc(5), fields 40 and 41 of stat).
func realtimeThreads(t *testing.T, pid int) (fifo []string) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(files) == 0 {
		t.Fatalf("threads of %d: %d, %v", pid, len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		f := strings.Fields(rest) // from field 3 on
		if policy := f[41-3]; policy == fmt.Sprint(unix.SCHED_FIFO) {
			fifo = append(fifo, f[40-3])
		}
	}
	return fifo
}

func locked(t *testing.T, pid int) (kib int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmLck:")
	_, _ = fmt.Sscan(rest, &kib)
	return kib
}

const favoured = "process {\n  realtime_priority = 37\n  lock_memory = true\n}"

// TestRealtimeAndLockedMemory: the thread of the VRRP loop, and no other, has
// the realtime priority, the memory is locked, and a reload takes both back.
func TestRealtimeAndLockedMemory(t *testing.T) {
	t.Parallel()
	s := &theSite{ledger: &ledger{}}
	m := s.machine(t, netns.NewLAN(t), "a", "192.0.2.1/24", "192.0.2.2/24", variant{vip: "192.0.2.100/24", root: favoured})
	m.start()
	guardian := m.master()
	snap, err := m.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if p := snap.Process; p.RealtimeError != "" || p.LockError != "" || p.LockedBytes == 0 {
		t.Errorf("%+v", p)
	}
	if got := realtimeThreads(t, snap.PID); len(got) != 1 || got[0] != "37" {
		t.Errorf("realtime priorities of the director's threads: %v, want one of 37", got)
	}
	if got := realtimeThreads(t, guardian); len(got) != 0 {
		t.Errorf("realtime priorities of the guardian's threads: %v", got)
	}
	if got := locked(t, snap.PID); got < 10<<10 {
		t.Errorf("%d KiB are locked", got)
	}
	out := m.Run(t, netns.Tool("chrt", "-a", "-p", fmt.Sprint(snap.PID)))
	if n := strings.Count(out, "SCHED_FIFO"); n != 1 {
		t.Errorf("chrt sees %d threads with SCHED_FIFO:\n%s", n, out)
	}

	file := m.dir + "/director.hcl"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), favoured, "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	m.proc.Signal(t, syscall.SIGHUP)
	netns.Wait(t, settling, "nothing of it left", func() bool {
		return len(realtimeThreads(t, snap.PID)) == 0 && locked(t, snap.PID) == 0
	})
	m.until("still master", func(r control.Router) bool { return r.State == "MASTER" && r.Since.Equal(snap.VRRP[0].Since) })
}

// TestFavoursRefused: without the capabilities the director says what it lacks,
// and is master all the same.
func TestFavoursRefused(t *testing.T) {
	t.Parallel()
	s := &theSite{ledger: &ledger{}}
	m := s.machine(t, netns.NewLAN(t), "a", "192.0.2.1/24", "192.0.2.2/24", variant{vip: "192.0.2.100/24", root: favoured})
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	m.proc = m.Host.Start(t, netns.Tool("prlimit", "--rtprio=0", "--memlock=65536", "setpriv", "--bounding-set", "-sys_nice,-ipc_lock", "--inh-caps", "-sys_nice,-ipc_lock",
		path, "director", "-config", m.dir+"/director.hcl"))
	m.master()
	snap, err := m.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if p := snap.Process; !strings.Contains(p.RealtimeError, "not permitted: it needs CAP_SYS_NICE or RLIMIT_RTPRIO of at least that (it is 0)") ||
		!strings.Contains(p.LockError, "not permitted: it needs CAP_IPC_LOCK or an unlimited RLIMIT_MEMLOCK (it is 64 KiB)") {
		t.Errorf("%+v", p)
	}
	if out := m.proc.Output(); strings.Count(out, "warning, going on without: ") != 2 {
		t.Errorf("no two warnings in\n%s", out)
	}
	if got := realtimeThreads(t, snap.PID); len(got) != 0 {
		t.Errorf("realtime threads %v", got)
	}
}
