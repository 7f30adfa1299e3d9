package check

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// datagrams answers each datagram with those that f gives.
func datagrams(t *testing.T, network, addr string, f func([]byte) []string) netip.AddrPort {
	t.Helper()
	c, err := net.ListenPacket(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			for _, answer := range f(buf[:n]) {
				c.WriteTo([]byte(answer), from)
			}
		}
	})
	t.Cleanup(func() {
		c.Close()
		wg.Wait()
	})
	return netip.MustParseAddrPort(c.LocalAddr().String())
}

func TestUDP(t *testing.T) {
	echo := func(b []byte) []string { return []string{string(b)} }
	silence := func([]byte) []string { return nil }
	// A socket that hears somebody else only: its port is closed, and nobody can
	// open it.
	c, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.2:9")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	closed := netip.MustParseAddrPort(c.LocalAddr().String())
	for _, c := range []struct {
		name    string
		target  netip.AddrPort
		payload discovery.PayloadSpec
		want    string
	}{
		{"answer", datagrams(t, "udp", "127.0.0.1:0", echo), discovery.PayloadSpec{Send: "ping", Expect: "^ping$"}, "ok"},
		{"any answer", datagrams(t, "udp", "127.0.0.1:0", echo), discovery.PayloadSpec{Send: "ping"}, "ok"},
		{"IPv6", datagrams(t, "udp", "[::1]:0", echo), discovery.PayloadSpec{Send: "ping", ExpectHex: "70"}, "ok"},
		{"another answer", datagrams(t, "udp", "127.0.0.1:0", echo), discovery.PayloadSpec{Send: "ping", Expect: "pong"}, "the answer does not match"},
		{"short answer", datagrams(t, "udp", "127.0.0.1:0", echo), discovery.PayloadSpec{Send: "p", ExpectHex: "7070"}, "the answer does not match"},
		{"silence where an answer is expected", datagrams(t, "udp", "127.0.0.1:0", silence), discovery.PayloadSpec{Send: "ping", Expect: "."}, "timeout after 200ms"},
		{"silence where none is", datagrams(t, "udp", "127.0.0.1:0", silence), discovery.PayloadSpec{Send: "ping"}, "ok"},
		{"closed", closed, discovery.PayloadSpec{Send: "ping"}, "connection refused"},
		{"closed, nothing to send", closed, discovery.PayloadSpec{}, "connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := discovery.CheckSpec{Type: discovery.UDP, Timeout: 5 * time.Second, Payload: c.payload}
			if strings.Contains(c.name, "silence") {
				spec.Timeout = 200 * time.Millisecond
			}
			if got := attempt(t, spec.For(c.target)); got != c.want {
				t.Errorf("attempt: %s, want %s", got, c.want)
			}
		})
	}
}

// nameServer answers a question; edit may spoil the answer.
func nameServer(t *testing.T, edit func(*dnsmessage.Message)) func([]byte) []string {
	return func(b []byte) []string {
		var m dnsmessage.Message
		if err := m.Unpack(b); err != nil {
			t.Errorf("question: %v", err)
			return nil
		}
		m.Response = true
		q := m.Questions[0]
		m.Answers = []dnsmessage.Resource{
			{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 7}}},
			{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: dnsmessage.TypeMX, Class: dnsmessage.ClassINET}, Body: &dnsmessage.MXResource{Pref: 10, MX: q.Name}},
		}
		if edit != nil {
			edit(&m)
		}
		out, err := m.Pack()
		if err != nil {
			t.Errorf("answer: %v", err)
		}
		return []string{string(out)}
	}
}

