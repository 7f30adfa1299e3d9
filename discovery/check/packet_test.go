package check

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

var questions = map[string]question{
	"tcp4":  {source: netip.MustParseAddr("192.0.2.1"), vip: netip.MustParseAddr("192.0.2.100"), port: 80, from: 40000, key: 0xfffffffe},
	"tcp6":  {source: netip.MustParseAddr("2001:db8::1"), vip: netip.MustParseAddr("2001:db8::100"), port: 80, from: 40000, key: 7},
	"echo4": {source: netip.MustParseAddr("192.0.2.1"), vip: netip.MustParseAddr("192.0.2.100"), key: 0x12345678},
	"echo6": {source: netip.MustParseAddr("2001:db8::1"), vip: netip.MustParseAddr("2001:db8::100"), key: 0x12345678},
}

// answer makes what a server sends back: a TCP segment with flags, or an ICMP
// message of a type and code that is about the question.
func (q question) answer(flags, kind, code byte) []byte {
	back := question{source: q.vip, vip: q.source, from: q.port, port: q.from}
	if flags != 0 {
		b := back.segment(flags, 99)
		binary.BigEndian.PutUint32(b[8:], q.key+1)
		return back.ip(unix.IPPROTO_TCP, b)
	}
	b := make([]byte, headerICMP)
	b[0], b[1] = kind, code
	binary.BigEndian.PutUint32(b[4:], q.key) // of an echo; without a meaning in an error
	if kind != echoReply4 && kind != echoReply6 {
		back.source = netip.MustParseAddr(map[bool]string{true: "192.0.2.7", false: "2001:db8::7"}[q.vip.Is4()])
		b = append(b, q.packet()[:len(q.ip(0, nil))+8]...)
	}
	return back.ip(protocolICMP(q.vip), b)
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name              string
		flags, kind, code byte
		want              outcome
		none              bool // it is no answer
	}{
		{name: "tcp4", flags: flagSYN | flagACK, want: yes},
		{name: "tcp6", flags: flagSYN | flagACK, want: yes},
		{name: "tcp4", flags: flagRST | flagACK, want: refused},
		{name: "tcp4", flags: flagACK, want: stray},
		{name: "tcp4", flags: flagSYN, none: true},
		{name: "tcp4", kind: exceeded4, want: passed},
		{name: "tcp6", kind: exceeded6, want: passed},
		{name: "echo4", kind: exceeded4, want: passed},
		{name: "echo6", kind: exceeded6, want: passed},
		{name: "tcp4", kind: unreachable4, code: portUnreachable4, want: refused},
		{name: "tcp6", kind: unreachable6, code: portUnreachable6, want: refused},
		{name: "tcp4", kind: unreachable4, code: 1, want: rejected},
		{name: "tcp6", kind: unreachable6, code: 1, want: rejected},
		{name: "echo4", kind: echoReply4, want: yes},
		{name: "echo6", kind: echoReply6, want: yes},
		{name: "echo4", kind: 5, none: true},
		{name: "echo6", kind: 2, none: true},
	} {
		q := questions[c.name]
		r, ok := parse(q.answer(c.flags, c.kind, c.code))
		if ok == c.none {
			t.Errorf("%+v: is an answer: %v", c, ok)
			continue
		}
		if c.none {
			continue
		}
		if want := (reply{key: q.key, outcome: c.want, vip: q.vip, port: q.port, to: q.source}); r != want {
			t.Errorf("%+v: got %+v, want %+v", c, r, want)
		}
	}
}

// TestQuestions looks at what nothing on the way may change: addresses, one hop,
// and checksums, which are zero over what they cover.
func TestQuestions(t *testing.T) {
	for name, q := range questions {
		for what, b := range map[string][]byte{"packet": q.packet(), "reset": q.reset()} {
			protocol, source, target, payload, ok := split(b)
			if !ok || source != q.source || target != q.vip {
				t.Fatalf("%s %s: from %s to %s, %v", name, what, source, target, ok)
			}
			hops, length := b[7], binary.BigEndian.Uint16(b[4:])+header6
			over := q.pseudo(protocol, len(payload))
			if q.vip.Is4() {
				hops, length = b[8], binary.BigEndian.Uint16(b[2:])
				if got := checksum(0, b[:header4]); got != 0xffff {
					t.Errorf("%s %s: the header sums to %#x", name, what, got)
				}
				if protocol == unix.IPPROTO_ICMP {
					over = 0
				}
			}
			if hops != 1 || int(length) != len(b) {
				t.Errorf("%s %s: %d hops, length %d of %d", name, what, hops, length, len(b))
			}
			if got := checksum(over, payload); got != 0xffff {
				t.Errorf("%s %s: the payload sums to %#x", name, what, got)
			}
		}
	}
}

func TestGRE(t *testing.T) {
	packet := []byte{1, 2, 3}
	if got := gre(false, unix.ETH_P_IP, packet); !bytes.Equal(got, []byte{0, 0, 8, 0}) {
		t.Errorf("plain header % x", got)
	}
	whole := append(gre(true, unix.ETH_P_IPV6, packet), packet...)
	if got := checksum(0, append(whole, 0)); whole[0] != 0x80 || got != 0xffff {
		t.Errorf("% x sums to %#x", whole, got)
	}
	if len(packet) != 3 || packet[2] != 3 {
		t.Errorf("the packet was changed: % x", packet)
	}
}

// FuzzAnswer reads anything as an answer.
func FuzzAnswer(f *testing.F) {
	for _, q := range questions {
		f.Add(q.packet())
		f.Add(q.answer(flagSYN|flagACK, 0, 0))
		f.Add(q.answer(0, exceeded4, 0))
		f.Add(q.answer(0, exceeded6, 0))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, ok := parse(b)
		if ok && (!r.to.IsValid() || !r.vip.IsValid()) {
			t.Errorf("%+v of % x", r, b)
		}
	})
}
