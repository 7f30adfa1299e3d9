package discovery_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

var (
	start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	query = discovery.Query{Service: "web"}
	probe = discovery.CheckSpec{Type: discovery.TCP, Interval: 6 * time.Second, Timeout: 3 * time.Second, Retries: 3, Rise: 1}
)

// addr is the address of real server n.
func addr(n int) netip.AddrPort { return netip.MustParseAddrPort(fmt.Sprintf("10.0.0.%d:80", n)) }

func instance(n int, state discovery.State) discovery.Instance {
	return discovery.Instance{
		Service: "web", ID: fmt.Sprintf("web-%d", n), Node: fmt.Sprintf("node-%d", n), Addr: addr(n),
		Weights: discovery.Weights{Passing: 10, Warning: 2}, State: state, Reason: "check http: output",
	}
}

func spec(edit ...func(*discovery.Spec)) discovery.Spec {
	s := discovery.Spec{
		Name: "web", Service: lvs.Service{Key: lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddr("10.0.0.100"), Port: 80}, Scheduler: "wrr"},
		Selectors: []discovery.Selector{{Query: query}}, Checks: []discovery.CheckSpec{probe},
		Weight: 1, Drain: time.Minute, MaxRemoval: 0.5, RemovalWindow: 30 * time.Second, Quorum: 1,
	}
	for _, e := range edit {
		e(&s)
	}
	return s
}

// world is a View under construction.
type world struct{ discovery.View }

func newWorld(instances ...discovery.Instance) *world {
	w := &world{discovery.View{Answers: map[discovery.Query]discovery.Known{}, Verdicts: new(discovery.Verdicts), Now: start}}
	w.catalog(instances...)
	return w
}

func (w *world) catalog(instances ...discovery.Instance) {
	w.Answers[query] = discovery.Known{Instances: instances}
}

func (w *world) check(h discovery.Health, reason string, servers ...int) *world {
	for _, n := range servers {
		w.Verdicts.Put(discovery.Say(probe.For(addr(n)), discovery.Verdict{Health: h, Reason: reason}))
	}
	return w
}

func (w *world) kv(pairs ...string) *world {
	m := map[string]discovery.Pair{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = discovery.Pair{Value: pairs[i+1]}
	}
	var bad []discovery.Rejected
	w.Overrides, bad = discovery.ParseOverrides(w.Overrides, m)
	if len(bad) > 0 {
		panic(bad[0].String())
	}
	return w
}

// pool renders the decision's pool: "1:10 2:0" is server 1 with weight 10, server 2 with 0.
func pool(d discovery.Decision) string {
	var out []string
	for _, dest := range d.Want.Pool.Dests {
		out = append(out, fmt.Sprintf("%d:%d", dest.Addr.Addr().As4()[3], dest.Weight))
	}
	return strings.Join(out, " ")
}

// checksOf are the checks that the decision asks for.
func checksOf(d discovery.Decision) map[discovery.Check]discovery.Health {
	out := map[discovery.Check]discovery.Health{}
	for c, seed := range d.Checks() {
		out[c] = max(out[c], seed)
	}
	return out
}

// statusOf is what is shown of the decision's real servers.
func statusOf(d discovery.Decision, w *world) []discovery.ServerStatus {
	servers, _, _ := d.Status(w.View)
	return servers
}

func reasonOf(d discovery.Decision, n int) string {
	for _, s := range d.Servers {
		if s.Addr == addr(n) {
			return s.State.String() + ": " + s.Reason
		}
	}
	return "absent"
}

const (
	up, down, unseen = discovery.Up, discovery.Down, discovery.Pending
	ok, warn, crit   = discovery.Passing, discovery.Warning, discovery.Critical
	maint            = discovery.Maintenance
)

