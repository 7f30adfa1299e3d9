package discovery_test

import (
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// TestWeightAdvice: what checks say of the weight.
func TestWeightAdvice(t *testing.T) {
	second := probe
	second.Type = discovery.Exec
	replace := func(n int) discovery.WeightAdvice { return discovery.WeightAdvice{Replace: true, Value: n} }
	add := func(n int) discovery.WeightAdvice { return discovery.WeightAdvice{Value: n} }
	for _, c := range []struct {
		name        string
		first, more discovery.WeightAdvice
		edit        func(*discovery.Spec)
		kv          []string
		want        string
		reason      string
		from        string
	}{
		{name: "none", want: "1:10", reason: "serving: tcp check: says", from: "service weights"},
		{name: "another weight", more: replace(3), want: "1:3", reason: "serving: tcp check: says", from: "exec check (10 from service weights)"},
		{name: "more", more: add(5), want: "1:15", reason: "serving: tcp check: says", from: "exec check (10 from service weights)"},
		{name: "the smallest counts", first: replace(7), more: replace(3), want: "1:3", reason: "serving: tcp check: says", from: "tcp check, exec check (10 from service weights)"},
		{name: "another weight, and less of it", first: add(-2), more: replace(3), want: "1:1", reason: "serving: tcp check: says", from: "tcp check, exec check (10 from service weights)"},
		{name: "zero is a failure", more: replace(0), want: "1:0", reason: "failed: exec check: weight 0", from: "exec check (10 from service weights)"},
		{name: "less than nothing", more: add(-20), want: "1:0", reason: "failed: exec check: weight 0", from: "exec check (10 from service weights)"},
		{name: "too much", more: add(100000), want: "1:65535", reason: "serving: tcp check: says", from: "exec check (10 from service weights)"},
		{name: "KV has the last word", more: replace(0), kv: []string{"weight/web/web-1", "4"}, want: "1:4", reason: "serving: tcp check: says", from: "kv weight/web/web-1"},
		{
			name: "checks are only shown", more: replace(0), edit: func(s *discovery.Spec) { s.Health = discovery.ConsulOnly },
			want: "1:10", reason: "serving: passing: check http: output", from: "service weights",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := spec(func(s *discovery.Spec) { s.Checks = append(s.Checks, second) })
			if c.edit != nil {
				c.edit(&s)
			}
			w := newWorld(instance(1, ok)).kv(c.kv...)
			w.Verdicts.Put(discovery.Say(probe.For(addr(1)), discovery.Verdict{Health: up, Reason: "says", Weight: c.first}))
			w.Verdicts.Put(discovery.Say(second.For(addr(1)), discovery.Verdict{Health: up, Reason: "says", Weight: c.more}))
			d := discovery.Merge(s, w.View, discovery.Memory{})
			if got, why, from := pool(d), reasonOf(d, 1), d.Servers[0].WeightFrom; got != c.want || why != c.reason || from != c.from {
				t.Errorf("pool %q, %q, from %q; want %q, %q, %q", got, why, from, c.want, c.reason, c.from)
			}
		})
	}
	t.Run("weight 0 for all is held", func(t *testing.T) {
		r := serving(t)
		for n := 1; n <= 5; n++ {
			r.w.Verdicts.Put(discovery.Say(probe.For(addr(n)), discovery.Verdict{Health: up, Weight: replace(0)}))
		}
		r.want(r.step(time.Second), "1:10 2:10 3:10 4:10 5:10")
		if r.last.Held == "" {
			t.Error("not held")
		}
	})
	t.Run("a check that is down says nothing", func(t *testing.T) {
		w := newWorld(instance(1, ok))
		w.Verdicts.Put(discovery.Say(probe.For(addr(1)), discovery.Verdict{Health: down, Reason: "refused", Weight: replace(3)}))
		if d := discovery.Merge(spec(), w.View, discovery.Memory{}); d.Servers[0].Configured != 10 {
			t.Errorf("full weight %d", d.Servers[0].Configured)
		}
	})
}

// TestInitial: what a server is taken for before its first verdict.
func TestInitial(t *testing.T) {
	for _, c := range []struct {
		name    string
		initial discovery.Health
		second  discovery.Health
		state   discovery.State
		want    string
		reason  string
	}{
		{name: "up, whatever the catalog says with the checks alone", initial: up, second: up, state: crit, want: "1:10", reason: "serving: taken as up; tcp check has not answered yet"},
		{name: "down", initial: down, second: down, state: ok, want: "1:0", reason: "failed: taken as down; tcp check has not answered yet"},
		{name: "one of two down", initial: up, second: down, state: ok, want: "1:0", reason: "failed: taken as down; tcp check has not answered yet"},
		{name: "one of two says nothing", initial: up, second: unseen, state: ok, want: "1:10", reason: "serving: passing: check http: output"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := probe, probe
			a.Initial, b.Initial, b.Rise = c.initial, c.second, 2
			s := spec(func(s *discovery.Spec) { s.Checks, s.Health = []discovery.CheckSpec{a, b}, discovery.NativeOnly })
			d := discovery.Merge(s, newWorld(instance(1, c.state)).View, discovery.Memory{})
			if got, why := pool(d), reasonOf(d, 1); got != c.want || why != c.reason {
				t.Errorf("pool %q, %q; want %q, %q", got, why, c.want, c.reason)
			}
		})
	}
	t.Run("what serves goes on", func(t *testing.T) {
		r := serving(t)
		later := probe
		later.Initial = down
		r.spec.Checks = []discovery.CheckSpec{later}
		r.want(r.step(time.Second), "1:10 2:10 3:10 4:10 5:10")
	})
	t.Run("what was down stays down", func(t *testing.T) {
		r := serving(t)
		r.w.check(down, "refused", 1)
		r.want(r.step(time.Second), "1:0 2:10 3:10 4:10 5:10")
		later := probe
		later.Initial = up
		r.spec.Checks = []discovery.CheckSpec{later}
		r.want(r.step(time.Second), "1:0 2:10 3:10 4:10 5:10")
	})
}

// TestCheckTroubleIsShown: a warning, and a check that cannot be made.
func TestCheckTroubleIsShown(t *testing.T) {
	w := newWorld(instance(1, ok))
	w.Verdicts.Put(discovery.Say(probe.For(addr(1)), discovery.Verdict{Health: up, Reason: "ok", Warning: "certificate expires 2026-12-01T00:00:00Z"}))
	d := discovery.Merge(spec(), w.View, discovery.Memory{})
	if got, want := reasonOf(d, 1), "serving: tcp check: ok; certificate expires 2026-12-01T00:00:00Z"; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
	if statusOf(d, w)[0].Checks[0].Warning == "" {
		t.Error("status does not show it")
	}
	w.Verdicts.Put(discovery.Say(probe.For(addr(1)), discovery.Verdict{Blocked: "set mark 7: operation not permitted"}))
	d = discovery.Merge(spec(func(s *discovery.Spec) {
		s.Selectors, s.Servers = nil, []discovery.Server{{Addr: addr(1), Weight: 1}}
	}), w.View, discovery.Memory{})
	if got, want := reasonOf(d, 1), "entering: tcp check cannot be made: set mark 7: operation not permitted"; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
	if !strings.Contains(statusOf(d, w)[0].Checks[0].Blocked, "mark 7") {
		t.Error("status does not show it")
	}
}
