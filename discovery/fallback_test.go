package discovery_test

import (
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

var elsewhere = discovery.Query{Service: "web", Datacenter: "dc2"}

// far is server n of the other datacenter: 101, 102, …
func far(n int, state discovery.State) discovery.Instance {
	i := instance(n, state)
	i.Weights = discovery.Weights{Passing: 7, Warning: 1}
	return i
}

func withFallback(s *discovery.Spec) {
	s.Fallback = &discovery.Fallback{Name: "dc2", Forward: lvs.TUN, Weight: 1, Selectors: []discovery.Selector{{Query: elsewhere}}, Checks: s.Checks}
}

func withSorry(s *discovery.Spec) {
	s.Sorry = &discovery.Server{Addr: addr(200), Weight: 1}
}

// TestFallback: pool, then fallback, then sorry server.
func TestFallback(t *testing.T) {
	sorryChecked := func(s *discovery.Spec) { withSorry(s); s.SorryChecked = true }
	lost := []string{"drain/web/web-1", "x", "drain/web/web-2", "x"}
	for _, c := range []struct {
		name    string
		edit    []func(*discovery.Spec)
		kv      []string
		far     []discovery.Instance
		down    []int
		want    string
		answers discovery.Instead
		reason  string // of 101
	}{
		{"with quorum it stands by", []func(*discovery.Spec){withFallback, withSorry}, nil, []discovery.Instance{far(101, ok)}, nil,
			"1:10 2:10", discovery.ThePool, "standby: stands by while the pool answers; tcp check: says"},
		{"without quorum it serves", []func(*discovery.Spec){withFallback, withSorry}, lost, []discovery.Instance{far(101, ok)}, nil,
			"101:7", discovery.TheFallback, "serving: tcp check: says"},
		{"those of it that fail do not", []func(*discovery.Spec){withFallback, withSorry}, lost, []discovery.Instance{far(101, ok), far(102, crit)}, []int{101},
			"200:1", discovery.TheSorry, "failed: tcp check: says"},
		{"half of it down", []func(*discovery.Spec){withFallback, withSorry}, lost, []discovery.Instance{far(101, ok), far(102, ok)}, []int{102},
			"101:7 102:0", discovery.TheFallback, "serving: tcp check: says"},
		{"nobody there: the sorry server", []func(*discovery.Spec){withFallback, withSorry}, lost, nil, nil,
			"200:1", discovery.TheSorry, "absent"},
		{"nobody there and no sorry server: what is left", []func(*discovery.Spec){withFallback}, lost, nil, nil,
			"1:0 2:0", discovery.ThePool, "absent"},
		{"an operator's drain counts there, too", []func(*discovery.Spec){withFallback, withSorry}, append([]string{"drain/web/web-101", "x"}, lost...), []discovery.Instance{far(101, ok)}, nil,
			"200:1", discovery.TheSorry, "drained: drained by drain/web/web-101: x"},
		{"and its weight", []func(*discovery.Spec){withFallback, withSorry}, append([]string{"weight/web/web-101", "9"}, lost...), []discovery.Instance{far(101, ok)}, nil,
			"101:9", discovery.TheFallback, "serving: tcp check: says"},
		{"a sorry server that nobody checks serves whatever a check says", []func(*discovery.Spec){withSorry}, lost, nil, []int{200},
			"200:1", discovery.TheSorry, "absent"},
		{"a checked one that is down does not", []func(*discovery.Spec){sorryChecked}, lost, nil, []int{200},
			"1:0 2:0", discovery.ThePool, "absent"},
		{"a checked one that is up does", []func(*discovery.Spec){sorryChecked}, lost, nil, nil,
			"200:1", discovery.TheSorry, "absent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(instance(1, ok), instance(2, ok)).check(up, "says", 1, 2, 101, 102, 200).check(down, "says", c.down...).kv(c.kv...)
			w.Answers[elsewhere] = discovery.Known{Instances: c.far}
			d := discovery.Merge(spec(c.edit...), w.View, discovery.Memory{})
			if got := pool(d); got != c.want || d.Instead != c.answers {
				t.Errorf("pool %q of the %s, want %q of the %s", got, d.Instead, c.want, c.answers)
			}
			d.Servers = d.Fallback
			if got := reasonOf(d, 101); got != c.reason {
				t.Errorf("reason %q, want %q", got, c.reason)
			}
			for _, dest := range d.Want.Pool.Dests {
				if tunnelled := dest.Forward == lvs.TUN; tunnelled != (c.answers == discovery.TheFallback) {
					t.Errorf("%s is reached by %s", dest.Addr, dest.Forward)
				}
				if d.Want.Reasons.Of(dest.Addr) == "" {
					t.Errorf("no reason for %s", dest.Addr)
				}
			}
		})
	}
}

