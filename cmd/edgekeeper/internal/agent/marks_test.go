package agent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/agent"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
)

// marks is a fake of the rules for firewall marks, which outlives directors.
type marks struct {
	mu    sync.Mutex
	rules []lvs.Marking
	err   error
	drift string
}

func (m *marks) Ensure(_ context.Context, want []lvs.Marking) (bool, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return false, "", m.err
	}
	drift := m.drift
	wrote := drift != "" || !slices.Equal(m.rules, want)
	m.rules, m.drift = want, ""
	return wrote, drift, nil
}

func (m *marks) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *marks) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprint(m.rules)
}

// withMarks is a site whose rules are fake, and of which it is noted whether a
// director believed that some might be left.
func withMarks(t *testing.T) (*site, *marks, *[]bool) {
	s, m, leftover := newSite(t), &marks{}, &[]bool{}
	s.platform.OpenMarks = func(left bool) reconcile.Marks {
		m.set(func() { *leftover = append(*leftover, left) })
		return m
	}
	return s, m, leftover
}

const group = `
virtual_server "media" {
  addresses = ["192.0.2.1-10:80-89", "192.0.2.24/29:443"]
  scheduler = "rr"
  real_server "10.0.0.7" {}
}
`

const groupRules = "[tcp 192.0.2.1-192.0.2.10:80-89 fwmark 80000 tcp 192.0.2.24-192.0.2.31:443 fwmark 80000]"

func (s *site) groupConfig(onStop, fwmark string) {
	text := strings.Replace(group, "scheduler", fwmark+"\n  scheduler", 1)
	s.write("director.hcl", fmt.Sprintf(base, s.dir, onStop, 80, `real_server "10.0.0.1:80" {}`)+text)
}

// A group is one virtual server of the kernel; its packets are marked while the
// director runs, and it is shown by the addresses that people know.
func TestGroup(t *testing.T) {
	t.Parallel()
	s, m, _ := withMarks(t)
	s.groupConfig("release", "fwmark = 80000")
	s.start()
	s.until("the group is in the kernel", func() bool { return strings.Contains(s.kernel.Dump(), "fwmark 80000 inet rr\n  -> 10.0.0.7:0 dr 1\n") })
	s.until("its packets are marked", func() bool { return m.String() == groupRules })
	p := s.snapshot().Pools[1]
	if p.Service != "fwmark 80000 inet" || p.Mark != 80000 || strings.Join(p.Addresses, ", ") != "tcp 192.0.2.1-192.0.2.10:80-89, tcp 192.0.2.24-192.0.2.31:443" {
		t.Errorf("shown as %+v", p)
	}

	m.set(func() { m.drift = "the chain prerouting is missing" })
	s.until("the repair is told", func() bool {
		events, err := s.client().Events(t.Context(), 0)
		return err == nil && strings.Contains(fmt.Sprint(events), "repaired: the chain prerouting is missing")
	})
	if d := s.snapshot().IPVS; d.Drift != 1 || !strings.Contains(d.LastDrift, "prerouting") {
		t.Errorf("drift %d, %q", d.Drift, d.LastDrift)
	}

	m.set(func() { m.err = errors.New("no nftables here") })
	s.until("the failure is shown", func() bool {
		i := s.snapshot().IPVS
		return strings.Contains(i.Error, "no nftables here")
	})
	m.set(func() { m.err = nil })
	s.until("the failure is over", func() bool { i := s.snapshot().IPVS; return i.Error == "" && i.InSync })

	s.groupConfig("release", "fwmark = 80001")
	s.hup <- os.Interrupt
	s.until("the reload has changed the mark", func() bool { return m.String() == strings.ReplaceAll(groupRules, "80000", "80001") })
	s.until("and the virtual server", func() bool {
		return strings.Contains(s.kernel.Dump(), "fwmark 80001") && !strings.Contains(s.kernel.Dump(), "fwmark 80000")
	})
	s.stop()
	if m.String() != "[]" || s.kernel.Dump() != "" {
		t.Errorf("left: %s, %s", m, s.kernel.Dump())
	}
}

// The marks outlive a director that is to keep them, are known to the next one,
// and go with clean-up after one that was killed.
func TestGroupKeptAndCleanedUp(t *testing.T) {
	s, m, leftover := withMarks(t)
	s.groupConfig("keep", "fwmark = 80000")
	s.start()
	s.until("marked", func() bool { return m.String() == groupRules })
	s.stop()
	if m.String() != groupRules {
		t.Errorf("kept: %s", m)
	}
	b, err := os.ReadFile(filepath.Join(s.dir, "state/ipvs.json"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("state/ipvs.json", strings.Replace(string(b), `"keep": true`, `"keep": false`, 1))
	s.platform.OpenIPVS = func(context.Context, *slog.Logger) (agent.IPVS, error) { return s.kernel, nil }
	if err := agent.Cleanup(t.Context(), filepath.Join(s.dir, "state"), s.platform, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if m.String() != "[]" || s.kernel.Dump() != "" {
		t.Errorf("left after clean-up: %s, %s", m, s.kernel.Dump())
	}
	if !slices.Equal(*leftover, []bool{false, true}) {
		t.Errorf("believed to be left: %v", *leftover)
	}
}
