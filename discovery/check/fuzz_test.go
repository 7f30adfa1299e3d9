package check

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// peer is a server that says what it is given, whatever it is asked.
type peer struct {
	io.Reader
	asked int
}

func (p *peer) Write(b []byte) (int, error) {
	p.asked += len(b)
	return len(b), nil
}

func (p *peer) Close() error { return nil }

func saying(b []byte) *peer { return &peer{Reader: bytes.NewReader(b)} }

// bounded fails when an answer made a probe say more than a session takes, or
// give a reason that is no line for a terminal.
func bounded(t *testing.T, p *peer, err error) {
	t.Helper()
	if p.asked > 4096 {
		t.Errorf("%d bytes were sent", p.asked)
	}
	plainReason(t, err)
}

func plainReason(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	text := reason(err, 0)
	if text == "" || text != printable(text) || len(text) > 256 {
		t.Errorf("reason %q", text)
	}
}

func FuzzDNS(f *testing.F) {
	q := dnsmessage.Question{Name: dnsmessage.MustNewName("www.example.com."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	any := regexp.MustCompile("^A 192")
	f.Fuzz(func(t *testing.T, packet []byte) {
		var id uint16
		if len(packet) > 1 {
			id = uint16(packet[0])<<8 | uint16(packet[1])
		}
		without := dnsAnswer(packet, id, q, nil)
		plainReason(t, without)
		with := dnsAnswer(packet, id, q, any)
		plainReason(t, with)
		if without != nil && with == nil {
			t.Errorf("a record matches in what is no answer: %v", without)
		}
		if err := dnsAnswer(packet, id+1, q, nil); err == nil {
			t.Error("an answer to another question is taken")
		}
		p := saying(packet)
		bounded(t, p, dnsOverTCP(p, q, nil))
	})
}

func FuzzGRPC(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		status, err := grpcStatus(body)
		if err != nil && (status != 0 || !errors.Is(err, errGRPC)) {
			t.Errorf("%d, %v", status, err)
		}
	})
}

func FuzzRedis(f *testing.F) {
	login := discovery.LoginSpec{User: "u", Password: discovery.MakePassword("p")}
	f.Fuzz(func(t *testing.T, answer []byte) {
		p := saying(answer)
		err := askRedis(p, login)
		bounded(t, p, err)
		if ok := bytes.HasPrefix(answer, []byte("+OK\r\n+PONG\r\n")); ok && err != nil {
			t.Errorf("%q: %v", answer, err)
		}
	})
}

func FuzzPostgres(f *testing.F) {
	f.Fuzz(func(t *testing.T, answer []byte) {
		p := saying(answer)
		err := askPostgres(p, discovery.LoginSpec{User: "u"})
		bounded(t, p, err)
		if err == nil && answer[0] != 'R' && answer[0] != 'E' {
			t.Errorf("%q is taken for a yes", answer)
		}
	})
}

func FuzzMySQL(f *testing.F) {
	f.Fuzz(func(t *testing.T, answer []byte) {
		p := saying(answer)
		err := askMySQL(p, "u")
		bounded(t, p, err)
		if err == nil && answer[4] != 10 {
			t.Errorf("%q is taken for a yes", answer)
		}
	})
}

func FuzzSMTP(f *testing.F) {
	f.Fuzz(func(t *testing.T, answer []byte) {
		p := saying(answer)
		m := newMail(p)
		err := m.greeting()
		if err == nil {
			_, err = m.hello("localhost")
		}
		bounded(t, p, err)
	})
}

func FuzzEcho(f *testing.F) {
	data := []byte("edgekeeper-12345678")
	f.Fuzz(func(t *testing.T, packet []byte, v4, raw bool) {
		if echoAnswers(packet, v4, raw, data) && !bytes.Contains(packet, data) {
			t.Errorf("% x is taken for the answer", packet)
		}
	})
}

func FuzzMask(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string, answer []byte) {
		m, err := newMask(text)
		if err != nil {
			return
		}
		ok, more := m.match(answer)
		if ok && (more || len(answer) < len(m.value)) || more && len(answer) >= len(m.value) {
			t.Errorf("%q, % x: %t, %t", text, answer, ok, more)
		}
		if whole, _ := m.match(append(bytes.Clone(m.value), answer...)); !whole {
			t.Errorf("%q does not match itself", text)
		}
	})
}
