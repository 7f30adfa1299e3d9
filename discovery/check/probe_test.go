package check

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// success are the codes that a check accepts when nothing is said.
var success = func() (s discovery.StatusSet) {
	s.Add(200, 299)
	return s
}()

// listen serves each connection with f until the test ends.
func listen(t *testing.T, f func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				f(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return netip.MustParseAddrPort(l.Addr().String())
}

// answering reads one request and answers with text.
func answering(text string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			io.WriteString(c, text)
		}
	}
}

// attempt makes one attempt and gives the reason of its failure.
func attempt(t *testing.T, c discovery.Check) string {
	t.Helper()
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	_, got := made(t, p, c.Spec().Timeout)
	return got
}

// made makes one attempt with a probe.
func made(t *testing.T, p Probe, timeout time.Duration) (Note, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	note, err := guarded(ctx, p)
	if err != nil {
		return note, reason(err, timeout)
	}
	return note, "ok"
}

// closedPort gives a port that refuses connections, and that nobody else can
// listen on until the test ends.
func closedPort(t *testing.T) netip.AddrPort {
	t.Helper()
	addr, _ := boundSocket(t)
	return addr
}

// boundSocket gives a socket that does not listen yet.
func boundSocket(t *testing.T) (netip.AddrPort, int) {
	t.Helper()
	return socketAt(t, [4]byte{127, 0, 0, 1})
}

// socketAt is boundSocket at an address.
func socketAt(t *testing.T, at [4]byte) (netip.AddrPort, int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: at}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(netip.AddrFrom4(at), uint16(name.(*unix.SockaddrInet4).Port)), fd
}

func TestTCP(t *testing.T) {
	spec := discovery.CheckSpec{Type: discovery.TCP, Timeout: 5 * time.Second}
	open := listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	if got := attempt(t, spec.For(open)); got != "ok" {
		t.Errorf("open port: %s", got)
	}
	if got := attempt(t, spec.For(closedPort(t))); got != "connection refused" {
		t.Errorf("closed port: %s", got)
	}
}

func TestTCPAnswer(t *testing.T) {
	send := func(parts ...string) func(net.Conn) {
		return func(c net.Conn) {
			for _, p := range parts {
				io.WriteString(c, p)
				time.Sleep(time.Millisecond)
			}
		}
	}
	echo := func(c net.Conn) { io.Copy(c, c) }
	for _, c := range []struct {
		name    string
		serve   func(net.Conn)
		payload discovery.PayloadSpec
		want    string
	}{
		{"expect", send("220 ready\r\n"), discovery.PayloadSpec{Expect: "^220 "}, "ok"},
		{"expect in parts", send("22", "0 rea", "dy\r\n"), discovery.PayloadSpec{Expect: "^220 ready"}, "ok"},
		{"another answer", send("554 no\r\n"), discovery.PayloadSpec{Expect: "^220 "}, "the answer does not match"},
		{"closed", send(), discovery.PayloadSpec{Expect: "."}, "connection closed without an answer"},
		{"send", echo, discovery.PayloadSpec{Send: "PING\r\n", Expect: "^PING\r\n$"}, "ok"},
		{"send only", echo, discovery.PayloadSpec{Send: "PING\r\n"}, "ok"},
		{"silence", func(c net.Conn) { io.Copy(io.Discard, c) }, discovery.PayloadSpec{Expect: "."}, "timeout after 200ms"},
		{"more is awaited in vain", func(c net.Conn) { io.WriteString(c, "half"); io.Copy(io.Discard, c) }, discovery.PayloadSpec{Expect: "whole"}, "the answer does not match"},
		{"hex", send("\x01\x02", "\xff\x00"), discovery.PayloadSpec{ExpectHex: "01 0x ff"}, "ok"},
		{"another hex", send("\x01\x12\xff"), discovery.PayloadSpec{ExpectHex: "010xff"}, "the answer does not match"},
		{"hex is too short", send("\x01"), discovery.PayloadSpec{ExpectHex: "0102"}, "the answer does not match"},
		{"hex and expression", send("\x01abc"), discovery.PayloadSpec{ExpectHex: "01", Expect: "abd"}, "the answer does not match"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := discovery.CheckSpec{Type: discovery.TCP, Timeout: 5 * time.Second, Payload: c.payload}
			switch c.name {
			case "silence":
				spec.Timeout = 200 * time.Millisecond
			case "more is awaited in vain": // and the half that comes must have come
				spec.Timeout = time.Second
			}
			if got := attempt(t, spec.For(listen(t, c.serve))); got != c.want {
				t.Errorf("attempt: %s, want %s", got, c.want)
			}
		})
	}
}

