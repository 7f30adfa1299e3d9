package agent

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

var testCheck = discovery.CheckSpec{Type: discovery.TCP, Interval: time.Second, Timeout: time.Second, Rise: 1}

// decider is the part of an agent that makes decisions.
func decider(pools int, queries []discovery.Query) *agent {
	a := &agent{
		cfg: &config.Config{}, stepped: time.NewTimer(time.Hour), saving: time.NewTimer(time.Hour),
		known: map[discovery.Query]discovery.Known{}, memory: map[string]discovery.Memory{},
		due: due{all: true},
	}
	for i := range pools {
		a.cfg.VirtualServers = append(a.cfg.VirtualServers, discovery.Spec{
			Name:      fmt.Sprintf("vs-%d", i),
			Service:   lvs.Service{Key: lvs.Key{Protocol: lvs.TCP, Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), Port: 80}, Scheduler: "wrr"},
			Selectors: []discovery.Selector{{Query: queries[i%len(queries)], Failover: []discovery.Query{queries[(i+1)%len(queries)]}}},
			Checks:    []discovery.CheckSpec{testCheck}, Weight: 1, Drain: time.Minute, MaxRemoval: 0.5, RemovalWindow: time.Hour, Quorum: 1,
		})
	}
	return a
}

func serverAddr(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 80)
}

func instances(n int, state func(int) discovery.State) (out []discovery.Instance) {
	for i := range n {
		out = append(out, discovery.Instance{Service: "web", ID: fmt.Sprintf("web-%d", i), Node: fmt.Sprintf("node-%d", i), Addr: serverAddr(i), State: state(i)})
	}
	return out
}

// step lets decisions be made, and returns which were.
func (a *agent) step() []string {
	var names []string
	for _, m := range a.merge() {
		names = append(names, a.decisions[m.at].Spec.Name)
	}
	a.due.done()
	return names
}

func TestOnlyWhatIsDue(t *testing.T) {
	queries := []discovery.Query{{Service: "a"}, {Service: "b"}, {Service: "c"}}
	a := decider(6, queries)
	for _, q := range queries {
		a.known[q] = discovery.Known{Instances: instances(3, func(int) discovery.State { return discovery.Passing })}
	}
	want := func(what string, names ...string) {
		t.Helper()
		if got := a.step(); !slices.Equal(got, names) {
			t.Errorf("%s: decided %q, want %q", what, got, names)
		}
	}
	want("the first time", "vs-0", "vs-1", "vs-2", "vs-3", "vs-4", "vs-5")
	want("nothing happened")
	a.due.answered(a.cfg.VirtualServers, queries[0])
	want("an answer, also to a failover", "vs-0", "vs-2", "vs-3", "vs-5")
	set := func(o discovery.Overrides) {
		a.due.overridden(a.overrides, o)
		a.overrides = o
	}
	weights := map[discovery.Target]discovery.Setting[int]{{VirtualServer: "vs-4", Name: "web-0"}: {Value: 7, Key: "weight/vs-4/web-0"}}
	set(discovery.Overrides{Weights: weights})
	want("a weight", "vs-4")
	set(discovery.Overrides{Weights: weights, Holds: map[string]discovery.Setting[string]{"vs-1": {Value: "wait"}}})
	want("a hold", "vs-1")
	set(discovery.Overrides{})
	want("the keys are gone", "vs-1", "vs-4")
	set(discovery.Overrides{NodeDrains: map[string]discovery.Setting[string]{"node-0": {}}})
	want("a node's drain", "vs-0", "vs-1", "vs-2", "vs-3", "vs-4", "vs-5")
	check := testCheck.For(serverAddr(1))
	a.verdicts.Put(discovery.Say(check, discovery.Verdict{Health: discovery.Down}))
	a.due.checked(check)
	want("a verdict", "vs-0", "vs-1", "vs-2", "vs-3", "vs-4", "vs-5")
	a.due.checked(testCheck.For(serverAddr(99)))
	want("a verdict on nobody's server")
	a.due.review(a.decisions)
	want("a review with nobody leaving")
	states := []discovery.State{discovery.Passing, discovery.Passing, discovery.Maintenance}
	for _, left := range []bool{true, false} {
		a.known[queries[1]] = discovery.Known{Instances: instances(3, func(i int) discovery.State { return states[i] })}
		a.due.answered(a.cfg.VirtualServers, queries[1])
		want("an answer", "vs-0", "vs-1", "vs-3", "vs-4")
		a.due.review(a.decisions)
		if left {
			want("a review while one leaves", "vs-1", "vs-4")
		} else {
			want("a review when it is back")
		}
		states[2] = discovery.Passing
	}
	a.decisions[3].Next = time.Now().Add(-time.Second)
	want("time alone", "vs-3")
}

