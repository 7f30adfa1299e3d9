package agent_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

// dialed counts the sockets that were opened: one for each start of a router.
func dialed(s *site) *atomic.Int32 {
	n := new(atomic.Int32)
	dial := s.platform.Dial
	s.platform.Dial = func(cfg config.VRRP) (instance.Conn, error) { n.Add(1); return dial(cfg) }
	return n
}

const unicast = `
vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  version           = 3
  advert_interval   = "400ms"
  unicast_service "edge" {
    tags   = ["prod"]
    linger = %q
  }
  virtual_address "192.0.2.1/24" {}
}
`

func (s *site) unicast(linger string) {
	s.write("director.hcl", fmt.Sprintf(base, s.dir, "release", 80, `real_server "10.0.0.1:80" {}`)+fmt.Sprintf(unicast, linger))
}

// register writes a director's entry of the catalog.
func (s *site) register(name, address, tag string) {
	s.write("catalog/"+name+".hcl", fmt.Sprintf(`service { name = "edge" id = %q address = %q port = 112 tags = [%q] }`, name, address, tag))
}

func (s *site) unregister(name string) {
	s.t.Helper()
	if err := os.Remove(filepath.Join(s.dir, "catalog", name+".hcl")); err != nil {
		s.t.Fatal(err)
	}
}

// peers waits for a list, a state and words in the problem.
func (s *site) peers(state, want, problem string) control.Router {
	s.t.Helper()
	var r control.Router
	var got string
	s.until(fmt.Sprintf("%s with peers %s, problem %q", state, want, problem), func() bool {
		r = s.snapshot().VRRP[0]
		got = strings.Trim(fmt.Sprint(r.Peers.Addresses), "[]")
		return r.State == state && got == want && strings.Contains(r.Peers.Problem, problem) && (problem == "") == (r.Peers.Problem == "")
	})
	return r
}

// TestPeersFromACatalog: they come and go under a master that does not start
// again, and never become none, not by a restart either.
func TestPeersFromACatalog(t *testing.T) {
	t.Parallel() // waits for elections
	s := newSite(t)
	s.platform = quiet(s)
	s.platform.Addresses = func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("192.0.2.251")} }
	starts := dialed(s)
	s.unicast("0s")
	s.start()
	r := s.peers("FAULT", "", "names no other router: of 0 instances")
	if !strings.Contains(r.Reason, "no unicast peer is known") {
		t.Errorf("reason %q", r.Reason)
	}

	s.register("self", "192.0.2.251", "prod")
	s.peers("FAULT", "", "of 1 instances 0 lack a tag, 0 have no usable address of the family, 1 are this host")
	s.register("b", "192.0.2.252", "prod")
	since := s.peers("MASTER", "192.0.2.252", "").Since
	s.register("c", "192.0.2.253", "prod")
	s.register("d", "192.0.2.254", "test")
	s.register("e", "2001:db8::1", "prod")
	s.register("vip", "192.0.2.1", "prod")
	s.peers("MASTER", "192.0.2.252 192.0.2.253", "")
	s.unregister("b")
	s.peers("MASTER", "192.0.2.253", "")
	s.unregister("c")
	if r := s.peers("MASTER", "192.0.2.253", "names no other router"); !r.Since.Equal(since) || starts.Load() != 1 {
		t.Errorf("the router started %d times, master since %s, was %s", starts.Load(), r.Since, since)
	}
	s.until("the problem is an event", func() bool {
		events, err := s.client().Events(t.Context(), 0)
		return err == nil && strings.Contains(fmt.Sprint(events), "names no other router: of 4 instances 1 lack a tag, 1 have no usable address of the family, 2 are this host; the last known peers stand: 192.0.2.253")
	})
	s.until("the list is on disk", func() bool {
		text, err := os.ReadFile(filepath.Join(s.dir, "state", "last-known-good.json"))
		var saved struct {
			Peers map[string]struct{ Addresses []netip.Addr } `json:"unicast_peers"`
		}
		return err == nil && json.Unmarshal(text, &saved) == nil && fmt.Sprint(saved.Peers["VI_1"].Addresses) == "[192.0.2.253]"
	})

	s.stop()
	s.start()
	s.peers("MASTER", "192.0.2.253", "names no other router")
	s.register("c", "192.0.2.250", "prod")
	s.peers("MASTER", "192.0.2.250", "")
}

// TestPeersLinger: who has gone from the catalog remains a peer for a while.
func TestPeersLinger(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.platform = quiet(s)
	s.unicast("1h")
	s.register("b", "192.0.2.252", "prod")
	s.start()
	s.peers("MASTER", "192.0.2.252", "")
	s.register("b", "192.0.2.253", "prod")
	s.peers("MASTER", "192.0.2.252 192.0.2.253", "")
}

// TestKeysOnReload: keys, mode and their absence are taken by a router that runs.
func TestKeysOnReload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.platform = quiet(s)
	starts := dialed(s)
	set := func(auth string) {
		s.write("director.hcl", fmt.Sprintf(base, s.dir, "release", 80, `real_server "10.0.0.1:80" {}`)+
			strings.Replace(router, "virtual_address", auth+"\n  virtual_address", 1))
	}
	set("")
	s.start()
	s.until("master", func() bool { return s.snapshot().VRRP[0].State == "MASTER" })
	since := s.snapshot().VRRP[0].Since
	const key = `key "%d" { hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e%02x" }`
	for _, step := range []struct{ mode, more, want string }{
		{"receive-only", "", "receive-only 1 [1]"},
		{"permissive", "", "permissive 1 [1]"},
		{"enforce", fmt.Sprintf(key, 2, 2) + "\nactive_key = 1", "enforce 1 [1 2]"},
		{"enforce", fmt.Sprintf(key, 2, 2) + "\nactive_key = 2", "enforce 2 [1 2]"},
		{"", "", "none"},
	} {
		auth := ""
		if step.mode != "" {
			auth = fmt.Sprintf("authentication {\ntype = \"hmac\"\nmode = %q\n%s\n%s\n}", step.mode, fmt.Sprintf(key, 1, 1), step.more)
		}
		set(auth)
		s.hup <- syscall.SIGHUP
		s.until(step.want, func() bool {
			got := "none"
			if a := s.snapshot().VRRP[0].Authentication; a != nil {
				got = fmt.Sprintf("%s %d %v", a.Mode, a.ActiveKey, a.Keys)
			}
			return got == step.want
		})
	}
	if r := s.snapshot().VRRP[0]; r.State != "MASTER" || !r.Since.Equal(since) || starts.Load() != 1 {
		t.Errorf("%s since %s, was %s; started %d times", r.State, r.Since, since, starts.Load())
	}
}
