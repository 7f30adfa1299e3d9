package agent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/agent"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/statedir"
	"github.com/edgekeeper/edgekeeper/lvs"
)

func TestPoolFollowsTheFileCatalog(t *testing.T) {
	s := newSite(t)
	s.config("release", `service "web" {}`)
	s.write("catalog/web.hcl", `service { name = "web" id = "web-1" address = "10.0.0.1" port = 80 weights { passing = 5 warning = 1 } }`)
	s.start()
	s.table("10.0.0.1:5")
	s.write("catalog/web2.json", `{"service": {"name": "web", "id": "web-2", "address": "10.0.0.2", "port": 80}}`)
	s.table("10.0.0.1:5 10.0.0.2:1")
	s.write("catalog/web2.json", `{"service": {"name": "web", "id": `) // half a file changes nothing
	s.until("the broken file is reported", func() bool { return strings.Contains(fmt.Sprint(s.snapshot().Sources), "web2.json") })
	s.table("10.0.0.1:5 10.0.0.2:1")
	if err := os.Remove(filepath.Join(s.dir, "catalog/web2.json")); err != nil {
		t.Fatal(err)
	}
	s.table("10.0.0.1:5")

	s.stop()
	if got := s.kernel.Dump(); got != "" {
		t.Errorf("left after on_stop = release:\n%s", got)
	}
}

func TestLiveSettings(t *testing.T) {
	s := newSite(t)
	s.config("release", `real_server "10.0.0.1:80" { weight = 5 }`)
	s.start()
	s.table("10.0.0.1:5")
	ctx, c := t.Context(), s.client()

	if err := c.Put(ctx, "weight/web/10.0.0.1:80", "9"); err != nil {
		t.Fatal(err)
	}
	s.table("10.0.0.1:9")
	if err := c.Put(ctx, "drain/web/10.0.0.1", "by hand"); err != nil {
		t.Fatal(err)
	}
	s.table("10.0.0.1:0")
	for _, key := range []string{"weight/web/10.0.0.1:80", "drain/web/10.0.0.1"} {
		if err := c.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
	}
	s.table("10.0.0.1:5")

	for _, bad := range []struct{ key, value, want string }{
		{"weight/web/10.0.0.1:80", "banana", "a weight is a whole number"},
		{"weight/wbe/10.0.0.1:80", "1", `no virtual server "wbe"`},
		{"weight/web/10.0.0.7:80", "1", `no real server "10.0.0.7:80"; there are: 10.0.0.1:80`},
		{"priority/VI_9/lvs1", "1", `no VRRP instance "VI_9"`},
		{"drain/node/n9", "", `no pool has a real server on node "n9"`},
	} {
		err := c.Put(ctx, bad.key, bad.value)
		if !errors.Is(err, control.ErrBadRequest) || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("put %s = %s: %v, want %q", bad.key, bad.value, err, bad.want)
		}
	}
	if err := c.Delete(ctx, "weight/web/10.0.0.1:80"); !errors.Is(err, control.ErrBadRequest) {
		t.Errorf("delete of a setting that is not there: %v", err)
	}
	// One written past the command is reported and changes nothing.
	s.write("state/kv.json", `{"weight/web/10.0.0.1:80": "banana"}`)
	s.until("the bad value is reported", func() bool { return len(s.snapshot().KV.Rejected) == 1 })
	s.table("10.0.0.1:5")
}

func TestReload(t *testing.T) {
	s := newSite(t)
	s.config("release", `real_server "10.0.0.1:80" {}`)
	s.start()
	s.table("10.0.0.1:1")
	s.config("release", `real_server "10.0.0.1:80" { weight = "heavy" }`)
	s.hup <- syscall.SIGHUP
	s.until("the configuration is refused", func() bool { return strings.Contains(s.snapshot().Config.Refused, "director.hcl:") })
	s.table("10.0.0.1:1")
	s.config("release", `real_server "10.0.0.2:80" { weight = 4 }`)
	s.hup <- syscall.SIGHUP
	s.table("10.0.0.2:4")
	if r := s.snapshot().Config.Refused; r != "" {
		t.Errorf("still refused: %s", r)
	}
}

