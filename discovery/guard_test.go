package discovery_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// TestCheckThatHasNotRunYet: an agent that was just started has all its checks
// critical until each has run. What served goes on; what is new waits.
func TestCheckThatHasNotRunYet(t *testing.T) {
	unrun := func(n int) discovery.Instance {
		in := instance(n, discovery.Critical)
		in.Unrun = true
		return in
	}
	r := &run{t: t, spec: spec(), w: newWorld(instance(1, ok), instance(2, discovery.Critical), instance(3, ok)).check(up, "says", 1, 2, 3, 4)}
	r.want(r.step(0), "1:10 2:0 3:10")
	r.w.catalog(unrun(1), unrun(2), instance(3, ok), unrun(4))
	r.want(r.step(time.Second), "1:10 2:0 3:10 4:0")
	if got, want := reasonOf(r.last, 1), "serving: tcp check: says"; r.last.Held != "" || got != want {
		t.Errorf("server 1: %q, want %q; held %q", got, want, r.last.Held)
	}
	r.w.catalog(instance(1, discovery.Critical), instance(3, ok)) // it has run, and fails
	r.step(time.Second)
	r.want(r.step(2*time.Minute), "1:0 3:10")
	r.w.catalog(unrun(1), instance(3, ok))
	r.want(r.step(time.Second), "1:0 3:10") // started again: it did not serve before
	other := unrun(3)
	other.ID = "another"
	r.w.catalog(instance(1, ok), other) // at the address of one that served
	r.want(r.step(time.Second), "1:10 3:0")
}

