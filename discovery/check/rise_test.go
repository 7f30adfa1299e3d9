package check

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/edgekeeper/edgekeeper/discovery"
)

func TestRise(t *testing.T) {
	const pending, up, down = discovery.Pending, discovery.Up, discovery.Down
	for _, c := range []struct {
		name          string
		retries, rise int
		seed          discovery.Health
		results       string // + success, - failure
		health        string // after each: ? pending, U up, D down; lower case: retry follows
	}{
		{"first success", 3, 3, pending, "+", "U"},
		{"first failure", 3, 3, pending, "-", "D"},
		{"no retries", 0, 1, pending, "+-+", "UDU"},
		{"retries are forgiven", 3, 1, pending, "+----", "UuuuD"},
		{"a success forgives", 1, 1, pending, "+-+-+--", "UuUuUuD"},
		{"rise", 0, 3, pending, "+-++-+++", "UDDDDDDU"},
		{"down stays down without retries", 3, 1, pending, "---", "DDD"},
		{"seed up forgives at first", 2, 1, up, "--+", "??U"},
		{"seed up goes down in the end", 2, 1, up, "---", "??D"},
		{"seed up confirmed", 2, 3, up, "+", "U"},
		{"seed down confirmed", 2, 3, down, "-", "D"},
		{"seed down rises", 2, 3, down, "+++", "??U"},
		{"seed down falls back", 2, 2, down, "+-++", "?DDU"},
		{"nonsense is the least", -1, 0, pending, "+-+", "UDU"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewRise(c.retries, c.rise, c.seed)
			if r.Health() != pending {
				t.Errorf("decided before the first result")
			}
			var got strings.Builder
			for _, result := range c.results {
				retry := r.Observe(result == '+')
				s := map[discovery.Health]string{pending: "?", up: "U", down: "D"}[r.Health()]
				if retry && s == "U" {
					s = "u"
				}
				got.WriteString(s)
			}
			if got.String() != c.health {
				t.Errorf("%s gives %s, want %s", c.results, got.String(), c.health)
			}
		})
	}
}

// From any state, 1+retries failures are down and max(1, rise) successes are up, and a
// change needs no fewer.
func TestRiseProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		retries, rise := rapid.IntRange(0, 5).Draw(t, "retries"), rapid.IntRange(1, 5).Draw(t, "rise")
		r := NewRise(retries, rise, discovery.Health(rapid.IntRange(0, 2).Draw(t, "seed")))
		fails, oks := 0, 0
		for i, ok := range rapid.SliceOfN(rapid.Bool(), 1, 60).Draw(t, "results") {
			before := r.Health()
			retry := r.Observe(ok)
			if ok {
				fails, oks = 0, oks+1
			} else {
				fails, oks = fails+1, 0
			}
			after := r.Health()
			switch {
			case fails > retries && after != discovery.Down, oks >= rise && after != discovery.Up:
				t.Fatalf("%v after %d failures or %d successes", after, fails, oks)
			case before == discovery.Up && after == discovery.Down && fails != retries+1:
				t.Fatalf("down after %d failures, retries %d", fails, retries)
			case before == discovery.Down && after == discovery.Up && oks != rise:
				t.Fatalf("up after %d successes, rise %d", oks, rise)
			case before != discovery.Pending && after == discovery.Pending:
				t.Fatalf("undecided again at %d", i)
			case retry && (ok || after == discovery.Down):
				t.Fatalf("a retry after ok=%v, %v", ok, after)
			}
		}
	})
}
