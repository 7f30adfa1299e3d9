package discovery_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// TestSlowStartShare is Envoy's formula.
func TestSlowStartShare(t *testing.T) {
	for _, c := range []struct {
		name       string
		aggression float64
		least      float64
		age        time.Duration
		want       float64
	}{
		{"at the beginning the least", 1, 0.1, 0, 0.1},
		{"before the beginning, too", 1, 0.1, -time.Second, 0.1},
		{"the least until the curve is above it", 1, 0.1, 5 * time.Second, 0.1},
		{"even", 1, 0.1, 30 * time.Second, 0.5},
		{"aggression above 1 begins faster", 2, 0.1, 15 * time.Second, 0.5},
		{"aggression below 1 begins slower", 0.5, 0.1, 30 * time.Second, 0.25},
		{"at the end all", 1, 0.1, time.Minute, 1},
		{"after it, too", 2, 0, time.Hour, 1},
		{"no least", 1, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := discovery.SlowStart{Window: time.Minute, Aggression: c.aggression, MinWeight: c.least}
			if got := s.Share(c.age); math.Abs(got-c.want) > 1e-9 {
				t.Errorf("share %g, want %g", got, c.want)
			}
		})
	}
}

func slowly(s *discovery.Spec) {
	s.SlowStart = discovery.SlowStart{Window: 100 * time.Second, Aggression: 1, MinWeight: 0.1}
}

// heavy are servers 1 … n of the catalog with a weight that can be divided.
func heavy(n int) []discovery.Instance {
	out := five(ok)[:n]
	for i := range out {
		out[i].Weights = discovery.Weights{Passing: 100, Warning: 100}
	}
	return out
}

// begun is a pool of servers 1 … n that have served for long.
func begun(t *testing.T, n int, edit ...func(*discovery.Spec)) *run {
	var dests []lvs.Dest
	for i := range n {
		dests = append(dests, lvs.Dest{Addr: addr(i + 1), Weight: 100})
	}
	r := &run{t: t, spec: spec(append(edit, slowly)...), w: newWorld(heavy(n)...).check(up, "says", 1, 2, 3, 4, 5), mem: discovery.Adopt(lvs.NewPool(lvs.Service{}, dests...))}
	r.step(0)
	return r
}

func TestSlowStart(t *testing.T) {
	t.Run("a new server grows in steps and then stands", func(t *testing.T) {
		r := begun(t, 1)
		r.want(pool(r.last), "1:100")
		if !r.last.Next.IsZero() {
			t.Errorf("a step is due at %s though nothing grows", r.last.Next)
		}
		r.w.catalog(heavy(2)...)
		r.want(r.step(0), "1:100 2:10")
		if got, want := reasonOf(r.last, 2), "serving: tcp check: says; slow start: 10 % of its weight, all of it 1m40s after it began"; got != want {
			t.Errorf("reason %q, want %q", got, want)
		}
		if got := r.last.Next.Sub(r.w.Now); got != 5*time.Second {
			t.Errorf("next step in %s, want 5s", got)
		}
		r.want(r.step(49*time.Second), "1:100 2:45") // of the step at 45 s
		r.want(r.step(time.Second), "1:100 2:50")
		r.want(r.step(49*time.Second), "1:100 2:95")
		r.want(r.step(time.Second), "1:100 2:100")
		if s := r.last.Servers[1]; !r.last.Next.IsZero() || s.SlowStart != nil || strings.Contains(s.Reason, "slow") {
			t.Errorf("at the end %+v, next %s", s, r.last.Next)
		}
	})
	t.Run("a pool that was empty begins with full weights", func(t *testing.T) {
		r := &run{t: t, spec: spec(slowly), w: newWorld(heavy(3)...).check(up, "says", 1, 2, 3)}
		r.want(r.step(0), "1:100 2:100 3:100")
	})
	t.Run("one that comes later to such a pool gets the share of its age beside the first", func(t *testing.T) {
		r := &run{t: t, spec: spec(slowly), w: newWorld(heavy(1)...).check(up, "says", 1, 2)}
		r.want(r.step(0), "1:100")
		r.w.catalog(heavy(2)...)
		r.want(r.step(20*time.Second), "1:100 2:50") // 10 % beside 20 %
		r.want(r.step(60*time.Second), "1:100 2:75") // 60 % beside 80 %
	})
	t.Run("a recovered server", func(t *testing.T) {
		r := begun(t, 2)
		r.w.check(down, "refused", 2)
		r.want(r.step(time.Second), "1:100 2:0")
		r.w.check(up, "says", 2)
		r.want(r.step(time.Second), "1:100 2:10")
	})
	t.Run("a server that is drained no longer", func(t *testing.T) {
		r := begun(t, 2)
		r.w.kv("drain/web/web-2", "upgrade")
		r.want(r.step(time.Second), "1:100 2:0")
		r.w.kv()
		r.want(r.step(time.Second), "1:100 2:10")
	})
	t.Run("the weight changes on the way", func(t *testing.T) {
		r := begun(t, 1)
		r.w.catalog(heavy(2)...)
		r.step(0)
		r.want(r.step(50*time.Second), "1:100 2:50")
		r.w.kv("weight/web/web-2", "60")
		r.want(r.step(0), "1:100 2:30")
	})
	t.Run("the longest-serving one goes: the next has its full weight", func(t *testing.T) {
		r := begun(t, 1)
		r.w.catalog(heavy(2)...)
		r.want(r.step(0), "1:100 2:10")
		r.w.kv("drain/web/web-1", "")
		r.want(r.step(time.Second), "1:0 2:100")
	})
	t.Run("panic spares nobody", func(t *testing.T) {
		r := begun(t, 2, func(s *discovery.Spec) { s.PanicThreshold = 1 })
		r.w.catalog(append(five(crit)[:1], heavy(2)[1:]...)...)
		r.w.check(down, "refused", 1)
		r.step(time.Second)
		if s := r.last.Servers[0]; s.Weight != s.Configured {
			t.Errorf("in panic %+v", s)
		}
	})
	t.Run("quorum counts the whole weight", func(t *testing.T) {
		r := begun(t, 2, func(s *discovery.Spec) { s.Quorum = 150 })
		r.w.check(down, "refused", 2)
		r.step(time.Second)
		if !r.last.QuorumLost {
			t.Fatal("quorum is not lost")
		}
		r.w.check(up, "says", 2)
		r.want(r.step(time.Second), "1:100 2:10")
		if r.last.QuorumLost {
			t.Error("quorum is lost because of the slow start")
		}
	})
	t.Run("after the sorry server all are cold", func(t *testing.T) {
		sorry := discovery.Server{Addr: addr(200), Weight: 1}
		r := begun(t, 2, func(s *discovery.Spec) { s.Quorum, s.Sorry = 150, &sorry })
		r.w.check(down, "refused", 2)
		r.want(r.step(time.Second), "200:1")
		r.w.check(up, "says", 2)
		r.want(r.step(time.Second), "1:100 2:100")
	})
	t.Run("a restart goes on where the kernel's weights are", func(t *testing.T) {
		r := begun(t, 2)
		r.mem = discovery.Adopt(lvs.NewPool(lvs.Service{}, lvs.Dest{Addr: addr(1), Weight: 100}, lvs.Dest{Addr: addr(2), Weight: 40}))
		r.want(r.step(0), "1:100 2:40")
		r.want(r.step(30*time.Second), "1:100 2:70")
		r.want(r.step(30*time.Second), "1:100 2:100")
	})
	t.Run("weights of 1 have nothing to grow, which is said", func(t *testing.T) {
		r := begun(t, 1)
		light := heavy(2)
		light[1].Weights = discovery.Weights{Passing: 1, Warning: 1}
		r.w.catalog(light...)
		r.want(r.step(0), "1:100 2:1")
		if len(r.last.Warnings) != 1 || !strings.Contains(r.last.Warnings[0], "weight = 100") {
			t.Errorf("warnings %q", r.last.Warnings)
		}
	})
	t.Run("switched off, nothing grows", func(t *testing.T) {
		r := begun(t, 1)
		r.w.catalog(heavy(2)...)
		r.want(r.step(0), "1:100 2:10")
		r.spec.SlowStart = discovery.SlowStart{}
		r.want(r.step(time.Second), "1:100 2:100")
	})
}

