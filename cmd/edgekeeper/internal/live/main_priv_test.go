//go:build priv

package live

import (
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/edgekeeper/edgekeeper/test/netns"
)

func TestMain(m *testing.M) { netns.Main(m, nil) }

func init() {
	address = func(t *testing.T) {
		t.Helper()
		link := &netlink.Bridge{LinkAttrs: netlink.NewLinkAttrs()}
		link.Name = "held"
		if err := netlink.LinkAdd(link); err != nil {
			t.Fatal(err)
		}
		a, err := netlink.ParseAddr("192.0.2.1/24")
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.AddrAdd(link, a); err != nil {
			t.Fatal(err)
		}
	}
}
