package consul

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
	"go.uber.org/goleak"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/test/consulstub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var web = discovery.Query{Source: discovery.Consul, Service: "web"}

// record keeps what a source emits.
type record[T any] struct {
	mu  sync.Mutex
	all []T
}

func (r *record[T]) add(v T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, v)
}

// take gives what has come since the last take.
func (r *record[T]) take() []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}

// say renders answers for comparison: instance ids with states, or the error.
func say(answers []discovery.Answer) []string {
	var all []string
	for _, a := range answers {
		if a.Err != "" {
			all = append(all, "error "+a.Err)
			continue
		}
		var ids []string
		for _, in := range a.Instances {
			ids = append(ids, in.ID+" "+in.State.String())
		}
		all = append(all, strings.Join(ids, ", "))
	}
	return all
}

// bubble runs a source against a stub in virtual time.
// bubble runs a source on a stub, in virtual time, and f beside it. What the
// source must find at its first question is put into the stub by before.
func bubble(t *testing.T, cfg Config, before func(*consulstub.Stub), f func(stub *consulstub.Stub, src *Source, got *record[discovery.Answer])) {
	synctest.Test(t, func(t *testing.T) {
		stub := consulstub.New()
		before(stub)
		cfg.Client = stub.Client()
		src := NewSource(cfg)
		src.Set([]discovery.Query{web})
		ctx, cancel := context.WithCancel(t.Context())
		var got record[discovery.Answer]
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := src.Run(ctx, got.add); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
		synctest.Wait()
		f(stub, src, &got)
		stop := time.Now()
		cancel()
		wg.Wait()
		if d := time.Since(stop); d != 0 {
			t.Errorf("Run took %v to stop", d)
		}
	})
}

func empty(*consulstub.Stub) {}

func expect(t *testing.T, got *record[discovery.Answer], want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, say(got.take())); diff != "" {
		t.Fatalf("emitted (-want +got):\n%s", diff)
	}
}

func TestSourceFollowsTheCatalog(t *testing.T) {
	bubble(t, Config{}, empty, func(stub *consulstub.Stub, src *Source, got *record[discovery.Answer]) {
		expect(t, got, "") // no such service: an answer, and an empty one
		step := func() { time.Sleep(time.Second) }
		step()
		stub.SetService("web", consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80))
		expect(t, got, "web-1 passing")
		step()
		stub.SetService("web",
			consulstub.Entry("web", "web-2", "n2", "10.0.0.2", 80),
			consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80, consulstub.Check("http", api.HealthCritical, "503")))
		expect(t, got, "web-1 critical, web-2 passing")
		step()
		stub.Touch("web") // the index moves, the content does not
		expect(t, got)
		step()
		n := len(stub.Requests())
		stub.Rewind()
		expect(t, got)
		step()
		if r := stub.Requests()[n]; r.Index != 0 {
			t.Errorf("the first request after the index went back blocks at %d", r.Index)
		}
		stub.SetService("web", consulstub.Entry("web", "web-2", "n2", "10.0.0.2", 80))
		expect(t, got, "web-2 passing")
		time.Sleep(time.Hour) // nothing happens: a query a minute
		expect(t, got)
		if n := len(stub.Requests()); n > 80 {
			t.Errorf("%d requests in an hour without changes", n)
		}
	})
}

func TestNoBusyLoop(t *testing.T) {
	for _, f := range []consulstub.Fault{consulstub.Unblocked, consulstub.ZeroIndex} {
		t.Run(f.String(), func(t *testing.T) {
			bubble(t, Config{}, func(stub *consulstub.Stub) { stub.SetFault(f) }, func(stub *consulstub.Stub, src *Source, got *record[discovery.Answer]) {
				time.Sleep(time.Minute)
				requests := stub.Requests()
				if n := len(requests); n > 601 || n < 400 {
					t.Errorf("%d requests in a minute, want about 540", n)
				}
				for i := 1; i < len(requests); i++ {
					if gap := requests[i].At.Sub(requests[i-1].At); gap > 0 && gap < spacing {
						t.Fatalf("request %d came %v after the one before", i, gap)
					}
				}
			})
		})
	}
}

