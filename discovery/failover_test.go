package discovery_test

import (
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// TestFailover is a pool with instances 1 and 2 here, 3 and 4 in a second and 5
// in a third datacenter.
func TestFailover(t *testing.T) {
	far := func(dc string) discovery.Query { return discovery.Query{Service: "web", Datacenter: dc} }
	tiers := func(s *discovery.Spec) {
		s.Selectors[0].Failover = []discovery.Query{far("dc2"), far("dc3")}
	}
	in := func(state discovery.State, servers ...int) []discovery.Instance {
		var out []discovery.Instance
		for _, n := range servers {
			out = append(out, instance(n, state))
		}
		return out
	}
	begin := func(t *testing.T, edit ...func(*discovery.Spec)) *run {
		w := newWorld(in(ok, 1, 2)...).check(up, "says", 1, 2, 3, 4, 5)
		w.Answers[far("dc2")] = discovery.Known{Instances: in(ok, 3, 4)}
		w.Answers[far("dc3")] = discovery.Known{Instances: in(ok, 5)}
		r := &run{t: t, spec: spec(append([]func(*discovery.Spec){tiers}, edit...)...), w: w}
		r.want(r.step(0), "1:10 2:10")
		return r
	}
	t.Run("the nearest serves, the others stand by and are checked", func(t *testing.T) {
		r := begin(t)
		if got := reasonOf(r.last, 3); got != "standby: datacenter dc2 stands by while the own datacenter serves; tcp check: says" {
			t.Errorf("reason = %q", got)
		}
		if len(checksOf(r.last)) != 5 {
			t.Errorf("%d checks, want 5", len(checksOf(r.last)))
		}
	})
	t.Run("one that serves is enough", func(t *testing.T) {
		r := begin(t)
		r.w.catalog(in(ok, 1)...)
		r.want(r.step(time.Second), "1:10")
	})
	t.Run("all critical, and the checks agree: the second serves, and then no longer", func(t *testing.T) {
		r := begin(t)
		r.w.catalog(in(crit, 1, 2)...)
		r.w.check(down, "timeout", 1, 2)
		r.want(r.step(time.Second), "1:0 2:0 3:10 4:10")
		r.w.catalog(append(in(crit, 1), in(ok, 2)...)...)
		r.w.check(up, "says", 2)
		r.want(r.step(time.Second), "1:0 2:10")
		if r.last.Held != "" {
			t.Errorf("held: %s", r.last.Held)
		}
	})
	t.Run("two datacenters lost: the third serves", func(t *testing.T) {
		r := begin(t)
		r.w.catalog(in(crit, 1, 2)...)
		r.w.check(down, "timeout", 1, 2, 3, 4)
		r.want(r.step(time.Second), "1:0 2:0 3:0 4:0 5:10")
	})
	t.Run("all deregistered and alive: held, so nothing is replaced", func(t *testing.T) {
		r := begin(t)
		r.w.catalog(in(ok, 1, 2, 6)...)
		r.w.check(up, "says", 6)
		r.want(r.step(time.Second), "1:10 2:10 6:10")
		r.w.catalog()
		r.want(r.step(time.Second), "1:10 2:10 6:10")
		if r.last.Held == "" {
			t.Error("not held")
		}
		r.w.check(down, "refused", 1, 2, 6)
		r.want(r.step(time.Second), "3:10 4:10")
	})
	t.Run("an error is no loss", func(t *testing.T) {
		r := begin(t)
		r.w.Answers[query] = r.w.Answers[query].Update(discovery.Answer{Err: "no answer within 15s"})
		r.want(r.step(time.Hour), "1:10 2:10")
	})
	t.Run("all drained by hand", func(t *testing.T) {
		r := begin(t)
		r.w.kv("drain/web/node-1", "dc1 goes", "drain/web/node-2", "dc1 goes")
		r.want(r.step(time.Second), "1:0 2:0 3:10 4:10")
	})
	t.Run("panic counts the datacenter that serves", func(t *testing.T) {
		r := begin(t, func(s *discovery.Spec) { s.PanicThreshold = 0.6 })
		r.w.check(down, "timeout", 1)
		r.want(r.step(time.Second), "1:10 2:10")
		r.w.check(down, "timeout", 2)
		r.want(r.step(time.Second), "1:10 2:10") // held: nobody confirms the checks
		r.w.catalog(in(crit, 1, 2)...)
		r.want(r.step(time.Second), "1:0 2:0 3:10 4:10")
	})
	t.Run("nothing serves anywhere", func(t *testing.T) {
		r := begin(t)
		r.w.catalog(in(crit, 1, 2)...)
		r.w.check(down, "timeout", 1, 2, 3, 4, 5)
		r.want(r.step(time.Second), "1:0 2:0")
	})
	t.Run("the same address in two datacenters counts once, in the nearer", func(t *testing.T) {
		r := begin(t)
		r.w.Answers[far("dc2")] = discovery.Known{Instances: in(maint, 1)}
		r.want(r.step(time.Second), "1:10 2:10")
		if len(r.last.Warnings) > 0 {
			t.Errorf("warnings %q", r.last.Warnings)
		}
	})
}
