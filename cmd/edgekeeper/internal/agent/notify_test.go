package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/agent"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

// quietHost is a host with its interface up, quietWire a LAN with nobody else.
type quietHost struct {
	mu   sync.Mutex
	held bool
}

func (h *quietHost) set(held bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held = held
	return nil
}
func (h *quietHost) Install(time.Duration) error { return h.set(true) }
func (h *quietHost) Renew(time.Duration) error   { return h.set(true) }
func (h *quietHost) Remove() error               { return h.set(false) }
func (h *quietHost) Announce() error             { return nil }
func (h *quietHost) Close() error                { return nil }
func (h *quietHost) Watch(ctx context.Context, report func(instance.Change)) error {
	report(instance.Change{Kind: instance.LinkUp, What: "eth0 is up"})
	<-ctx.Done()
	return nil
}

type quietWire struct{ closed chan struct{} }

func (w quietWire) Source() netip.Addr            { return netip.MustParseAddr("192.0.2.251") }
func (w quietWire) Tune(vrrp.Config) error        { return nil }
func (w quietWire) Send([]byte, netip.Addr) error { return nil }
func (w quietWire) Receive([]byte) (vrrp.Packet, error) {
	<-w.closed
	return vrrp.Packet{}, net.ErrClosed
}
func (w quietWire) Close() error { close(w.closed); return nil }

func quiet(s *site) agent.Platform {
	return agent.Platform{
		OpenIPVS: func(context.Context, *slog.Logger) (agent.IPVS, error) { return s.kernel, nil },
		OpenHost: func(config.VRRP, string, *slog.Logger) (agent.Host, error) { return &quietHost{}, nil },
		Dial:     func(config.VRRP) (instance.Conn, error) { return quietWire{make(chan struct{})}, nil },
		OpenLookout: func(cfg config.VRRP, _ *slog.Logger) (agent.Lookout, error) {
			return &quietLookout{interval: cfg.ConflictProbe}, nil
		},
	}
}

const router = `
vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  version           = 3
  advert_interval   = "400ms"
  virtual_address "192.0.2.1/24" {}
}
`

func (s *site) setup(text string) {
	s.write("director.hcl", fmt.Sprintf(base, s.dir, "release", 80, `
  real_server "10.0.0.1:80" {}
  real_server "10.0.0.2:80" {}
  quorum = 2
`)+router+text)
}

// setupCalm is setup with slower adverts. A stop hands over, for up to 1.5 s where
// nobody takes over; with quicker ones, a router that is then late by a little more
// elects again, which is told.
func (s *site) setupCalm(text string) {
	s.t.Helper()
	s.setup(text)
	s.rewrite("director.hcl", `"400ms"`, `"2s"`)
}

