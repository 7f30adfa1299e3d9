package discovery_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// TestLargeAndSmallPools is the guard on a pool of fifty and on one of two.
func TestLargeAndSmallPools(t *testing.T) {
	numbers := func(from, to int) (list []int) {
		for n := from; n <= to; n++ {
			list = append(list, n)
		}
		return list
	}
	instances := func(state discovery.State, servers []int) (list []discovery.Instance) {
		for _, n := range servers {
			list = append(list, instance(n, state))
		}
		return list
	}
	table := func(servers []int, weight int) string {
		var out []string
		for _, n := range servers {
			out = append(out, fmt.Sprintf("%d:%d", n, weight))
		}
		return strings.Join(out, " ")
	}
	all, kept, lost := numbers(1, 50), numbers(31, 50), numbers(1, 30)
	fifty := func(t *testing.T) *run {
		r := &run{t: t, spec: spec(), w: newWorld(instances(ok, all)...).check(up, "says", all...)}
		r.want(r.step(0), table(all, 10))
		return r
	}
	mistake := func(t *testing.T) *run {
		r := fifty(t)
		r.w.catalog(instances(ok, kept)...)
		r.want(r.step(time.Second), table(all, 10))
		if want := "30 of 50 real servers would go on one source's word, more than max_removal allows (25 within 30s)"; r.last.Held != want {
			t.Fatalf("held = %q, want %q", r.last.Held, want)
		}
		r.want(r.step(24*time.Hour), table(all, 10)) // time does not release it
		return r
	}
	t.Run("60 percent deregistered by mistake: held; the mistake is undone", func(t *testing.T) {
		r := mistake(t)
		r.w.catalog(instances(ok, all)...)
		r.want(r.step(time.Second), table(all, 10))
		if r.last.Held != "" {
			t.Errorf("still held: %s", r.last.Held)
		}
	})
	t.Run("released by agreement", func(t *testing.T) {
		r := mistake(t)
		r.w.check(down, "refused", lost...)
		r.want(r.step(time.Second), table(kept, 10))
		if r.last.Held != "" {
			t.Errorf("still held: %s", r.last.Held)
		}
	})
	t.Run("released one by one, as the checks agree", func(t *testing.T) {
		r := mistake(t)
		r.w.check(down, "refused", lost[:10]...)
		r.want(r.step(time.Second), table(numbers(11, 50), 10))
		if r.last.Held == "" {
			t.Error("the others are not held any more")
		}
	})
	t.Run("released by a person, with drains", func(t *testing.T) {
		r := mistake(t)
		var pairs []string
		for _, n := range lost {
			pairs = append(pairs, fmt.Sprintf("drain/node/node-%d", n), "they are gone")
		}
		r.w.kv(pairs...)
		r.want(r.step(time.Second), table(kept, 10))
	})
	t.Run("a rack of thirty is lost, and both sources say so: at once", func(t *testing.T) {
		r := fifty(t)
		r.w.catalog(append(instances(crit, lost), instances(ok, kept)...)...)
		r.w.check(down, "timeout", lost...)
		r.want(r.step(time.Second), table(lost, 0)+" "+table(kept, 10))
		if r.last.Held != "" {
			t.Errorf("held: %s", r.last.Held)
		}
	})
	t.Run("both of two: no more than the guard always allows", func(t *testing.T) {
		two := numbers(1, 2)
		r := &run{t: t, spec: spec(), w: newWorld(instances(ok, two)...).check(up, "says", two...)}
		r.want(r.step(0), table(two, 10))
		r.w.catalog()
		r.want(r.step(time.Second), "")
	})
}
