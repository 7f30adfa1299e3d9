package check

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// redis makes a probe that logs in, where there is a password, and expects
// PONG. A server that still loads its data answers with an error.
//
//	*1 CRLF $4 CRLF PING CRLF  ->  +PONG CRLF, or -ERR … CRLF    (RESP)
func (m *Maker) redis(c discovery.Check, spec discovery.CheckSpec) (Probe, error) {
	return m.over(c, spec, "", nil, func(_ context.Context, conn net.Conn) (Note, error) {
		return Note{}, askRedis(conn, spec.Login)
	}), nil
}

func askRedis(conn io.ReadWriter, login discovery.LoginSpec) error {
	in := bufio.NewReader(io.LimitReader(conn, 4096))
	if password := login.Password.Reveal(); password != "" {
		words := []string{"AUTH", password}
		if login.User != "" {
			words = []string{"AUTH", login.User, password}
		}
		if err := redisCommand(conn, in, "OK", words...); err != nil {
			return err
		}
	}
	return redisCommand(conn, in, "PONG", "PING")
}

func redisCommand(w io.Writer, in *bufio.Reader, want string, words ...string) error {
	text := &strings.Builder{}
	fmt.Fprintf(text, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(text, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return err
	}
	line, err := in.ReadString('\n')
	if err != nil {
		if errors.Is(err, io.EOF) && line != "" {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	line = strings.TrimRight(line, "\r\n")
	switch {
	case line == "+"+want:
		return nil
	case len(line) > 1 && line[0] == '-':
		return errors.New(line[1:])
	}
	return errNoRedis
}

var errNoRedis = errors.New("the answer is not Redis's")
