package discovery_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// run feeds a decision's memory to the next, as the director does.
type run struct {
	t    *testing.T
	spec discovery.Spec
	w    *world
	mem  discovery.Memory
	last discovery.Decision
}

func (r *run) step(after time.Duration) string {
	r.w.Now = r.w.Now.Add(after)
	r.last = discovery.Merge(r.spec, r.w.View, r.mem)
	r.mem = r.last.Memory
	return pool(r.last)
}

func (r *run) want(got, want string) {
	r.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Fatalf("pool (-want +got):\n%s\nservers: %+v", diff, r.last.Servers)
	}
}

func five(state discovery.State) []discovery.Instance {
	var out []discovery.Instance
	for n := range 5 {
		out = append(out, instance(n+1, state))
	}
	return out
}

func serving(t *testing.T, edit ...func(*discovery.Spec)) *run {
	r := &run{t: t, spec: spec(edit...), w: newWorld(five(ok)...).check(up, "says", 1, 2, 3, 4, 5)}
	r.want(r.step(0), "1:10 2:10 3:10 4:10 5:10")
	return r
}

func TestMassRemoval(t *testing.T) {
	const all = "1:10 2:10 3:10 4:10 5:10"

	t.Run("two of five may go", func(t *testing.T) {
		r := serving(t)
		r.w.catalog(five(ok)[2:]...)
		r.want(r.step(time.Second), "3:10 4:10 5:10")
		if got := r.last.Want.Reasons.Of(addr(1)); got != "gone from the catalog" {
			t.Errorf("reason = %q", got)
		}
	})
	t.Run("three of five deregistered are held", func(t *testing.T) {
		r := serving(t)
		r.w.catalog(five(ok)[3:]...)
		r.want(r.step(time.Second), all)
		if r.last.Held == "" || !strings.Contains(reasonOf(r.last, 1), "held: gone from the catalog; its native check is up") {
			t.Errorf("held %q, reason %q", r.last.Held, reasonOf(r.last, 1))
		}
		r.want(r.step(time.Hour), all) // the window's end does not release them
		r.w.check(down, "refused", 1)  // both sources agree on one
		r.want(r.step(time.Second), "2:10 3:10 4:10 5:10")
		r.w.catalog(five(ok)...) // the claim ends
		r.w.check(up, "says", 1)
		r.want(r.step(time.Second), all)
		if r.last.Held != "" {
			t.Errorf("still held: %s", r.last.Held)
		}
	})
	t.Run("empty answer", func(t *testing.T) {
		r := serving(t)
		r.w.catalog()
		r.want(r.step(time.Second), all)
	})
	t.Run("one by one within the window", func(t *testing.T) {
		r := serving(t)
		r.w.catalog(five(ok)[1:]...)
		r.want(r.step(time.Second), "2:10 3:10 4:10 5:10")
		r.w.catalog(five(ok)[2:]...)
		r.want(r.step(time.Second), "3:10 4:10 5:10")
		r.w.catalog(five(ok)[3:]...)
		r.want(r.step(time.Second), "3:10 4:10 5:10")
	})
	t.Run("one by one, slowly", func(t *testing.T) {
		r := serving(t)
		for n := 1; n < 5; n++ {
			r.w.catalog(five(ok)[n:]...)
			r.step(time.Minute)
		}
		r.want(pool(r.last), "5:10")
	})
	t.Run("a rack that both sources call dead goes at once", func(t *testing.T) {
		r := serving(t)
		r.w.catalog(append(five(crit)[:4], instance(5, ok))...)
		r.w.check(down, "timeout", 1, 2, 3, 4)
		r.want(r.step(time.Second), "1:0 2:0 3:0 4:0 5:10")
	})
	t.Run("native checks alone, all at once", func(t *testing.T) {
		r := serving(t)
		r.w.check(down, "timeout", 1, 2, 3, 4, 5)
		r.want(r.step(time.Second), all)
		if got := reasonOf(r.last, 2); got != "held: held: tcp check: timeout; the catalog says passing: check http: output" {
			t.Errorf("reason = %q", got)
		}
	})
	t.Run("maintenance of all is obeyed", func(t *testing.T) {
		r := serving(t)
		r.w.catalog(five(maint)...)
		r.want(r.step(time.Second), "")
	})
	t.Run("a KV drain of all is obeyed", func(t *testing.T) {
		r := serving(t)
		r.w.kv("drain/web/web-1", "x", "drain/web/web-2", "x", "drain/web/web-3", "x", "weight/web/web-4", "0")
		r.want(r.step(time.Second), "1:0 2:0 3:0 4:0 5:10")
	})
	t.Run("a held server can be drained by hand", func(t *testing.T) {
		r := serving(t)
		r.w.catalog()
		r.want(r.step(time.Second), all)
		r.w.kv("drain/web/web-1", "I know")
		r.want(r.step(time.Second), "2:10 3:10 4:10 5:10")
	})
	t.Run("weight 0 in KV drains a held server, another weight is taken", func(t *testing.T) {
		r := serving(t)
		r.w.catalog(five(crit)...)
		r.want(r.step(time.Second), all)
		r.w.kv("weight/web/web-1", "0", "weight/web/web-2", "3")
		r.want(r.step(time.Second), "1:0 2:3 3:10 4:10 5:10")
	})
	t.Run("a service taken out of the configuration goes", func(t *testing.T) {
		r := serving(t)
		r.spec.Selectors = nil
		r.want(r.step(time.Second), "")
	})
}