// TestWay: where packets come from, and where they go.
func TestWay(t *testing.T) {
	from := make(chan string, 1)
	target := listen(t, func(c net.Conn) {
		host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
		from <- host
	})
	spec := discovery.CheckSpec{Type: discovery.TCP, Timeout: 5 * time.Second, Source: netip.MustParseAddr("127.0.0.9")}
	if got := attempt(t, spec.For(target)); got != "ok" {
		t.Fatal(got)
	}
	if got := <-from; got != "127.0.0.9" {
		t.Errorf("came from %s", got)
	}
	spec.Source = netip.MustParseAddr("192.0.2.77")
	if got := attempt(t, spec.For(target)); got != "source address 192.0.2.77: cannot assign requested address" {
		t.Errorf("a foreign source address: %s", got)
	}
	spec.Source = netip.MustParseAddr("::1")
	if _, err := New(spec.For(target)); err == nil {
		t.Error("a source address of the other family is accepted")
	}
	elsewhere := discovery.CheckSpec{Type: discovery.TCP, Timeout: 5 * time.Second, Addr: target.Addr(), Port: target.Port()}
	if got := attempt(t, elsewhere.For(netip.MustParseAddrPort("192.0.2.1:1"))); got != "ok" {
		t.Errorf("another address: %s", got)
	}
	<-from
}

// TestPortsAreShared: a port serves connections to many targets, with and
// without a source address; else they run out. The kernel is given few ports
// (IP_LOCAL_PORT_RANGE, Linux 6.3).
func TestPortsAreShared(t *testing.T) {
	const low, high, targets = 45000, 45015, 64
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := netip.MustParseAddrPort(l.Addr().String()).Port()
	for _, source := range []netip.Addr{{}, netip.MustParseAddr("127.0.0.1")} {
		var listeners []net.Listener
		for i := range targets {
			addr := netip.AddrFrom4([4]byte{127, 0, 2, byte(i)})
			l, err := net.Listen("tcp", netip.AddrPortFrom(addr, port).String())
			if err != nil {
				t.Fatal(err)
			}
			listeners = append(listeners, l)
			spec := discovery.CheckSpec{Type: discovery.TCP, Source: source}
			w := wayTo(spec.For(netip.AddrPortFrom(addr, port)), spec)
			before := w.dialer.Control
			w.dialer = &net.Dialer{KeepAlive: -1, Control: func(network, address string, raw syscall.RawConn) error {
				if before != nil {
					if err := before(network, address, raw); err != nil {
						return err
					}
				}
				var err error
				if cerr := raw.Control(func(fd uintptr) {
					err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_LOCAL_PORT_RANGE, high<<16|low)
				}); cerr != nil {
					return cerr
				}
				return err
			}}
			conn, stop, err := w.tcp(t.Context())
			if errors.Is(err, unix.ENOPROTOOPT) {
				t.Skip("the kernel is older than Linux 6.3; TestFewPorts shows it as root")
			}
			if err != nil {
				t.Fatalf("source %v, connection %d: %v", source, i, err)
			}
			defer conn.Close()
			stop()
			conn.(*net.TCPConn).SetLinger(0)
		}
		for _, l := range listeners {
			l.Close()
		}
	}
}

func TestMark(t *testing.T) {
	target := listen(t, func(net.Conn) {})
	spec := discovery.CheckSpec{Type: discovery.TCP, Timeout: 5 * time.Second, Mark: 7}
	got := attempt(t, spec.For(target))
	if os.Geteuid() != 0 {
		if want := "set mark 7, which needs CAP_NET_ADMIN: operation not permitted"; got != want {
			t.Errorf("attempt: %s, want %s", got, want)
		}
		return
	}
	if got != "ok" {
		t.Fatal(got)
	}
	conn, stop, err := wayTo(spec.For(target), spec).tcp(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	defer stop()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	mark := 0
	if err := raw.Control(func(fd uintptr) { mark, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK) }); err != nil || mark != 7 {
		t.Errorf("mark %d, %v", mark, err)
	}
}

func TestCancelEndsAnAttempt(t *testing.T) {
	target := listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	p, err := New(discovery.CheckSpec{Type: discovery.HTTP, HTTP: discovery.HTTPSpec{Method: "GET", Path: "/"}}.For(target))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := p(ctx)
		done <- err
	}()
	cancel()
	select {
	case err := <-done:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the attempt goes on")
	}
}

func TestNewRefuses(t *testing.T) {
	good := discovery.CheckSpec{Type: discovery.HTTP, HTTP: discovery.HTTPSpec{Method: "GET", Path: "/"}}
	for name, edit := range map[string]func(*discovery.CheckSpec){
		"pattern": func(s *discovery.CheckSpec) { s.HTTP.Body = "(" },
		"path":    func(s *discovery.CheckSpec) { s.HTTP.Path = "health" },
		"method":  func(s *discovery.CheckSpec) { s.HTTP.Method = "GE T" },
		"type":    func(s *discovery.CheckSpec) { s.Type = 99 },
	} {
		spec := good
		edit(&spec)
		if _, err := New(spec.For(netip.MustParseAddrPort("10.0.0.1:80"))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := New(good.For(netip.MustParseAddrPort("[::1]:80"))); err != nil {
		t.Error(err)
	}
}

func ExampleRise() {
	r := NewRise(1, 1, discovery.Pending)
	for _, ok := range []bool{true, false, false} {
		retry := r.Observe(ok)
		fmt.Println(r.Health(), retry)
	}
	// Output:
	// up false
	// up true
	// down false
}
