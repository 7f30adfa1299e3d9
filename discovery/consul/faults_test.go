package consul

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
	"pgregory.net/rapid"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/test/consulstub"
)

func TestFaultsChangeNothing(t *testing.T) {
	bounds := map[consulstub.Fault]int{ // requests in ten minutes
		consulstub.Status429: 30,
		consulstub.Hang:      50,
	}
	for _, c := range []struct {
		fault consulstub.Fault
		err   string // the one error that is emitted
	}{
		{consulstub.Refused, "connection refused"},
		{consulstub.Status500, "status 500: No cluster leader"},
		{consulstub.Status403, "status 403: Permission denied: token with AccessorID '1' lacks permission 'service:read'"},
		{consulstub.Status429, `status 429: rate limit exceeded for operation type "global/read", try again later or against a different server`},
		{consulstub.NoLeader, ErrNoLeader.Error()},
		{consulstub.Filtered, ErrFiltered.Error()},
		{consulstub.Anonymous, ErrAnonymous.Error()},
		{consulstub.Garbage, `read health of service "web": invalid character '<' looking for beginning of value`},
		{consulstub.Null, `read health of service "web": malformed answer: null`},
		{consulstub.CutBody, `read health of service "web": unexpected EOF`},
		{consulstub.Stranger, ErrNoLeader.Error()},
		{consulstub.Hang, "no answer within 1m13.75s"},
	} {
		t.Run(c.fault.String(), func(t *testing.T) {
			bubble(t, Config{}, empty, func(stub *consulstub.Stub, src *Source, got *record[discovery.Answer]) {
				time.Sleep(time.Second)
				expect(t, got, "") // the source has asked before there is anything
				stub.SetService("web", consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80))
				time.Sleep(time.Second)
				expect(t, got, "web-1 passing")

				before := len(stub.Requests())
				stub.SetFault(c.fault)
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				answers := got.take()
				if c.fault == consulstub.Hang {
					// The first wait blocks and the following reads do not.
					if len(answers) != 2 || answers[1].Err != "no answer within 15s" {
						t.Fatalf("emitted %q", say(answers))
					}
					answers = answers[:1]
				}
				if diff := cmp.Diff([]string{"error " + c.err}, say(answers)); diff != "" {
					t.Fatalf("emitted (-want +got):\n%s", diff)
				}
				if answers[0].Instances != nil {
					t.Errorf("an error carries instances")
				}
				most := bounds[c.fault]
				if most == 0 {
					most = 220 // a pause of 8 s, half as long at the least, and up to two requests each
				}
				if n := len(stub.Requests()) - before; n > most || n < 5 {
					t.Errorf("%d requests in ten minutes of trouble, want 5 to %d", n, most)
				}

				stub.SetFault(consulstub.None)
				time.Sleep(2 * time.Minute)
				expect(t, got, "web-1 passing") // the same content, but the error has ended
			})
		})
	}
}

// A source that starts while Consul is in trouble must not say that there are
// no instances.
func TestFaultAtStart(t *testing.T) {
	for f := consulstub.Refused; f <= consulstub.Stranger; f++ {
		t.Run(f.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stub := consulstub.New()
				stub.SetService("web", consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80))
				stub.SetFault(f)
				src := NewSource(Config{Client: stub.Client()})
				src.Set([]discovery.Query{web})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var got record[discovery.Answer]
				go src.Run(ctx, got.add)
				time.Sleep(time.Minute)
				for _, a := range got.take() {
					if a.Err == "" {
						t.Errorf("emitted %q", say([]discovery.Answer{a}))
					}
				}
				stub.SetFault(consulstub.None)
				time.Sleep(2 * time.Minute) // longer than the longest pause
				expect(t, &got, "web-1 passing")
			})
		})
	}
}

// Whatever the catalog and the network do, what is emitted is what the catalog
// said at some moment, in order, and the last of it is what it says at the end.
func TestNothingIsEmittedThatTheCatalogDidNotSay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		streaming := rapid.Bool().Draw(rt, "streaming")
		type step struct {
			Kind, Fault, Instances int
			Pause                  time.Duration
		}
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			return step{
				Kind:      rapid.IntRange(0, 3).Draw(rt, "kind"),
				Fault:     rapid.IntRange(0, int(consulstub.ZeroIndex)).Draw(rt, "fault"),
				Instances: rapid.IntRange(0, 3).Draw(rt, "instances"),
				Pause:     time.Duration(rapid.IntRange(0, 5000).Draw(rt, "pause")) * time.Millisecond,
			}
		}), 1, 20).Draw(rt, "steps")
		var failure string
		bubble(t, Config{Wait: 10 * time.Second}, func(stub *consulstub.Stub) { stub.SetStreaming(streaming) }, func(stub *consulstub.Stub, src *Source, got *record[discovery.Answer]) {
			said := []string{""}
			for _, s := range steps {
				switch s.Kind {
				case 0:
					stub.SetFault(consulstub.Fault(s.Fault))
				case 1:
					stub.SetFault(consulstub.None)
				case 2:
					stub.Rewind()
				case 3:
					var entries []*api.ServiceEntry
					var ids []string
					for i := range s.Instances {
						id := fmt.Sprintf("web-%d-%d", len(said), i)
						entries = append(entries, consulstub.Entry("web", id, "n", "10.0.0.1", 80))
						ids = append(ids, id+" passing")
					}
					stub.SetService("web", entries...)
					said = append(said, strings.Join(ids, ", "))
				}
				time.Sleep(s.Pause)
			}
			stub.SetFault(consulstub.None)
			time.Sleep(5 * time.Minute)
			at := 0
			last := ""
			for _, a := range got.take() {
				if a.Err != "" {
					continue
				}
				last = say([]discovery.Answer{a})[0]
				i := slices.Index(said[at:], last)
				if i < 0 {
					failure = fmt.Sprintf("emitted %q, which the catalog did not say after %q; it said %q", last, said[at], said)
					return
				}
				at += i
			}
			if last != said[len(said)-1] {
				failure = fmt.Sprintf("emitted %q at the end, want %q", last, said[len(said)-1])
			}
		})
		if failure != "" {
			rt.Fatal(failure)
		}
	})
}
