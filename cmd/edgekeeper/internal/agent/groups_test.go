package agent_test

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/agent"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
)

const twoSides = `
vrrp "VI_2" {
  interface         = "eth1"
  virtual_router_id = 51
  version           = 3
  advert_interval   = "400ms"
  priority          = %d
  virtual_address "198.51.100.1/24" {}
}
vrrp "VI_3" {
  interface         = "eth2"
  virtual_router_id = 51
  version           = 3
  advert_interval   = "400ms"
  virtual_address "203.0.113.1/24" {}
}
`

// opened counts how often the host of each instance was made.
type opened struct {
	mu sync.Mutex
	n  map[string]int
}

func (o *opened) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return fmt.Sprintf("%d %d %d", o.n["VI_1"], o.n["VI_2"], o.n["VI_3"])
}

func TestSyncGroup(t *testing.T) {
	t.Parallel() // waits for elections
	s := newSite(t)
	hosts := &opened{n: map[string]int{}}
	s.platform = quiet(s)
	s.platform.OpenHost = func(cfg config.VRRP, _ string, _ *slog.Logger) (agent.Host, error) {
		hosts.mu.Lock()
		defer hosts.mu.Unlock()
		hosts.n[cfg.Router.Name]++
		return &quietHost{}, nil
	}
	setup := func(priority int, group string) {
		s.setup(fmt.Sprintf(twoSides, priority) + group + fmt.Sprintf(`
notify "exec" "all" {
  command   = %s
  events    = ["group"]
  instances = ["edge"]
}
`, s.writer("all")))
	}
	states := func() (out string) {
		snap := s.snapshot()
		for _, r := range snap.VRRP {
			out += r.State + " "
		}
		for _, g := range snap.Groups {
			out += g.Name + " " + g.State + " " + strings.Join(g.Instances, ",")
		}
		return out
	}
	reload := func(how string) {
		t.Helper()
		before := s.snapshot().Config.LoadedAt
		s.hup <- syscall.SIGHUP
		s.until("the configuration is taken, "+how, func() bool { return s.snapshot().Config.LoadedAt.After(before) })
	}
	setup(90, `sync_group "edge" { instances = ["VI_2", "VI_1"] }`)
	s.start()
	s.until("all are masters", func() bool { return states() == "MASTER MASTER MASTER edge MASTER VI_2,VI_1" })
	s.told("all", "GROUP edge BACKUP 0", "GROUP edge MASTER 0")
	snap := s.snapshot()
	if len(snap.Groups[0].Notes) != 1 || snap.VRRP[0].Group != "edge" || snap.VRRP[2].Group != "" {
		t.Errorf("status: %+v, %q %q", snap.Groups, snap.VRRP[0].Group, snap.VRRP[2].Group)
	}

	// One priority for all: of the group's key, else of a member's.
	c := s.client()
	priorities := func() string {
		var out []string
		for _, r := range s.snapshot().VRRP {
			out = append(out, fmt.Sprintf("%d %s", r.Priority, r.PriorityFrom))
		}
		return strings.Join(out, ", ")
	}
	for _, step := range []struct{ set, value, want string }{
		{"priority/VI_1/lvs1", "120", "120 kv priority/VI_1/lvs1, 120 kv priority/VI_1/lvs1, 100 config"},
		{"priority/VI_2/lvs1", "130", "120 kv priority/VI_1/lvs1, 130 kv priority/VI_2/lvs1, 100 config"},
		{"priority/edge/lvs1", "140", "140 kv priority/edge/lvs1, 140 kv priority/edge/lvs1, 100 config"},
		{"priority/edge/lvs1", "", "120 kv priority/VI_1/lvs1, 130 kv priority/VI_2/lvs1, 100 config"},
	} {
		var err error
		if step.value == "" {
			err = c.Delete(t.Context(), step.set)
		} else {
			err = c.Put(t.Context(), step.set, step.value)
		}
		if err != nil {
			t.Fatal(err)
		}
		s.until(step.set+" acts: "+step.want+"; now "+priorities(), func() bool { return priorities() == step.want })
	}
	if err := c.Put(t.Context(), "priority/edge2/lvs1", "1"); err == nil {
		t.Error("a priority for a group that is not there")
	}
	if _, err := c.Handover(t.Context(), "edge2"); err == nil {
		t.Error("handover of a group that is not there")
	}
	for _, name := range []string{"edge", "VI_1"} {
		s.until("the handover of "+name+" fails for want of a peer", func() bool { // and not because it was late, and elects again
			_, err := c.Handover(t.Context(), name)
			if err == nil {
				t.Fatalf("%s was handed over to nobody", name)
			}
			return strings.Contains(err.Error(), "hand over edge")
		})
	}

	// What does not change goes on; members start again together.
	if got := hosts.String(); got != "1 1 1" {
		t.Fatalf("hosts were opened %s times", got)
	}
	setup(90, `sync_group "edge" { 
  instances = ["VI_2", "VI_1"]
  track_interface "lo" {}
}`)
	reload("with a tracker")
	if got := hosts.String(); got != "1 1 1" {
		t.Errorf("hosts were opened %s times after a tracker was added", got)
	}
	setup(100, `sync_group "edge" { instances = ["VI_2", "VI_1"] }`)
	reload("with another priority of a member")
	if got := hosts.String(); got != "2 2 1" {
		t.Errorf("hosts were opened %s times after a member changed", got)
	}
	if notes := s.snapshot().Groups[0].Notes; len(notes) != 0 {
		t.Errorf("notes %q", notes)
	}
	setup(100, `sync_group "edge" { instances = ["VI_2", "VI_3"] }`)
	reload("with another member")
	s.until("the new group is master", func() bool { return states() == "MASTER MASTER MASTER edge MASTER VI_2,VI_3" })
	if got := hosts.String(); got != "3 3 2" {
		t.Errorf("hosts were opened %s times after the members changed", got)
	}
}

// TestSyncGroupTakesNoHalf: where one member cannot start, the reload is refused
// and the group of before is put back.
func TestSyncGroupTakesNoHalf(t *testing.T) {
	t.Parallel() // waits for elections
	s := newSite(t)
	s.platform = quiet(s)
	s.platform.OpenHost = func(cfg config.VRRP, _ string, _ *slog.Logger) (agent.Host, error) {
		if cfg.Router.Addresses[0].Prefix.Addr() == netip.MustParseAddr("203.0.113.9") {
			return nil, os.ErrPermission
		}
		return &quietHost{}, nil
	}
	group := "sync_group \"edge\" { instances = [\"VI_1\", \"VI_3\"] }\n"
	s.setup(fmt.Sprintf(twoSides, 100) + group)
	s.start()
	master := func() bool {
		g := s.snapshot().Groups
		return len(g) == 1 && g[0].State == "MASTER"
	}
	s.until("the group is master", master)
	s.setup(strings.ReplaceAll(fmt.Sprintf(twoSides, 100), "203.0.113.1", "203.0.113.9") + group)
	s.hup <- syscall.SIGHUP
	s.until("the configuration is refused", func() bool { return s.snapshot().Config.Refused != "" })
	s.until("the group is master again", master)
}
