//go:build priv

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/test/netns"
)

// trackedHost is host a of the scenario, on which everything that is tracked
// happens.
type trackedHost struct {
	*netns.Host
	dir string
}

func (h trackedHost) path(name string) string { return filepath.Join(h.dir, name) }

func (h trackedHost) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(h.path(name)+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(h.path(name)+".new", h.path(name)); err != nil {
		t.Fatal(err)
	}
}

func (h trackedHost) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(h.path(name)); err != nil {
		t.Fatal(err)
	}
}

// trackSteps are what happens on a, which has priority 110 beside b with 100,
// and who is master then.
var trackSteps = []struct {
	name   string
	do     func(*testing.T, trackedHost)
	master string
}{
	{"start", func(*testing.T, trackedHost) {}, "a"},
	{"a script with weight -20 fails", func(t *testing.T, h trackedHost) { h.write(t, "weight-fails", "") }, "b"},
	{"it is well again", func(t *testing.T, h trackedHost) { h.remove(t, "weight-fails") }, "a"},
	{"a script without a weight fails", func(t *testing.T, h trackedHost) { h.write(t, "fault-fails", "") }, "b"},
	{"it is well again", func(t *testing.T, h trackedHost) { h.remove(t, "fault-fails") }, "a"},
	{"a file with weight 1 holds -20", func(t *testing.T, h trackedHost) { h.write(t, "number", "-20\n") }, "b"},
	{"it holds 15", func(t *testing.T, h trackedHost) { h.write(t, "number", "15\n") }, "a"},
	{"the sum decides: 110 + 15 - 20", func(t *testing.T, h trackedHost) { h.write(t, "weight-fails", "") }, "a"},
	{"the file holds -254, a fault", func(t *testing.T, h trackedHost) { h.write(t, "number", "-254\n") }, "b"},
	{"it holds 15 again", func(t *testing.T, h trackedHost) { h.write(t, "number", "15\n") }, "a"},
	{"an interface with weight -30 loses its carrier", func(t *testing.T, h trackedHost) {
		h.Run(t, netns.Tool("ip", "link", "set", "t1", "down"))
	}, "b"},
	{"it has it again", func(t *testing.T, h trackedHost) { h.Run(t, netns.Tool("ip", "link", "set", "t1", "up")) }, "a"},
}

// TestTrackedMaster walks two directors through losses that are tracked, and
// two of keepalived: the master must be the same at each step.
func TestTrackedMaster(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name  string
		start func(t *testing.T, h trackedHost, name string, priority int)
	}{{"edgekeeper", startTracking}, {"keepalived", startTrackingKeepalived}} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			lan := netns.NewLAN(t)
			hosts := map[string]trackedHost{}
			for name, address := range map[string]string{"a": "192.0.2.1/24", "b": "192.0.2.2/24"} {
				dir, err := os.MkdirTemp("", "ek") // short: a unix socket is in it
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = os.RemoveAll(dir) })
				h := trackedHost{lan.Host(t, name, address), dir}
				h.Run(t, netns.Tool("ip", "link", "add", "t0", "type", "veth", "peer", "name", "t1"))
				h.Run(t, netns.Tool("ip", "link", "set", "t0", "up"))
				h.Run(t, netns.Tool("ip", "link", "set", "t1", "up"))
				h.write(t, "number", "0\n")
				hosts[name] = h
			}
			kind.start(t, hosts["a"], "a", 110)
			kind.start(t, hosts["b"], "b", 100)
			for n, step := range trackSteps {
				step.do(t, hosts["a"])
				other := map[string]string{"a": "b", "b": "a"}[step.master]
				netns.Wait(t, settling, fmt.Sprintf("step %d, %s: %s is master", n, step.name, step.master), func() bool {
					return hosts[step.master].Has(t, "192.0.2.100") && !hosts[other].Has(t, "192.0.2.100")
				})
				// And remains it: a change that is still to come would show.
				for end := time.Now().Add(1200 * time.Millisecond); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
					if !hosts[step.master].Has(t, "192.0.2.100") {
						t.Fatalf("step %d, %s: %s is no longer master", n, step.name, step.master)
					}
				}
			}
		})
	}
}

