package lvs_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSyncDiff(t *testing.T) {
	on := lvs.SyncConfig{Interface: "eth1", ID: 51}
	master, backup := lvs.SyncDaemon{State: lvs.SyncMaster, SyncConfig: on}, lvs.SyncDaemon{State: lvs.SyncBackup, SyncConfig: on}
	// As the kernel reads it back.
	shown := master
	shown.Group, shown.Port, shown.TTL, shown.MaxLength = netip.MustParseAddr("224.0.0.81"), 8848, 1, 1472
	moved := shown
	moved.Interface = "eth0"
	for _, tt := range []struct {
		name string
		have []lvs.SyncDaemon
		want lvs.SyncDaemon
		ops  []string
	}{
		{"nothing", nil, lvs.SyncDaemon{}, nil},
		{"first", nil, master, []string{"start master daemon on eth1, id 51, 224.0.0.81 port 8848"}},
		{"runs, with the defaults filled in", []lvs.SyncDaemon{shown}, master, nil},
		{"becomes backup", []lvs.SyncDaemon{shown}, backup, []string{
			"stop master daemon on eth1, id 51, 224.0.0.81 port 8848", "start backup daemon on eth1, id 51, 224.0.0.81 port 8848"}},
		{"elsewhere", []lvs.SyncDaemon{moved}, master, []string{
			"stop master daemon on eth0, id 51, 224.0.0.81 port 8848", "start master daemon on eth1, id 51, 224.0.0.81 port 8848"}},
		{"one too many", []lvs.SyncDaemon{shown, backup}, master, []string{"stop backup daemon on eth1, id 51, 224.0.0.81 port 8848"}},
		{"off", []lvs.SyncDaemon{shown, backup}, lvs.SyncDaemon{}, []string{
			"stop master daemon on eth1, id 51, 224.0.0.81 port 8848", "stop backup daemon on eth1, id 51, 224.0.0.81 port 8848"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, op := range lvs.SyncDiff(tt.have, tt.want) {
				got = append(got, op.String())
			}
			if d := cmp.Diff(tt.ops, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// Whatever runs, the ops can be carried out one after the other by a kernel
// that has room for one daemon of each state, and end in what is wanted.
func TestSyncDiffConverges(t *testing.T) {
	daemon := func(t *rapid.T, state lvs.SyncState) lvs.SyncDaemon {
		return lvs.SyncDaemon{State: state, SyncConfig: lvs.SyncConfig{
			Interface: rapid.SampledFrom([]string{"eth0", "eth1"}).Draw(t, "interface"),
			ID:        uint8(rapid.IntRange(0, 2).Draw(t, "id")),
			Port:      rapid.SampledFrom([]uint16{0, 8848, 9000}).Draw(t, "port"),
			MaxLength: rapid.SampledFrom([]uint16{0, 1472}).Draw(t, "length"),
		}}
	}
	rapid.Check(t, func(t *rapid.T) {
		var have []lvs.SyncDaemon
		for _, s := range []lvs.SyncState{lvs.SyncMaster, lvs.SyncBackup} {
			if rapid.Bool().Draw(t, "runs") {
				have = append(have, daemon(t, s))
			}
		}
		want := daemon(t, lvs.SyncState(rapid.IntRange(0, 2).Draw(t, "wanted")))
		for _, op := range lvs.SyncDiff(have, want) {
			i := slices.IndexFunc(have, func(d lvs.SyncDaemon) bool { return d.State == op.Daemon.State })
			if op.Start == (i >= 0) {
				t.Fatalf("%s with %v running", op, have)
			}
			if op.Start {
				have = append(have, op.Daemon)
			} else {
				have = slices.Delete(have, i, i+1)
			}
		}
		if again := lvs.SyncDiff(have, want); len(again) > 0 || len(have) > 1 || (len(have) == 0) != (want.State == lvs.SyncOff) {
			t.Fatalf("ended in %v, still to do: %v", have, again)
		}
	})
}
