package check

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// mysql makes a probe that takes the greeting and logs in without a password.
// A refusal of the login is as good as its success: only a server that works
// gives it. To hang up after the greeting would be less, but MySQL counts that
// as an error of the host and blocks it after max_connect_errors of them.
//
//	packet   length (3 bytes, little endian), number, body       MySQL client/server protocol
//	greeting 10, version NUL, …      error 255, code (2 bytes), # SQLSTATE, text
//	login    HandshakeResponse41     answer 0 OK, 255 error, 254 other method, 1 more
func (m *Maker) mysql(c discovery.Check, spec discovery.CheckSpec) (Probe, error) {
	return m.over(c, spec, "", nil, func(_ context.Context, conn net.Conn) (Note, error) {
		return Note{}, askMySQL(conn, spec.Login.User)
	}), nil
}

// Capability flags of a client.
const (
	mysqlLongPassword     = 1 << 0
	mysqlProtocol41       = 1 << 9
	mysqlSecureConnection = 1 << 15
	mysqlPluginAuth       = 1 << 19
)

// mysqlRefusals are errors of a login that only a server that works gives.
var mysqlRefusals = map[uint16]bool{
	1044: true, // access denied to the database
	1045: true, // access denied
	1251: true, // other authentication is needed
	1698: true, // access denied without a password
	1820: true, // the password must be changed
	1862: true, // the password has expired
	3118: true, // the account is locked
	3159: true, // TLS is required
}

func askMySQL(conn io.ReadWriter, user string) error {
	_, body, err := mysqlPacket(conn)
	if err != nil {
		return err
	}
	if body[0] == 255 {
		_, err := mysqlError(body)
		return err
	}
	if body[0] != 10 || bytes.IndexByte(body, 0) < 0 {
		return errNoMySQL
	}
	number, reply := byte(1), mysqlLogin(user)
	for range 4 { // a login takes two or three
		if err := mysqlSend(conn, number, reply); err != nil {
			return err
		}
		n, body, err := mysqlPacket(conn)
		if err != nil {
			return err
		}
		number = n + 1
		switch {
		case body[0] == 0:
			_ = mysqlSend(conn, 0, []byte{1}) // COM_QUIT
			return nil
		case body[0] == 255:
			code, err := mysqlError(body)
			if mysqlRefusals[code] {
				return nil
			}
			return err
		case body[0] != 254 && body[0] != 1:
			return errNoMySQL
		}
		reply = nil // it wants another method, or more: nothing is all we have
	}
	return errNoMySQL
}

func mysqlLogin(user string) []byte {
	const capabilities = mysqlLongPassword | mysqlProtocol41 | mysqlSecureConnection | mysqlPluginAuth
	out := binary.LittleEndian.AppendUint32(nil, capabilities)
	out = binary.LittleEndian.AppendUint32(out, 1<<24) // largest packet
	out = append(out, 33)                              // utf8_general_ci
	out = append(out, make([]byte, 23)...)
	out = append(append(out, user...), 0)
	out = append(out, 0) // no password
	return append(append(out, "mysql_native_password"...), 0)
}

func mysqlSend(w io.Writer, number byte, body []byte) error {
	n := len(body)
	_, err := w.Write(append([]byte{byte(n), byte(n >> 8), byte(n >> 16), number}, body...))
	return err
}

// mysqlPacket gives a packet's number and its body, which is not empty.
func mysqlPacket(r io.Reader) (number byte, body []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if size == 0 || size > maxBody {
		return 0, nil, errNoMySQL
	}
	body = make([]byte, size)
	_, err = io.ReadFull(r, body)
	return head[3], body, err
}

// mysqlError gives an error packet's code and text.
func mysqlError(body []byte) (uint16, error) {
	if len(body) < 3 {
		return 0, errNoMySQL
	}
	code, text := binary.LittleEndian.Uint16(body[1:]), body[3:]
	if len(text) >= 6 && text[0] == '#' {
		text = text[6:]
	}
	return code, fmt.Errorf("%s (%d)", printable(string(text)), code)
}

var errNoMySQL = errors.New("the answer is not MySQL's")
