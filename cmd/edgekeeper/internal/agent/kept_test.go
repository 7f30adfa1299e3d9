package agent_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/edgekeeper/edgekeeper/test/consulstub"
)

// servers registers two real servers.
func servers(stub *consulstub.Stub) {
	stub.SetService("web", consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80), consulstub.Entry("web", "web-2", "n2", "10.0.0.2", 80))
}

// kept lists the settings that stand although the KV has lost them.
func (s *site) kept() []string { return s.snapshot().KV.Kept }

// TestSettingsOutliveTheirStore: Consul loses its data, is the same after a
// restart of the director, and gets its settings back one by one.
func TestSettingsOutliveTheirStore(t *testing.T) {
	stub, _, address := newConsul(t)
	s := newSite(t)
	s.consulConfig(fmt.Sprintf("address = %q", address))
	servers(stub)
	for i := range 20 { // an index that is far away
		stub.SetKey("other", fmt.Sprint(i))
	}
	const drain, weight = "drain/web/web-2", "weight/web/web-1"
	stub.SetKey("edgekeeper/"+weight, "5")
	stub.SetKey("edgekeeper/"+drain, "disk")
	stub.SetKey("edgekeeper/hold/other", "for long")
	s.start()
	s.table("10.0.0.1:5 10.0.0.2:0")
	stub.DeleteKey("edgekeeper/hold/other")
	s.until("one is deleted", func() bool { return s.snapshot().KV.Keys == 2 })
	s.kernel.Ops()

	stub.Wipe()
	servers(stub)
	s.untilEvent("has lost its data (index 1, it was 35); what these keys said stands until they are written again or given up: drain/web/web-2, weight/web/web-1")
	s.until("all of them are kept", func() bool { return slices.Equal(s.kept(), []string{drain, weight}) && s.snapshot().KV.Keys == 0 })
	s.stop()
	s.start()
	s.until("and after a restart", func() bool { return slices.Equal(s.kept(), []string{drain, weight}) })
	s.table("10.0.0.1:5 10.0.0.2:0")
	if ops := s.kernel.Ops(); len(ops) > 0 {
		t.Errorf("%d operations: %v", len(ops), ops)
	}

	stub.SetKey("edgekeeper/"+weight, "7")
	s.table("10.0.0.1:7 10.0.0.2:0")
	s.until("one is kept", func() bool { return slices.Equal(s.kept(), []string{drain}) })
	stub.DeleteKey("edgekeeper/" + weight) // as any other
	s.table("10.0.0.1:1 10.0.0.2:0")
	if err := s.client().Delete(t.Context(), drain); err != nil {
		t.Fatal(err)
	}
	s.table("10.0.0.1:1 10.0.0.2:1")
	if err := s.client().Delete(t.Context(), drain); err == nil {
		t.Error("a setting was given up twice")
	}
	if kept := s.kept(); len(kept) > 0 {
		t.Errorf("kept %v", kept)
	}
}

// TestSettingsLostDuringARestart: the director was not there when Consul lost its
// data.
func TestSettingsLostDuringARestart(t *testing.T) {
	stub, _, address := newConsul(t)
	s := newSite(t)
	s.consulConfig(fmt.Sprintf("address = %q", address))
	servers(stub)
	stub.SetKey("edgekeeper/weight/web/web-2", "0")
	s.start()
	s.table("10.0.0.1:1 10.0.0.2:0")
	s.until("it is written down", func() bool { return s.savedKey("weight/web/web-2") })
	s.stop()
	s.kernel.Ops()
	stub.Wipe()
	servers(stub)
	s.start()
	s.until("the weight is kept", func() bool { return slices.Equal(s.kept(), []string{"weight/web/web-2"}) })
	s.table("10.0.0.1:1 10.0.0.2:0")
	if ops := s.kernel.Ops(); len(ops) > 0 {
		t.Errorf("%d operations: %v", len(ops), ops)
	}
}

// TestSettingsOfAnotherConsul: what one Consul said is not kept when a reload
// turns to another one, whose index is lower.
func TestSettingsOfAnotherConsul(t *testing.T) {
	stub, _, address := newConsul(t)
	other, _, elsewhere := newConsul(t)
	s := newSite(t)
	s.consulConfig(fmt.Sprintf("address = %q", address))
	for _, c := range []*consulstub.Stub{stub, other} {
		servers(c)
	}
	stub.SetKey("edgekeeper/weight/web/web-2", "9")
	s.start()
	s.table("10.0.0.1:1 10.0.0.2:9")
	s.consulConfig(fmt.Sprintf("address = %q", elsewhere))
	s.hup <- nil
	s.table("10.0.0.1:1 10.0.0.2:1")
	if kept := s.kept(); len(kept) > 0 {
		t.Errorf("kept %v", kept)
	}
}