// A server that begins beside warm ones never loses weight on the way, needs at
// most 20 steps, and Next never comes too late for one.
func TestSlowStartSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := discovery.SlowStart{
			Window:     time.Duration(rapid.Int64Range(int64(time.Second), int64(time.Hour)).Draw(t, "window")),
			Aggression: rapid.Float64Range(0.1, 10).Draw(t, "aggression"),
			MinWeight:  rapid.Float64Range(0, 1).Draw(t, "least"),
		}
		s := spec(func(s *discovery.Spec) { s.SlowStart = c })
		w := newWorld(heavy(2)...).check(up, "says", 1, 2)
		mem := discovery.Adopt(lvs.NewPool(lvs.Service{}, lvs.Dest{Addr: addr(1), Weight: 100}))
		changes, last := 0, 0
		due := start
		for {
			d := discovery.Merge(s, w.View, mem)
			mem = d.Memory
			weight := int(d.Servers[1].Weight)
			switch {
			case weight < max(last, 1), d.Servers[0].Weight != 100:
				t.Fatalf("%s after %d", pool(d), last)
			case weight != last && w.Now.Before(due):
				t.Fatalf("a step at %s, due was %s", w.Now.Sub(start), due.Sub(start))
			case weight != last:
				changes++
			}
			last = weight
			if d.Next.IsZero() {
				break
			}
			if due = d.Next; !due.After(w.Now) {
				t.Fatalf("due at %s, it is %s", due.Sub(start), w.Now.Sub(start))
			}
			left := due.Sub(w.Now)
			w.Now = w.Now.Add(rapid.SampledFrom([]time.Duration{left/2 + 1, left, left + left/2, 3 * left}).Draw(t, "pause"))
		}
		if last != 100 || changes > 21 { // the first weight, and 20 steps
			t.Fatalf("ends at %d after %d changes", last, changes)
		}
	})
}

// However servers come and go, whoever serves has a weight from 1 to its own,
// and one of them has all of it.
func TestSlowStartAlwaysServes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := spec(slowly)
		w := newWorld()
		var mem discovery.Memory
		for range 20 {
			w.catalog(heavy(5)...)
			for n := 1; n <= 5; n++ {
				w.check(rapid.SampledFrom([]discovery.Health{up, down}).Draw(t, fmt.Sprint(n)), "says", n)
			}
			w.Now = w.Now.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "pause")) * time.Second)
			d := discovery.Merge(s, w.View, mem)
			mem = d.Memory
			live := slices.DeleteFunc(slices.Clone(d.Servers), func(s discovery.Judged) bool { return s.State != discovery.Serving })
			full := slices.ContainsFunc(live, func(s discovery.Judged) bool { return s.Weight == 100 })
			low := slices.ContainsFunc(live, func(s discovery.Judged) bool { return s.Weight < 1 || s.Weight > 100 })
			held := slices.ContainsFunc(d.Servers, func(s discovery.Judged) bool { return s.State == discovery.HeldBack })
			if low || len(live) > 0 && !full && !held {
				t.Fatalf("pool %s", pool(d))
			}
		}
	})
}
