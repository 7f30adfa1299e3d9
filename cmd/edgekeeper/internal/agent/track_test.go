package agent_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/test/consulstub"
)

// tracked writes a configuration: blocks at the top, and blocks in the instance.
func (s *site) tracked(pool, top, inside string) {
	vrrp := strings.TrimSuffix(strings.TrimSpace(router), "}") + inside + "\n}\n"
	s.write("director.hcl", fmt.Sprintf(base, s.dir, "release", 80, pool)+top+"\n"+vrrp)
}

const onePool = `real_server "10.0.0.1:80" {}`

// vrrp waits until the instance has a state and a priority.
func (s *site) vrrp(state string, priority int) control.Router {
	s.t.Helper()
	var now control.Router
	s.until(fmt.Sprintf("VI_1 is %s with priority %d", state, priority), func() bool {
		now = s.snapshot().VRRP[0]
		return now.State == state && int(now.Priority) == priority
	})
	return now
}

// replace writes a file all at once: one that is written in place is empty for a
// moment, and on a busy machine for long enough to be read so.
func (s *site) replace(name, text string) {
	s.t.Helper()
	s.write(name+".new", text)
	if err := os.Rename(filepath.Join(s.dir, name+".new"), filepath.Join(s.dir, name)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) touch(name string) {
	s.t.Helper()
	s.write(name, "")
}

func (s *site) remove(name string) {
	s.t.Helper()
	if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) tracker(name string) control.Tracker {
	s.t.Helper()
	all := s.snapshot().Trackers
	i := slices.IndexFunc(all, func(t control.Tracker) bool { return t.Name == name })
	if i < 0 {
		s.t.Fatalf("no tracker %q in %+v", name, all)
	}
	return all[i]
}

func (s *site) script(name string) string {
	return fmt.Sprintf("track_script %q {\n  shell = \"test ! -e %s/%s-fails || { echo it fails; exit 4; }\"\n  interval = \"30ms\"\n  timeout = \"10m\"\n}\n", name, s.dir, name)
}

// TestTrack: shifts add up, a fault takes the role, what is tracked can change
// without the role changing hands, and everybody is told.
func TestTrack(t *testing.T) {
	t.Parallel() // waits for elections
	s := newSite(t)
	s.platform = quiet(s)
	top := s.script("a") + s.script("b") + fmt.Sprintf("track_file \"f\" { path = \"%s/number\" }\n", s.dir) +
		fmt.Sprintf("notify \"exec\" \"x\" {\n  command = %s\n  events = [\"track\"]\n}\n", s.writer("told"))
	inside := `
  track "a" { weight = -20 }
  track "b" {}
  track "f" { weight = 2 }
  track_interface "nosuch0" { weight = -5 }
  track_virtual_server "web" {}`
	s.tracked(onePool, top, inside)
	s.start()
	s.vrrp("MASTER", 95)
	var lines []string
	told := func(line string) { // now: while it waits, what is newer of the same tracker takes its place
		t.Helper()
		lines = append(lines, "TRACKER "+line+" 0")
		s.told("told", lines...)
	}
	told("interface nosuch0 DOWN")

	s.touch("a-fails")
	now := s.vrrp("MASTER", 75)
	if now.BasePriority != 100 || now.PriorityFrom != "config" || len(now.Tracks) != 5 {
		t.Errorf("got %+v", now)
	}
	a := s.tracker("script a")
	if a.State != "down" || a.Reason != "exit code 4" || a.Output != "it fails" || !slices.Equal(a.UsedBy, []string{"VI_1"}) {
		t.Errorf("tracker %+v", a)
	}
	told("script a DOWN")
	s.replace("number", "12")
	s.vrrp("MASTER", 99)
	told("file f 12")
	s.remove("a-fails")
	s.vrrp("MASTER", 119)
	told("script a UP")
	s.replace("number", "-200") // below -253
	now = s.vrrp("FAULT", 95)
	if !strings.Contains(now.Reason, "file f is -200: the file holds -200") {
		t.Errorf("reason %q", now.Reason)
	}
	told("file f -200")
	s.replace("number", "0")
	s.vrrp("MASTER", 95)
	told("file f 0")

	s.touch("b-fails")
	now = s.vrrp("FAULT", 95)
	if now.Reason != "script b is down: exit code 4" {
		t.Errorf("reason %q", now.Reason)
	}
	told("script b DOWN")
	s.remove("b-fails")
	begun := s.vrrp("MASTER", 95)
	told("script b UP")

	// The shifts are of what KV says, where it says something.
	if err := s.client().Put(t.Context(), "priority/VI_1/lvs1", "150"); err != nil {
		t.Fatal(err)
	}
	if now = s.vrrp("MASTER", 145); now.BasePriority != 150 || now.PriorityFrom != "kv priority/VI_1/lvs1" {
		t.Errorf("got %+v", now)
	}
	if err := s.client().Delete(t.Context(), "priority/VI_1/lvs1"); err != nil {
		t.Fatal(err)
	}
	s.vrrp("MASTER", 95)

	// Another weight, a tracker less and one more: in place.
	s.touch("a-fails")
	s.vrrp("MASTER", 75)
	told("script a DOWN")
	s.tracked(onePool, top+s.script("c"), strings.NewReplacer("-20", "-30", `track_interface "nosuch0" { weight = -5 }`, `track "c" {}`).Replace(inside))
	s.hup <- syscall.SIGHUP
	now = s.vrrp("MASTER", 70)
	if !now.Since.Equal(begun.Since) {
		t.Errorf("master since %v, and since %v after a reload: %s", begun.Since, now.Since, now.Reason)
	}
	s.until("the new tracker has a verdict", func() bool { return s.tracker("script c").State == "up" })
	s.told("told", lines...)

	// A definition that changes keeps its verdict until it speaks, here never.
	s.tracked(onePool, strings.Replace(top, "  shell =", "  rise  = 2\n  shell = \"sleep 3600\" #", 1), inside)
	s.hup <- syscall.SIGHUP
	now = s.vrrp("MASTER", 75)
	if !now.Since.Equal(begun.Since) {
		t.Errorf("the role changed hands: %s", now.Reason)
	}
	events, err := s.client().Events(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, e := range events {
		if e.Kind == "track" || e.Kind == "vrrp" {
			texts = append(texts, e.Object+": "+e.Text)
		}
	}
	for _, want := range []string{"script a: down: exit code 4", "VI_1: priority 75, was 95: config, script a -20, interface nosuch0 -5"} {
		if !slices.Contains(texts, want) {
			t.Errorf("no event %q in %q", want, texts)
		}
	}
}

// TestTrackAtStart: a router for which a script is a fault waits for it, and is
// not in the election before; one with a weight does not wait.
func TestTrackAtStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.platform = quiet(s)
	slow := fmt.Sprintf("track_script \"slow\" {\n  shell = \"while ! test -e %s/go; do sleep 0.05; done\"\n  timeout = \"1h\"\n}\n", s.dir)
	s.tracked(onePool, slow, `track "slow" {}`)
	s.start()
	s.until("the instance runs", func() bool { return s.snapshot().VRRP[0].State != "INIT" })
	if now := s.vrrp("FAULT", 100); now.Reason != "script slow is pending: no verdict yet" {
		t.Errorf("reason %q", now.Reason)
	}
	events, err := s.client().Events(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Kind == "vrrp" && strings.Contains(e.Text, "BACKUP") {
			t.Errorf("it was in the election: %+v", e)
		}
	}
	s.touch("go")
	s.vrrp("MASTER", 100)
	s.stop()
	s.remove("go")
	s.tracked(onePool, slow, `track "slow" { weight = -20 }`)
	s.start()
	s.vrrp("MASTER", 100)
}

// TestTrackUnknownPool: a pool that nobody has judged yet is no fault, one that
// has lost its quorum is.
func TestTrackUnknownPool(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.platform = quiet(s)
	// The check of an address that drops packets: no verdict for an hour.
	s.tracked(`real_server "192.0.2.77:80" {}
  check "tcp" {
    interval = "2h"
    timeout  = "1h"
  }`, "", `track_virtual_server "web" {}`)
	s.start()
	s.vrrp("MASTER", 100)
	if k := s.tracker("virtual_server web"); k.State == "down" {
		t.Errorf("tracker %+v", k)
	}
	s.tracked(`real_server "10.0.0.1:80" { weight = 0 }`, "", `track_virtual_server "web" {}`)
	s.hup <- syscall.SIGHUP
	if now := s.vrrp("FAULT", 100); !strings.Contains(now.Reason, "below quorum") {
		t.Errorf("reason %q", now.Reason)
	}
	s.tracked(onePool, "", `track_virtual_server "web" {}`)
	s.hup <- syscall.SIGHUP
	s.vrrp("MASTER", 100)
}

// TestTrackConsul: a service and a check; an error of Consul changes nothing.
func TestTrackConsul(t *testing.T) {
	t.Parallel()
	stub := consulstub.New()
	web := httptest.NewServer(stub)
	t.Cleanup(web.Close) // after the director has stopped
	set := func(status string) {
		stub.SetService("db",
			consulstub.Entry("db", "db-1", "n1", "10.0.0.1", 5432, consulstub.Check("disk", status, "it is "+status)),
			consulstub.Entry("db", "db-2", "n2", "10.0.0.2", 5432, consulstub.Check("disk", api.HealthPassing, "")))
	}
	s := newSite(t)
	s.platform = quiet(s)
	s.tracked(onePool, fmt.Sprintf(`
consul { address = %q }
track_consul "both" {
  service = "db"
  passing = 2
}
track_consul "disk" {
  node          = "n1"
  check         = "disk"
  allow_warning = true
}
`, web.Listener.Addr()), `
  track "both" { weight = -10 }
  track "disk" { weight = -20 }`)
	stub.SetFault(consulstub.Status500)
	set(api.HealthPassing)
	s.start()
	s.vrrp("MASTER", 100)
	if k := s.tracker("consul disk"); k.State != "unknown" || k.Reason != "Consul has not answered yet" {
		t.Errorf("tracker %+v", k)
	}
	stub.SetFault(consulstub.None)
	s.until("the trackers are up", func() bool { return s.tracker("consul disk").State == "up" && s.tracker("consul both").State == "up" })
	set(api.HealthWarning)
	s.vrrp("MASTER", 90)
	set(api.HealthCritical)
	s.vrrp("MASTER", 70)
	s.until("the service's reason names the instance", func() bool {
		return s.tracker("consul both").Reason == "1 of 2 instances pass, 2 needed; db-1 on n1 is critical: check disk: it is critical"
	})
	stub.SetFault(consulstub.Status500)
	s.until("Consul is known to fail", func() bool {
		return slices.ContainsFunc(s.snapshot().Sources, func(q control.SourceStatus) bool { return q.Error != "" })
	})
	s.vrrp("MASTER", 70)
	stub.SetFault(consulstub.None)
	set(api.HealthPassing)
	s.vrrp("MASTER", 100)
	stub.SetService("db") // the check is gone with its node
	s.vrrp("MASTER", 70)
	if k := s.tracker("consul disk"); k.Reason != `node n1 has no check "disk"` {
		t.Errorf("tracker %+v", k)
	}
}

// TestTrackGroup: what a member tracks takes all out, and what the group tracks
// shifts all.
func TestTrackGroup(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.platform = quiet(s)
	second := strings.NewReplacer("VI_1", "VI_2", "51", "52", "192.0.2.1", "192.0.2.2").Replace(router)
	s.tracked(onePool, s.script("member")+s.script("group")+second+`
sync_group "G" {
  instances = ["VI_1", "VI_2"]
  track "group" { weight = -20 }
}
`, `track "member" {}`)
	s.start()
	both := func(state string, priority int) {
		t.Helper()
		s.until(fmt.Sprintf("both are %s with priority %d", state, priority), func() bool {
			list := s.snapshot().VRRP
			return len(list) == 2 && !slices.ContainsFunc(list, func(r control.Router) bool { return r.State != state || int(r.Priority) != priority })
		})
	}
	both("MASTER", 100)
	s.touch("group-fails")
	both("MASTER", 80)
	s.touch("member-fails")
	both("FAULT", 80)
	s.remove("member-fails")
	both("MASTER", 80)
	s.remove("group-fails")
	both("MASTER", 100)
	if k := s.tracker("script group"); !slices.Equal(k.UsedBy, []string{"VI_2", "VI_1"}) && !slices.Equal(k.UsedBy, []string{"VI_1", "VI_2"}) {
		t.Errorf("used by %v", k.UsedBy)
	}
}
