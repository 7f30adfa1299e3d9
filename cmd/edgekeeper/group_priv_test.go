//go:build priv

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/test/netns"
)

// groupHost runs a director with a sync group of two networks.
type groupHost struct {
	*netns.Host
	inside netns.Port
	also   string // of the instance inside
	dir    string
	proc   *netns.Process
}

func (h *groupHost) configure(t *testing.T, priority int, more string) {
	t.Helper()
	text := fmt.Sprintf(`
router_id = %[2]q
state_dir = "%[1]s/state"
control { socket = "%[1]s/sock" }
ipvs { manage_sysctls = false }
vrrp "outside" {
  interface         = "eth0"
  virtual_router_id = 51
  priority          = %[3]d
  virtual_address "192.0.2.100/24" {}
}
vrrp "inside" {
  interface         = "eth1"
  virtual_router_id = 51
  priority          = %[3]d
  virtual_address "198.51.100.100/24" {}
  %[5]s
}
sync_group "edge" {
  instances = ["outside", "inside"]
  %[4]s
}
notify "exec" "told" {
  command = ["/bin/sh", "-c", "echo \"$*\" >>%[1]s/told", "-"]
  events  = ["group"]
}
`, h.dir, h.Name, priority, more, h.also)
	if err := os.WriteFile(filepath.Join(h.dir, "director.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (h *groupHost) start(t *testing.T) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	h.proc = h.Start(t, netns.Command{Path: path, Args: []string{"director", "-config", filepath.Join(h.dir, "director.hcl")}})
}

func (h *groupHost) client() *control.Client { return control.NewClient(filepath.Join(h.dir, "sock")) }

func (h *groupHost) group() string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s, err := h.client().Snapshot(ctx)
	if err != nil || len(s.Groups) != 1 {
		return fmt.Sprint(err)
	}
	return s.Groups[0].State
}

// armed is the virtual routers that the guardian would hand over.
func (h *groupHost) armed() []string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s, err := h.client().Snapshot(ctx)
	if err != nil || s.Guardian == nil {
		return nil
	}
	return s.Guardian.Armed
}

// TestSyncGroupOfDirectors: the addresses of two networks move together when a
// link fails, a director is killed, a tracker of the group fails, a priority is
// set and a member is handed over; and no address is ever on both hosts.
func TestSyncGroupOfDirectors(t *testing.T) {
	t.Parallel()
	one, two := netns.NewLAN(t), netns.NewLAN(t)
	hosts := map[string]*groupHost{}
	for i, name := range []string{"a", "b"} {
		dir, err := os.MkdirTemp("", "ek") // short: a unix socket is in it
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		h := &groupHost{Host: one.Host(t, name, fmt.Sprintf("192.0.2.%d/24", i+1)), dir: dir}
		h.inside = two.Join(t, h.Host, "eth1", fmt.Sprintf("198.51.100.%d/24", i+1))
		h.configure(t, 150-50*i, "")
		hosts[name] = h
	}
	a, b := hosts["a"], hosts["b"]
	var ledgers []*netns.Ledger
	for _, ip := range []string{"192.0.2.100", "198.51.100.100"} {
		ledgers = append(ledgers, one.Ledger(t, ip, a.Host, b.Host))
	}
	both := func(h *groupHost, when string) {
		t.Helper()
		took := netns.Wait(t, settling, "both addresses on "+h.Name+" "+when, func() bool {
			return !slices.ContainsFunc(ledgers, func(l *netns.Ledger) bool { return !slices.Equal(l.Holders(), []string{h.Name}) })
		})
		t.Logf("%s: both on %s after %s", when, h.Name, took.Round(time.Millisecond))
	}
	late, begin := netns.MeasureLateness(t), time.Now()
	a.start(t)
	b.start(t)
	both(a, "at the start")
	netns.Wait(t, settling, "status of both groups", func() bool { return a.group() == "MASTER" && b.group() == "BACKUP" })

	a.inside.Cut(t)
	both(b, "inside link of a cut")
	netns.Wait(t, settling, "fault of the group", func() bool { return a.group() == "FAULT" })
	a.inside.Mend(t)
	both(a, "mended")

	ctx := t.Context()
	if err := a.client().Put(ctx, "priority/inside/a", "50"); err != nil {
		t.Fatal(err)
	}
	both(b, "priority of one member lowered")
	if err := a.client().Delete(ctx, "priority/inside/a"); err != nil {
		t.Fatal(err)
	}
	both(a, "put back")

	// A tracker of the group, added in place.
	a.configure(t, 150, `track_interface "absent0" {}`)
	a.proc.Signal(t, syscall.SIGHUP)
	both(b, "tracker of the group failed")
	a.configure(t, 150, "")
	a.proc.Signal(t, syscall.SIGHUP)
	both(a, "tracker gone")

	// An address of one member, added in place: the group goes on. The addresses
	// are on the host a moment before the status tells so.
	netns.Wait(t, settling, "status of the group", func() bool { return a.group() == "MASTER" })
	snap, err := a.client().Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	since := snap.Groups[0].Since
	for _, a.also = range []string{`virtual_address "198.51.100.101/24" {}`, ""} {
		a.configure(t, 160, "")
		a.proc.Signal(t, syscall.SIGHUP)
		netns.Wait(t, settling, "the address as configured", func() bool {
			return strings.Contains(a.Run(t, netns.Tool("ip", "addr", "show", "dev", "eth1")), "198.51.100.101/") == (a.also != "")
		})
	}
	both(a, "reconfigured")
	if snap, err = a.client().Snapshot(ctx); err != nil || !snap.Groups[0].Since.Equal(since) || snap.VRRP[0].Priority != 160 {
		t.Errorf("group since %s, want %s; priority %d; %v", snap.Groups[0].Since, since, snap.VRRP[0].Priority, err)
	}

	moved, err := a.client().Handover(ctx, "outside")
	if err != nil || len(moved) != 1 || moved[0].Instance != "edge" || moved[0].To == "" {
		t.Errorf("handover: %+v, %v", moved, err)
	}
	both(b, "handed over")
	netns.Wait(t, settling, "guardian of b armed", func() bool { return len(b.armed()) == 2 })

	before := time.Now()
	b.proc.Kill(t)
	both(a, "master killed, its guardian acts")
	for _, l := range ledgers {
		if took := l.After(t, settling, a.Host, true, before); took > 3*time.Second+late.Between(before, time.Now()) {
			t.Errorf("that took %s, longer than the skew", took)
		}
		l.Alone(t, begin, late, v2claim)
	}
	told, err := os.ReadFile(filepath.Join(a.dir, "told"))
	if err != nil || !strings.HasPrefix(string(told), "GROUP edge BACKUP 0\nGROUP edge MASTER 0\nGROUP edge FAULT 0\nGROUP edge BACKUP 0\nGROUP edge MASTER 0\n") {
		t.Errorf("told %q, %v", told, err)
	}
}
