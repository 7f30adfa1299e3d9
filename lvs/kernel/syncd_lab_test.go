//go:build linux && lab

package kernel_test

import (
	"errors"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/edgekeeper/edgekeeper/lvs"
	"golang.org/x/sys/unix"
)

// The daemons start, read back as ipvsadm shows them, change, and stop.
func TestLabSyncDaemons(t *testing.T) {
	d := openLab(t)
	for _, args := range [][]string{{"link", "add", "sync0", "type", "dummy"}, {"addr", "add", "192.0.2.9/24", "dev", "sync0"}, {"link", "set", "sync0", "up"}} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
	}
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", "sync0").Run() })
	converge := func(want lvs.SyncDaemon) {
		t.Helper()
		have, err := d.SyncDaemons(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range lvs.SyncDiff(have, want) {
			if err := d.ApplySync(t.Context(), op); err != nil {
				t.Fatal(err)
			}
		}
		if have, err = d.SyncDaemons(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := lvs.SyncDiff(have, want); len(left) > 0 {
			t.Fatalf("want %+v, the kernel shows %+v", want, have)
		}
	}
	t.Cleanup(func() { converge(lvs.SyncDaemon{}) })

	on := lvs.SyncConfig{Interface: "sync0", ID: 51}
	other := lvs.SyncConfig{Interface: "sync0", ID: 255, Group: netip.MustParseAddr("224.0.0.82"), Port: 9000, TTL: 3, MaxLength: 1200}
	for _, want := range []lvs.SyncDaemon{
		{State: lvs.SyncMaster, SyncConfig: on}, {State: lvs.SyncBackup, SyncConfig: on}, {State: lvs.SyncMaster, SyncConfig: on},
		{State: lvs.SyncMaster, SyncConfig: other}, {State: lvs.SyncBackup, SyncConfig: other}, {},
		{State: lvs.SyncBackup, SyncConfig: on}, {State: lvs.SyncBackup, SyncConfig: on},
	} {
		converge(want)
		out, err := exec.Command("ipvsadm", "-L", "--daemon").Output()
		if err != nil {
			t.Fatal(err)
		}
		if shown := strings.Contains(string(out), want.State.String()+" sync daemon"); shown != (want.State != lvs.SyncOff) {
			t.Errorf("want %s, ipvsadm shows %q", want.State, out)
		}
	}

	backup := lvs.SyncDaemon{State: lvs.SyncBackup, SyncConfig: on}
	nowhere := lvs.SyncDaemon{State: lvs.SyncMaster, SyncConfig: lvs.SyncConfig{Interface: "nonsuch0"}}
	for _, tt := range []struct {
		op   lvs.SyncOp
		want error
	}{
		{lvs.SyncOp{Start: true, Daemon: backup}, lvs.ErrExists},
		{lvs.SyncOp{Daemon: lvs.SyncDaemon{State: lvs.SyncMaster}}, lvs.ErrNotFound},
		{lvs.SyncOp{Start: true, Daemon: nowhere}, unix.ENODEV},
	} {
		if err := d.ApplySync(t.Context(), tt.op); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.op, err, tt.want)
		}
	}
}
