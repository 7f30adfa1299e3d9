package agent_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/edgekeeper/edgekeeper/test/consulstub"
)

// TestRegistered is a director without VRRP that stands in Consul while it runs.
func TestRegistered(t *testing.T) {
	t.Parallel()
	stub, _, address := newConsul(t)
	s := newSite(t)
	register := func(block string) {
		s.consulConfig(fmt.Sprintf("address = %q\n%s", address, block))
	}
	register("register {}")
	stub.SetService("web", consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80))
	s.start()
	registered := func(want ...string) {
		t.Helper()
		s.until("registered:\n"+strings.Join(want, "\n"), func() bool {
			got := stub.Registered()
			if len(got) != len(want) {
				return false
			}
			for i := range want {
				if !strings.HasPrefix(got[i], want[i]) {
					return false
				}
			}
			return true
		})
	}
	const self, web = "edgekeeper-lvs1 :0 [] passing: no VRRP instance", "web-vip-lvs1 127.0.0.1:80 [] passing: 1 of 1 real servers serve"
	registered(self, web)
	s.until("status says so", func() bool {
		r := s.snapshot().Registration
		return r != nil && len(r.Services) == 2 && r.Error == "" && r.Services[1].Service == "web-vip"
	})
	if err := s.client().Put(t.Context(), "weight/web/web-1", "0"); err != nil {
		t.Fatal(err)
	}
	registered("edgekeeper-lvs1 :0 [] warning: no VRRP instance", "web-vip-lvs1 127.0.0.1:80 [] critical: 0 of 1 real servers serve")
	if err := s.client().Delete(t.Context(), "weight/web/web-1"); err != nil {
		t.Fatal(err)
	}
	registered(self, web)
	stub.ForgetServices()
	registered(self, web)

	register(`register { service = "edge" }`)
	s.hup <- syscall.SIGHUP
	registered("edge-lvs1 :0 [] passing", web)
	register("")
	s.hup <- syscall.SIGHUP
	registered()
	register("register {}")
	s.hup <- syscall.SIGHUP
	registered(self, web)
	s.stop()
	registered()
}
