package check

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

func TestRedis(t *testing.T) {
	// script answers each command by the script, and keeps what was asked.
	var asked []string
	script := func(answers map[string]string) func(net.Conn) {
		return func(c net.Conn) {
			in := bufio.NewReader(c)
			for {
				var words []string
				head, err := in.ReadString('\n')
				if err != nil {
					return
				}
				for range int(head[1] - '0') {
					in.ReadString('\n')
					word, _ := in.ReadString('\n')
					words = append(words, strings.TrimSpace(word))
				}
				line := strings.Join(words, " ")
				asked = append(asked, line)
				io.WriteString(c, answers[line])
			}
		}
	}
	login := func(user, password string) discovery.LoginSpec {
		return discovery.LoginSpec{User: user, Password: discovery.MakePassword(password)}
	}
	for _, c := range []struct {
		name  string
		login discovery.LoginSpec
		serve func(net.Conn)
		want  string
	}{
		{"pong", discovery.LoginSpec{}, script(map[string]string{"PING": "+PONG\r\n"}), "ok"},
		{"password", login("", "s3cret"), script(map[string]string{"AUTH s3cret": "+OK\r\n", "PING": "+PONG\r\n"}), "ok"},
		{"user and password", login("u", "s3cret"), script(map[string]string{"AUTH u s3cret": "+OK\r\n", "PING": "+PONG\r\n"}), "ok"},
		{"wrong password", login("", "x"), script(map[string]string{"AUTH x": "-WRONGPASS invalid username-password pair\r\n"}), "WRONGPASS invalid username-password pair"},
		{"password needed", discovery.LoginSpec{}, script(map[string]string{"PING": "-NOAUTH Authentication required.\r\n"}), "NOAUTH Authentication required."},
		{"loading", discovery.LoginSpec{}, script(map[string]string{"PING": "-LOADING Redis is loading the dataset in memory\r\n"}), "LOADING Redis is loading the dataset in memory"},
		{"another protocol", discovery.LoginSpec{}, func(c net.Conn) { io.WriteString(c, "220 mail\r\n"); io.Copy(io.Discard, c) }, "the answer is not Redis's"},
		{"closed", discovery.LoginSpec{}, func(c net.Conn) { bufio.NewReader(c).ReadByte() }, "*"},
		{"cut", discovery.LoginSpec{}, script(map[string]string{"PING": "+PO"}), "timeout after 300ms"},
		{"endless", discovery.LoginSpec{}, func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, strings.Repeat("x", 1000)); err != nil {
					return
				}
			}
		}, "connection closed in the middle of the answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := discovery.CheckSpec{Type: discovery.Redis, Timeout: 5 * time.Second, Login: c.login}
			if c.name == "cut" {
				spec.Timeout = 300 * time.Millisecond
			}
			if got := attempt(t, spec.For(listen(t, c.serve))); got != c.want && (c.want != "*" || got == "ok") {
				t.Errorf("attempt: %s, want %s; asked %q", got, c.want, asked)
			}
		})
	}
}

// postgresSays reads a start-up message and answers.
func postgresSays(t *testing.T, kind byte, body string) func(net.Conn) {
	return func(c net.Conn) {
		var head [8]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		rest := make([]byte, binary.BigEndian.Uint32(head[:])-8)
		io.ReadFull(c, rest)
		if want := "user\x00probe\x00database\x00probe\x00application_name\x00edgekeeper-check\x00\x00"; string(rest) != want || head[4] != 0 || head[5] != 3 {
			t.Errorf("start-up message % x %q", head, rest)
		}
		c.Write(append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4)), body...))
		io.Copy(io.Discard, c)
	}
}

func TestPostgres(t *testing.T) {
	failure := func(state, message string) string {
		return "SFATAL\x00VFATAL\x00C" + state + "\x00M" + message + "\x00\x00"
	}
	for _, c := range []struct {
		name  string
		serve func(net.Conn)
		want  string
	}{
		{"authentication is asked for", postgresSays(t, 'R', "\x00\x00\x00\x0a"+"SCRAM-SHA-256\x00\x00"), "ok"},
		{"no authentication", postgresSays(t, 'R', "\x00\x00\x00\x00"), "ok"},
		{"no such user", postgresSays(t, 'E', failure("28000", `role "probe" does not exist`)), "ok"},
		{"no such database", postgresSays(t, 'E', failure("3D000", `database "probe" does not exist`)), "ok"},
		{"starting", postgresSays(t, 'E', failure("57P03", "the database system is starting up")), "the database system is starting up (57P03)"},
		{"full", postgresSays(t, 'E', failure("53300", "sorry, too many clients already")), "sorry, too many clients already (53300)"},
		{"an old server's error", postgresSays(t, 'E', "unsupported frontend protocol\x00"), "the answer is not PostgreSQL's"},
		{"another protocol", func(c net.Conn) { io.WriteString(c, "220 mail.example ESMTP\r\n"); io.Copy(io.Discard, c) }, "the answer is not PostgreSQL's"},
		{"cut", func(c net.Conn) { io.ReadFull(c, make([]byte, 65)); io.WriteString(c, "R\x00") }, "*"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := discovery.CheckSpec{Type: discovery.Postgres, Timeout: 5 * time.Second, Login: discovery.LoginSpec{User: "probe"}}
			if got := attempt(t, spec.For(listen(t, c.serve))); got != c.want && (c.want != "*" || got == "ok") {
				t.Errorf("attempt: %s, want %s", got, c.want)
			}
		})
	}
}

