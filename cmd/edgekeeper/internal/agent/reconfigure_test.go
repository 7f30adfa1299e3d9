package agent_test

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/agent"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
)

// TestReconfigure: which routers change while they run, which start again, and
// that a configuration that cannot be carried out changes none.
func TestReconfigure(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.platform = quiet(s)
	hosts := &opened{n: map[string]int{}}
	var mu sync.Mutex
	var settled []string
	s.platform.OpenHost = func(cfg config.VRRP, _ string, _ *slog.Logger) (agent.Host, error) {
		if cfg.Router.VRID == 99 {
			return nil, os.ErrPermission
		}
		hosts.mu.Lock()
		defer hosts.mu.Unlock()
		hosts.n[cfg.Router.Name]++
		return &quietHost{}, nil
	}
	s.platform.SucceedHost = func(_ agent.Host, cfg config.VRRP, _ *slog.Logger) (agent.Host, func(bool) error, error) {
		return &quietHost{}, func(taken bool) error {
			mu.Lock()
			defer mu.Unlock()
			settled = append(settled, fmt.Sprint(cfg.Router.Name, " ", taken))
			return nil
		}, nil
	}
	done := func() []string {
		mu.Lock()
		defer mu.Unlock()
		list := settled
		settled = nil
		return list
	}
	addresses := func() (out string) {
		for _, r := range s.snapshot().VRRP {
			for _, a := range r.Addresses {
				out += " " + a.Prefix.Addr().String()
			}
		}
		return out
	}
	now := fmt.Sprintf(twoSides, 90)
	s.setup(now)
	s.start()
	first := addresses()
	if !strings.HasSuffix(first, " 198.51.100.1 203.0.113.1") {
		t.Fatalf("addresses%s", first)
	}
	begun := strings.TrimSuffix(first, " 198.51.100.1 203.0.113.1")

	const (
		two   = `virtual_address "198.51.100.1/24" {}`
		three = `virtual_address "203.0.113.1/24" {}`
		more  = "\n  virtual_address \"198.51.100.2/24\" {}"
		id    = "eth2\"\n  virtual_router_id = 51"
	)
	for _, step := range []struct {
		what      string
		replace   []string
		settled   []string
		opened    string
		addresses string // empty: the configuration is refused
	}{
		{"another priority", []string{"= 90", "= 120"}, []string{"VI_2 true"}, "1 1 1", " 198.51.100.1 203.0.113.1"},
		{"one address more", []string{two, two + more}, []string{"VI_2 true"}, "1 1 1", " 198.51.100.1 198.51.100.2 203.0.113.1"},
		{"one beside it cannot start", []string{more, "", id, strings.Replace(id, "51", "99", 1)}, []string{"VI_2 false"}, "1 1 2", ""},
		{"another identifier", []string{id, strings.Replace(id, "51", "53", 1)}, nil, "1 1 3", " 198.51.100.1 198.51.100.2 203.0.113.1"},
		{"an address moves", []string{more, "", three, three + more}, nil, "1 2 4", " 198.51.100.1 203.0.113.1 198.51.100.2"},
		{"nothing", []string{"= 120", "=  120"}, nil, "1 2 4", " 198.51.100.1 203.0.113.1 198.51.100.2"},
	} {
		next := strings.NewReplacer(step.replace...).Replace(now)
		if next == now {
			t.Fatalf("%s: nothing to replace", step.what)
		}
		before := s.snapshot().Config
		s.setup(next)
		s.hup <- syscall.SIGHUP
		if step.addresses == "" {
			s.until(step.what+" is refused", func() bool { return s.snapshot().Config.Refused != "" })
		} else {
			s.until(step.what+" is taken", func() bool { return s.snapshot().Config.LoadedAt.After(before.LoadedAt) })
			now = next
			if got := addresses(); got != begun+step.addresses {
				t.Errorf("%s: addresses%s", step.what, got)
			}
		}
		if got := done(); !slices.Equal(got, step.settled) {
			t.Errorf("%s: %v, want %v", step.what, got, step.settled)
		}
		if got := hosts.String(); got != step.opened {
			t.Errorf("%s: hosts were opened %s times, want %s", step.what, got, step.opened)
		}
	}
}
