package check

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// mailServer says the answers by verb; what is not there is 502. STARTTLS with
// a certificate begins TLS.
func mailServer(greeting string, answers map[string]string, cert *tls.Certificate) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, greeting)
		in := bufio.NewReader(c)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			answer, ok := answers[verb]
			if !ok || (verb == "EHLO" || verb == "HELO") && rest != "probe.example" {
				answer = "502 5.5.2 Error: command not recognized\r\n"
			}
			io.WriteString(c, answer)
			if verb == "STARTTLS" && cert != nil {
				s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*cert}})
				c, in = s, bufio.NewReader(s)
			}
		}
	}
}

func TestSMTP(t *testing.T) {
	cert := issue(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	full := map[string]string{"EHLO": "250-mail.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n", "STARTTLS": "220 go ahead\r\n", "QUIT": "221 bye\r\n"}
	with := func(verb, answer string) map[string]string {
		out := map[string]string{}
		for k, v := range full {
			out[k] = v
		}
		out[verb] = answer
		return out
	}
	const ready = "220 mail.example ESMTP\r\n"
	secured := discovery.TLSSpec{Enabled: true, SkipVerify: true, Warn: 2 * time.Hour}
	for _, c := range []struct {
		name    string
		serve   func(net.Conn)
		tls     discovery.TLSSpec
		want    string
		warning bool
	}{
		{name: "plain", serve: mailServer(ready, full, nil), want: "ok"},
		{name: "long greeting", serve: mailServer("220-mail.example\r\n220 ESMTP\r\n", full, nil), want: "ok"},
		{name: "HELO only", serve: mailServer(ready, map[string]string{"HELO": "250 mail.example\r\n"}, nil), want: "ok"},
		{name: "starttls", serve: mailServer(ready, full, &cert), tls: secured, want: "ok", warning: true},
		{name: "certificate", serve: mailServer(ready, full, &cert), tls: discovery.TLSSpec{Enabled: true, ServerName: "web.example"}, want: "tls: certificate signed by unknown authority"},
		{name: "no starttls", serve: mailServer(ready, with("EHLO", "250 mail.example\r\n"), &cert), tls: secured, want: "the server does not offer STARTTLS"},
		{name: "starttls refused", serve: mailServer(ready, with("STARTTLS", "454 TLS not available\r\n"), &cert), tls: secured, want: "STARTTLS: 454 TLS not available"},
		{name: "busy", serve: mailServer("421 4.3.2 too many connections\r\n", full, nil), want: "greeting: 421 4.3.2 too many connections"},
		{name: "hello refused", serve: mailServer(ready, map[string]string{"EHLO": "550 go away\r\n", "HELO": "550 go away\r\n"}, nil), want: "HELO: 550 go away"},
		{name: "another protocol", serve: mailServer("+OK POP3 ready\r\n", nil, nil), want: "*"},
		{name: "closed", serve: func(net.Conn) {}, want: "connection closed without an answer"},
		{name: "silence", serve: func(c net.Conn) { io.Copy(io.Discard, c) }, want: "timeout after 200ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := discovery.CheckSpec{Type: discovery.SMTP, Timeout: 5 * time.Second, Helo: "probe.example", TLS: c.tls}
			if c.name == "silence" {
				spec.Timeout = 200 * time.Millisecond
			}
			p, err := New(spec.For(listen(t, c.serve)))
			if err != nil {
				t.Fatal(err)
			}
			note, got := made(t, p, spec.Timeout)
			if got != c.want && (c.want != "*" || got == "ok") || (note.Warning != "") != c.warning {
				t.Errorf("attempt: %s, warning %q; want %s", got, note.Warning, c.want)
			}
		})
	}
}
