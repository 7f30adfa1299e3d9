package live

import (
	"net"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/test/consulstub"
)

func TestInterface(t *testing.T) {
	if err := (Host{}).Interface("lo"); err != nil {
		t.Error(err)
	}
	if err := (Host{}).Interface("no-such-eth"); err == nil {
		t.Error("an interface that does not exist is found")
	}
}

func TestTunnel(t *testing.T) {
	for _, c := range []struct {
		kind    lvs.TunnelType
		release string
		good    bool
	}{
		{lvs.IPIP, "4.19.0", true},
		{lvs.GUE, "5.2.9-arch", false},
		{lvs.GUE, "5.3.0", true},
		{lvs.GRE, "5.3.18", false},
		{lvs.GRE, "5.4.0-generic", true},
		{lvs.GRE, "6.1.0", true},
		{lvs.GRE, "unknown", true},
	} {
		t.Run(c.kind.String()+" "+c.release, func(t *testing.T) {
			if err := tunnel(lvs.Tunnel{Type: c.kind}, c.release); (err == nil) != c.good {
				t.Errorf("got %v", err)
			}
		})
	}
}

// address gives the host one, in a namespace of the test's own; nil elsewhere.
var address func(t *testing.T)

// holding is a real address of this host that is not on the loopback.
func holding(t *testing.T) netip.Addr {
	if address != nil {
		address(t)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
			return p.Addr()
		}
	}
	if address != nil {
		t.Fatal("the address that was given is not there")
	}
	t.Skip("this host has no address but those of the loopback; as root the test gives it one")
	return netip.Addr{}
}

func TestHolder(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "sock")
	cfg := &config.Config{Control: config.Control{Socket: socket}}
	if got := (Host{}).Holder(cfg, netip.MustParseAddr("203.0.113.77")); got != "" {
		t.Errorf("an address of nobody is on %s", got)
	}
	addr := holding(t)
	if got := (Host{}).Holder(cfg, addr); got == "" {
		t.Errorf("%s is not found", addr)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := (Host{}).Holder(cfg, addr); got != "" {
		t.Errorf("while a director runs, %s is called somebody's on %s", addr, got)
	}
}

func TestCatalog(t *testing.T) {
	stub := consulstub.New()
	web := httptest.NewServer(stub)
	defer web.Close()
	stub.SetService("web", consulstub.Entry("web", "web-1", "n1", "10.0.0.1", 80))
	queries := []discovery.Query{{Service: "web"}, {Service: "web", Datacenter: "dc2"}}
	cfg := &config.Config{Consul: &config.Consul{Address: web.Listener.Addr().String(), KVPrefix: "edgekeeper"}}

	failed, kv := Host{Context: t.Context()}.Catalog(cfg, append(queries, queries[0]))
	if kv != nil || failed[queries[0]] != nil {
		t.Errorf("a Consul that answers: %v, %v", kv, failed)
	}
	web.Close()
	failed, kv = Host{Context: t.Context()}.Catalog(cfg, queries)
	if kv == nil || len(failed) != 2 || failed[queries[0]] == nil || !strings.Contains(kv.Error(), "refused") {
		t.Errorf("a Consul that is gone: %v, %v", kv, failed)
	}
}
