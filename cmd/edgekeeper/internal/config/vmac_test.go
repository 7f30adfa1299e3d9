package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// TestVMAC: which interfaces there are, and which address is on which.
func TestVMAC(t *testing.T) {
	cfg, err := Load("testdata/good/vmac.hcl", environment)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		vmac      VMAC
		noAccept  bool
		addresses map[string]string // device by address
	}{
		{
			VMAC{Links: []VMACLink{{"vrrp.51", "eth0", vrrp.VirtualMAC(51, true)}}}, true,
			map[string]string{"192.0.2.100": "vrrp.51", "192.0.2.101": "eth1", "2001:db8::1": ""},
		},
		{
			VMAC{TransmitBase: true, Links: []VMACLink{{"vrrp6.51", "eth0", vrrp.VirtualMAC(51, false)}}}, false,
			map[string]string{"2001:db8::2": "vrrp6.51"},
		},
		{
			VMAC{TransmitBase: true, Links: []VMACLink{
				{"v52", "eth0", vrrp.VirtualMAC(52, true)}, {"v52.1", "eth1", vrrp.VirtualMAC(52, true)}, {"v52.2", "eth0", vrrp.VirtualMAC(52, false)},
			}}, false,
			map[string]string{"192.0.2.110": "v52", "192.0.2.111": "v52.1", "192.0.2.112": "v52.1", "2001:db8::10": "v52.2"},
		},
		{
			VMAC{Links: []VMACLink{{"vrrp.53", "eth0", vrrp.MAC{2, 0, 0, 0, 0, 0x35}}}}, false,
			map[string]string{"192.0.2.120": "vrrp.53"},
		},
	} {
		v := cfg.Instances[i]
		if diff := cmp.Diff(&want.vmac, v.VMAC); diff != "" || v.NoAccept != want.noAccept {
			t.Errorf("%s: NoAccept %v, VMAC (-want +got):\n%s", v.Router.Name, v.NoAccept, diff)
		}
		got := map[string]string{}
		for _, list := range [][]vrrp.Address{v.Router.Addresses, v.Router.Excluded} {
			for _, a := range list {
				got[a.Prefix.Addr().String()] = a.Device
			}
		}
		if diff := cmp.Diff(want.addresses, got); diff != "" {
			t.Errorf("%s: devices (-want +got):\n%s", v.Router.Name, diff)
		}
	}
}
