package notify

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// smtpServer is a small mail server: it speaks RFC 5321 with STARTTLS and AUTH
// PLAIN, and answers what the test says.
type smtpServer struct {
	l        net.Listener
	tls      *tls.Config
	implicit bool   // TLS from the first byte
	auth     bool   // offer and demand AUTH PLAIN, once encrypted
	rcpt     string // answer to RCPT TO; empty: 250
	rude     bool   // hang up after the message, without an answer to QUIT
	silent   bool   // say nothing
	ip       string // to listen on; empty: 127.0.0.1

	done chan session
}

// session is what a client did.
type session struct {
	encrypted  bool
	identity   string
	helo, from string
	to         []string
	message    string
}

func (s *smtpServer) start(t *testing.T) (port uint16) {
	var err error
	if s.l, err = net.Listen("tcp", net.JoinHostPort(cmp.Or(s.ip, "127.0.0.1"), "0")); err != nil {
		t.Fatal(err)
	}
	s.done = make(chan session, 10)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := s.l.Accept()
			if err != nil {
				return
			}
			s.done <- s.serve(conn)
		}
	}()
	t.Cleanup(func() { s.l.Close(); <-ended })
	return s.l.Addr().(*net.TCPAddr).AddrPort().Port()
}

func (s *smtpServer) serve(conn net.Conn) (got session) {
	defer func() { conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if s.implicit {
		conn, got.encrypted = tls.Server(conn, s.tls), true
	}
	r := bufio.NewReader(conn)
	if s.silent {
		_, _ = r.ReadByte() // until the client hangs up
		return got
	}
	say := func(line string) { fmt.Fprint(conn, line+"\r\n") }
	say("220 mail.example.com ESMTP")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return got
		}
		line = strings.TrimRight(line, "\r\n")
		verb, rest, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			got.helo = rest
			say("250-mail.example.com")
			if s.tls != nil && !got.encrypted {
				say("250-STARTTLS")
			}
			if s.auth && got.encrypted {
				say("250-AUTH PLAIN")
			}
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go")
			conn, got.encrypted = tls.Server(conn, s.tls), true
			r = bufio.NewReader(conn)
		case "AUTH":
			identity, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN "))
			got.identity = string(identity)
			say("235 ok")
		case "MAIL":
			if s.auth && got.identity == "" {
				say("530 authenticate first")
				continue
			}
			got.from = rest
			say("250 ok")
		case "RCPT":
			got.to = append(got.to, rest)
			if s.rcpt != "" {
				say(s.rcpt)
				continue
			}
			say("250 ok")
		case "DATA":
			say("354 go")
			for {
				line, err := r.ReadString('\n')
				if err != nil || line == ".\r\n" {
					break
				}
				got.message += line
			}
			say("250 queued")
			if s.rude {
				return got
			}
		case "QUIT":
			say("221 bye")
			return got
		default:
			say("250 ok")
		}
	}
}

// certificate is one for 127.0.0.1, and the file of who signed it.
func certificate(t *testing.T) (*tls.Config, string) {
	web := httptest.NewTLSServer(nil)
	defer web.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: web.TLS.Certificates}, ca
}

