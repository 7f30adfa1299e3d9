package check

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// postgres makes a probe that does what pg_isready does: it begins a session
// and takes a request for authentication as a yes, and so a refusal of the user
// or the database, which only a server that works can give. A server that starts,
// stops or recovers, or has no connection left, says no (SQLSTATE 57P03, class 53).
//
//	SSLRequest     length 8, 80877103                   -> S or N
//	StartupMessage length, 196608, name NUL value NUL … NUL
//	answer         type byte, length with itself, body    PostgreSQL protocol, "Message Formats"
func (m *Maker) postgres(c discovery.Check, spec discovery.CheckSpec) (Probe, error) {
	var secure *tlsClient
	if spec.TLS.Enabled {
		secure = m.tlsClient(c, spec.TLS, "", []string{"postgresql"})
		spec.TLS.Enabled = false // after SSLRequest
	}
	return m.over(c, spec, "", nil, func(ctx context.Context, conn net.Conn) (note Note, err error) {
		if secure != nil {
			if err := postgresTLS(conn); err != nil {
				return Note{}, err
			}
			tc, warning, err := secure.shake(ctx, conn)
			if err != nil {
				return Note{}, err
			}
			conn, note.Warning = tc, warning
		}
		return note, askPostgres(conn, spec.Login)
	}), nil
}

func postgresTLS(conn io.ReadWriter) error {
	if _, err := conn.Write([]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}); err != nil {
		return err
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	switch answer[0] {
	case 'S':
		return nil
	case 'N':
		return errPostgresNoTLS
	}
	return errNoPostgres
}

func askPostgres(conn io.ReadWriter, login discovery.LoginSpec) error {
	body := binary.BigEndian.AppendUint32(nil, 3<<16) // protocol 3.0
	database := login.Database
	if database == "" {
		database = login.User
	}
	for _, text := range []string{"user", login.User, "database", database, "application_name", "edgekeeper-check"} {
		body = append(append(body, text...), 0)
	}
	body = append(body, 0)
	if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...)); err != nil {
		return err
	}
	kind, answer, err := postgresMessage(conn)
	if err != nil {
		return err
	}
	switch kind {
	case 'R':
		if len(answer) >= 4 && binary.BigEndian.Uint32(answer) == 0 {
			_, _ = conn.Write([]byte{'X', 0, 0, 0, 4}) // a session began, which must end in order
		}
		return nil
	case 'E':
		return postgresError(answer)
	}
	return errNoPostgres
}

func postgresMessage(r io.Reader) (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size < 4 || size > maxBody {
		return 0, nil, errNoPostgres
	}
	body = make([]byte, size-4)
	_, err = io.ReadFull(r, body)
	return head[0], body, err
}

// postgresError judges an ErrorResponse: fields of a letter and a text each.
func postgresError(body []byte) error {
	var state, message string
	for len(body) > 1 && body[0] != 0 {
		text, rest, ok := bytes.Cut(body[1:], []byte{0})
		if !ok {
			return errNoPostgres
		}
		switch body[0] {
		case 'C':
			state = string(text)
		case 'M':
			message = string(text)
		}
		body = rest
	}
	switch {
	case len(state) != 5:
		return errNoPostgres
	case strings.HasPrefix(state, "57P"), strings.HasPrefix(state, "53"), strings.HasPrefix(state, "XX"):
		return fmt.Errorf("%s (%s)", printable(message), printable(state))
	}
	return nil
}

var (
	errNoPostgres    = errors.New("the answer is not PostgreSQL's")
	errPostgresNoTLS = errors.New("the server does not speak TLS")
)
