package nomad

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/edgekeeper/edgekeeper/discovery"
)

const anAllocation = "48cbe765-a958-e206-0205-55c33ad6439"

// registered is an instance in Consul of one of Nomad's allocations.
func registered(n int) discovery.Instance {
	return discovery.Instance{ID: fmt.Sprintf("_nomad-task-%s%x-group-web-web-http", anAllocation, n), Node: "w1"}
}

func (s *stub) wants(n int, desired string) {
	s.put(fmt.Sprintf("/v1/allocation/%s%x", anAllocation, n), 5, &api.Allocation{DesiredStatus: desired})
}

func TestStops(t *testing.T) {
	s := newStub()
	srv := httptest.NewServer(s)
	defer srv.Close()
	client, err := api.NewClient(&api.Config{Address: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	heard := make(chan discovery.Answer, 100)
	stops := NewStops(Config{Client: client}, func(a discovery.Answer) { heard <- a })
	q := discovery.Query{Service: "web"}
	emit := func(list ...discovery.Instance) {
		stops.Emit(t.Context(), discovery.Answer{Query: q, Instances: list})
	}
	expect := func(want ...int) {
		t.Helper()
		var a discovery.Answer
		select {
		case a = <-heard:
		case <-time.After(30 * time.Second):
			t.Fatal("nothing was said")
		}
		keys := make([]discovery.InstanceKey, 0, len(want))
		for _, n := range want {
			keys = append(keys, registered(n).Key())
		}
		slices.SortFunc(a.Stopped, func(x, y discovery.InstanceKey) int { return strings.Compare(x.ID, y.ID) })
		if !slices.Equal(a.Stopped, keys) {
			t.Fatalf("stopped %v, want %v", a.Stopped, keys)
		}
	}
	other := discovery.Instance{ID: "web-by-hand", Node: "w1"}

	emit(registered(1), registered(2), registered(3), registered(4), other)
	expect()
	if n := s.count(); n != 0 {
		t.Errorf("%d questions, and nothing has gone", n)
	}
	s.wants(1, api.AllocDesiredStatusStop)
	s.wants(2, api.AllocDesiredStatusEvict)
	s.wants(3, api.AllocDesiredStatusRun)
	emit(registered(4))
	expect(1, 2) // not the one that is to run, nor the one that is not Nomad's
	if n := s.count(); n != 3 {
		t.Errorf("%d questions about three allocations", n)
	}

	s.set(func() { s.status = 500 })
	s.wants(4, api.AllocDesiredStatusStop)
	emit()
	expect() // nobody knows
	s.set(func() { s.status = 0 })
	expect(4) // asked again

	stops.Emit(t.Context(), discovery.Answer{Query: q, Err: "no leader"})
	expect()
	emit(registered(5))
	expect()
	emit(registered(5))
	expect()

	// What Nomad says late does not make a failing catalog one that answers.
	s.set(func() { s.status = 500 })
	s.wants(5, api.AllocDesiredStatusStop)
	emit()
	expect()
	stops.Emit(t.Context(), discovery.Answer{Query: q, Err: "no leader"})
	expect()
	s.set(func() { s.status = 0 })
	time.Sleep(askAgain + askAgain/2) // it would have been asked by then
	if n := len(heard); n != 0 {
		t.Fatalf("%d answers while the catalog fails", n)
	}
	emit()
	expect(5)
	if n := len(heard); n != 0 {
		t.Errorf("%d answers more than were given", n)
	}
}

// TestStopsWithoutNomad: a Nomad that says nothing holds up no answer but the
// first, and none to another query.
func TestStopsWithoutNomad(t *testing.T) {
	asked, over := make(chan struct{}, 100), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-over
	}))
	defer srv.Close()
	defer close(over)
	client, err := api.NewClient(&api.Config{Address: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	heard := make(chan string, 100)
	stops := NewStops(Config{Client: client}, func(a discovery.Answer) { heard <- fmt.Sprint(a.Query.Service, len(a.Instances)) })
	emit := func(service string, list ...discovery.Instance) {
		stops.Emit(ctx, discovery.Answer{Query: discovery.Query{Service: service}, Instances: list})
	}
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-heard:
			if got != want {
				t.Fatalf("heard %s, want %s", got, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("never heard %s", want)
		}
	}
	emit("web", registered(1), registered(2))
	expect("web2")
	var first sync.WaitGroup
	first.Go(func() { emit("web", registered(1)) })
	<-asked
	emit("mail", registered(3)) // while the other one waits
	expect("mail1")
	first.Wait()
	expect("web1")
	// Nomad is asked again later, with nobody waiting: these come although none of
	// its answers ever will.
	cancel()
	ctx = t.Context()
	emit("mail")
	expect("mail0")
	if len(asked) > 0 {
		t.Error("asked again, and the answer waited for it")
	}
}

func TestAllocation(t *testing.T) {
	for id, want := range map[string]string{
		"_nomad-task-" + anAllocation + "f-group-web-web-http": anAllocation + "f",
		"_nomad-task-" + anAllocation + "f":                    "",
		"_nomad-task-short-group-web":                          "",
		"web-1":                                                "",
	} {
		if got, ok := allocation(id); got != want || ok != (want != "") {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
}