// TestHealthTable is the whole merge of one catalog state with one native verdict.
func TestHealthTable(t *testing.T) {
	cases := []struct {
		policy discovery.Policy
		state  discovery.State
		native discovery.Health
		want   string // pool
		reason string
	}{
		{discovery.ConsulAndNative, ok, up, "1:10", "serving: tcp check: says"},
		{discovery.ConsulAndNative, ok, down, "1:0", "failed: tcp check: says"},
		{discovery.ConsulAndNative, ok, unseen, "1:10", "serving: passing: check http: output"}, // seeded
		{discovery.ConsulAndNative, warn, up, "1:2", "serving: tcp check: says"},
		{discovery.ConsulAndNative, crit, up, "1:0", "failed: critical: check http: output"},
		{discovery.ConsulAndNative, crit, down, "1:0", "failed: critical: check http: output; tcp check: says"},
		{discovery.ConsulAndNative, crit, unseen, "1:0", "failed: critical: check http: output"},
		{discovery.ConsulAndNative, maint, up, "", "leaving: maintenance: check http: output"},

		{discovery.ConsulOrNative, ok, down, "1:10", "serving: passing: check http: output"},
		{discovery.ConsulOrNative, crit, up, "1:10", "serving: tcp check: says"},
		{discovery.ConsulOrNative, crit, down, "1:0", "failed: critical: check http: output; tcp check: says"},
		{discovery.ConsulOrNative, crit, unseen, "1:0", "failed: critical: check http: output"},
		{discovery.ConsulOrNative, maint, up, "", "leaving: maintenance: check http: output"},

		{discovery.ConsulOnly, ok, down, "1:10", "serving: passing: check http: output"},
		{discovery.ConsulOnly, crit, up, "1:0", "failed: critical: check http: output"},

		{discovery.NativeOnly, ok, down, "1:0", "failed: tcp check: says"},
		{discovery.NativeOnly, crit, up, "1:10", "serving: tcp check: says"},
		{discovery.NativeOnly, crit, unseen, "1:0", "failed: critical: check http: output"}, // seeded
		{discovery.NativeOnly, maint, up, "", "leaving: maintenance: check http: output"},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s/%s/%s", c.policy, c.state, c.native), func(t *testing.T) {
			w := newWorld(instance(1, c.state)).check(c.native, "says", 1)
			d := discovery.Merge(spec(func(s *discovery.Spec) { s.Health = c.policy }), w.View, discovery.Memory{})
			if got := pool(d); got != c.want {
				t.Errorf("pool = %q, want %q", got, c.want)
			}
			if got := reasonOf(d, 1); got != c.reason {
				t.Errorf("reason = %q, want %q", got, c.reason)
			}
		})
	}
}

func TestConfiguredServers(t *testing.T) {
	static := func(s *discovery.Spec) {
		s.Selectors = nil
		s.Servers = []discovery.Server{{Addr: addr(1), Weight: 3}}
	}
	unchecked := func(s *discovery.Spec) { s.Checks = nil }
	remove := func(s *discovery.Spec) { s.OnFailure = discovery.RemoveOnFailure }
	kernel := func(weight uint32) discovery.Memory {
		return discovery.Adopt(lvs.NewPool(lvs.Service{}, lvs.Dest{Addr: addr(1), Weight: weight}))
	}
	cases := []struct {
		name   string
		edit   []func(*discovery.Spec)
		native discovery.Health
		before discovery.Memory
		want   string
		reason string
	}{
		{"waits for its first verdict", nil, unseen, discovery.Memory{}, "", "entering: tcp check has not answered yet"},
		{"first verdict up", nil, up, discovery.Memory{}, "1:3", "serving: tcp check: says"},
		{"first verdict down is seen at weight 0", nil, down, discovery.Memory{}, "1:0", "failed: tcp check: says"},
		{"first verdict down with remove", []func(*discovery.Spec){remove}, down, discovery.Memory{}, "", "failed: tcp check: says"},
		{"no checks", []func(*discovery.Spec){unchecked}, unseen, discovery.Memory{}, "1:3", "serving: no check is configured"},
		{"restart keeps a serving one before the first verdict", nil, unseen, kernel(3), "1:3", "serving: serving as before; tcp check has not answered yet"},
		{"restart keeps a failed one before the first verdict", nil, unseen, kernel(0), "1:0", "failed: down as before; tcp check has not answered yet"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := discovery.Merge(spec(append(c.edit, static)...), newWorld().check(c.native, "says", 1).View, c.before)
			if got := pool(d); got != c.want {
				t.Errorf("pool = %q, want %q", got, c.want)
			}
			if got := reasonOf(d, 1); got != c.reason {
				t.Errorf("reason = %q, want %q", got, c.reason)
			}
		})
	}
}

