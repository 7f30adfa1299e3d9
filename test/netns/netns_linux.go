// Package netns lets a privileged Go test run in network namespaces of its own.
//
//	func TestMain(m *testing.M) {
//		netns.Main(m, map[string]func() error{"router": runRouter})
//	}
//
//	func TestElection(t *testing.T) {
//		lan := netns.NewLAN(t)
//		a := lan.Host(t, "a", "192.0.2.1/24")
//		router := a.Start(t, netns.Role("router", "-vrid", "51"))
//		…
//		router.Kill(t)
//	}
//
// Main re-executes the test binary once, in a fresh network and mount
// namespace, so nothing a test does reaches the machine it runs on and nothing
// needs to be cleaned up there: when the last process ends, the kernel removes
// every namespace, bridge and interface. Hosts are further network namespaces,
// joined by veth pairs and a bridge. What must be a process of its own, because
// a test kills or stops it, is a Role: the same binary, started in a host's
// namespace, running one function of the map.
//
// It needs root and fails without.
package netns

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Environment of the re-executed test binary.
const (
	envInside = "EDGEKEEPER_NETNS_INSIDE"
	envRole   = "EDGEKEEPER_NETNS_ROLE"
)

// Main is the body of a TestMain. It does not return.
func Main(m *testing.M, roles map[string]func() error) {
	if role := os.Getenv(envRole); role != "" {
		os.Exit(runRole(role, roles))
	}
	if os.Getenv(envInside) != "" {
		// Parallel tests here wait for timers, they do not compute. -parallel
		// on the command line, or set before Main, still decides.
		if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
			_ = flag.Set("test.parallel", "12")
		}
		if err := loopbackUp(); err != nil {
			fmt.Fprintln(os.Stderr, "netns:", err)
			os.Exit(2)
		}
		os.Exit(m.Run())
	}
	os.Exit(reexec())
}

// loopbackUp lets tests use 127.0.0.1, which a new namespace does not.
func loopbackUp() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	return netlink.LinkSetUp(lo)
}

// runRole runs one function of the map; its error is the process's failure.
func runRole(name string, roles map[string]func() error) int {
	f, ok := roles[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "no role %q\n", name)
		return 2
	}
	if err := f(); err != nil {
		fmt.Fprintf(os.Stderr, "role %s: %v\n", name, err)
		return 1
	}
	return 0
}

// reexec runs this binary again in new namespaces and passes its exit code on.
func reexec() int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "find test binary:", err)
		return 2
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), envInside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC,
		Unshareflags: syscall.CLONE_NEWNS, // makes the mount tree private
		Pdeathsig:    syscall.SIGKILL,
	}
	runtime.LockOSThread() // Pdeathsig is about the thread
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "run in fresh namespaces (needs root):", err)
		return 2
	}
	// The whole foreground group gets ^C; the child decides when to end.
	signal.Ignore(os.Interrupt)
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// Enter finishes the set-up inside the new namespaces. NewLAN calls it.
func enter(t testing.TB) {
	t.Helper()
	if os.Getenv(envInside) == "" {
		t.Fatal("netns: TestMain does not call netns.Main")
	}
	// A /proc and /sys of our own namespaces, for sysctls and for tools.
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		t.Fatalf("netns: mount /proc: %v", err)
	}
}

// Verbose reports whether the test runs with -v, for roles that log.
func Verbose() bool {
	f := flag.Lookup("test.v")
	return f != nil && f.Value.String() == "true"
}
