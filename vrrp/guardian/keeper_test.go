package guardian

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const childArg = "guardian-child"

// TestMain also is the guardian process of these tests, the real one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childArg {
		if err := Main(slog.New(slog.NewTextHandler(os.Stderr, nil)), nil); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// kept is a Keeper that runs.
type kept struct {
	*Keeper
	t    *testing.T
	lock string
	stop func()
	mu   sync.Mutex
	said []string
}

func keep(t *testing.T) *kept {
	k := &kept{t: t, lock: filepath.Join(t.TempDir(), "guardian.lock")}
	k.Keeper = NewKeeper(Config{
		Command: func() *exec.Cmd { return Command(childArg) }, Lock: k.lock,
		Event: func(text string) { k.mu.Lock(); k.said = append(k.said, text); k.mu.Unlock() },
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- k.Run(ctx); close(done) }()
	k.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(k.stop)
	return k
}

// until waits for a status.
func (k *kept) until(what string, ok func(Status) bool) Status {
	k.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		s := k.Status()
		if ok(s) {
			return s
		}
		if time.Now().After(deadline) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.t.Fatalf("not within 20 s: %s; %+v\n%s", what, s, strings.Join(k.said, "\n"))
		}
	}
}

func (k *kept) armed(names ...string) Status {
	k.t.Helper()
	return k.until("armed for "+strings.Join(names, ","), func(s Status) bool { return s.PID != 0 && slices.Equal(s.Armed, names) })
}

// harmless is an Arm that could do nothing.
func harmless(name string) Arm {
	return Arm{Instance: name, Interface: "lo", Within: time.Second, Addresses: []Address{{"lo", netip.MustParsePrefix("192.0.2.77/32")}}}
}

func locked(t *testing.T, path string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	return Await(ctx, path) != nil
}

func TestKeeperArmsAndSendsAway(t *testing.T) {
	k := keep(t)
	k.Arm(harmless("b"))
	k.Arm(harmless("a"))
	pid := k.armed("a", "b").PID
	if pgid, err := syscall.Getpgid(pid); err != nil || pgid != pid {
		t.Errorf("the guardian is in process group %d (%v): a signal to ours would reach it", pgid, err)
	}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err != nil || len(b) > 0 {
		t.Errorf("the guardian has an environment of %d bytes, %v", len(b), err)
	}
	if !locked(t, k.lock) {
		t.Error("an armed guardian holds no lock")
	}
	k.Disarm("a")
	k.armed("b")
	k.stop()
	if s := k.Status(); s.PID != 0 || s.Error != "" || s.Restarts != 0 {
		t.Errorf("after the end: %+v", s)
	}
	if err := syscall.Kill(pid, 0); err == nil {
		t.Error("the guardian is still there")
	}
	if locked(t, k.lock) {
		t.Error("the lock is still taken")
	}
}

func TestKeeperReplaces(t *testing.T) {
	for _, c := range []struct {
		name   string
		signal syscall.Signal
		dies   bool
	}{
		{"killed", syscall.SIGKILL, true},
		{"frozen", syscall.SIGSTOP, true},
		{"asked to end", syscall.SIGTERM, false},
		{"hung up", syscall.SIGHUP, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := keep(t)
			k.Arm(harmless("VI_1"))
			first := k.armed("VI_1").PID
			if err := syscall.Kill(first, c.signal); err != nil {
				t.Fatal(err)
			}
			if !c.dies {
				k.Arm(harmless("VI_2"))
				if s := k.armed("VI_1", "VI_2"); s.PID != first || s.Restarts != 0 {
					t.Errorf("replaced: %+v", s)
				}
				return
			}
			k.until("another process", func(s Status) bool { return s.PID != 0 && s.PID != first && s.Restarts == 1 })
			k.armed("VI_1")
		})
	}
}

func TestKeeperTellsWhatCannotBeDone(t *testing.T) {
	k := keep(t)
	a := harmless("VI_1")
	a.Interface, a.Source = "nosuch0", netip.MustParseAddr("192.0.2.1")
	a.Packets = []Packet{{netip.MustParseAddr("224.0.0.18"), []byte{1}}}
	k.Arm(a)
	k.until("error", func(s Status) bool {
		return strings.Contains(s.Error, "VI_1: can take addresses off, but not send priority 0: open sender on nosuch0")
	})
	k.Arm(harmless("VI_1"))
	if s := k.armed("VI_1"); s.Error != "" {
		t.Errorf("error stays: %s", s.Error)
	}
}

// TestKeeperRenews: new packets reach the guardian without arming it anew, which
// would count its sockets up and leave it unarmed meanwhile.
func TestKeeperRenews(t *testing.T) {
	k := keep(t)
	arm := func(data byte) {
		a := harmless("VI_1")
		a.Source = netip.MustParseAddr("127.0.0.1")
		a.Packets = []Packet{{netip.MustParseAddr("127.0.0.1"), []byte{data}}}
		k.Arm(a)
	}
	arm(0)
	k.until("an answer", func(s Status) bool { return s.PID != 0 && (len(s.Armed) == 1 || s.Error != "") })
	for i := range 200 {
		arm(byte(i))
	}
	k.Arm(harmless("VI_2"))
	s := k.until("armed for the other", func(s Status) bool { return slices.Contains(s.Armed, "VI_2") })
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := len(k.said); s.Restarts != 0 || n > 2 { // it runs; and without root, that it cannot send
		t.Errorf("%+v, said %q", s, k.said)
	}
}

// TestAwait: a guardian that lingers, because it was stopped, is killed by the
// next director.
func TestAwait(t *testing.T) {
	if err := Await(t.Context(), filepath.Join(t.TempDir(), "none")); err != nil {
		t.Error(err)
	}
	k := keep(t)
	k.Arm(harmless("VI_1"))
	pid := k.armed("VI_1").PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// The keeper would see it too, after seconds.
	begin := time.Now()
	if err := Await(t.Context(), k.lock); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < awaitKind {
		t.Errorf("killed after %s, before it had its time", took)
	}
	k.until("another process", func(s Status) bool { return s.PID != 0 && s.PID != pid })
}

func TestMainByHand(t *testing.T) {
	out, err := exec.Command(os.Args[0], childArg).CombinedOutput()
	if err == nil {
		t.Errorf("runs: %s", out)
	}
}