func TestWeightPrecedence(t *testing.T) {
	withMeta := func(v string) discovery.Instance {
		i := instance(1, ok)
		i.Meta = map[string]string{discovery.WeightMeta: v}
		return i
	}
	unweighted := instance(1, ok)
	unweighted.Weights = discovery.Weights{Passing: 1, Warning: 1}
	cases := []struct {
		name string
		inst discovery.Instance
		kv   []string
		want string
		from string
	}{
		{"config when the service has none", unweighted, nil, "1:7", "config"},
		{"service weights", instance(1, ok), nil, "1:10", "service weights"},
		{"service weights, warning", instance(1, warn), nil, "1:2", "service weights (warning)"},
		{"meta over service weights", withMeta("20"), nil, "1:20", "service meta edgekeeper_weight"},
		{"bad meta changes nothing", withMeta("many"), nil, "1:10", `service weights (service meta edgekeeper_weight = "many" is no weight)`},
		{"kv by node", withMeta("20"), []string{"weight/web/node-1", "30"}, "1:30", "kv weight/web/node-1"},
		{"kv by id over node", withMeta("20"), []string{"weight/web/node-1", "30", "weight/web/web-1", "40"}, "1:40", "kv weight/web/web-1"},
		{"kv by address over id", withMeta("20"), []string{"weight/web/10.0.0.1:80", "50", "weight/web/web-1", "40"}, "1:50", "kv weight/web/10.0.0.1:80"},
		{"kv 0 drains", instance(1, ok), []string{"weight/web/web-1", "0"}, "1:0", "kv weight/web/web-1"},
		{"kv of another virtual server", instance(1, ok), []string{"weight/api/web-1", "0"}, "1:10", "service weights"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(c.inst).check(up, "says", 1).kv(c.kv...)
			d := discovery.Merge(spec(func(s *discovery.Spec) { s.Weight = 7 }), w.View, discovery.Memory{})
			if got := pool(d); got != c.want {
				t.Errorf("pool = %q, want %q", got, c.want)
			}
			if got := d.Servers[0].WeightFrom; got != c.from {
				t.Errorf("weight from %q, want %q", got, c.from)
			}
		})
	}
}

func TestOrders(t *testing.T) {
	cases := []struct {
		name   string
		kv     []string
		want   string
		reason string
	}{
		{"drain one", []string{"drain/web/web-1", "upgrade"}, "1:0 2:10", "drained: drained by drain/web/web-1: upgrade"},
		{"drain a node everywhere", []string{"drain/node/node-1", ""}, "1:0 2:10", "drained: drained by drain/node/node-1"},
		{"drain of a failed one shows the order", []string{"drain/web/10.0.0.1", "x"}, "1:0 2:10", "drained: drained by drain/web/10.0.0.1: x"},
		{"scheduler", []string{"scheduler/web", "lc"}, "1:10 2:10", "serving: tcp check: says"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(instance(1, ok), instance(2, ok)).check(up, "says", 1, 2).kv(c.kv...)
			d := discovery.Merge(spec(), w.View, discovery.Memory{})
			if got := pool(d); got != c.want {
				t.Errorf("pool = %q, want %q", got, c.want)
			}
			if got := reasonOf(d, 1); got != c.reason {
				t.Errorf("reason = %q, want %q", got, c.reason)
			}
			if c.name == "scheduler" && d.Want.Pool.Service.Scheduler != "lc" {
				t.Errorf("scheduler = %s", d.Want.Pool.Service.Scheduler)
			}
		})
	}
	t.Run("hold", func(t *testing.T) {
		d := discovery.Merge(spec(), newWorld(instance(1, ok)).kv("hold/web", "freeze").View, discovery.Memory{})
		if want := "hold/web in KV: freeze"; d.Want.Hold != want {
			t.Errorf("hold = %q, want %q", d.Want.Hold, want)
		}
	})
}

func TestUnusableInstances(t *testing.T) {
	dynamic := instance(1, ok)
	dynamic.Addr = netip.MustParseAddrPort("10.0.0.1:23456")
	six := instance(2, ok)
	six.Addr = netip.MustParseAddrPort("[2001:db8::2]:80")
	w := newWorld(dynamic, six).check(up, "says", 1)

	d := discovery.Merge(spec(), w.View, discovery.Memory{})
	if got := pool(d); got != "" {
		t.Errorf("direct routing took %q", got)
	}
	want := "port 23456 differs from the virtual server's 80, and dr cannot translate ports (set port = 80 in the service block if it listens there too)"
	if got := d.Servers[0].Reason; got != want {
		t.Errorf("reason = %q", got)
	}
	d = discovery.Merge(spec(func(s *discovery.Spec) { s.Selectors[0].Port = 80 }), w.View, discovery.Memory{})
	if got := pool(d); got != "1:10" {
		t.Errorf("with port = 80: %q", got)
	}
	d = discovery.Merge(spec(func(s *discovery.Spec) { s.Forward = lvs.NAT; s.Checks = nil }), w.View, discovery.Memory{})
	if got := pool(d); got != "1:10" {
		t.Errorf("NAT: %q", got)
	}
}

