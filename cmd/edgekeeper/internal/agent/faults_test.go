package agent_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/consulstub"
)

// TestNoFaultOfConsulChangesAPool puts each way in which Consul can fail between
// it and a director, over a socket: the kernel sees no operation, and Consul no
// storm of requests.
func TestNoFaultOfConsulChangesAPool(t *testing.T) {
	const table, watch = "10.0.0.1:5 10.0.0.2:1 10.0.0.3:1", 1500 * time.Millisecond
	for _, fault := range []consulstub.Fault{
		consulstub.None, // slow, see below
		consulstub.Refused, consulstub.Status500, consulstub.Status403, consulstub.Status429, consulstub.NoLeader, consulstub.Filtered,
		consulstub.Anonymous, consulstub.Garbage, consulstub.Null, consulstub.CutBody, consulstub.Stranger, consulstub.EmptyStream,
		consulstub.Unblocked, consulstub.ZeroIndex, consulstub.Rewound,
	} {
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			stub, _, address := newConsul(t)
			s := newSite(t)
			s.consulConfig(fmt.Sprintf("address = %q", address))
			stub.SetStreaming(fault == consulstub.EmptyStream)
			stub.SetService("web", consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80),
				consulstub.Entry("web", "web-2", "n2", "10.0.0.2", 80), consulstub.Entry("web", "web-3", "n3", "10.0.0.3", 80))
			stub.SetKey("edgekeeper/weight/web/web-1", "5")
			s.start()
			s.table(table)
			s.kernel.Ops()

			began, before := time.Now(), len(stub.Requests())
			if fault == consulstub.None {
				stub.SetSlow(300 * time.Millisecond)
			}
			stub.SetFault(fault)
			time.Sleep(watch)
			// Two watches. Each may ask twice in 100 ms where Consul answers, and twice
			// (who am I?) in each pause of 250 ms and more where it fails.
			requests, took := len(stub.Requests())-before, time.Since(began)
			if requests > 2*2*int(took/(100*time.Millisecond)) {
				t.Errorf("%d requests in %v", requests, took)
			}
			if ops := s.kernel.Ops(); len(ops) > 0 {
				t.Errorf("%d operations: %v", len(ops), ops)
			}
			stub.SetFault(consulstub.None)
			stub.SetSlow(0)
			s.until("Consul is heard again", func() bool {
				snap := s.snapshot()
				return snap.Sources[0].Error == "" && snap.KV.Error == ""
			})
			stub.SetService("web", consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80), consulstub.Entry("web", "web-2", "n2", "10.0.0.2", 80))
			s.table(strings.TrimSuffix(table, " 10.0.0.3:1"))
			if ops := s.kernel.Ops(); len(ops) > 2 { // weight 0, and away
				t.Errorf("%d operations for one server: %v", len(ops), ops)
			}
		})
	}
}
