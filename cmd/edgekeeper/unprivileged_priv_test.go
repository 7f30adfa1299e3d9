//go:build priv

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/edgekeeper/edgekeeper/test/netns"
)

// TestAsNobody: two capabilities are all that a director and its guardian need
// for the addresses, as Nomad's exec driver starts them: the user nobody, a
// read-only /proc/sys.
func TestAsNobody(t *testing.T) {
	t.Parallel()
	s := &theSite{ledger: &ledger{}}
	m := s.machine(t, netns.NewLAN(t), "a", "192.0.2.1/24", "192.0.2.2/24", variant{vip: "192.0.2.100/24"})
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	// The cache of binaries and the folder are for their owner only. A program that
	// we wrote ourselves could still be open in a child that another test has just
	// forked, and busy.
	copied := filepath.Join(m.dir, "edgekeeper")
	m.Run(t, netns.Tool("cp", path, copied))
	for _, err := range []error{os.Chmod(copied, 0o755), os.Chmod(m.dir, 0o777), os.Chmod(m.dir+"/director.hcl", 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	const caps = "-all,+net_admin,+net_raw"
	m.proc = m.Host.Start(t, netns.Tool("unshare", "--mount", "sh", "-c",
		`mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs --bounding-set "$0" --inh-caps "$0" --ambient-caps "$0" "$@"`,
		caps, copied, "director", "-config", m.dir+"/director.hcl"))
	guardian := m.master()
	holds := func() bool {
		return strings.Contains(m.Run(t, netns.Tool("ip", "addr", "show", "eth0")), "192.0.2.100/24")
	}
	if !holds() {
		t.Error("a master without the address")
	}
	snap, err := m.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{snap.PID, guardian} {
		info, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
		if err != nil {
			t.Fatal(err)
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 65534 {
			t.Errorf("process %d has user %d", pid, uid)
		}
	}
	kill(t, snap.PID, syscall.SIGKILL)
	netns.Wait(t, settling, "the guardian has taken the address off", func() bool { return !holds() })
}