func TestTwoRegistrationsAtOneAddress(t *testing.T) {
	old, good := instance(1, crit), instance(1, ok)
	old.ID = "a-stale-one"
	for _, order := range [][]discovery.Instance{{old, good}, {good, old}} {
		d := discovery.Merge(spec(), newWorld(order...).check(up, "says", 1).View, discovery.Memory{})
		if got := pool(d); got != "1:10" || len(d.Warnings) != 1 {
			t.Errorf("pool = %q, warnings = %q", got, d.Warnings)
		}
	}
}

func TestAnErrorKeepsTheAnswer(t *testing.T) {
	good := discovery.Known{}.Update(discovery.Answer{Query: query, Instances: five(ok), Index: 7})
	bad := good.Update(discovery.Answer{Query: query, Err: "403 ACL denied"})
	if len(bad.Instances) != 5 || bad.Index != 7 || bad.Err != "403 ACL denied" {
		t.Errorf("after an error: %+v", bad)
	}
	if again := bad.Update(discovery.Answer{Query: query, Instances: five(ok)[:4], Index: 9}); again.Err != "" || len(again.Instances) != 4 {
		t.Errorf("after the next answer: %+v", again)
	}
}

func TestQuorumAndSorryServer(t *testing.T) {
	sorry := netip.MustParseAddrPort("10.0.0.200:80")
	r := serving(t, func(s *discovery.Spec) {
		s.Quorum, s.Hysteresis = 20, 5
		s.Sorry = &discovery.Server{Addr: sorry, Weight: 1}
	})
	r.w.kv("weight/web/web-1", "0", "weight/web/web-2", "0", "weight/web/web-3", "0")
	r.want(r.step(time.Second), "1:0 2:0 3:0 4:10 5:10") // 20: above quorum - hysteresis
	r.w.kv("weight/web/web-1", "0", "weight/web/web-2", "0", "weight/web/web-3", "0", "weight/web/web-4", "0")
	r.want(r.step(time.Second), "200:1")
	r.w.kv("weight/web/web-1", "0", "weight/web/web-2", "0", "weight/web/web-3", "0")
	r.want(r.step(time.Second), "200:1") // 20: below quorum + hysteresis
	r.w.kv("weight/web/web-1", "0", "weight/web/web-2", "0")
	r.want(r.step(time.Second), "1:0 2:0 3:10 4:10 5:10")
}

func TestPanic(t *testing.T) {
	r := serving(t, func(s *discovery.Spec) { s.PanicThreshold = 0.5 })
	r.w.catalog(append(five(crit)[:3], five(ok)[3:]...)...)
	r.w.check(down, "timeout", 1, 2, 3)
	r.want(r.step(time.Second), "1:10 2:10 3:10 4:10 5:10")
	if !r.last.Panic {
		t.Error("panic is not shown")
	}
	r.want(r.step(time.Second), "1:10 2:10 3:10 4:10 5:10")
	if !r.last.Panic || r.last.Held != "" {
		t.Errorf("a moment later: panic %v, held %q", r.last.Panic, r.last.Held)
	}
}

func BenchmarkMerge1000(b *testing.B) {
	var instances []discovery.Instance
	w := newWorld()
	for n := range 1000 {
		i := instance(n%250, ok)
		i.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(n / 250), byte(n % 250)}), 80)
		instances = append(instances, i)
		w.Verdicts.Put(discovery.Say(probe.For(i.Addr), discovery.Verdict{Health: up}))
	}
	w.catalog(instances...)
	s := spec()
	mem := discovery.Merge(s, w.View, discovery.Memory{}).Memory
	b.ReportAllocs()
	for b.Loop() {
		discovery.Merge(s, w.View, mem)
	}
}
