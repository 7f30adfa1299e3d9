package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// Encryption says how a mail server is spoken to.
type Encryption string

// The values of the tls argument.
const (
	StartTLS      Encryption = "starttls"      // encrypted, or not at all
	ImplicitTLS   Encryption = "tls"           // encrypted from the first byte
	Opportunistic Encryption = "opportunistic" // encrypted if the server offers it
	NoTLS         Encryption = "none"          // in clear
)

// MailConfig says how mail goes out.
type MailConfig struct {
	Host       string
	Port       uint16
	Encryption Encryption
	CAFile     string // as in WebhookConfig
	Helo       string // empty: the host's name
	Username   string // empty: no authentication
	Password   string
	From       string
	To         []string
}

// Mail sends a message for each event.
type Mail struct {
	cfg  MailConfig
	opts []mail.Option
	tls  *tls.Config
}

// NewMail checks the configuration; it sends nothing.
func NewMail(cfg MailConfig) (*Mail, error) {
	pool, err := authorities(cfg.CAFile)
	if err != nil {
		return nil, err
	}
	m := &Mail{cfg: cfg, tls: &tls.Config{ServerName: cfg.Host, RootCAs: pool}}
	m.opts = []mail.Option{mail.WithPort(int(cfg.Port)), mail.WithTLSConfig(m.tls), mail.WithoutNoop(), mail.WithoutRset()}
	switch cfg.Encryption {
	case StartTLS:
		m.opts = append(m.opts, mail.WithTLSPolicy(mail.TLSMandatory))
	case Opportunistic:
		m.opts = append(m.opts, mail.WithTLSPolicy(mail.TLSOpportunistic))
	case ImplicitTLS:
		m.opts = append(m.opts, mail.WithSSL())
	case NoTLS:
		m.opts = append(m.opts, mail.WithTLSPolicy(mail.NoTLS))
	}
	if cfg.Helo != "" {
		m.opts = append(m.opts, mail.WithHELO(cfg.Helo))
	}
	if cfg.Username != "" {
		// The strongest that the server offers. The library lets PLAIN and LOGIN
		// show the password to nobody but an encrypted connection.
		m.opts = append(m.opts, mail.WithUsername(cfg.Username), mail.WithPassword(cfg.Password), mail.WithOpportunisticSMTPAuth(
			mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthSCRAMSHA1, mail.SMTPAuthCramMD5, mail.SMTPAuthPlain, mail.SMTPAuthLogin))
	}
	if _, err := mail.NewClient(cfg.Host, m.opts...); err != nil {
		return nil, fmt.Errorf("prepare mail: %w", err)
	}
	if _, err := m.message(Event{}); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Mail) message(e Event) (*mail.Msg, error) {
	msg := mail.NewMsg()
	if err := errors.Join(msg.From(m.cfg.From), msg.To(m.cfg.To...)); err != nil {
		return nil, fmt.Errorf("prepare mail: %w", err)
	}
	msg.SetMessageID()
	msg.SetDateWithValue(e.At)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no vacation answers
	msg.Subject(fmt.Sprintf("[%s] %s", e.RouterID, clean(e.Title())))
	text := &strings.Builder{}
	fmt.Fprintf(text, "%s\n\n%s\n\n", e.Title(), e.Reason)
	fmt.Fprintf(text, "director: %s\ntime:     %s\nsequence: %d\n", e.RouterID, e.At.Format(time.RFC3339Nano), e.Seq)
	if e.Priority > 0 {
		fmt.Fprintf(text, "priority: %d\n", e.Priority)
	}
	msg.SetBodyString(mail.TypeTextPlain, text.String())
	return msg, nil
}

// Deliver sends the message to all receivers.
func (m *Mail) Deliver(ctx context.Context, e Event) error {
	msg, err := m.message(e)
	if err != nil {
		return errors.Join(err, ErrPermanent)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opts := append(m.opts[:len(m.opts):len(m.opts)], mail.WithDialContextFunc(func(context.Context, string, string) (net.Conn, error) { return m.dial(ctx) }))
	if end, ok := ctx.Deadline(); ok {
		// The library refuses a time that is over already.
		opts = append(opts, mail.WithTimeout(max(time.Until(end), time.Millisecond)))
	}
	client, err := mail.NewClient(m.cfg.Host, opts...)
	if err != nil {
		return fmt.Errorf("prepare mail: %w", errors.Join(err, ErrPermanent))
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fmt.Errorf("reach mail server: %w", err)
	}
	err = client.SendWithSMTPClient(session, msg)
	// A message that the server took is sent, however the goodbye ends.
	_ = client.CloseWithSMTPClient(session)
	if err != nil {
		var refused *mail.SendError
		if errors.As(err, &refused) && !refused.IsTemp() && refused.ErrorCode() >= 500 {
			err = errors.Join(err, ErrPermanent)
		}
		return fmt.Errorf("send mail: %w", err)
	}
	return nil
}

// dial connects. The connection ends with ctx, whatever the library waits for.
// The library's own address would lack the brackets of IPv6.
func (m *Mail) dial(ctx context.Context) (net.Conn, error) {
	var d interface {
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	} = &net.Dialer{}
	if m.cfg.Encryption == ImplicitTLS {
		d = &tls.Dialer{Config: m.tls}
	}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(m.cfg.Host, strconv.Itoa(int(m.cfg.Port))))
	if err == nil {
		context.AfterFunc(ctx, func() { _ = conn.Close() })
	}
	return conn, err
}