func TestRestartAdoptsWithoutAnOp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := newSite(t)
	s.config("keep", fmt.Sprintf(`
		real_server "%s" {
		  weight = 3
		}
		real_server "127.0.0.1:1" {
		  weight = 3
		}
		check "tcp" {
		  interval    = "1s"
		  timeout     = "1s"
		  retries     = 3
		  retry_delay = "20ms"
		}`, l.Addr()))
	s.start()
	s.table("127.0.0.1:0 127.0.0.1:3")
	s.stop()
	s.table("127.0.0.1:0 127.0.0.1:3")
	s.kernel.Ops()

	s.start()
	s.until("both verdicts are in", func() bool {
		snap := s.snapshot()
		return len(snap.Pools) == 1 && len(snap.Pools[0].Servers) == 2 && snap.IPVS.Adopted.Services == 1 &&
			snap.Pools[0].Servers[0].State.String() == "failed" && snap.Pools[0].Servers[1].Checks[0].Health.String() == "up"
	})
	if ops := s.kernel.Ops(); len(ops) > 0 {
		t.Errorf("adoption took %d ops: %v", len(ops), ops)
	}
	if a := s.snapshot().IPVS.Adopted; a.Services != 1 || a.Servers != 2 || a.Ops != 0 {
		t.Errorf("adopted = %+v", a)
	}
}

// TestDriftIsRepairedAndReported has somebody change the table in each way; the
// event names what was alien.
func TestDriftIsRepairedAndReported(t *testing.T) {
	s := newSite(t)
	s.config("release", `real_server "10.0.0.1:80" {}`)
	s.start()
	s.table("10.0.0.1:1")
	web := lvs.Service{Key: lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddr("127.0.0.1"), Port: 80}, Scheduler: "wrr"}
	dest := func(addr string, weight uint32) lvs.Dest {
		return lvs.Dest{Addr: netip.MustParseAddrPort(addr), Weight: weight, Forward: lvs.NAT}
	}
	slow := web
	slow.Scheduler, slow.Persistence = "rr", 60
	for _, c := range []struct {
		op   lvs.Op
		want string
	}{
		{lvs.Op{Verb: lvs.RemoveService, Service: web}, "somebody else removed virtual server tcp 127.0.0.1:80; repaired: add"},
		{lvs.Op{Verb: lvs.RemoveDest, Service: web, Dest: dest("10.0.0.1:80", 1)}, "somebody else removed real server 10.0.0.1:80; repaired: add"},
		{lvs.Op{Verb: lvs.AddDest, Service: web, Dest: dest("10.0.0.9:80", 5)}, "somebody else added real server 10.0.0.9:80 (weight 5, forward nat); repaired: set"},
		{lvs.Op{Verb: lvs.SetDest, Service: web, Dest: dest("10.0.0.1:80", 9)}, "somebody else changed real server 10.0.0.1:80: weight 1 -> 9; repaired: set"},
		{lvs.Op{Verb: lvs.SetService, Service: slow}, "somebody else changed virtual server tcp 127.0.0.1:80: scheduler wrr -> rr, persistence 0 s -> 60 s; repaired: set"},
	} {
		if err := s.kernel.Do(c.op); err != nil {
			t.Fatal(err)
		}
		s.until("an event says "+c.want, func() bool {
			return slices.ContainsFunc(s.events("drift", "tcp 127.0.0.1:80"), func(e string) bool { return strings.HasPrefix(e, c.want) })
		})
		s.table("10.0.0.1:1")
	}
}