func TestNothingIsKnownYet(t *testing.T) {
	before := discovery.Adopt(lvs.NewPool(lvs.Service{}, lvs.Dest{Addr: addr(1), Weight: 10}, lvs.Dest{Addr: addr(2), Weight: 0}))
	w := newWorld()
	delete(w.Answers, query)
	r := &run{t: t, spec: spec(), w: w, mem: before}
	r.want(r.step(0), "1:10 2:0")
	r.want(r.step(time.Minute), "1:10 2:0") // for as long as it takes
	if len(r.last.Waiting) != 1 {
		t.Errorf("waiting = %v", r.last.Waiting)
	}
	w.catalog(instance(1, ok))
	r.want(r.step(time.Second), "1:10")
}

// TestRestart is what a director does with the kernel's table that it finds.
func TestRestart(t *testing.T) {
	adopted := func(weights ...uint32) discovery.Memory {
		var dests []lvs.Dest
		for n, w := range weights {
			dests = append(dests, lvs.Dest{Addr: addr(n + 1), Weight: w})
		}
		return discovery.Adopt(lvs.NewPool(lvs.Service{}, dests...))
	}
	t.Run("a server found down by its check stays down though the catalog calls it passing", func(t *testing.T) {
		r := &run{t: t, spec: spec(), w: newWorld(five(ok)[:2]...), mem: adopted(10, 0)}
		r.want(r.step(0), "1:10 2:0")
		r.w.check(up, "says", 1, 2)
		r.want(r.step(time.Second), "1:10 2:10")
	})
	t.Run("an empty first answer is held, and stays held", func(t *testing.T) {
		r := &run{t: t, spec: spec(), w: newWorld().check(up, "says", 1, 2, 3, 4), mem: adopted(10, 10, 10, 10)}
		for range 3 {
			r.want(r.step(time.Minute), "1:10 2:10 3:10 4:10")
		}
	})
	t.Run("configured servers that are not configured any more go, however many", func(t *testing.T) {
		static := func(s *discovery.Spec) {
			s.Selectors, s.Checks = nil, nil
			s.Servers = []discovery.Server{{Addr: addr(1), Weight: 10}}
		}
		r := &run{t: t, spec: spec(static), w: newWorld(), mem: adopted(10, 10, 10, 10, 10)}
		r.want(r.step(0), "1:10")
	})
}

// TestChangedQuery is a reload that asks the catalog something else.
func TestChangedQuery(t *testing.T) {
	const all = "1:10 2:10 3:10 4:10 5:10"
	filtered := discovery.Query{Service: "web", Filter: "prod in Service.Tags"}
	t.Run("until the new one is answered, the servers of the old one stay", func(t *testing.T) {
		r := serving(t)
		r.spec.Selectors = []discovery.Selector{{Query: filtered}}
		r.want(r.step(time.Second), all)
		r.want(r.step(time.Hour), all)
		r.w.Answers[filtered] = discovery.Known{Instances: five(ok)[:1]}
		r.want(r.step(time.Second), "1:10")
	})
	t.Run("one that is never answered keeps nothing alive of another", func(t *testing.T) {
		r := serving(t)
		r.spec.Selectors = append(r.spec.Selectors, discovery.Selector{Query: filtered})
		r.w.catalog(five(ok)[1:]...)
		r.want(r.step(time.Second), "2:10 3:10 4:10 5:10")
	})
	t.Run("a changed check keeps what is known to be down", func(t *testing.T) {
		r := serving(t)
		r.w.check(down, "refused", 1)
		r.want(r.step(time.Second), "1:0 2:10 3:10 4:10 5:10")
		slower := probe
		slower.Interval *= 2
		r.spec.Checks = []discovery.CheckSpec{slower}
		r.want(r.step(time.Second), "1:0 2:10 3:10 4:10 5:10")
	})
	t.Run("also with on_failure = remove", func(t *testing.T) {
		r := serving(t, func(s *discovery.Spec) { s.OnFailure = discovery.RemoveOnFailure })
		r.w.check(down, "refused", 1)
		r.want(r.step(time.Second), "2:10 3:10 4:10 5:10")
		slower := probe
		slower.Interval *= 2
		r.spec.Checks = []discovery.CheckSpec{slower}
		r.want(r.step(time.Second), "2:10 3:10 4:10 5:10")
	})
}
