package check

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

var server = netip.MustParseAddrPort("192.0.2.7:80")

func TestExec(t *testing.T) {
	replace := func(n int) discovery.WeightAdvice { return discovery.WeightAdvice{Replace: true, Value: n} }
	for _, c := range []struct {
		name    string
		text    string
		dynamic bool
		env     []string
		user    string
		want    string
		weight  discovery.WeightAdvice
	}{
		{name: "success", text: "true", want: "ok"},
		{name: "failure", text: "exit 1", want: "exit code 1"},
		{name: "failure with words", text: "echo pool is dry; echo more; exit 3", want: "exit code 3: pool is dry"},
		{name: "target", text: `test "$EDGEKEEPER_ADDRESS $EDGEKEEPER_PORT $EDGEKEEPER_TARGET $A" = "192.0.2.7 80 192.0.2.7:80 1"`, env: []string{"A=1"}, want: "ok"},
		{name: "weight", text: "exit 12", dynamic: true, want: "ok", weight: replace(10)},
		{name: "least weight", text: "exit 2", dynamic: true, want: "ok", weight: replace(0)},
		{name: "largest weight", text: "exit 255", dynamic: true, want: "ok", weight: replace(253)},
		{name: "dynamic success", text: "exit 0", dynamic: true, want: "ok"},
		{name: "dynamic failure", text: "exit 1", dynamic: true, want: "exit code 1"},
		{name: "signal", text: "kill -9 $$", want: "ended by signal killed"},
		{name: "too long", text: "exec sleep 60", want: "no result within 300ms"},
		{name: "no such user", text: "true", user: "no-such-user-here", want: "run /bin/sh: look up user: user: unknown user no-such-user-here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := discovery.CheckSpec{Type: discovery.Exec, Timeout: 20 * time.Second, Exec: discovery.ExecSpec{
				Command: discovery.MakeList([]string{"/bin/sh", "-c", c.text}), Env: discovery.MakeList(c.env), Dynamic: c.dynamic, User: c.user,
			}}
			if c.name == "too long" {
				spec.Timeout = 300 * time.Millisecond
			}
			p, err := New(spec.For(server))
			if err != nil {
				t.Fatal(err)
			}
			if note, got := made(t, p, spec.Timeout); got != c.want || note.Weight != c.weight {
				t.Errorf("attempt: %s, %+v; want %s, %+v", got, note, c.want, c.weight)
			}
		})
	}
	spec := discovery.CheckSpec{Type: discovery.Exec, Timeout: time.Second, Exec: discovery.ExecSpec{Command: discovery.MakeList([]string{"/no/such/program"})}}
	p, err := New(spec.For(server))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p(t.Context()); !ours(err) {
		t.Errorf("a program that is not there is held against the target: %v", err)
	}
}

func TestNumberFile(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name   string
		text   string // "-": no file
		spec   discovery.FileSpec
		want   string
		ours   bool
		weight discovery.WeightAdvice
	}{
		{name: "zero", text: "0\n", want: "ok"},
		{name: "not zero", text: "3\n", want: "the file holds 3"},
		{name: "no file", text: "-", want: "ok"},
		{name: "no file counts", text: "-", spec: discovery.FileSpec{Missing: 1}, want: "the file holds 1"},
		{name: "weight", text: "3\n", spec: discovery.FileSpec{Weight: 10}, want: "ok", weight: discovery.WeightAdvice{Value: 30}},
		{name: "reverse weight", text: "3\n", spec: discovery.FileSpec{Weight: -1}, want: "ok", weight: discovery.WeightAdvice{Value: -3}},
		{name: "zero weight", text: "0", spec: discovery.FileSpec{Weight: -1}, want: "ok"},
		{name: "huge", text: "9223372036854775807", spec: discovery.FileSpec{Weight: 65535}, want: "ok", weight: discovery.WeightAdvice{Value: 65535 << 20}},
		{name: "nonsense", text: "x", want: `file: the file holds "x", which is no number`, ours: true},
		{name: "empty", text: "", want: "file: the file is empty", ours: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, "weight-192.0.2.7-80")
			os.Remove(path)
			if c.text != "-" {
				if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			c.spec.Path = dir + "/weight-{address}-{port}"
			p, err := New(discovery.CheckSpec{Type: discovery.NumberFile, Timeout: time.Second, File: c.spec}.For(server))
			if err != nil {
				t.Fatal(err)
			}
			note, err := p(t.Context())
			got := "ok"
			if err != nil {
				got = reason(err, time.Second)
			}
			if got != c.want || note.Weight != c.weight || err != nil && ours(err) != c.ours {
				t.Errorf("attempt: %s, %+v, ours %t; want %s, %+v, %t", got, note, ours(err), c.want, c.weight, c.ours)
			}
		})
	}
}
