package check

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// healthServer answers as google.golang.org/grpc does, from a table of services.
func healthServer(status map[string]byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/grpc.health.v1.Health/Check" || r.Header.Get("Content-Type") != "application/grpc" || r.Header.Get("Te") != "trailers" || len(body) < 5 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		service := ""
		if len(body) > 7 {
			service = string(body[7:])
		}
		w.Header().Set("Content-Type", "application/grpc")
		s, ok := status[service]
		if !ok {
			w.Header().Set("Grpc-Status", "5")
			w.Header().Set("Grpc-Message", "unknown service")
			return
		}
		w.Header().Set("Trailer", "Grpc-Status")
		w.Write([]byte{0, 0, 0, 0, 2, 1 << 3, s})
		w.Header().Set("Grpc-Status", "0")
	}
}

func TestGRPC(t *testing.T) {
	cert := issue(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	services := healthServer(map[string]byte{"": 1, "shop.Cart": 1, "shop.Till": 2, "odd": 9})
	say := func(f http.HandlerFunc) netip.AddrPort { return overH2(t, nil, f) }
	for _, c := range []struct {
		name    string
		service string
		target  netip.AddrPort
		tls     discovery.TLSSpec
		want    string
	}{
		{name: "server", target: say(services), want: "ok"},
		{name: "service", service: "shop.Cart", target: say(services), want: "ok"},
		{name: "not serving", service: "shop.Till", target: say(services), want: "NOT_SERVING"},
		{name: "another status", service: "odd", target: say(services), want: "health status 9"},
		{name: "unknown service", service: "shop.Desk", target: say(services), want: "grpc status NOT_FOUND: the server does not know the service"},
		{name: "no health service", target: say(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Grpc-Status", "12") }), want: "grpc status UNIMPLEMENTED: the server has no health service"},
		{name: "a web server", target: say(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }), want: "the answer is not gRPC"},
		{name: "a web server without the page", target: say(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }), want: "status 404"},
		{name: "HTTP/1", target: listen(t, answering("HTTP/1.1 400 Bad Request\r\n\r\n")), want: "*"},
		{name: "tls", target: overH2(t, &cert, services), tls: discovery.TLSSpec{Enabled: true, SkipVerify: true}, want: "ok"},
		{name: "certificate", target: overH2(t, &cert, services), tls: discovery.TLSSpec{Enabled: true, ServerName: "web.example"}, want: "tls: certificate signed by unknown authority"},
		{
			name: "HTTP/1 over TLS", target: secure(t, &tls.Config{Certificates: []tls.Certificate{cert}}, func(c net.Conn) { bufio.NewReader(c).ReadByte() }),
			tls: discovery.TLSSpec{Enabled: true, SkipVerify: true}, want: "the server does not speak HTTP/2",
		},
		{name: "closed port", target: closedPort(t), want: "connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := discovery.CheckSpec{Type: discovery.GRPC, Timeout: 5 * time.Second, GRPC: discovery.GRPCSpec{Service: c.service}, TLS: c.tls}
			if got := attempt(t, spec.For(c.target)); got != c.want && (c.want != "*" || got == "ok") {
				t.Errorf("attempt: %s, want %s", got, c.want)
			}
		})
	}
}

func TestGRPCStatus(t *testing.T) {
	for _, c := range []struct {
		body string
		want uint64
		bad  bool
	}{
		{body: "\x00\x00\x00\x00\x00"}, // UNKNOWN is not on the wire
		{body: "\x00\x00\x00\x00\x02\x08\x01", want: 1},
		{body: "\x00\x00\x00\x00\x06\x12\x02hi\x08\x02", want: 2}, // another field before
		{body: "\x00\x00\x00\x00\x0e\x15abcd\x19abcdefg", bad: true},
		{body: "\x00\x00\x00\x00\x02\x08\x80", bad: true},
		{body: "\x00\x00\x00\x00\x02\x0b\x01", bad: true}, // a group
		{body: "\x01\x00\x00\x00\x02\x08\x01", bad: true}, // compressed
		{body: "\x00\x00\x00\x00\x03\x12\x09a", bad: true},
		{body: "", bad: true},
	} {
		got, err := grpcStatus([]byte(c.body))
		if got != c.want && !c.bad || (err != nil) != c.bad {
			t.Errorf("%q: %d, %v", c.body, got, err)
		}
	}
}
