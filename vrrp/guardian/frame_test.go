package guardian

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// theArm is an Arm with everything in it.
func theArm() *Arm {
	return &Arm{
		Instance: "VI_1", Interface: "eth0", Source: netip.MustParseAddr("192.0.2.1"), Within: 2 * time.Second,
		VMACs: []string{"vrrp.51"}, NoAccept: true,
		Addresses: []Address{{"eth0", netip.MustParsePrefix("192.0.2.100/24")}, {"eth1", netip.MustParsePrefix("2001:db8::1/64")}},
		Routes:    []vrrp.Route{{Destination: netip.MustParsePrefix("10.0.0.0/8"), Hops: []vrrp.NextHop{{Via: netip.MustParseAddr("192.0.2.254"), Weight: 2}}}},
		Rules:     []vrrp.Rule{{Priority: 50, From: netip.MustParsePrefix("10.0.0.0/8"), Table: 100}},
		Packets:   []Packet{{netip.MustParseAddr("224.0.0.18"), []byte{0x45, 0, 0}}},
	}
}

var comparable = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

func TestFrames(t *testing.T) {
	name := "VI_1"
	want := []message{
		{Hello: &hello{Lock: "/x", Parent: 7}}, {Arm: theArm()}, {Renew: &renew{"VI_1", theArm().Packets}}, {Disarm: &name}, {Ping: true}, {Bye: true}, {Reply: &reply{Error: "no"}},
	}
	var stream []byte
	for _, m := range want {
		var err error
		if stream, err = appendFrame(stream, m); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []int{1, 3, len(stream)} { // whatever read(2) returns
		var d decoder
		var got []message
		for rest := stream; len(rest) > 0; {
			n := min(step, len(rest))
			d.feed(rest[:n])
			rest = rest[n:]
			for {
				m, ok, err := d.next()
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				got = append(got, m)
			}
		}
		if diff := cmp.Diff(want, got, comparable); diff != "" {
			t.Errorf("%d bytes at a time (-want +got):\n%s", step, diff)
		}
	}
}

func TestMalformed(t *testing.T) {
	frame := func(body string) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	}
	for name, b := range map[string][]byte{
		"too long":            binary.BigEndian.AppendUint32(nil, maxFrame+1),
		"not JSON":            frame("arm"),
		"empty":               frame(""),
		"no meaning":          frame("{}"),
		"two meanings":        frame(`{"bye":true,"ping":true}`),
		"arm of nothing":      frame(`{"arm":{"instance":"VI_1"}}`),
		"arm without device":  frame(`{"arm":{"instance":"VI_1","addresses":[{"prefix":"192.0.2.1/24"}]}}`),
		"arm without address": frame(`{"arm":{"instance":"VI_1","addresses":[{"device":"eth0"}]}}`),
		"renewal of nothing":  frame(`{"renew":{"packets":[{"to":"192.0.2.1","data":"AAAA"}]}}`),
		"renewal by nothing":  frame(`{"renew":{"instance":"VI_1"}}`),
		"renewal to nowhere":  frame(`{"renew":{"instance":"VI_1","packets":[{"data":"AAAA"}]}}`),
		"packet to nowhere":   frame(`{"arm":{"instance":"VI_1","interface":"eth0","addresses":[{"device":"eth0","prefix":"192.0.2.1/24"}],"packets":[{"data":"AAAA"}]}}`),
	} {
		t.Run(name, func(t *testing.T) {
			d := decoder{buf: b}
			if m, ok, err := d.next(); !errors.Is(err, errFrame) || ok {
				t.Errorf("taken: %+v, %v", m, err)
			}
		})
	}
}

// TestRenewedBy: only the content of packets can be renewed.
func TestRenewedBy(t *testing.T) {
	a := theArm()
	for what, change := range map[string]func(*Arm){
		"source": func(b *Arm) { b.Source = b.Source.Next() }, "within": func(b *Arm) { b.Within++ }, "interface": func(b *Arm) { b.Interface = "eth2" },
		"address": func(b *Arm) { b.Addresses = b.Addresses[:1] }, "peer": func(b *Arm) { b.Packets[0].To = b.Source }, "no packets": func(b *Arm) { b.Packets = nil },
	} {
		b := theArm()
		if change(b); a.renewedBy(b) {
			t.Errorf("another %s is taken for a renewal", what)
		}
	}
	b := theArm()
	b.Packets[0].Data = []byte{1}
	if !a.renewedBy(b) || (*Arm)(nil).renewedBy(b) {
		t.Error("other data are a renewal of an arm that was told")
	}
}

// FuzzDecoder: whatever comes in, the decoder ends, and what it takes can be
// written and read again.
func FuzzDecoder(f *testing.F) {
	whole, err := appendFrame(nil, message{Arm: theArm()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	if whole, err = appendFrame(nil, message{Renew: &renew{"VI_1", theArm().Packets}}); err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		d := decoder{}
		d.feed(b)
		for {
			m, ok, err := d.next()
			if err != nil || !ok {
				return
			}
			again, err := appendFrame(nil, m)
			if err != nil {
				return // escapes may make it longer than a frame may be
			}
			two := decoder{buf: again}
			got, ok, err := two.next()
			if err != nil || !ok {
				t.Fatalf("%s: %v", again, err)
			}
			if diff := cmp.Diff(m, got, comparable, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("changed (-want +got):\n%s", diff)
			}
		}
	})
}
