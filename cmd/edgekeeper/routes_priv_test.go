//go:build priv

package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/test/netns"
)

// moved gives the routes and rules of both families that are marked as ours.
func (m *machine) moved() string {
	m.t.Helper()
	var out []string
	for _, args := range []string{"-4 route show table all proto keepalived", "-6 route show table all proto keepalived", "-4 rule show", "-6 rule show"} {
		for _, line := range strings.Split(m.Run(m.t, netns.Tool("ip", strings.Fields(args)...)), "\n") {
			if line != "" && (strings.Contains(args, "route") || strings.Contains(line, "proto keepalived")) {
				out = append(out, strings.TrimSpace(line))
			}
		}
	}
	return strings.Join(out, "\n")
}

const movedConfig = `
  virtual_route "10.1.0.0/16" {
    via    = "192.0.2.254"
    source = "192.0.2.100"
    table  = 100
  }
  virtual_route "2001:db8:1::/48" {
    type = "blackhole"
  }
  virtual_rule {
    priority = 1000
    from     = "192.0.2.100"
    table    = 100
  }
  virtual_rule {
    priority = 1001
    family   = "ipv6"
    action   = "prohibit"
    iif      = "nowhere0"
  }`

// TestGuardianMovesRoutes: virtual routes and rules go with the address when the
// director dies; when the guardian dies with it, they stay until the cleanup.
func TestGuardianMovesRoutes(t *testing.T) {
	t.Parallel()
	s := newSite(t, variant{vrrp: movedConfig})
	whole := func(m *machine) func() bool {
		return func() bool { return strings.Count(m.moved(), "\n") == 3 }
	}
	none := func(m *machine) func() bool { return func() bool { return m.moved() == "" } }
	netns.Wait(t, settling, "routes and rules on a", whole(s.a))
	if got := s.b.moved(); got != "" {
		t.Errorf("on the backup:\n%s", got)
	}
	if snap, err := s.a.snapshot(); err != nil || len(snap.VRRP[0].Routes) != 2 || len(snap.VRRP[0].Rules) != 2 {
		t.Errorf("status: %v, %v", snap.VRRP, err)
	}

	begin := time.Now()
	s.a.proc.Signal(t, syscall.SIGKILL)
	if took := netns.Wait(t, settling, "no routes and rules on a", none(s.a)); took > s.bound(promise, begin) {
		t.Errorf("routes and rules were on a for %s", took)
	}
	s.b.master()
	netns.Wait(t, settling, "routes and rules on b", whole(s.b))
	<-s.a.proc.Done()

	pid := s.b.guardian()
	kill(t, pid, syscall.SIGSTOP) // so that it cannot act before it is killed
	s.b.proc.Signal(t, syscall.SIGKILL)
	kill(t, pid, syscall.SIGKILL)
	netns.Wait(t, settling, "end of the lease on b", func() bool { return !s.b.Has(t, "192.0.2.100") })
	if !whole(s.b)() && s.b.moved() == "" {
		t.Error("the routes and rules are gone although nobody was there to take them off: the test tests nothing")
	}
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	netns.Wait(t, settling, "end of both", func() bool { return !alive(pid) })
	s.b.Run(t, netns.Command{Path: path, Args: []string{"cleanup", "-config", s.b.dir + "/director.hcl"}})
	if got := s.b.moved(); got != "" {
		t.Errorf("after the cleanup:\n%s", got)
	}

	// A reload that changes them, and a clean stop.
	s.a.start()
	s.a.until("is master", func(r control.Router) bool { return r.State == "MASTER" })
	netns.Wait(t, settling, "routes and rules on a", whole(s.a))
	if err := s.a.proc.Stop(t, 5*time.Second); err != nil {
		t.Errorf("stop: %v", err)
	}
	if got := s.a.moved(); got != "" {
		t.Errorf("after the stop:\n%s", got)
	}
}
