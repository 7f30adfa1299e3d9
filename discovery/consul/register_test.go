package consul

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/test/consulstub"
)

func TestRegistrar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stub := consulstub.New()
		var events record[string]
		begin := func() (r *Registrar, stop func()) {
			r = NewRegistrar(RegistrarConfig{Client: stub.Client(), Owner: "lvs1", TTL: 15 * time.Second, Event: events.add})
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := r.Run(ctx); err != nil {
					t.Errorf("Run: %v", err)
				}
			})
			return r, func() { cancel(); wg.Wait() }
		}
		vip := func(tag string, state discovery.State, output string) Registration {
			return Registration{ID: "web-vip-lvs1", Name: "web-vip", Address: netip.MustParseAddr("10.0.0.100"), Port: 80, Tags: []string{tag}, State: state, Output: output}
		}
		self := Registration{ID: "edgekeeper-lvs1", Name: "edgekeeper", Output: "VI_1 BACKUP"}
		registered := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(want, stub.Registered()); diff != "" {
				t.Fatalf("registered (-want +got):\n%s", diff)
			}
		}
		said := func(want ...string) {
			t.Helper()
			if diff := cmp.Diff(want, events.take()); diff != "" {
				t.Fatalf("events (-want +got):\n%s", diff)
			}
		}

		r, stop := begin()
		time.Sleep(time.Minute)
		registered([]string{}...) // nothing was said yet
		r.Set([]Registration{self, vip("standby", discovery.Passing, "BACKUP")})
		time.Sleep(time.Second)
		const selfLine = "edgekeeper-lvs1 :0 [] passing: VI_1 BACKUP"
		registered(selfLine, "web-vip-lvs1 10.0.0.100:80 [standby] passing: BACKUP")

		r.Set([]Registration{self, vip("active", discovery.Warning, "MASTER; HELD")})
		time.Sleep(time.Second)
		registered(selfLine, "web-vip-lvs1 10.0.0.100:80 [active] warning: MASTER; HELD")
		r.Set([]Registration{self, vip("active", discovery.Critical, "MASTER; none")})
		time.Sleep(time.Second)
		registered(selfLine, "web-vip-lvs1 10.0.0.100:80 [active] critical: MASTER; none")

		before := len(stub.Requests())
		time.Sleep(10 * time.Minute)
		if n := len(stub.Requests()) - before; n < 2*118 || n > 2*133 {
			t.Errorf("%d requests for two services in ten minutes, want a renewal in 5 s and a registration a minute for each", n)
		}
		said()

		stub.ForgetServices()
		time.Sleep(6 * time.Second)
		registered(selfLine, "web-vip-lvs1 10.0.0.100:80 [active] critical: MASTER; none")
		said("edgekeeper-lvs1 was lost by the agent, registered again", "web-vip-lvs1 was lost by the agent, registered again")

		stub.SetFault(consulstub.Status403)
		before = len(stub.Requests())
		time.Sleep(10 * time.Minute)
		if n := len(stub.Requests()) - before; n > 500 {
			t.Errorf("%d requests in ten minutes of refusal", n)
		}
		if _, err := r.Status(); !strings.Contains(err, "status 403") {
			t.Errorf("error %q", err)
		}
		stub.SetFault(consulstub.None)
		time.Sleep(10 * time.Second)
		if all := events.take(); len(all) != 2 || !strings.HasPrefix(all[0], "cannot register: status 403") || all[1] != "registered again" {
			t.Errorf("events %q", all)
		}

		// A director that is killed and comes back without the address.
		stop()
		r, stop = begin()
		r.Set([]Registration{self})
		time.Sleep(time.Second)
		registered(selfLine)
		r.Set([]Registration{self, vip("standby", discovery.Passing, "BACKUP")})
		time.Sleep(time.Second)

		stop()
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		registered([]string{}...)
		r.Set([]Registration{self})
		if err := r.round(t.Context()); err != nil {
			t.Fatal(err)
		}
		registered([]string{}...)
	})
}