// The checks of the fallback, and of a checked sorry server, run all the time.
func TestFallbackIsChecked(t *testing.T) {
	w := newWorld(instance(1, ok)).check(up, "says", 1)
	w.Answers[elsewhere] = discovery.Known{Instances: []discovery.Instance{far(101, ok)}}
	d := discovery.Merge(spec(withFallback, withSorry, func(s *discovery.Spec) { s.SorryChecked = true }), w.View, discovery.Memory{})
	for _, n := range []int{1, 101, 200} {
		if _, runs := checksOf(d)[probe.For(addr(n))]; !runs {
			t.Errorf("no check of %s", addr(n))
		}
	}
}

// From the pool to the fallback and back: what goes is drained, not dropped.
func TestFallbackAndBack(t *testing.T) {
	r := serving(t, withFallback, withSorry)
	r.w.Answers[elsewhere] = discovery.Known{Instances: []discovery.Instance{far(101, ok)}}
	r.w.check(up, "says", 101)
	r.w.catalog(five(crit)...)
	r.w.check(down, "refused", 1, 2, 3, 4, 5)
	r.want(r.step(time.Second), "101:7")
	if got, want := r.last.Want.Reasons.Of(addr(101)), "fallback: quorum lost (weight 0 of 1); tcp check: says"; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
	r.w.catalog(five(ok)...)
	r.w.check(up, "says", 1)
	r.want(r.step(time.Second), "1:10 2:0 3:0 4:0 5:0")
	if got := r.last.Want.Reasons.Of(addr(101)); !strings.HasPrefix(got, "stands by while the pool answers") {
		t.Errorf("reason %q", got)
	}
}

// A restart while the fallback serves: its real servers in the kernel's table are
// no leavings of the pool, which the guard would hold.
func TestRestartWithFallback(t *testing.T) {
	adopted := discovery.Adopt(lvs.NewPool(lvs.Service{}, lvs.Dest{Addr: addr(101), Weight: 7}, lvs.Dest{Addr: addr(102), Weight: 7}, lvs.Dest{Addr: addr(103), Weight: 7}))
	there := discovery.Known{Instances: []discovery.Instance{far(101, ok), far(102, ok), far(103, ok)}}
	t.Run("it goes on", func(t *testing.T) {
		r := &run{t: t, spec: spec(withFallback, withSorry), w: newWorld(five(crit)...), mem: adopted}
		r.w.check(down, "refused", 1, 2, 3, 4, 5)
		r.w.Answers[elsewhere] = there
		r.want(r.step(0), "101:7 102:7 103:7")
		if len(r.last.Servers) != 5 || r.last.Held != "" {
			t.Errorf("held %q, servers %+v", r.last.Held, r.last.Servers)
		}
		r.w.catalog(five(ok)[:1]...)
		r.w.check(up, "says", 1)
		r.want(r.step(time.Second), "1:10")
	})
	t.Run("nothing changes before the catalogs have answered", func(t *testing.T) {
		r := &run{t: t, spec: spec(withFallback, withSorry), w: newWorld(five(crit)...), mem: adopted}
		r.w.check(down, "refused", 1, 2, 3, 4, 5)
		delete(r.w.Answers, query)
		r.want(r.step(0), "101:7 102:7 103:7")
		r.w.catalog(five(crit)...) // the pool's own first
		r.step(time.Second)
		if got := pool(r.last); !strings.HasSuffix(got, "101:7 102:7 103:7") {
			t.Errorf("pool %q", got)
		}
		r.w.Answers[elsewhere] = there
		r.want(r.step(time.Second), "101:7 102:7 103:7")
		if r.last.Instead != discovery.TheFallback || r.last.Held != "" {
			t.Errorf("the %s answers, held %q", r.last.Instead, r.last.Held)
		}
	})
	t.Run("one that is written serves on before its first verdict", func(t *testing.T) {
		static := func(s *discovery.Spec) {
			s.Selectors = nil
			s.Servers = []discovery.Server{{Addr: addr(1), Weight: 1}}
			s.Fallback = &discovery.Fallback{Servers: []discovery.Server{{Addr: addr(101), Weight: 7}}, Checks: s.Checks}
		}
		r := &run{t: t, spec: spec(static), w: newWorld(), mem: discovery.Adopt(lvs.NewPool(lvs.Service{}, lvs.Dest{Addr: addr(101), Weight: 7}))}
		r.want(r.step(0), "101:7")
	})
}

func TestInsteadNames(t *testing.T) {
	for want, i := range map[string]discovery.Instead{"pool": discovery.ThePool, "fallback": discovery.TheFallback, "sorry_server": discovery.TheSorry} {
		var back discovery.Instead
		if err := back.UnmarshalText([]byte(i.String())); err != nil || back != i || i.String() != want {
			t.Errorf("%s: %s, %v", want, back, err)
		}
	}
}
