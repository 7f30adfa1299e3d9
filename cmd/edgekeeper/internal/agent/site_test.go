package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/agent"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/inputs"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/lvstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kernel is the strict fake with the rest of what a director asks of IPVS.
type kernel struct {
	lvstest.Kernel
	timeouts lvs.Timeouts
}

func (k *kernel) Connections(context.Context, lvs.ConnectionFilter) ([]lvs.Connection, error) {
	return []lvs.Connection{{Protocol: lvs.TCP, Client: netip.MustParseAddrPort("10.0.0.9:1234"), State: "ESTABLISHED"}}, nil
}
func (k *kernel) Timeouts() (lvs.Timeouts, error) { return k.timeouts, nil }
func (k *kernel) SetTimeouts(t lvs.Timeouts) error {
	k.timeouts = t
	return nil
}
func (k *kernel) SyncDaemons(context.Context) ([]lvs.SyncDaemon, error) { return nil, nil }
func (k *kernel) ApplySync(context.Context, lvs.SyncOp) error           { return nil }
func (k *kernel) Close() error                                          { return nil }

// site is a director under test: a folder, a fake kernel, and web servers that
// are sockets of this process.
type site struct {
	t      testing.TB
	dir    string
	kernel *kernel
	hup    chan os.Signal
	cancel context.CancelFunc
	done   chan error
	loads  atomic.Int64 // how often the configuration was read

	platform agent.Platform // OpenIPVS nil: the fake kernel
	level    slog.Level     // of the lines that are printed
}

const base = `
router_id = "lvs1"
state_dir = "%[1]s/state"
on_stop   = "%[2]s"
control { socket = "%[1]s/sock" }
file_catalog { path = "%[1]s/catalog" }
ipvs { manage_sysctls = false }
virtual_server "web" {
  address   = "127.0.0.1:%[3]d"
  scheduler = "wrr"
  forward   = "nat"
  %[4]s
}
`

// newSite makes the folder; start runs a director in it.
func newSite(t testing.TB) *site {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "catalog"), 0o755); err != nil {
		t.Fatal(err)
	}
	return &site{t: t, dir: dir, kernel: &kernel{}}
}

func (s *site) config(onStop, pool string) {
	s.write("director.hcl", fmt.Sprintf(base, s.dir, onStop, 80, pool))
}

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// rewrite replaces a text in a file of the folder.
func (s *site) rewrite(name, old, text string) {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil || !strings.Contains(string(b), old) {
		s.t.Fatalf("%s: no %q in it (%v)", name, old, err)
	}
	s.write(name, strings.ReplaceAll(string(b), old, text))
}

func (s *site) start() {
	s.t.Helper()
	s.run()
	// It answers before it has begun: without a router, say.
	s.until("the director has begun", func() bool {
		events, err := s.client().Events(s.t.Context(), 0)
		return err == nil && strings.Contains(fmt.Sprint(events), "started with")
	})
	s.snapshot() // when all that it begins with is done
}

// run is start, without waiting for anything.
func (s *site) run() {
	s.t.Helper()
	path := filepath.Join(s.dir, "director.hcl")
	load := func() (*config.Config, *inputs.Reader, error) {
		s.loads.Add(1)
		in := inputs.New(nil)
		cfg, err := config.LoadOn(path, in, nil)
		return cfg, in, err
	}
	cfg, in, err := load()
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if s.platform.OpenIPVS == nil {
		s.platform.OpenIPVS = func(context.Context, *slog.Logger) (agent.IPVS, error) { return s.kernel, nil }
	}
	s.cancel, s.done, s.hup = cancel, make(chan error, 1), make(chan os.Signal, 1)
	go func() {
		s.done <- agent.Run(ctx, agent.Options{
			Path: path, Config: cfg, Inputs: in, Load: load, Reload: s.hup, LoadFrom: func(path, _ string) (*config.Config, error) { return config.Load(path, nil) },
			Log:      slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: s.level})),
			Platform: s.platform,
		})
	}()
	s.t.Cleanup(s.stop)
}

func (s *site) stop() {
	if s.cancel == nil {
		return
	}
	s.cancel()
	if err := <-s.done; err != nil {
		s.t.Errorf("director: %v", err)
	}
	s.cancel = nil
}

func (s *site) client() *control.Client { return control.NewClient(filepath.Join(s.dir, "sock")) }

func (s *site) snapshot() control.Snapshot {
	s.t.Helper()
	snap, err := s.client().Snapshot(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return snap
}

// patience is how long until waits on a machine that has much else to do.
const patience = 30 * time.Second

// until waits for something that is about to happen.
func (s *site) until(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not within %s: %s; the kernel holds:\n%s", patience, what, s.kernel.Dump())
		}
	}
}

// table waits until the kernel holds these real servers: "1:10 2:0" is port 1 … with weight.
func (s *site) table(want string) {
	s.t.Helper()
	s.until("table "+want, func() bool { return s.held() == want })
}

func (s *site) held() string {
	have, err := s.kernel.Table(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, p := range have.Table {
		for _, d := range p.Dests {
			out = append(out, fmt.Sprintf("%s:%d", d.Addr.Addr(), d.Weight))
		}
	}
	return strings.Join(out, " ")
}
