//go:build linux

package kernel

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/google/go-cmp/cmp"
)

const table = `Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
TCP 3D8B0205 D431 3D8B0201 0050 3D8B0204 0050 ESTABLISHED     899
TCP 3D8B0205 0000 3D8B0201 0050 3D8B0203 0050 NONE            350
UDP 3D8B0205 13C4 3D8B0201 13C4 3D8B0204 13C4 UDP             299 sip 3D8B0201 call@host
IP  3D8B0205 0000 00000007 0000 3D8B0204 0000 NONE             12
IP  2001:0db8:0000:0000:0000:0000:0000:0005 0000 0001:0041:0000:0000:0000:0000:0000:0000 0000 2001:0db8:0000:0000:0000:0000:0000:0004 0000 NONE             12
TCP 2001:0db8:0000:0000:0000:0000:0000:0005 D431 2001:0db8:0000:0000:0000:0000:0000:0001 0050 3D8B0204 0050 FIN_WAIT         -1
`

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

var entries = []lvs.Connection{
	{Protocol: lvs.TCP, Client: ap("61.139.2.5:54321"), Virtual: ap("61.139.2.1:80"), Dest: ap("61.139.2.4:80"), State: "ESTABLISHED", Expires: 899 * time.Second},
	{Protocol: lvs.TCP, Client: ap("61.139.2.5:0"), Virtual: ap("61.139.2.1:80"), Dest: ap("61.139.2.3:80"), State: "NONE", Expires: 350 * time.Second},
	{Protocol: lvs.UDP, Client: ap("61.139.2.5:5060"), Virtual: ap("61.139.2.1:5060"), Dest: ap("61.139.2.4:5060"), State: "UDP", Expires: 299 * time.Second, Engine: "sip", Data: "3D8B0201 call@host"},
	{Client: ap("61.139.2.5:0"), Mark: 7, Dest: ap("61.139.2.4:0"), State: "NONE", Expires: 12 * time.Second},
	{Client: ap("[2001:db8::5]:0"), Mark: 65601, Dest: ap("[2001:db8::4]:0"), State: "NONE", Expires: 12 * time.Second},
	{Protocol: lvs.TCP, Client: ap("[2001:db8::5]:54321"), Virtual: ap("[2001:db8::1]:80"), Dest: ap("61.139.2.4:80"), State: "FIN_WAIT"},
}

var equal = cmp.Options{cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })}

func TestParseConnections(t *testing.T) {
	got, err := ParseConnections(t.Context(), strings.NewReader(table), lvs.ConnectionFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(entries, got, equal); d != "" {
		t.Error(d)
	}
	if got[0].Template() || !got[1].Template() {
		t.Error("template")
	}
}

func spans(texts ...string) (out []lvs.Span) {
	for _, text := range texts {
		s, err := lvs.ParseSpan(text)
		if err != nil {
			panic(err)
		}
		out = append(out, s)
	}
	return out
}

func TestFilter(t *testing.T) {
	addr := func(s string) netip.Addr { return netip.MustParseAddr(s) }
	for _, tt := range []struct {
		name   string
		filter lvs.ConnectionFilter
		want   []int
	}{
		{"all", lvs.ConnectionFilter{}, []int{0, 1, 2, 3, 4, 5}},
		{"protocol", lvs.ConnectionFilter{Protocol: lvs.UDP}, []int{2}},
		{"client", lvs.ConnectionFilter{Client: addr("2001:db8::5")}, []int{4, 5}},
		{"virtual", lvs.ConnectionFilter{Virtual: addr("61.139.2.1")}, []int{0, 1, 2}},
		{"port", lvs.ConnectionFilter{Port: 80}, []int{0, 1, 5}},
		{"real server", lvs.ConnectionFilter{Dest: addr("61.139.2.3")}, []int{1}},
		{"its port", lvs.ConnectionFilter{DestPort: 5060}, []int{2}},
		{"state", lvs.ConnectionFilter{State: "established"}, []int{0}},
		{"several", lvs.ConnectionFilter{Protocol: lvs.TCP, Dest: addr("61.139.2.4")}, []int{0, 5}},
		{"group", lvs.ConnectionFilter{Protocol: lvs.TCP, Spans: spans("61.139.2.1-9:79-81"), Mark: 7}, []int{0, 1, 3}},
		{"group for every port", lvs.ConnectionFilter{Protocol: lvs.UDP, Spans: spans("61.139.2.8:0", "61.139.2.1:0")}, []int{2}},
		{"group that is elsewhere", lvs.ConnectionFilter{Protocol: lvs.TCP, Spans: spans("61.139.2.2-9:80"), Mark: 8}, nil},
		{"limit", lvs.ConnectionFilter{Port: 80, Limit: 2}, []int{0, 1}},
		{"none", lvs.ConnectionFilter{State: "CLOSE"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var want []lvs.Connection
			for _, i := range tt.want {
				want = append(want, entries[i])
			}
			got, err := ParseConnections(t.Context(), strings.NewReader(table), tt.filter)
			if d := cmp.Diff(want, got, equal); d != "" || err != nil {
				t.Errorf("%v %s", err, d)
			}
		})
	}
}

func TestParseConnectionsRefuses(t *testing.T) {
	for _, line := range []string{
		"TCP 3D8B0205 D431 3D8B0201 0050 3D8B0204 0050 ESTABLISHED",
		"XYZ 3D8B0205 D431 3D8B0201 0050 3D8B0204 0050 ESTABLISHED 1",
		"TCP 3D8B02055 D431 3D8B0201 0050 3D8B0204 0050 ESTABLISHED 1",
		"TCP 3D8B0205 D4311 3D8B0201 0050 3D8B0204 0050 ESTABLISHED 1",
		"TCP 3D8B0205 D431 3D8B0201 0050 fe80::1%eth0 0050 ESTABLISHED 1",
		"TCP 3D8B0205 D431 3D8B0201 0050 3D8B0204 0050 ESTABLISHED soon",
	} {
		if _, err := ParseConnections(t.Context(), strings.NewReader(line+"\n"), lvs.ConnectionFilter{}); !errors.Is(err, ErrBadConnection) {
			t.Errorf("%q: error %v", line, err)
		}
	}
}

// Whatever the file holds: no panic, an error of the known kind or entries that
// match the filter and have valid addresses.
func FuzzParseConnections(f *testing.F) {
	f.Add(table)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseConnections(t.Context(), strings.NewReader(text), lvs.ConnectionFilter{Protocol: lvs.TCP})
		if err != nil {
			return
		}
		for _, c := range got {
			if c.Protocol != lvs.TCP || !c.Client.IsValid() || !c.Virtual.IsValid() || !c.Dest.IsValid() || c.Expires < 0 {
				t.Errorf("entry %+v", c)
			}
		}
	})
}
