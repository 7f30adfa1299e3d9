package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// instanceFile is a file of the catalog with one instance of the service web.
func instanceFile(n, weight int) string {
	return fmt.Sprintf(`service { name = "web" id = "web-%[1]d" address = "10.0.0.%[1]d" port = 80 weights { passing = %[2]d warning = 1 } }`, n, weight)
}

// events lists the texts of the events of a kind about an object.
func (s *site) events(kind, object string) []string {
	s.t.Helper()
	list, err := s.client().Events(s.t.Context(), 0)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		if e.Kind == kind && e.Object == object {
			out = append(out, e.Text)
		}
	}
	return out
}

func TestSlowStart(t *testing.T) {
	s := newSite(t)
	s.config("keep", `service "web" {}
  slow_start {
    window = "3s"
  }`)
	s.write("catalog/1.hcl", instanceFile(1, 100))
	s.start()
	s.table("10.0.0.1:100") // an empty pool begins with its full weight
	s.stop()
	s.start() // of a table that it finds, it takes the servers to be warm
	s.kernel.Ops()
	s.write("catalog/2.hcl", instanceFile(2, 100))
	s.table("10.0.0.1:100 10.0.0.2:100")

	last, steps := uint32(0), 0
	for _, op := range s.kernel.Ops() {
		if op.Verb != lvs.AddDest && op.Verb != lvs.SetDest || op.Dest.Addr.String() != "10.0.0.2:80" {
			t.Errorf("unexpected: %s", op)
			continue
		}
		if op.Dest.Weight <= last {
			t.Errorf("from %d to %d", last, op.Dest.Weight)
		}
		last, steps = op.Dest.Weight, steps+1
	}
	// Fewer than 20, for a late loop leaves some out.
	if steps < 3 || steps > 21 {
		t.Errorf("%d steps", steps)
	}
	var told []string
	s.until("the end is told", func() bool {
		told = s.events("server", "web 10.0.0.2:80")
		return strings.HasPrefix(told[len(told)-1], "serving with weight 100")
	})
	if len(told) != 2 || !strings.Contains(told[0], "slow start") || !strings.HasPrefix(told[1], "serving with weight 100") {
		t.Errorf("events %q, want one of the beginning and one of the end", told)
	}
}

func TestFallbackAnswers(t *testing.T) {
	s := newSite(t)
	s.config("release", `real_server "10.0.0.1" {}
  fallback "dc2" {
    service "web" {}
  }
  sorry_server "10.0.0.3" {}`)
	s.write("catalog/2.hcl", instanceFile(2, 5))
	s.start()
	s.table("10.0.0.1:1")
	order := func(key, value string) {
		t.Helper()
		if err := s.client().Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	order("drain/web/10.0.0.1", "away")
	s.table("10.0.0.2:5") // 10.0.0.1 had no connections to finish
	p := s.snapshot().Pools[0]
	if p.Answers != discovery.TheFallback || len(p.Fallback.Servers) != 1 || p.Fallback.Servers[0].Kernel == nil || p.Sorry.State != discovery.Standby {
		t.Errorf("pool %+v, fallback %+v, sorry server %+v", p, p.Fallback, p.Sorry)
	}
	order("drain/web/web-2", "away, too") // an order that only the fallback knows
	s.table("10.0.0.3:1")
	if err := s.client().Delete(t.Context(), "drain/web/10.0.0.1"); err != nil {
		t.Fatal(err)
	}
	s.table("10.0.0.1:1")
	want := []string{"quorum lost", "the fallback pool dc2 answers", "the sorry server 10.0.0.3:80 answers", "quorum regained", "its own real servers answer again"}
	s.until("all is told", func() bool { return slices.Equal(s.events("pool", "web"), want) })
}