// lines of a file that scripts write to.
func (s *site) lines(name string) []string {
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

func (s *site) told(name string, want ...string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%s is told %v, now %v", name, want, s.lines(name)), func() bool { return cmp.Equal(s.lines(name), want) })
}

// writer is a program that appends its arguments to a file.
func (s *site) writer(name string) string {
	return fmt.Sprintf(`["/bin/sh", "-c", "echo \"$*\" >>%s/%s", "-"]`, s.dir, name)
}

func TestNotify(t *testing.T) {
	t.Parallel() // waits for elections
	var mu sync.Mutex
	var posted []string
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var e struct {
			Source string
			Data   struct{ Kind, Object, State, Previous, Reason string }
		}
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil || e.Source != "/edgekeeper/directors/lvs1" || e.Data.Reason == "" && e.Data.Previous == "" {
			t.Errorf("event %+v, %v", e, err)
		}
		mu.Lock()
		defer mu.Unlock()
		posted = append(posted, e.Data.Kind+" "+e.Data.Object+" "+e.Data.State)
	}))
	defer web.Close()

	s := newSite(t)
	s.platform = quiet(s)
	s.setupCalm(fmt.Sprintf(`
notify "exec" "all" { command = %s }
notify "exec" "master" {
  command          = %s
  append_arguments = false
  states           = ["MASTER"]
}
notify "fifo" "x" {
  path   = "%s/fifo"
  events = ["vrrp", "priority"]
}
notify "webhook" "x" {
  url    = %q
  events = ["pool", "server"]
}
notify "exec" "broken" { command = ["/bin/sh", "-c", "echo no such thing; exit 7"] }
`, s.writer("all"), s.writer("master"), s.dir, web.URL))
	s.start()
	s.told("all", "INSTANCE VI_1 BACKUP 100", "INSTANCE VI_1 MASTER 100")
	s.told("master", "")
	s.table("10.0.0.1:1 10.0.0.2:1")

	if err := s.client().Put(t.Context(), "priority/VI_1/lvs1", "120"); err != nil {
		t.Fatal(err)
	}
	if err := s.client().Put(t.Context(), "drain/web/10.0.0.2", "repair"); err != nil {
		t.Fatal(err)
	}
	told := func(n int) { // what waits while it is told of something else gives way to what is newer
		t.Helper()
		s.until(fmt.Sprintf("the webhook is told %d times", n), func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(posted) == n
		})
	}
	s.table("10.0.0.1:1 10.0.0.2:0")
	told(2)
	if err := s.client().Delete(t.Context(), "drain/web/10.0.0.2"); err != nil {
		t.Fatal(err)
	}
	s.table("10.0.0.1:1 10.0.0.2:1")
	told(4)
	if diff := cmp.Diff([]string{"pool web QUORUM_LOST", "server web 10.0.0.2:80 DRAINED", "pool web QUORUM_REGAINED", "server web 10.0.0.2:80 UP"}, posted); diff != "" {
		t.Errorf("posted (-want +got):\n%s", diff)
	}

	s.until("status and events name the target that fails", func() bool {
		events, err := s.client().Events(t.Context(), 0)
		for _, n := range s.snapshot().Notify {
			if n.Name == `exec "broken"` {
				return err == nil && n.Failed >= 1 && n.Failing && strings.Contains(n.LastError, "exit status 7; output: no such thing") &&
					strings.Contains(fmt.Sprint(events), "output: no such thing; given up")
			}
		}
		return false
	})

	// A reload: one target goes, one comes, one changes; those that stay go on.
	pipe, err := os.OpenFile(s.dir+"/fifo", os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	s.setupCalm(fmt.Sprintf(`
notify "exec" "all" { command = %s }
notify "exec" "fresh" {
  command = %s
  events  = ["vrrp"]
}
notify "fifo" "x" {
  path   = "%s/fifo"
  events = ["vrrp", "priority"]
}
`, s.writer("all"), s.writer("fresh"), s.dir))
	s.hup <- syscall.SIGHUP
	s.until("the targets are the new ones", func() bool {
		n := s.snapshot().Notify
		return len(n) == 3 && n[0].Delivered == 2 && n[1].Name == `exec "fresh"` && n[2].Delivered == 3
	})

	s.setupCalm(`notify "webhook" "x" {
  url     = "https://127.0.0.1"
  ca_cert = "/nonexistent.pem"
}`)
	s.hup <- syscall.SIGHUP
	s.until("a target that cannot be made refuses the configuration", func() bool { return strings.Contains(s.snapshot().Config.Refused, `notify webhook "x"`) })
	if n := len(s.snapshot().Notify); n != 3 {
		t.Errorf("%d targets after a refused reload", n)
	}

	s.stop()
	s.told("all", "INSTANCE VI_1 BACKUP 100", "INSTANCE VI_1 MASTER 100", "INSTANCE VI_1 STOP 120")
	s.told("fresh", "INSTANCE VI_1 STOP 120")
	s.told("master", "")
	buf := make([]byte, 4096)
	n, err := pipe.Read(buf)
	if want := "INSTANCE \"VI_1\" BACKUP 100\nINSTANCE \"VI_1\" MASTER 100\nINSTANCE \"VI_1\" MASTER_PRIORITY 120\nINSTANCE \"VI_1\" STOP 120\n"; err != nil || string(buf[:n]) != want {
		t.Errorf("the FIFO held (%v)\n%swant\n%s", err, buf[:n], want)
	}
}

// TestNotifyAtStop: a target that hangs does not hold up the stop for longer than
// its time, nor the other targets at all.
func TestNotifyAtStop(t *testing.T) {
	t.Parallel() // waits for elections
	s := newSite(t)
	s.platform = quiet(s)
	s.setupCalm(fmt.Sprintf(`
notify "exec" "hung" { command = ["/bin/sh", "-c", "echo begun >>%s/hung; sleep 1000"] }
notify "exec" "all" { command = %s }
`, s.dir, s.writer("all")))
	s.start()
	s.told("all", "INSTANCE VI_1 BACKUP 100", "INSTANCE VI_1 MASTER 100")
	s.told("hung", "begun")
	begin := time.Now()
	s.stop()
	// Nobody takes over (1.5 s), then the targets have 2 s.
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("the stop took %s", d)
	}
	s.told("all", "INSTANCE VI_1 BACKUP 100", "INSTANCE VI_1 MASTER 100", "INSTANCE VI_1 STOP 100")
	s.told("hung", "begun", "begun")
}

// TestNotifyKinds: every kind of event that the configuration knows can be told.
func TestNotifyKinds(t *testing.T) {
	s := newSite(t)
	s.platform = quiet(s)
	s.setup(fmt.Sprintf("notify \"exec\" \"all\" {\n  command = [\"/bin/true\"]\n  events  = [\"%s\"]\n}\n", strings.Join(config.EventKinds, `", "`)))
	s.start()
}
