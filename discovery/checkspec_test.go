package discovery_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/discovery"
)

func TestStatusSet(t *testing.T) {
	var s discovery.StatusSet
	s.Add(200, 299)
	s.Add(404, 404)
	s.Add(590, 700)
	for code := range 1000 {
		want := code >= 200 && code <= 299 || code == 404 || code >= 590 && code <= 599
		if s.Has(code) != want {
			t.Errorf("%d: %t", code, s.Has(code))
		}
	}
}

func TestList(t *testing.T) {
	for _, texts := range [][]string{nil, {""}, {"a"}, {"a", "", "b"}, {"", ""}} {
		if diff := cmp.Diff(texts, discovery.MakeList(texts).Texts()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", texts, diff)
		}
	}
	if discovery.MakeList([]string{"a", "b"}) == discovery.MakeList([]string{"a\n", "b"}) {
		t.Error("two lists are equal")
	}
}

// TestPasswordNeverPrints formats a definition that holds one.
func TestPasswordNeverPrints(t *testing.T) {
	spec := discovery.CheckSpec{Login: discovery.LoginSpec{Password: discovery.MakePassword("hunter2")}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, x := range []any{spec, &spec, spec.For(netip.MustParseAddrPort("192.0.2.1:1")), spec.Login.Password} {
			if text := fmt.Sprintf(verb, x); strings.Contains(text, "hunter2") || strings.Contains(text, fmt.Sprintf("%x", "hunter2")) {
				t.Errorf("%s of %T: %s", verb, x, text)
			}
		}
	}
	if b, err := json.Marshal(spec); err != nil || strings.Contains(string(b), "hunter2") {
		t.Errorf("%s, %v", b, err)
	}
	if p := spec.Login.Password; p.Reveal() != "hunter2" || p != discovery.MakePassword("hunter2") || p == discovery.MakePassword("x") || discovery.MakePassword("").Reveal() != "" {
		t.Error("passwords do not compare")
	}
}

func TestChecksOfOneTargetAreEqual(t *testing.T) {
	a, b := probe, probe
	server := netip.MustParseAddrPort("192.0.2.1:80")
	if a.For(server) != b.For(server) || a.For(server).Spec() != probe {
		t.Error("equal checks are not")
	}
	b.Rise++
	if a.For(server) == b.For(server) {
		t.Error("different checks are equal")
	}
	if (discovery.Check{}).Spec() != (discovery.CheckSpec{}) {
		t.Error("the zero check has a definition")
	}
	a.Port, a.Addr = 8080, netip.MustParseAddr("192.0.2.9")
	if got := a.For(server).Target.String(); got != "192.0.2.9:8080" {
		t.Error(got)
	}
	a.Type = discovery.ICMP
	if got := a.For(server).Target.Port(); got != 0 {
		t.Errorf("an echo goes to port %d", got)
	}
}