func TestDNS(t *testing.T) {
	code := func(r dnsmessage.RCode) func([]byte) []string {
		return nameServer(t, func(m *dnsmessage.Message) { m.RCode, m.Answers = r, nil })
	}
	forged := func(b []byte) []string {
		other := nameServer(t, func(m *dnsmessage.Message) { m.ID++ })(b)
		question := nameServer(t, func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeAAAA })(b)
		return append(append(other, question...), nameServer(t, nil)(b)...)
	}
	for _, c := range []struct {
		name   string
		serve  func([]byte) []string
		answer string
		want   string
	}{
		{"answer", nameServer(t, nil), "", "ok"},
		{"no records", code(dnsmessage.RCodeSuccess), "", "ok"},
		{"a record matches", nameServer(t, nil), `^A 192\.0\.2\.7$`, "ok"},
		{"another record matches", nameServer(t, nil), `^MX 10 www`, "ok"},
		{"no record matches", nameServer(t, nil), `^A 192\.0\.2\.8$`, "no record matches"},
		{"cut short", nameServer(t, func(m *dnsmessage.Message) { m.Truncated, m.Answers = true, nil }), "^A", "no record matches in an answer that was cut short; dns_tcp = true gets all of it"},
		{"no such name", code(dnsmessage.RCodeNameError), "", "NXDOMAIN"},
		{"refused", code(dnsmessage.RCodeRefused), "", "REFUSED"},
		{"server failure", code(dnsmessage.RCodeServerFailure), "", "SERVFAIL"},
		{"another code", code(9), "", "rcode 9"},
		{"forged answers before the right one", forged, "", "ok"},
		{"garbage", func([]byte) []string { return []string{"garbage"} }, "", "the answer is not DNS"},
		{"an echo", func(b []byte) []string { return []string{string(b)} }, "", "timeout after 200ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := discovery.CheckSpec{
				Type: discovery.DNS, Timeout: 5 * time.Second,
				DNS: discovery.DNSSpec{Name: "www.example.com.", Type: uint16(dnsmessage.TypeA), Answer: c.answer},
			}
			if strings.HasPrefix(c.want, "timeout") {
				spec.Timeout = 200 * time.Millisecond
			}
			if got := attempt(t, spec.For(datagrams(t, "udp", "127.0.0.1:0", c.serve))); got != c.want {
				t.Errorf("over UDP: %s, want %s", got, c.want)
			}
			spec.DNS.TCP = true
			got := attempt(t, spec.For(listen(t, func(conn net.Conn) {
				var size [2]byte
				io.ReadFull(conn, size[:])
				b := make([]byte, binary.BigEndian.Uint16(size[:]))
				io.ReadFull(conn, b)
				answer := c.serve(b)
				conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer[0]))), answer[0]...))
			})))
			want := c.want
			if c.name == "an echo" || strings.HasPrefix(c.name, "forged") { // over TCP the first answer counts
				want = "the answer is to another question"
			}
			if got != want {
				t.Errorf("over TCP: %s, want %s", got, want)
			}
		})
	}
	for _, name := range []string{strings.Repeat("a", 300), strings.Repeat("a", 64) + ".", "www"} {
		if _, err := New(discovery.CheckSpec{Type: discovery.DNS, DNS: discovery.DNSSpec{Name: name, Type: 1}}.For(netip.MustParseAddrPort("192.0.2.1:53"))); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestICMP(t *testing.T) {
	for _, target := range []string{"127.0.0.1:0", "[::1]:0"} {
		spec := discovery.CheckSpec{Type: discovery.ICMP, Timeout: 5 * time.Second}
		got := attempt(t, spec.For(netip.MustParseAddrPort(target)))
		if os.Geteuid() != 0 && strings.HasPrefix(got, "open a ping socket") {
			t.Skip(got + "; TestPingSockets shows it as root")
		}
		if got != "ok" {
			t.Errorf("%s: %s", target, got)
		}
	}
	spec := discovery.CheckSpec{Type: discovery.ICMP, Timeout: 5 * time.Second, Source: netip.MustParseAddr("192.0.2.77")}
	if got := attempt(t, spec.For(netip.MustParseAddrPort("127.0.0.1:0"))); got != "source address 192.0.2.77: cannot assign requested address" {
		t.Errorf("a foreign source address: %s", got)
	}
	spec.Source = netip.MustParseAddr("127.0.0.9")
	if got := attempt(t, spec.For(netip.MustParseAddrPort("127.0.0.1:0"))); got != "ok" {
		t.Errorf("a source address: %s", got)
	}
}

// TestEchoAnswers: others' packets, which a raw socket reads too, do not count.
func TestEchoAnswers(t *testing.T) {
	data := []byte("edgekeeper-data")
	packet := func(kind icmp.Type, data string) string {
		b, err := (&icmp.Message{Type: kind, Body: &icmp.Echo{ID: 1, Seq: 1, Data: []byte(data)}}).Marshal(nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	head := "\x45" + strings.Repeat("\x00", 19)
	good := packet(ipv4.ICMPTypeEchoReply, string(data))
	for _, c := range []struct {
		packet string
		raw    bool
		want   bool
	}{
		{good, false, true},
		{head + good, true, true},
		{good, true, false},
		{packet(ipv4.ICMPTypeEchoReply, "another's"), false, false},
		{packet(ipv4.ICMPTypeEcho, string(data)), false, false}, // our own request, on loopback
		{"", true, false},
		{"\x4f" + strings.Repeat("\x00", 19), true, false},
	} {
		if got := echoAnswers([]byte(c.packet), true, c.raw, data); got != c.want {
			t.Errorf("% x, raw %t: %t", c.packet, c.raw, got)
		}
	}
}