func TestPauses(t *testing.T) {
	requests := func(f consulstub.Fault, d time.Duration) (n, again int) {
		bubble(t, Config{}, empty, func(stub *consulstub.Stub, src *Source, got *record[discovery.Answer]) {
			time.Sleep(time.Second)
			count := func() int {
				before := len(stub.Requests())
				stub.SetFault(f)
				time.Sleep(d)
				return len(stub.Requests()) - before
			}
			n = count()
			time.Sleep(10 * time.Minute) // the longest pause is reached
			stub.SetFault(consulstub.None)
			time.Sleep(2 * time.Minute)
			again = count()
		})
		return n, again
	}
	n, again := requests(consulstub.Status500, 10*time.Second)
	if n < 4 || n > 9 || again < 4 || again > 9 {
		t.Errorf("%d requests in the first 10s of trouble, %d the next time; want 4 to 9", n, again)
	}
	n, again = requests(consulstub.Status429, 10*time.Second)
	if n > 3 || again > 3 {
		t.Errorf("%d requests in the first 10s of 429, %d the next time; want 3 at most", n, again)
	}
}

func TestStaleReadIsRepeated(t *testing.T) {
	bubble(t, Config{MaxStale: 5 * time.Second}, empty, func(stub *consulstub.Stub, src *Source, got *record[discovery.Answer]) {
		time.Sleep(time.Second)
		stub.SetLag(4 * time.Second)
		stub.SetService("web", consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80))
		time.Sleep(time.Second)
		n := len(stub.Requests())
		stub.SetLag(6 * time.Second)
		stub.SetService("web", consulstub.Entry("web", "web-2", "n2", "10.0.0.2", 80))
		time.Sleep(time.Second)
		expect(t, got, "", "web-1 passing", "web-2 passing")
		requests := stub.Requests()
		for _, r := range requests[:n] {
			if !r.Stale {
				t.Errorf("a default read while the server was fresh enough")
			}
		}
		if !slices.ContainsFunc(requests[n:], func(r consulstub.Request) bool { return !r.Stale }) {
			t.Errorf("no default read after a stale one with an old answer")
		}
	})
}

func TestStreamingIsOnlyAWakeUp(t *testing.T) {
	streaming := func(stub *consulstub.Stub) {
		stub.SetStreaming(true)
		stub.SetService("web", consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80))
	}
	bubble(t, Config{}, streaming, func(stub *consulstub.Stub, src *Source, got *record[discovery.Answer]) {
		time.Sleep(time.Second)
		stub.SetService("web", consulstub.Entry("web", "web-2", "n2", "10.0.0.2", 80))
		time.Sleep(time.Second)
		expect(t, got, "web-1 passing", "web-2 passing")
		stub.SetBehind(true) // the server asked next knows less than the one that woke us
		stub.SetService("web", consulstub.Entry("web", "web-3", "n3", "10.0.0.3", 80))
		time.Sleep(time.Second)
		expect(t, got, "web-3 passing")
		stub.SetBehind(false)
		stub.SetFault(consulstub.EmptyStream) // a view that was never filled, at the end of the wait
		time.Sleep(time.Minute)
		expect(t, got)
		stub.SetFault(consulstub.None)
		stub.SetService("web")
		time.Sleep(time.Minute)
		expect(t, got, "") // emptied for good
	})
}

func TestSetStartsAndStopsQueries(t *testing.T) {
	api2 := discovery.Query{Source: discovery.Consul, Service: "api", Datacenter: "east"}
	bubble(t, Config{}, empty, func(stub *consulstub.Stub, src *Source, got *record[discovery.Answer]) {
		time.Sleep(time.Second)
		expect(t, got, "")
		stub.SetService("api", consulstub.Entry("api", "api-1", "n1", "10.0.0.1", 80))
		src.Set([]discovery.Query{web, api2, api2, {Source: discovery.File, Service: "web"}})
		expect(t, got, "api-1 passing")
		src.Set([]discovery.Query{api2})
		time.Sleep(time.Second)
		n := len(stub.Requests())
		stub.SetService("web", consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80))
		time.Sleep(10 * time.Second)
		expect(t, got)
		if more := len(stub.Requests()) - n; more != 0 {
			t.Errorf("%d requests for a query that is not asked any more", more)
		}
		src.Set([]discovery.Query{web, api2})
		expect(t, got, "web-1 passing")
	})
}