func TestMail(t *testing.T) {
	keys, ca := certificate(t)
	for _, c := range []struct {
		name      string
		server    smtpServer
		cfg       MailConfig
		encrypted bool
		identity  string
		err       string // part of it; empty: delivered
		permanent bool
	}{
		{name: "plain", cfg: MailConfig{Encryption: NoTLS, Helo: "lvs1.example.com"}},
		{name: "plain over IPv6", server: smtpServer{ip: "::1"}, cfg: MailConfig{Encryption: NoTLS}},
		{name: "starttls and a password", server: smtpServer{tls: keys, auth: true}, cfg: MailConfig{Encryption: StartTLS, CAFile: ca, Username: "edge", Password: "not to be shown"}, encrypted: true, identity: "\x00edge\x00not to be shown"},
		{name: "tls and a password", server: smtpServer{tls: keys, implicit: true, auth: true}, cfg: MailConfig{Encryption: ImplicitTLS, CAFile: ca, Username: "edge", Password: "not to be shown"}, encrypted: true, identity: "\x00edge\x00not to be shown"},
		{name: "opportunistic with", server: smtpServer{tls: keys}, cfg: MailConfig{Encryption: Opportunistic, CAFile: ca}, encrypted: true},
		{name: "opportunistic without", cfg: MailConfig{Encryption: Opportunistic}},
		{name: "a server that hangs up without goodbye has taken the message", server: smtpServer{rude: true}, cfg: MailConfig{Encryption: NoTLS}},
		{name: "starttls demanded, not offered", cfg: MailConfig{Encryption: StartTLS}, err: "STARTTLS"},
		{name: "a certificate of somebody else", server: smtpServer{tls: keys}, cfg: MailConfig{Encryption: StartTLS}, err: "certificate"},
		{name: "no password in clear", server: smtpServer{auth: true}, cfg: MailConfig{Encryption: NoTLS, Username: "edge", Password: "not to be shown"}, err: "AUTH"},
		{name: "a receiver that is unknown", server: smtpServer{rcpt: "550 no such user"}, cfg: MailConfig{Encryption: NoTLS}, err: "no such user", permanent: true},
		{name: "a receiver that is greylisted", server: smtpServer{rcpt: "450 later"}, cfg: MailConfig{Encryption: NoTLS}, err: "later"},
		{name: "a server that says nothing", server: smtpServer{silent: true}, cfg: MailConfig{Encryption: NoTLS}, err: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Host, c.cfg.Port = cmp.Or(c.server.ip, "127.0.0.1"), c.server.start(t)
			c.cfg.From, c.cfg.To = "Edge <edge@example.com>", []string{"ops@example.com", "boss@example.com"}
			m, err := NewMail(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if c.server.silent {
				ctx, cancel := context.WithCancel(within(t, time.Hour))
				time.AfterFunc(50*time.Millisecond, cancel)
				begin := time.Now()
				if err := m.Deliver(ctx, master); err == nil || time.Since(begin) > 5*time.Second {
					t.Errorf("%v after %s, want an error at once", err, time.Since(begin))
				}
				return
			}
			err = m.Deliver(within(t, 5*time.Second), master)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || errors.Is(err, ErrPermanent) != c.permanent || strings.Contains(err.Error(), "not to be shown") {
					t.Errorf("got %v, want %q, permanent %t", err, c.err, c.permanent)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := <-c.server.done
			if got.encrypted != c.encrypted || got.identity != c.identity {
				t.Errorf("encrypted %t as %q, want %t as %q", got.encrypted, got.identity, c.encrypted, c.identity)
			}
			if c.cfg.Helo != "" && got.helo != c.cfg.Helo {
				t.Errorf("helo %q", got.helo)
			}
			if !strings.HasPrefix(got.from, "FROM:<edge@example.com>") || len(got.to) != 2 || !strings.Contains(got.to[1], "<boss@example.com>") {
				t.Errorf("from %q to %q", got.from, got.to)
			}
			for _, want := range []string{"Subject: [lvs1] vrrp VI_1: MASTER, was BACKUP\r\n", "Date: Fri, 02 Jan 2026 03:04:05 +0000\r\n", "Auto-Submitted: auto-generated\r\n", "no advert from anybody", "priority: 100"} {
				if !strings.Contains(got.message, want) {
					t.Errorf("no %q in the message:\n%s", want, got.message)
				}
			}
		})
	}
	for _, cfg := range []MailConfig{
		{From: "nobody", To: []string{"ops@example.com"}},
		{From: "edge@example.com", To: []string{"ops at example"}},
		{From: "edge@example.com", To: []string{"ops@example.com"}, CAFile: "/nonexistent"},
	} {
		cfg.Host, cfg.Port, cfg.Encryption = "127.0.0.1", 25, NoTLS
		if _, err := NewMail(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}