// TestDueOrAll lets the same happen to one that decides what is due and to one
// that decides everything each time.
func TestDueOrAll(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	queries := []discovery.Query{{Service: "a"}, {Service: "b"}, {Service: "c"}}
	some, all := decider(5, queries), decider(5, queries)
	both := []*agent{some, all}
	for i := range 500 {
		switch rng.IntN(4) {
		case 0, 1:
			q := queries[rng.IntN(len(queries))]
			states := make([]discovery.State, 12)
			for i := range states {
				states[i] = discovery.State(rng.IntN(4) * rng.IntN(2))
			}
			k := discovery.Known{Instances: instances(rng.IntN(len(states)), func(i int) discovery.State { return states[i] })}
			for _, a := range both {
				a.known[q] = k
				a.due.answered(a.cfg.VirtualServers, q)
			}
		case 2:
			c, v := testCheck.For(serverAddr(rng.IntN(12))), discovery.Verdict{Health: discovery.Health(1 + rng.IntN(2)), Reason: "r"}
			for _, a := range both {
				a.verdicts.Put(discovery.Say(c, v))
				a.due.checked(c)
			}
		case 3:
			o := discovery.Overrides{Weights: map[discovery.Target]discovery.Setting[int]{}, NodeDrains: map[string]discovery.Setting[string]{}}
			for range rng.IntN(3) {
				o.Weights[discovery.Target{VirtualServer: fmt.Sprintf("vs-%d", rng.IntN(5)), Name: fmt.Sprintf("web-%d", rng.IntN(12))}] = discovery.Setting[int]{Value: rng.IntN(3)}
			}
			if rng.IntN(5) == 0 {
				o.NodeDrains[fmt.Sprintf("node-%d", rng.IntN(12))] = discovery.Setting[string]{Value: "r"}
			}
			for _, a := range both {
				a.due.overridden(a.overrides, o)
				a.overrides = o
			}
		}
		all.due.all = true
		if made := len(some.step()); made > len(all.step()) {
			t.Fatal("more was decided than there is")
		}
		for j := range some.decisions {
			a, b := some.decisions[j], all.decisions[j]
			if diff := cmp.Diff(b.Want.Pool, a.Want.Pool, cmpopts.EquateComparable(netip.AddrPort{}, netip.Addr{})); diff != "" || (a.Held == "") != (b.Held == "") || a.QuorumLost != b.QuorumLost {
				t.Fatalf("step %d: %s differs from what it is when all is decided (held %q, %q): %s", i, a.Spec.Name, a.Held, b.Held, diff)
			}
		}
	}
}

// BenchmarkDecide is the way of one changed answer, and of one verdict, to the
// decisions, with 100 pools of 100 real servers each.
func BenchmarkDecide(b *testing.B) {
	queries := make([]discovery.Query, 100)
	for i := range queries {
		queries[i].Service = fmt.Sprint(i)
	}
	a := decider(len(queries), queries)
	for i, q := range queries {
		list := instances(100, func(int) discovery.State { return discovery.Passing })
		for j := range list {
			list[j].Addr = serverAddr(100*i + j)
		}
		a.known[q] = discovery.Known{Instances: list}
	}
	a.step()
	for name, mark := range map[string]func(){
		"all":     func() { a.due.all = true },
		"answer":  func() { a.due.answered(a.cfg.VirtualServers, queries[50]) },
		"verdict": func() { a.due.checked(testCheck.For(serverAddr(5050))) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mark()
				a.merge()
				a.due.done()
			}
		})
	}
}
