package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strings"

	"github.com/edgekeeper/edgekeeper/discovery"
)

var errNoSTARTTLS = errors.New("the server does not offer STARTTLS")

// smtp makes a probe that takes the greeting, says EHLO, or HELO to a server
// that does not know that, with TLS after STARTTLS says EHLO again, and takes
// leave (RFC 5321, RFC 3207).
func (m *Maker) smtp(c discovery.Check, spec discovery.CheckSpec) (Probe, error) {
	var secure *tlsClient
	if spec.TLS.Enabled {
		secure = m.tlsClient(c, spec.TLS, "", nil)
		spec.TLS.Enabled = false // not from the start
	}
	return m.over(c, spec, "", nil, func(ctx context.Context, conn net.Conn) (Note, error) {
		mail := newMail(conn)
		if err := mail.greeting(); err != nil {
			return Note{}, err
		}
		offers, err := mail.hello(spec.Helo)
		if err != nil {
			return Note{}, err
		}
		note := Note{}
		if secure != nil {
			if !slices.Contains(offers, "STARTTLS") {
				return Note{}, errNoSTARTTLS
			}
			if _, err := mail.command(220, "STARTTLS"); err != nil {
				return Note{}, err
			}
			tc, warning, err := secure.shake(ctx, conn)
			if err != nil {
				return Note{}, err
			}
			note.Warning = warning
			mail = newMail(tc)
			if _, err := mail.hello(spec.Helo); err != nil {
				return Note{}, err
			}
		}
		_, _ = mail.command(221, "QUIT") // it has answered what counts
		return note, nil
	}), nil
}

// mail is one side of an SMTP session.
type mail struct{ text *textproto.Conn }

func newMail(conn io.ReadWriteCloser) mail {
	return mail{textproto.NewConn(struct {
		io.Reader
		io.Writer
		io.Closer
	}{io.LimitReader(conn, maxBody), conn, conn})}
}

func (m mail) greeting() error {
	if _, _, err := m.text.ReadResponse(220); err != nil {
		return refusal("greeting", err)
	}
	return nil
}

func (m mail) command(want int, line string) (string, error) {
	if err := m.text.PrintfLine("%s", line); err != nil {
		return "", err
	}
	_, message, err := m.text.ReadResponse(want)
	if err != nil {
		verb, _, _ := strings.Cut(line, " ")
		return "", refusal(verb, err)
	}
	return message, nil
}

// refusal says what the server said to what.
func refusal(to string, err error) error {
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		return &replyError{to, answer}
	}
	return err
}

type replyError struct {
	to     string
	answer *textproto.Error
}

func (e *replyError) Error() string {
	return fmt.Sprintf("%s: %d %s", e.to, e.answer.Code, e.answer.Msg)
}
func (e *replyError) Unwrap() error { return e.answer }

// hello gives the extensions that the server offers.
func (m mail) hello(name string) ([]string, error) {
	message, err := m.command(250, "EHLO "+name)
	var refused *textproto.Error
	if errors.As(err, &refused) && refused.Code/100 == 5 {
		_, err = m.command(250, "HELO "+name)
		return nil, err
	}
	var offers []string
	for line := range strings.Lines(message) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		offers = append(offers, strings.ToUpper(word))
	}
	return offers, err
}
