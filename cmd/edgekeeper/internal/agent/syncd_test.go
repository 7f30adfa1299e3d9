package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/google/go-cmp/cmp"
)

// daemons is a kernel with room for one daemon of each state.
type daemons struct {
	mu      sync.Mutex
	running []lvs.SyncDaemon
	fail    error
}

// set is somebody else changing what runs, or what fails from now on.
func (d *daemons) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

func (d *daemons) SyncDaemons(context.Context) ([]lvs.SyncDaemon, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.running), nil
}

func (d *daemons) ApplySync(_ context.Context, op lvs.SyncOp) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return d.fail
	}
	i := slices.IndexFunc(d.running, func(r lvs.SyncDaemon) bool { return r.State == op.Daemon.State })
	switch {
	case op.Start && i >= 0:
		return lvs.ErrExists
	case op.Start:
		d.running = append(d.running, op.Daemon)
	case i < 0:
		return lvs.ErrNotFound
	default:
		d.running = slices.Delete(d.running, i, i+1)
	}
	return nil
}

func (d *daemons) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, r := range d.running {
		out = append(out, fmt.Sprintf("%s on %s max %d", r.State, r.Interface, r.MaxLength))
	}
	return strings.Join(out, ", ")
}

func TestSyncFollowsTheRole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &daemons{running: []lvs.SyncDaemon{{State: lvs.SyncMaster, SyncConfig: lvs.SyncConfig{Interface: "old"}}}} // a killed predecessor's
		var events []string
		f := newSyncFollower(func(_, _, text string) { k.set(func() { events = append(events, text) }) })
		f.kernel = k
		ctx, cancel := context.WithCancel(t.Context())
		go f.run(ctx)
		runs := func(step, want string) {
			t.Helper()
			synctest.Wait()
			if got := k.String(); got != want {
				t.Errorf("%s: %q runs, want %q", step, got, want)
			}
		}
		f.role("VI_1", vrrp.Backup)
		runs("not configured", "master on old max 0")
		cfg := &config.ConnectionSync{Instance: "VI_1", Sync: lvs.SyncConfig{Interface: "eth1", ID: 51}}
		f.set(cfg, true)
		runs("configured", "backup on eth1 max 0")
		f.role("VI_2", vrrp.Master)
		runs("another instance", "backup on eth1 max 0")
		f.role("VI_1", vrrp.Master)
		runs("master", "master on eth1 max 0")
		f.role("VI_1", vrrp.Fault)
		runs("fault", "backup on eth1 max 0")

		longer := *cfg
		longer.Sync.MaxLength = 1200
		f.set(&longer, true)
		runs("what does not read back has changed", "backup on eth1 max 1200")
		f.set(&longer, true)
		runs("a reload without a change", "backup on eth1 max 1200")

		k.set(func() { events, k.running = nil, nil }) // ipvsadm --stop-daemon
		time.Sleep(reviewEvery)
		runs("somebody stopped it", "backup on eth1 max 1200")
		want := []string{"start backup daemon on eth1, id 51, 224.0.0.81 port 8848: somebody else changed it"}
		if d := cmp.Diff(want, events); d != "" {
			t.Errorf("events: %s", d)
		}

		k.set(func() { events, k.fail = nil, errors.New("there is no interface") })
		f.role("VI_1", vrrp.Master)
		runs("refused", "backup on eth1 max 1200")
		time.Sleep(3 * syncRetry)
		if len(events) != 1 || f.status().Error == "" || f.status().State != "backup" {
			t.Errorf("events %q, status %+v", events, f.status())
		}
		k.set(func() { k.fail = nil })
		time.Sleep(syncRetry)
		runs("possible again", "master on eth1 max 1200")
		if s := f.status(); s.Error != "" || s.State != "master" {
			t.Errorf("status %+v", s)
		}

		f.leave()
		f.role("VI_1", vrrp.Backup)
		runs("handing over", "master on eth1 max 1200")
		cancel()
		synctest.Wait()
		if err := f.stop(t.Context()); err != nil {
			t.Error(err)
		}
		runs("stopped", "")
	})
}