// TestLargeAndSmallPools is the guard on a pool of fifty and on pools of one to ten.
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
	t.Run("not held: Nomad stops them", func(t *testing.T) {
		r := fifty(t)
		known := discovery.Known{Instances: instances(ok, all)}
		answer := discovery.Answer{Instances: instances(ok, kept), At: r.w.Now}
		for _, in := range instances(ok, lost) {
			answer.Stopped = append(answer.Stopped, in.Key())
		}
		r.w.Answers[query] = known.Update(answer)
		r.want(r.step(time.Second), table(kept, 10))
		if want := "leaving: gone from the catalog: nomad stops it"; r.last.Held != "" || reasonOf(r.last, lost[0]) != want {
			t.Errorf("held %q; server %d is %q, want %q", r.last.Held, lost[0], reasonOf(r.last, lost[0]), want)
		}
		answer.Stopped = nil // the next answer remembers
		r.w.Answers[query] = r.w.Answers[query].Update(answer)
		r.want(r.step(time.Second), table(kept, 10))
		// One that Nomad has started again, and that a mistake takes out, is held.
		r.w.Answers[query] = r.w.Answers[query].Update(discovery.Answer{Instances: instances(ok, all), At: r.w.Now})
		r.want(r.step(time.Second), table(all, 10))
		r.w.Answers[query] = r.w.Answers[query].Update(answer)
		r.want(r.step(time.Second), table(all, 10))
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
	two := numbers(1, 2)
	pair := func(t *testing.T, servers ...int) *run {
		r := &run{t: t, spec: spec(), w: newWorld(instances(ok, servers)...).check(up, "says", servers...)}
		r.want(r.step(0), table(servers, 10))
		return r
	}
	held := func(t *testing.T, r *run, want bool) {
		t.Helper()
		if (r.last.Held != "") != want {
			t.Errorf("held = %q, want held: %v", r.last.Held, want)
		}
	}
	t.Run("both of two deregistered while their checks succeed: held", func(t *testing.T) {
		r := pair(t, two...)
		r.w.catalog()
		r.want(r.step(time.Second), table(two, 10))
		held(t, r, true)
		r.want(r.step(24*time.Hour), table(two, 10))
		r.w.check(down, "refused", two...)
		r.want(r.step(time.Second), "")
		held(t, r, false)
	})
	t.Run("both of two critical while their checks succeed: held", func(t *testing.T) {
		r := pair(t, two...)
		r.w.catalog(instances(crit, two)...)
		r.want(r.step(time.Second), table(two, 10))
		held(t, r, true)
		r.w.check(down, "refused", 1)
		r.want(r.step(time.Second), "1:0 2:10")
		r.w.catalog(instance(1, crit), instance(2, ok))
		r.want(r.step(time.Second), "1:0 2:10")
		held(t, r, false)
	})
	t.Run("both checks of two fail while the catalog calls them passing: held", func(t *testing.T) {
		r := pair(t, two...)
		r.w.check(down, "timeout", two...)
		r.want(r.step(time.Second), table(two, 10))
		held(t, r, true)
	})
	t.Run("both of two, and both sources say so: at once", func(t *testing.T) {
		r := pair(t, two...)
		r.w.catalog(instances(crit, two)...)
		r.w.check(down, "refused", two...)
		r.want(r.step(time.Second), "1:0 2:0")
		held(t, r, false)
	})
	t.Run("one of two goes, the other within the window is held, after it goes", func(t *testing.T) {
		r := pair(t, two...)
		r.w.catalog(instance(2, ok))
		r.want(r.step(time.Second), "2:10")
		held(t, r, false)
		r.w.catalog()
		r.want(r.step(r.spec.RemovalWindow-time.Second), "2:10")
		held(t, r, true)

		r = pair(t, two...)
		r.w.catalog(instance(2, ok))
		r.want(r.step(time.Second), "2:10")
		r.w.catalog()
		r.want(r.step(r.spec.RemovalWindow), "")
	})
	t.Run("the only one goes: that is no mass", func(t *testing.T) {
		r := pair(t, 1)
		r.w.catalog(instance(1, crit))
		r.want(r.step(time.Second), "1:0")
		held(t, r, false)

		r = pair(t, 1)
		r.w.catalog()
		r.want(r.step(time.Second), "")
		held(t, r, false)
	})
	t.Run("two of three: held", func(t *testing.T) {
		r := pair(t, 1, 2, 3)
		r.w.catalog(instance(3, ok))
		r.want(r.step(time.Second), "1:10 2:10 3:10")
		held(t, r, true)
	})
	t.Run("max_removal = 1 holds nobody", func(t *testing.T) {
		r := pair(t, two...)
		r.spec.MaxRemoval = 1
		r.w.catalog()
		r.want(r.step(time.Second), "")
	})
	t.Run("a deployment replaces one after the other within the window: nobody is held", func(t *testing.T) {
		for _, size := range []int{2, 4, 10} {
			r := pair(t, numbers(1, size)...)
			for n := 1; n <= size; n++ {
				old, young := numbers(n+1, size), numbers(size+1, size+n-1)
				r.w.catalog(instances(ok, append(old, young...))...) // the old one stops …
				r.want(r.step(time.Second), table(append(old, young...), 10))
				held(t, r, false)
				young = append(young, size+n)
				r.w.check(up, "says", size+n)
				r.w.catalog(instances(ok, append(old, young...))...) // … and the new one starts
				r.want(r.step(time.Second), table(append(old, young...), 10))
			}
		}
	})
	t.Run("a server that comes and goes replaces nobody but itself", func(t *testing.T) {
		r := pair(t, 1, 2, 3, 4)
		r.w.catalog(instances(ok, numbers(3, 4))...)
		r.want(r.step(time.Second), "3:10 4:10")
		for range 3 {
			r.w.catalog(instances(ok, numbers(2, 4))...)
			r.want(r.step(time.Second), "2:10 3:10 4:10")
			r.w.catalog(instances(ok, numbers(3, 4))...)
			r.want(r.step(time.Second), "3:10 4:10")
		}
		r.w.catalog(instance(4, ok))
		r.want(r.step(time.Second), "3:10 4:10")
		held(t, r, true)
	})
	wiped := func(r *run, instances ...discovery.Instance) {
		known := r.w.Answers[query]
		r.w.Answers[query] = known.Update(discovery.Answer{Query: query, Instances: instances, Index: 1, Anew: true})
	}
	later := func(r *run, instances ...discovery.Instance) {
		r.w.Answers[query] = r.w.Answers[query].Update(discovery.Answer{Query: query, Instances: instances, Index: 2})
	}
	t.Run("the only one is missing from a catalog that has lost its data: held, until it is back", func(t *testing.T) {
		r := pair(t, 1)
		wiped(r)
		r.want(r.step(time.Second), "1:10")
		if want := "1 of 1 real servers are missing from a catalog that has lost its data"; r.last.Held != want {
			t.Errorf("held = %q, want %q", r.last.Held, want)
		}
		if got, want := reasonOf(r.last, 1), "held: held: gone from the catalog, which has lost its data; its native check is up"; got != want {
			t.Errorf("reason %q, want %q", got, want)
		}
		r.want(r.step(24*time.Hour), "1:10")
		later(r, instance(1, ok))
		r.want(r.step(time.Second), "1:10")
		held(t, r, false)
		later(r) // and now it was taken out
		r.want(r.step(time.Second), "")
	})
	t.Run("one of four is missing from a catalog that has lost its data: held, until its check agrees", func(t *testing.T) {
		r := pair(t, numbers(1, 4)...)
		wiped(r, instances(ok, numbers(2, 4))...)
		r.want(r.step(time.Second), table(numbers(1, 4), 10))
		later(r, instances(ok, numbers(3, 4))...) // one that the new catalog has had
		r.want(r.step(time.Second), "1:10 3:10 4:10")
		r.w.check(down, "refused", 1)
		r.want(r.step(time.Second), "3:10 4:10")
		held(t, r, false)
	})
	t.Run("a person ends that, too", func(t *testing.T) {
		r := pair(t, numbers(1, 4)...)
		wiped(r, instances(ok, numbers(2, 4))...)
		r.want(r.step(time.Second), table(numbers(1, 4), 10))
		r.w.kv("drain/node/node-1", "it is gone")
		r.want(r.step(time.Second), table(numbers(2, 4), 10))
	})
	t.Run("max_removal = 1 holds nobody that is lost", func(t *testing.T) {
		r := pair(t, 1)
		r.spec.MaxRemoval = 1
		wiped(r)
		r.want(r.step(time.Second), "")
	})
}
