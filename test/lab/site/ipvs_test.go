package site

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseIPVS(t *testing.T) {
	const text = "IP Virtual Server version 1.2.1 (size=4096)\n" +
		"Prot LocalAddress:Port Scheduler Flags\n" +
		"  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n" +
		"TCP  3D8B0201:0050 wrr  \n" +
		"  -> 3D8B0205:0050      Route   0      2          7         \n" +
		"  -> 3D8B0204:0050      Route   1      0          0         \n" +
		"UDP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0035 sh persistent 50\n"
	want := []Service{
		{Protocol: "TCP", Addr: netip.MustParseAddrPort("61.139.2.1:80"), Scheduler: "wrr", Dests: []Dest{
			{Addr: netip.MustParseAddrPort("61.139.2.5:80"), Forward: "Route", Active: 2, Inactive: 7},
			{Addr: netip.MustParseAddrPort("61.139.2.4:80"), Forward: "Route", Weight: 1},
		}},
		{Protocol: "UDP", Addr: netip.MustParseAddrPort("[2001:db8::1]:53"), Scheduler: "sh"},
	}
	got, err := parseIPVS(text)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); d != "" {
		t.Error(d)
	}
}
