package conflict

import (
	"bytes"
	"net"
	"net/netip"
	"testing"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"golang.org/x/net/bpf"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

var (
	mac    = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	vip4   = netip.MustParseAddr("192.0.2.100")
	vip6   = netip.MustParseAddr("2001:db8::100")
	other4 = netip.MustParseAddr("192.0.2.101")
	other6 = netip.MustParseAddr("2001:db8::101")
)

// passes runs a filter.
func passes(t *testing.T, program []bpf.RawInstruction, err error, packet []byte) bool {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	list, ok := bpf.Disassemble(program)
	if !ok {
		t.Fatal("the filter does not disassemble")
	}
	vm, err := bpf.NewVM(list)
	if err != nil {
		t.Fatal(err)
	}
	n, err := vm.Run(packet)
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}

// TestARPFilter: packets that claim one of the addresses pass, questions for
// them do not.
func TestARPFilter(t *testing.T) {
	program, err := arpFilter([]netip.Addr{vip6, other4, vip4})
	for _, tt := range []struct {
		sender, target netip.Addr
		want           bool
	}{
		{vip4, netip.MustParseAddr("192.0.2.9"), true},
		{other4, other4, true},
		{netip.MustParseAddr("192.0.2.9"), vip4, false},
		{netip.IPv4Unspecified(), vip4, false},
	} {
		p, e := arp.NewPacket(arp.OperationReply, mac, tt.sender, mac, tt.target)
		if e != nil {
			t.Fatal(e)
		}
		payload, _ := p.MarshalBinary()
		f := ethernet.Frame{Destination: mac, Source: mac, EtherType: ethernet.EtherTypeARP, Payload: payload}
		frame, _ := f.MarshalBinary()
		if got := passes(t, program, err, frame); got != tt.want {
			t.Errorf("sender %s, target %s: %t", tt.sender, tt.target, got)
		}
	}
}

func TestNAFilter(t *testing.T) {
	program, err := naFilter([]netip.Addr{vip4, other6, vip6})
	for ip, want := range map[netip.Addr]bool{vip6: true, other6: true, netip.MustParseAddr("2001:db8::102"): false} {
		m, e := ndp.MarshalMessage(&ndp.NeighborAdvertisement{TargetAddress: ip})
		if e != nil {
			t.Fatal(e)
		}
		if got := passes(t, program, err, m); got != want {
			t.Errorf("%s: %t", ip, got)
		}
	}
}

// TestAuthOf takes what comes in as the other protocol apart.
func TestAuthOf(t *testing.T) {
	message := []byte{0x21, 51, 100, 1, byte(vrrp.AuthPass), 1, 0, 0}
	header := make([]byte, ahLen)
	header[0] = vrrp.ProtocolVRRP
	for _, tt := range []struct {
		name string
		p    vrrp.Packet
		auth string
		ours bool
	}{
		{"password", vrrp.Packet{Protocol: vrrp.ProtocolVRRP, Payload: message}, "pass", true},
		{"header", vrrp.Packet{Protocol: vrrp.ProtocolAH, Payload: append(bytes.Clone(header), message...)}, "ah", true},
		{"another virtual router", vrrp.Packet{Protocol: vrrp.ProtocolVRRP, Payload: append([]byte{0x21, 52}, message[2:]...)}, "", false},
		{"short", vrrp.Packet{Protocol: vrrp.ProtocolVRRP, Payload: message[:7]}, "", false},
		{"short header", vrrp.Packet{Protocol: vrrp.ProtocolAH, Payload: header[:20]}, "", false},
		{"other use of the header", vrrp.Packet{Protocol: vrrp.ProtocolAH, Payload: append(make([]byte, ahLen), message...)}, "", false},
	} {
		if auth, ours := authOf(tt.p, 51); auth != tt.auth || ours != tt.ours {
			t.Errorf("%s: %q, %t", tt.name, auth, ours)
		}
	}
}

// TestVirtual: from the MAC of a virtual router only its master sends.
func TestVirtual(t *testing.T) {
	for text, want := range map[string]bool{"00:00:5e:00:01:33": true, "00:00:5e:00:02:33": true, "00:00:5e:00:03:33": false, "02:00:5e:00:01:33": false} {
		m, err := net.ParseMAC(text)
		if err != nil || virtual(m) != want {
			t.Errorf("%s: %t, %v", text, virtual(m), err)
		}
	}
}