func startTracking(t *testing.T, h trackedHost, name string, priority int) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, "director.hcl", fmt.Sprintf(`
router_id = %[2]q
state_dir = "%[1]s/state"
control { socket = "%[1]s/sock" }
ipvs { manage_sysctls = false }
track_script "weight" {
  shell    = "! test -e %[1]s/weight-fails"
  interval = "100ms"
  timeout  = "10s"
}
track_script "fault" {
  shell    = "! test -e %[1]s/fault-fails"
  interval = "100ms"
  timeout  = "10s"
}
track_file "number" { path = "%[1]s/number" }
vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  version           = 3
  advert_interval   = "300ms"
  priority          = %[3]d
  virtual_address "192.0.2.100/24" {}
  track "weight" { weight = -20 }
  track "fault" {}
  track "number" { weight = 1 }
  track_interface "t0" { weight = -30 }
}
`, h.dir, name, priority))
	h.Start(t, netns.Command{Path: path, Args: []string{"director", "-config", h.path("director.hcl")}})
}

func startTrackingKeepalived(t *testing.T, h trackedHost, name string, priority int) {
	t.Helper()
	h.write(t, "keepalived.conf", fmt.Sprintf(`
global_defs {
 router_id %[2]s
 vrrp_version 3
 script_user root
}
vrrp_script weight {
 script "/usr/bin/test ! -e %[1]s/weight-fails"
 interval 1
}
vrrp_script fault {
 script "/usr/bin/test ! -e %[1]s/fault-fails"
 interval 1
}
track_file number {
 file %[1]s/number
 weight 1
}
vrrp_instance VI_1 {
 state BACKUP
 interface eth0
 virtual_router_id 51
 priority %[3]d
 advert_int 0.3
 track_script {
  weight weight -20
  fault
 }
 track_file {
  number weight 1
 }
 track_interface {
  t0 weight -30
 }
 virtual_ipaddress {
  192.0.2.100/24
 }
}
`, h.dir, name, priority))
	h.Start(t, netns.Tool("keepalived", "-n", "-l", "-D", "-P", "-f", h.path("keepalived.conf"), "-p", h.path("pid"), "-r", h.path("vrrp.pid")))
}

// TestTrackInPlace: a director alone sees an interface come and go by name, and
// processes, and takes other ways to track without letting go of the address.
func TestTrackInPlace(t *testing.T) {
	t.Parallel()
	lan := netns.NewLAN(t)
	dir, err := os.MkdirTemp("", "ek")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	m := &machine{Host: lan.Host(t, "a", "192.0.2.1/24"), t: t, dir: dir}
	write := func(more string) {
		text := fmt.Sprintf(`
router_id = "a"
state_dir = "%[1]s/state"
control { socket = "%[1]s/sock" }
ipvs { manage_sysctls = false }
vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  version           = 3
  advert_interval   = "300ms"
  virtual_address "192.0.2.100/24" {}
  track_interface "t0" {
    weight     = -30
    down_delay = "300ms"
  }
  %[2]s
`, dir, more)
		if err := os.WriteFile(dir+"/director.hcl", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("}")
	m.start()
	m.until("is master without the interface t0", func(r control.Router) bool { return r.State == "MASTER" && r.Priority == 70 })
	m.Run(t, netns.Tool("ip", "link", "add", "t0", "type", "veth", "peer", "name", "t1"))
	m.Run(t, netns.Tool("ip", "link", "set", "t0", "up"))
	m.Run(t, netns.Tool("ip", "link", "set", "t1", "up"))
	var since time.Time
	m.until("has the interface", func(r control.Router) bool { since = r.Since; return r.Priority == 100 })
	m.Run(t, netns.Tool("ip", "link", "set", "t0", "name", "other0"))
	m.until("sees it renamed", func(r control.Router) bool { return r.Priority == 70 })

	write(`track "sleep" { weight = 20 }
}
track_process "sleep" {
  process   = "sleep"
  arguments = ["86431"]
  interval  = "100ms"
}`)
	m.proc.Signal(t, syscall.SIGHUP)
	m.until("tracks processes", func(r control.Router) bool { return len(r.Tracks) == 2 && r.Tracks[0].State == "down" })
	p := m.Host.Start(t, netns.Tool("sleep", "86431"))
	m.until("sees the process", func(r control.Router) bool { return r.Priority == 90 })
	p.Kill(t)
	m.until("sees it end", func(r control.Router) bool {
		if r.State != "MASTER" || !r.Since.Equal(since) {
			t.Fatalf("%s since %v, was master since %v: %s", r.State, r.Since, since, r.Reason)
		}
		return r.Priority == 70
	})
}
