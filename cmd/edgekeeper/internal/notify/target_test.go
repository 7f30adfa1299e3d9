package notify

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var master = Event{
	Seq: 7, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Kind: VRRP, Object: "VI_1", State: "MASTER", Previous: "BACKUP",
	Priority: 100, Reason: "no advert from anybody\nfor 3.609 s", RouterID: "lvs1",
}

// within gives a context that ends, and ends the test's patience too.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// programHome in the variable HOME, which Exec passes on, makes this test binary
// the program that Exec runs.
const programHome = "/nonexistent/notify-test"

// program acts by its first argument.
func program() {
	switch os.Args[1] {
	case "show": // to the file named next
		text := strings.Join(os.Args[3:], "|") + "\n"
		env := os.Environ()
		slices.Sort(env)
		for _, v := range env {
			if strings.HasPrefix(v, "NOTIFY_") || strings.HasPrefix(v, "CONSUL_") {
				text += v + "\n"
			}
		}
		if err := os.WriteFile(os.Args[2], []byte(text), 0o644); err != nil {
			panic(err)
		}
	case "fail":
		fmt.Print("stdout ")
		fmt.Fprint(os.Stderr, strings.Repeat("e", 10000))
		os.Exit(3)
	}
}

func TestExecArguments(t *testing.T) {
	t.Setenv("HOME", programHome)
	t.Setenv("CONSUL_HTTP_TOKEN", "secret")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := Event{Seq: 8, At: master.At, Kind: Server, Object: "web 10.0.0.1:80", State: "DOWN", Previous: "UP", Reason: "tcp check: refused", RouterID: "lvs1"}
	for _, c := range []struct {
		name  string
		exec  Exec
		event Event
		want  string
	}{
		{
			"keepalived's four", Exec{Arguments: true}, master,
			"INSTANCE|VI_1|MASTER|100\nNOTIFY_ASPECT=\nNOTIFY_KIND=vrrp\nNOTIFY_OBJECT=VI_1\nNOTIFY_PREVIOUS=BACKUP\nNOTIFY_PRIORITY=100\n" +
				"NOTIFY_REASON=no advert from anybody for 3.609 s\nNOTIFY_ROUTER_ID=lvs1\nNOTIFY_SEQ=7\nNOTIFY_STATE=MASTER\nNOTIFY_TIME=2026-01-02T03:04:05Z\n",
		},
		{
			"a real server", Exec{Arguments: true}, server,
			"RS|web 10.0.0.1:80|DOWN|0\nNOTIFY_ASPECT=\nNOTIFY_KIND=server\nNOTIFY_OBJECT=web 10.0.0.1:80\nNOTIFY_PREVIOUS=UP\nNOTIFY_PRIORITY=0\n" +
				"NOTIFY_REASON=tcp check: refused\nNOTIFY_ROUTER_ID=lvs1\nNOTIFY_SEQ=8\nNOTIFY_STATE=DOWN\nNOTIFY_TIME=2026-01-02T03:04:05Z\n",
		},
		{
			"none, as keepalived's notify_master", Exec{}, master,
			"\nNOTIFY_ASPECT=\nNOTIFY_KIND=vrrp\nNOTIFY_OBJECT=VI_1\nNOTIFY_PREVIOUS=BACKUP\nNOTIFY_PRIORITY=100\n" +
				"NOTIFY_REASON=no advert from anybody for 3.609 s\nNOTIFY_ROUTER_ID=lvs1\nNOTIFY_SEQ=7\nNOTIFY_STATE=MASTER\nNOTIFY_TIME=2026-01-02T03:04:05Z\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "shown")
			c.exec.Command = []string{self, "show", file}
			if err := c.exec.Deliver(within(t, 10*time.Second), c.event); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("the output of a failure is kept, up to 3 KiB", func(t *testing.T) {
		err := (&Exec{Command: []string{self, "fail"}}).Deliver(within(t, 10*time.Second), master)
		want := self + ": exit status 3; output: stdout " + strings.Repeat("e", maxOutput-len("stdout "))
		if err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a program that is not there", func(t *testing.T) {
		if err := (&Exec{Command: []string{"/nonexistent/x"}}).Deliver(t.Context(), master); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
}

// TestExecKill: a script that hangs takes its children with it, one that ends
// leaves them alone.
func TestExecKill(t *testing.T) {
	dir := t.TempDir()
	pidOf := func(file string) int {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			var pid int
			if b, err := os.ReadFile(filepath.Join(dir, file)); err == nil {
				if _, err := fmt.Sscanln(string(b), &pid); err == nil {
					return pid
				}
			}
		}
		t.Fatalf("no %s within 10 s", file)
		return 0
	}
	// gone: not there, or a zombie that waits for whoever adopted it.
	gone := func(pid int) bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(stat), ") Z ")
	}
	t.Run("hung", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- (&Exec{Command: []string{"/bin/sh", "-c", "sleep 1000 & echo $! >" + dir + "/hung; echo started; wait"}}).Deliver(ctx, master)
		}()
		child := pidOf("hung")
		cancel()
		if err := <-done; err == nil || !strings.Contains(err.Error(), "killed at the stop") {
			t.Errorf("got %v", err)
		}
		for deadline := time.Now().Add(10 * time.Second); !gone(child); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("child %d still runs", child)
			}
		}
	})
	t.Run("timeout", func(t *testing.T) {
		err := (&Exec{Command: []string{"/bin/sh", "-c", "echo begun; sleep 1000"}}).Deliver(within(t, 2*time.Second), master)
		if !errors.As(err, new(interface{ ExitCode() int })) || !strings.Contains(err.Error(), "killed when its time was over") || !strings.HasSuffix(err.Error(), "output: begun") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a daemon that the script starts lives on", func(t *testing.T) {
		if err := (&Exec{Command: []string{"/bin/sh", "-c", "sleep 1000 & echo $! >" + dir + "/daemon"}}).Deliver(within(t, 10*time.Second), master); err != nil {
			t.Fatal(err)
		}
		child := pidOf("daemon")
		if gone(child) {
			t.Error("it was killed")
		}
		_ = syscall.Kill(child, syscall.SIGKILL)
	})
}