func TestSecondDirectorTouchesNothing(t *testing.T) {
	s := newSite(t)
	s.config("release", `real_server "10.0.0.1:80" {}`)
	s.start()
	s.table("10.0.0.1:1")
	cfg, err := config.Load(filepath.Join(s.dir, "director.hcl"), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	touched := func(string) error { t.Error("the second director cleaned up"); return nil }
	err = agent.Run(t.Context(), agent.Options{Config: cfg, Platform: agent.Platform{Cleanup: touched}})
	if !errors.Is(err, statedir.ErrRunning) {
		t.Errorf("second director: %v", err)
	}
	if err := agent.Cleanup(t.Context(), cfg.StateDir, agent.Platform{Cleanup: touched}, slog.New(slog.DiscardHandler)); !errors.Is(err, statedir.ErrRunning) {
		t.Errorf("clean-up beside a living director: %v", err)
	}
	s.table("10.0.0.1:1")
}

// TestCleanupAfterAKill is a director that ends without undoing anything.
func TestCleanupAfterAKill(t *testing.T) {
	for _, onStop := range []string{"release", "keep"} {
		t.Run(onStop, func(t *testing.T) {
			s := newSite(t)
			s.config("keep", `real_server "10.0.0.1:80" {}`) // leaves everything …
			s.start()
			s.table("10.0.0.1:1")
			s.stop()
			if onStop == "release" { // … as one that was killed would
				b, err := os.ReadFile(filepath.Join(s.dir, "state/ipvs.json"))
				if err != nil {
					t.Fatal(err)
				}
				s.write("state/ipvs.json", strings.Replace(string(b), `"keep": true`, `"keep": false`, 1))
			}
			platform := agent.Platform{OpenIPVS: func(context.Context, *slog.Logger) (agent.IPVS, error) { return s.kernel, nil }}
			if err := agent.Cleanup(t.Context(), filepath.Join(s.dir, "state"), platform, slog.New(slog.DiscardHandler)); err != nil {
				t.Fatal(err)
			}
			if left := s.kernel.Dump() != ""; left != (onStop == "keep") {
				t.Errorf("on_stop = %s, left after clean-up: %q", onStop, s.kernel.Dump())
			}
		})
	}
}

// TestEveryBrokenFileIsRefused gives a running director every broken file that
// the configuration's own tests have.
func TestEveryBrokenFileIsRefused(t *testing.T) {
	files, err := filepath.Glob("../config/testdata/bad/*.hcl")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d broken files found (%v), want 30 and more", len(files), err)
	}
	s := newSite(t)
	s.config("release", `real_server "10.0.0.1:80" {}`)
	s.start()
	s.table("10.0.0.1:1")
	for n, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s.write("director.hcl", string(b))
		s.hup <- syscall.SIGHUP
		s.until(file+" is refused", func() bool {
			refused, err := s.client().Events(t.Context(), 0)
			count := 0
			for _, e := range refused {
				if e.Kind == "config" && strings.Contains(e.Text, "refused") && strings.Contains(e.Text, "director.hcl:") {
					count++
				}
			}
			return err == nil && count == n+1
		})
	}
	s.table("10.0.0.1:1")
}

func TestReloadThatCannotBeCarriedOutIsRefusedWhole(t *testing.T) {
	s := newSite(t)
	s.config("release", `real_server "10.0.0.1:80" {}`)
	s.start()
	s.table("10.0.0.1:1")
	for _, c := range []struct{ text, want string }{
		{`consul { ca_cert = "/nonexistent.pem" }`, "nonexistent.pem"},
		{`log_level = "debug"`, "log_level and log_json cannot change while the director runs"},
	} {
		s.write("director.hcl", fmt.Sprintf(base, s.dir, "release", 80, `real_server "10.0.0.2:80" {}`)+c.text+"\n")
		s.hup <- syscall.SIGHUP
		s.until("refused: "+c.want, func() bool { return strings.Contains(s.snapshot().Config.Refused, c.want) })
	}
	s.table("10.0.0.1:1")
}

func TestFloatingAddressNeedsNoIPVS(t *testing.T) {
	s := newSite(t)
	s.write("director.hcl", fmt.Sprintf("router_id = \"lvs1\"\nstate_dir = %q\ncontrol { socket = %q }\n", s.dir+"/state", s.dir+"/sock"))
	s.kernel = nil // a director that opened IPVS would crash
	s.start()
	if snap := s.snapshot(); !snap.IPVS.InSync || len(snap.Pools) != 0 {
		t.Errorf("snapshot = %+v", snap)
	}
}

func TestVirtualServersOfAnEarlierRunAreRemovedAndForeignOnesAreNot(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	foreign := lvs.Service{Key: lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddr("192.0.2.9"), Port: 443}, Scheduler: "rr"}
	if err := s.kernel.Do(lvs.Op{Verb: lvs.AddService, Service: foreign}); err != nil {
		t.Fatal(err)
	}
	s.config("keep", `real_server "10.0.0.1:80" {}`)
	s.start()
	s.table("10.0.0.1:1")
	s.stop()
	s.write("director.hcl", fmt.Sprintf(base, s.dir, "release", 81, `real_server "10.0.0.2:81" {}`))
	s.start()
	s.table("10.0.0.2:1")
	weight := 0
	s.until("only what is wanted is recorded as ours", func() bool {
		weight++ // a reason to decide anew
		if err := s.client().Put(t.Context(), "weight/web/10.0.0.2:81", fmt.Sprint(weight)); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(s.dir, "state", "ipvs.json"))
		return err == nil && strings.Count(string(b), "Port") == 1
	})
	s.stop()
	if got, want := s.kernel.Dump(), "tcp 192.0.2.9:443 rr\n"; got != want {
		t.Errorf("left:\n%swant:\n%s", got, want)
	}
}