func TestPostgresTLS(t *testing.T) {
	cert := issue(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	serve := func(answer byte) func(net.Conn) {
		return func(c net.Conn) {
			var ask [8]byte
			io.ReadFull(c, ask[:])
			c.Write([]byte{answer})
			s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
			defer s.Close()
			postgresSays(t, 'R', "\x00\x00\x00\x05salt")(s)
		}
	}
	spec := discovery.CheckSpec{
		Type: discovery.Postgres, Timeout: 5 * time.Second, Login: discovery.LoginSpec{User: "probe"},
		TLS: discovery.TLSSpec{Enabled: true, SkipVerify: true, Warn: 2 * time.Hour},
	}
	p, err := New(spec.For(listen(t, serve('S'))))
	if err != nil {
		t.Fatal(err)
	}
	if note, got := made(t, p, spec.Timeout); got != "ok" || !strings.HasPrefix(note.Warning, "certificate expires ") {
		t.Errorf("attempt: %s, %+v", got, note)
	}
	if got := attempt(t, spec.For(listen(t, serve('N')))); got != "the server does not speak TLS" {
		t.Error(got)
	}
	spec.TLS.SkipVerify, spec.TLS.ServerName = false, "web.example"
	if got := attempt(t, spec.For(listen(t, serve('S')))); got != "tls: certificate signed by unknown authority" {
		t.Error(got)
	}
}

// mysqlSays greets and answers what comes with each of the answers.
func mysqlSays(t *testing.T, answers ...string) func(net.Conn) {
	return func(c net.Conn) {
		for i, a := range answers {
			mysqlSend(c, byte(2*i), []byte(a))
			n, body, err := mysqlPacket(c)
			if i == 0 && len(a) > 0 && a[0] == 10 {
				if err != nil || n != 1 || !strings.HasPrefix(string(body[32:]), "probe\x00\x00mysql_native_password\x00") || binary.LittleEndian.Uint32(body)&mysqlProtocol41 == 0 {
					t.Errorf("login %d, % x, %v", n, body, err)
				}
			}
		}
	}
}

func TestMySQL(t *testing.T) {
	const greeting = "\x0a8.4.0\x00rest"
	failure := func(code uint16, text string) string {
		return "\xff" + string(binary.LittleEndian.AppendUint16(nil, code)) + "#28000" + text
	}
	for _, c := range []struct {
		name  string
		serve func(net.Conn)
		want  string
	}{
		{"logged in", mysqlSays(t, greeting, "\x00\x00\x00\x02\x00\x00\x00"), "ok"},
		{"access denied", mysqlSays(t, greeting, failure(1045, "Access denied for user 'probe'")), "ok"},
		{"another method, then denied", mysqlSays(t, greeting, "\xfecaching_sha2_password\x00salt", failure(1045, "Access denied")), "ok"},
		{"full", mysqlSays(t, failure(1040, "Too many connections")), "Too many connections (1040)"},
		{"host blocked, without SQLSTATE", mysqlSays(t, "\xff\x69\x04Host '192.0.2.1' is blocked"), "Host '192.0.2.1' is blocked (1129)"},
		{"full for the user", mysqlSays(t, greeting, failure(1203, "User has too many connections")), "User has too many connections (1203)"},
		{"endless login", mysqlSays(t, greeting, "\xfea", "\xfea", "\xfea", "\xfea", "\xfea"), "the answer is not MySQL's"},
		{"another protocol", func(c net.Conn) { io.WriteString(c, "220 mail.example ESMTP\r\n"); io.Copy(io.Discard, c) }, "the answer is not MySQL's"},
		{"silence", func(c net.Conn) { io.Copy(io.Discard, c) }, "timeout after 200ms"},
		{"closed", func(net.Conn) {}, "connection closed without an answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := discovery.CheckSpec{Type: discovery.MySQL, Timeout: 5 * time.Second, Login: discovery.LoginSpec{User: "probe"}}
			if c.name == "silence" {
				spec.Timeout = 200 * time.Millisecond
			}
			if got := attempt(t, spec.For(listen(t, c.serve))); got != c.want {
				t.Errorf("attempt: %s, want %s", got, c.want)
			}
		})
	}
}
