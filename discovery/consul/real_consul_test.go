//go:build consul

package consul

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/test/consultest"
)

// follow runs a source against a real agent and gives what it emits.
func follow(t *testing.T, cfg ClientConfig, queries ...discovery.Query) *stream[discovery.Answer] {
	t.Helper()
	client, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	src := NewSource(Config{Client: client})
	src.Set(queries)
	return run(t, src.Run)
}

// stream is what a source has emitted and the test has not looked at.
type stream[T any] struct {
	t  *testing.T
	ch chan T
}

func run[T any](t *testing.T, f func(context.Context, func(T)) error) *stream[T] {
	ctx, cancel := context.WithCancel(context.Background())
	s := &stream[T]{t, make(chan T, 1000)}
	var wg sync.WaitGroup
	wg.Go(func() { f(ctx, func(v T) { s.ch <- v }) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return s
}

// next waits for something that satisfies ok; each that comes before must
// satisfy one of the others.
func (s *stream[T]) next(what string, ok func(T) bool, before ...func(T) bool) T {
	s.t.Helper()
	deadline := time.After(90 * time.Second) // of a cluster on a busy machine
loop:
	for {
		select {
		case v := <-s.ch:
			if ok(v) {
				return v
			}
			for _, f := range before {
				if f(v) {
					continue loop
				}
			}
			s.t.Fatalf("waiting for %s: emitted %+v", what, v)
		case <-deadline:
			s.t.Fatalf("waiting for %s: nothing came", what)
		}
	}
}

// is accepts answers that say the same as say does.
func is(want string) func(discovery.Answer) bool {
	return func(a discovery.Answer) bool { return say([]discovery.Answer{a})[0] == want }
}

func failing(part string) func(discovery.Answer) bool {
	return func(a discovery.Answer) bool { return a.Err != "" && strings.Contains(a.Err, part) }
}

func service(id string, edit ...func(*api.AgentServiceRegistration)) *api.AgentServiceRegistration {
	s := &api.AgentServiceRegistration{ID: id, Name: "web", Address: "10.0.0.1", Port: 80}
	for _, f := range edit {
		f(s)
	}
	return s
}

func ttl(s *api.AgentServiceRegistration) {
	s.Check = &api.AgentServiceCheck{CheckID: "ttl", Name: "alive", TTL: "10m", Status: api.HealthPassing}
}

func TestRealCatalog(t *testing.T) {
	for _, streaming := range []bool{true, false} {
		t.Run(fmt.Sprintf("streaming=%v", streaming), func(t *testing.T) {
			a := consultest.Start(t, consultest.Options{NoStreaming: !streaming})
			agent := a.Client.Agent()
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			got := follow(t, ClientConfig{Address: a.Addr}, web)
			got.next("no instances", is(""))

			a.Register(service("web-1", ttl))
			got.next("web-1", is("web-1 passing"))
			must(agent.UpdateTTL("ttl", "slow\nsecond line", api.HealthWarning))
			if in := got.next("warning", is("web-1 warning")).Instances[0]; in.Reason != "check alive: slow" {
				t.Errorf("reason %q", in.Reason)
			}
			must(agent.UpdateTTL("ttl", "503", api.HealthCritical))
			got.next("critical", is("web-1 critical"), is("web-1 warning"))
			must(agent.EnableServiceMaintenance("web-1", "new disk"))
			if in := got.next("maintenance", is("web-1 maintenance"), is("web-1 critical")).Instances[0]; in.Reason != "check Service Maintenance Mode: new disk" {
				t.Errorf("reason %q", in.Reason)
			}
			must(agent.DisableServiceMaintenance("web-1"))
			must(agent.UpdateTTL("ttl", "fine", api.HealthPassing))
			got.next("passing", is("web-1 passing"), is("web-1 critical"), is("web-1 maintenance"))
			must(agent.EnableNodeMaintenance("kernel"))
			got.next("node maintenance", is("web-1 maintenance"))
			must(agent.DisableNodeMaintenance())
			got.next("passing", is("web-1 passing"))

			a.Register(service("web-1", ttl, func(s *api.AgentServiceRegistration) {
				s.Tags, s.Meta = []string{"v2"}, map[string]string{"edgekeeper_weight": "7"}
				s.Weights = &api.AgentWeights{Passing: 10, Warning: 2}
			}))
			in := got.next("changed registration", func(a discovery.Answer) bool {
				return len(a.Instances) == 1 && a.Instances[0].Weights.Passing == 10
			}, is("web-1 passing")).Instances[0]
			want := in
			want.Tags, want.Meta, want.Weights = []string{"v2"}, map[string]string{"edgekeeper_weight": "7"}, discovery.Weights{Passing: 10, Warning: 2}
			if diff := cmp.Diff(fmt.Sprint(want), fmt.Sprint(in)); diff != "" {
				t.Errorf("instance (-want +got):\n%s", diff)
			}

			a.Register(service("web-2", func(s *api.AgentServiceRegistration) { s.Address = "web.example" }))
			if w := got.next("a host name", func(a discovery.Answer) bool { return len(a.Warnings) == 1 }).Warnings[0]; !strings.Contains(w, "web.example") {
				t.Errorf("warning %q", w)
			}
			must(agent.ServiceDeregister("web-2"))
			must(agent.ServiceDeregister("web-1"))
			got.next("no instances", is(""), is("web-1 passing"))
		})
	}
}

func TestRealKV(t *testing.T) {
	a := consultest.Start(t, consultest.Options{})
	client, err := NewClient(ClientConfig{Address: a.Addr})
	if err != nil {
		t.Fatal(err)
	}
	got := run(t, NewKV(Config{Client: client}, "edgekeeper", 0).Run)
	keys := func(want string) func(discovery.KVAnswer) bool {
		return func(a discovery.KVAnswer) bool { return sayKeys([]discovery.KVAnswer{a})[0] == want }
	}
	got.next("no keys", keys(""))
	w := NewWriter(client, "edgekeeper")
	for _, s := range []struct{ key, value, had, want string }{
		{"weight/web/web-1", "0", "", "weight/web/web-1=0"},
		{"weight/web/web-1", "5", "0", "weight/web/web-1=5"},
		{"drain/node/n 1", "reason, with ünicode & %", "", "drain/node/n 1=reason, with ünicode & % weight/web/web-1=5"},
	} {
		before, _, err := w.Put(t.Context(), s.key, s.value)
		if err != nil || before != s.had {
			t.Fatalf("Put %s = %q, %v", s.key, before, err)
		}
		got.next(s.want, keys(s.want))
	}
	if _, err := a.Client.KV().Put(&api.KVPair{Key: "elsewhere", Value: []byte("1")}, nil); err != nil {
		t.Fatal(err)
	}
	if before, had, err := w.Delete(t.Context(), "drain/node/n 1"); err != nil || !had || before != "reason, with ünicode & %" {
		t.Fatalf("Delete = %q, %v, %v", before, had, err)
	}
	got.next("one key", keys("weight/web/web-1=5"))
	if _, _, err := w.Delete(t.Context(), "weight/web/web-1"); err != nil {
		t.Fatal(err)
	}
	got.next("no keys", keys(""))
}

// An agent that dies and comes back with its data: an error, and then the same
// instances; never an empty answer between.
func TestRealRestart(t *testing.T) {
	for _, streaming := range []bool{true, false} {
		t.Run(fmt.Sprintf("streaming=%v", streaming), func(t *testing.T) {
			a := consultest.Start(t, consultest.Options{Keep: true, NoStreaming: !streaming})
			a.Register(service("web-1"))
			got := follow(t, ClientConfig{Address: a.Addr}, web)
			got.next("web-1", is("web-1 passing"))
			a.Kill()
			got.next("an error", failing(""))
			a.Run()
			got.next("web-1", is("web-1 passing"), failing(""))
			a.Register(service("web-2"))
			got.next("both", is("web-1 passing, web-2 passing"))
		})
	}
}

// The whole of Consul begins anew, without data and with its index at 1.
func TestRealDataGone(t *testing.T) {
	a := consultest.Start(t, consultest.Options{})
	for i := range 20 {
		a.Register(service(fmt.Sprintf("web-%d", i)))
	}
	got := follow(t, ClientConfig{Address: a.Addr}, web)
	got.next("20 instances", func(a discovery.Answer) bool { return len(a.Instances) == 20 }, func(a discovery.Answer) bool { return a.Err == "" })
	a.Kill()
	a.Run()
	if !got.next("what Consul knows now", is(""), failing("")).Anew {
		t.Error("nothing says that the data began anew")
	}
	a.Register(service("web-new"))
	if got.next("the new instance", is("web-new passing")).Anew {
		t.Error("the data began anew once more")
	}
}

func TestRealACL(t *testing.T) {
	for _, streaming := range []bool{true, false} {
		t.Run(fmt.Sprintf("streaming=%v", streaming), func(t *testing.T) {
			a := consultest.Start(t, consultest.Options{ACL: true, NoStreaming: !streaming})
			a.Register(service("web-1"))
			acl := a.Client.ACL()
			policy, _, err := acl.PolicyCreate(&api.ACLPolicy{Name: "edge", Rules: `key_prefix "edgekeeper/" { policy = "read" }`}, nil)
			if err != nil {
				t.Fatal(err)
			}
			token, _, err := acl.TokenCreate(&api.ACLToken{Policies: []*api.ACLTokenPolicyLink{{ID: policy.ID}}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			rules := func(r string) {
				t.Helper()
				policy.Rules = r
				if _, _, err := acl.PolicyUpdate(policy, nil); err != nil {
					t.Fatal(err)
				}
			}
			stranger := follow(t, ClientConfig{Address: a.Addr}, web)
			stranger.next("doubt about an empty answer", failing(ErrAnonymous.Error()))

			got := follow(t, ClientConfig{Address: a.Addr, Token: token.SecretID}, web)
			got.next("refusal", failing(ErrFiltered.Error()))
			rules(`service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }`)
			got.next("web-1", is("web-1 passing"), failing(""))
			rules(``)
			a.Register(service("web-2")) // a change, so that the query ends
			got.next("refusal", failing(""))
			rules(`service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }`)
			got.next("both", is("web-1 passing, web-2 passing"), failing(""))
			if _, err := acl.TokenDelete(token.AccessorID, nil); err != nil {
				t.Fatal(err)
			}
			a.Register(service("web-3"))
			got.next("an unknown token", failing("403"), failing(""))
		})
	}
}

// An agent may give its own token to requests that carry none: then an empty
// answer is what it seems.
func TestRealAgentToken(t *testing.T) {
	a := consultest.Start(t, consultest.Options{ACL: true, Config: map[string]any{
		"acl": map[string]any{
			"enabled": true, "default_policy": "deny",
			"tokens": map[string]string{"initial_management": consultest.RootToken, "agent": consultest.RootToken, "default": consultest.RootToken},
		},
	}})
	got := follow(t, ClientConfig{Address: a.Addr}, web)
	got.next("no instances", is(""))
	a.Register(service("web-1"))
	got.next("web-1", is("web-1 passing"))
}