// TestFIFO has a reader that goes away and comes back.
func TestFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	f := &FIFO{Path: path}
	defer f.Close()
	state := func(n int) Event { return Event{Kind: VRRP, Object: "VI_1", State: fmt.Sprint("S", n), Priority: 9} }
	deliver := func(n int) {
		t.Helper()
		if err := f.Deliver(within(t, 10*time.Second), state(n)); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(r *bufio.Reader, n ...int) {
		t.Helper()
		for _, n := range n {
			if got, err := r.ReadString('\n'); err != nil || got != fmt.Sprintf("INSTANCE \"VI_1\" S%d 9\n", n) {
				t.Fatalf("read %q, %v; want S%d", got, err, n)
			}
		}
	}
	deliver(1) // nobody reads yet
	if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeNamedPipe|0o600 {
		t.Fatalf("the FIFO is %v, %v", info, err)
	}
	open := func() (*os.File, *bufio.Reader) {
		r, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return r, bufio.NewReader(r)
	}
	r, lines := open()
	deliver(2)
	expect(lines, 1, 2)
	r.Close() // goes away …
	deliver(3)
	deliver(4)
	r, lines = open() // … and comes back
	expect(lines, 3, 4)
	r.Close()

	// One that makes the FIFO anew.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	deliver(5)
	r, lines = open()
	expect(lines, 5)
	r.Close()

	// Nobody reads until it is full: the line is not written, in part or whole.
	var err error
	n := 6
	for ; err == nil; n++ {
		err = f.Deliver(within(t, time.Second), state(n))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) || n < 1000 {
		t.Fatalf("after %d lines: %v", n-6, err)
	}
	r, lines = open()
	defer r.Close()
	for i := 6; i < n-1; i++ {
		expect(lines, i)
	}
	deliver(n)
	expect(lines, n)

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&FIFO{Path: file}).Deliver(t.Context(), master); !errors.Is(err, ErrNotFIFO) {
		t.Errorf("a regular file: %v", err)
	}
}

func TestWebhook(t *testing.T) {
	var body []byte
	var header http.Header
	answers := []int{204}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		header = r.Header
		if answers[0]/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(answers[0])
		fmt.Fprint(w, "because")
		answers = append(answers[1:], answers[0])
	}))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	hook, err := NewWebhook(WebhookConfig{URL: server.URL + "/hook?token=hidden", Header: "Authorization", Secret: "Bearer s3cr3t", CAFile: ca, Run: "r1"})
	if err != nil {
		t.Fatal(err)
	}
	defer hook.Close()

	if err := hook.Deliver(within(t, 10*time.Second), master); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	wantBody := map[string]any{
		"specversion": "1.0", "id": "r1-7", "source": "/edgekeeper/directors/lvs1", "type": "io.github.edgekeeper.vrrp", "subject": "VI_1",
		"time": "2026-01-02T03:04:05Z", "datacontenttype": "application/json",
		"data": map[string]any{
			"seq": 7.0, "kind": "vrrp", "object": "VI_1", "state": "MASTER", "previous": "BACKUP", "priority": 100.0,
			"reason": master.Reason, "router_id": "lvs1",
		},
	}
	if diff := cmp.Diff(wantBody, got); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if header.Get("Content-Type") != "application/cloudevents+json" || header.Get("Authorization") != "Bearer s3cr3t" {
		t.Errorf("header %v", header)
	}

	for _, c := range []struct {
		code      int
		ok, again bool
	}{{200, true, false}, {500, false, true}, {503, false, true}, {429, false, true}, {408, false, true}, {307, false, false}, {400, false, false}, {401, false, false}, {404, false, false}} {
		answers = []int{c.code}
		err := hook.Deliver(within(t, 10*time.Second), master)
		if (err == nil) != c.ok || err != nil && errors.Is(err, ErrPermanent) == c.again || err != nil && (!strings.Contains(err.Error(), fmt.Sprint(c.code)) || !strings.Contains(err.Error(), "because")) {
			t.Errorf("%d: %v", c.code, err)
		}
	}

	t.Run("retried until the server is well", func(t *testing.T) {
		answers = []int{503, 200}
		q := New(nil)
		q.Set([]Route{{Name: "hook", Target: hook, Retries: 5}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- q.Run(ctx) }()
		q.Put(master)
		for deadline := time.Now().Add(20 * time.Second); q.Status()[0].Delivered == 0; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not delivered: %+v", q.Status())
			}
		}
		cancel()
		<-done
	})
	t.Run("no secret in errors", func(t *testing.T) {
		server.Close()
		err := hook.Deliver(within(t, 10*time.Second), master)
		if err == nil || strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("authorities that are none", func(t *testing.T) {
		empty := filepath.Join(t.TempDir(), "empty.pem")
		if err := os.WriteFile(empty, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{empty, empty + ".no"} {
			if _, err := NewWebhook(WebhookConfig{CAFile: file}); err == nil {
				t.Errorf("%s is taken", file)
			}
		}
	})
}
