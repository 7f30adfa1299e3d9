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
	"strings"
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
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(name.(*unix.SockaddrInet4).Port)), fd
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

func TestHTTP(t *testing.T) {
	base := discovery.CheckSpec{
		Type: discovery.HTTP, Timeout: 5 * time.Second, HTTP: discovery.HTTPSpec{Method: "GET", Path: "/health?deep=1", Status: success},
	}
	short := func(s *discovery.CheckSpec) { s.Timeout = 100 * time.Millisecond }
	body := func(re string) func(*discovery.CheckSpec) {
		return func(s *discovery.CheckSpec) { s.HTTP.Body = re }
	}
	digest := func(sum string) func(*discovery.CheckSpec) {
		return func(s *discovery.CheckSpec) { s.HTTP.Digest, s.HTTP.Body = sum, "^h" }
	}
	for _, c := range []struct {
		name  string
		serve func(net.Conn)
		edit  func(*discovery.CheckSpec)
		want  string
	}{
		{"200", answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), nil, "ok"},
		{"http/1.0", answering("HTTP/1.0 204 No Content\r\n\r\n"), nil, "ok"},
		{"503", answering("HTTP/1.1 503 Service Unavailable\r\n\r\n"), nil, "status 503"},
		{"redirect", answering("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"), nil, "status 302"},
		{"redirect accepted", answering("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"), func(s *discovery.CheckSpec) { s.HTTP.Status.Add(300, 399) }, "ok"},
		{"early hints", answering("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), nil, "ok"},
		{"body matches", answering("HTTP/1.1 200 OK\r\n\r\nstatus: UP\n"), body(`(?m)^status: UP$`), "ok"},
		{"chunked body", answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nU\r\n0\r\n\r\n"), body("U"), "ok"},
		{"body does not match", answering("HTTP/1.1 200 OK\r\n\r\nstatus: DOWN"), body("UP"), "body does not match"},
		{"body must not match", answering("HTTP/1.1 200 OK\r\n\r\nmaintenance"), func(s *discovery.CheckSpec) { s.HTTP.BodyNot = "maint" }, "body matches what it must not"},
		{"body does not match what it must not", answering("HTTP/1.1 200 OK\r\n\r\nfine"), func(s *discovery.CheckSpec) { s.HTTP.BodyNot = "maint" }, "ok"},
		{"what must not match may come later", answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfine"), func(s *discovery.CheckSpec) { s.HTTP.BodyNot = "maint" }, "connection closed in the middle of the answer"},
		{"digest", answering("HTTP/1.1 200 OK\r\n\r\nhello"), digest("5d41402abc4b2a76b9719d911017c592"), "ok"},
		{"digest of another body", answering("HTTP/1.1 200 OK\r\n\r\nhullo"), digest("5d41402abc4b2a76b9719d911017c592"), "digest of the body does not match"},
		{"one of several statuses", answering("HTTP/1.1 401 Unauthorized\r\n\r\n"), func(s *discovery.CheckSpec) { s.HTTP.Status.Add(401, 401); s.HTTP.Status.Add(300, 399) }, "ok"},
		{"none of several statuses", answering("HTTP/1.1 402 Payment Required\r\n\r\n"), func(s *discovery.CheckSpec) { s.HTTP.Status.Add(401, 401); s.HTTP.Status.Add(300, 399) }, "status 402"},
		{"no body", answering("HTTP/1.1 200 OK\r\n\r\n"), body("UP"), "body does not match"},
		{"match in a cut body", answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nUP"), body("UP"), "ok"},
		{"no match in a cut body", answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nDO"), body("UP"), "connection closed in the middle of the answer"},
		{"match too far behind", answering("HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", maxBody) + "UP"), body("UP"), "body does not match"},
		{"silence", func(c net.Conn) { io.Copy(io.Discard, c) }, short, "timeout after 100ms"},
		{"closed", func(c net.Conn) { http.ReadRequest(bufio.NewReader(c)) }, nil, "connection closed without an answer"},
		{"garbage", answering("SSH-2.0-OpenSSH_9.2\r\n"), nil, `malformed HTTP response "SSH-2.0-OpenSSH_9.2"`},
		{"endless header", func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for {
				if _, err := io.WriteString(c, "X: "+strings.Repeat("y", 1000)+"\r\n"); err != nil {
					return
				}
			}
		}, nil, "the answer's header is too long"},
		{"cut header", answering("HTTP/1.1 200 O"), nil, "connection closed in the middle of the answer"},
		{"drip", func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, "H"); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}, short, "timeout after 100ms"},
		{"tls expected", answering("HTTP/1.1 400 Bad Request\r\n\r\n"), func(s *discovery.CheckSpec) { s.TLS.Enabled, s.Timeout = true, time.Second }, "*"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := base
			if c.edit != nil {
				c.edit(&spec)
			}
			got := attempt(t, spec.For(listen(t, c.serve)))
			if got != c.want && (c.want != "*" || got == "ok") {
				t.Errorf("attempt: %s, want %s", got, c.want)
			}
		})
	}
}

func TestHTTPRequest(t *testing.T) {
	var got *http.Request
	target := listen(t, func(c net.Conn) {
		got, _ = http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	})
	spec := discovery.CheckSpec{Type: discovery.HTTP, Timeout: 5 * time.Second, HTTP: discovery.HTTPSpec{Method: "HEAD", Path: "/health?deep=1", Host: "www.example.com", Status: success}}
	if r := attempt(t, spec.For(target)); r != "ok" {
		t.Fatal(r)
	}
	if got.Method != http.MethodHead || got.RequestURI != "/health?deep=1" || got.Host != "www.example.com" || !got.Close || got.UserAgent() != "edgekeeper-check" {
		t.Errorf("request %+v", got)
	}
	spec.HTTP.Method, spec.HTTP.Host = "GET", ""
	if r := attempt(t, spec.For(target)); r != "ok" || got.Host != target.String() {
		t.Errorf("%s, Host %q", r, got.Host)
	}
}

func TestHTTPHeadersAndBody(t *testing.T) {
	var got *http.Request
	var body string
	target := listen(t, func(c net.Conn) {
		got, _ = http.ReadRequest(bufio.NewReader(c))
		b, _ := io.ReadAll(got.Body)
		body = string(b)
		io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	})
	spec := discovery.CheckSpec{Type: discovery.HTTP, Timeout: 5 * time.Second, HTTP: discovery.HTTPSpec{
		Method: "POST", Path: "/", Status: success, RequestBody: `{"deep": true}`,
		Headers: discovery.MakeList([]string{"Content-Type: application/json", "X-A: 1", "X-A: 2", "User-Agent: other"}),
	}}
	p, err := New(spec.For(target))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the body is there again for the second attempt
		if _, r := made(t, p, spec.Timeout); r != "ok" {
			t.Fatal(r)
		}
		if body != spec.HTTP.RequestBody || got.Header.Get("Content-Type") != "application/json" || len(got.Header["X-A"]) != 2 || got.UserAgent() != "other" {
			t.Errorf("body %q, header %v", body, got.Header)
		}
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
