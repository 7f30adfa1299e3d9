package check

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

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
