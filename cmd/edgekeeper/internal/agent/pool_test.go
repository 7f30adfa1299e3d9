package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/agent"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/lvstest"
)

// instanceFile is a file of the catalog with one instance of the service web.
func instanceFile(n, weight int) string {
	return fmt.Sprintf(`service { name = "web" id = "web-%[1]d" address = "10.0.0.%[1]d" port = 80 weights { passing = %[2]d warning = 1 } }`, n, weight)
}

// events lists the texts of the events of a kind about an object.
func (s *site) events(kind, object string) []string {
	s.t.Helper()
	list, err := s.client().Events(s.t.Context(), 0)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		if e.Kind == kind && e.Object == object {
			out = append(out, e.Text)
		}
	}
	return out
}

func TestSlowStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config("keep", `service "web" {}
  slow_start {
    window = "3s"
  }`)
	s.write("catalog/1.hcl", instanceFile(1, 100))
	s.start()
	s.table("10.0.0.1:100") // an empty pool begins with its full weight
	s.stop()
	s.start() // of a table that it finds, it takes the servers to be warm
	s.kernel.Ops()
	s.write("catalog/2.hcl", instanceFile(2, 100))
	s.table("10.0.0.1:100 10.0.0.2:100")

	last, steps := uint32(0), 0
	for _, op := range s.kernel.Ops() {
		if op.Verb != lvs.AddDest && op.Verb != lvs.SetDest || op.Dest.Addr.String() != "10.0.0.2:80" {
			t.Errorf("unexpected: %s", op)
			continue
		}
		if op.Dest.Weight <= last {
			t.Errorf("from %d to %d", last, op.Dest.Weight)
		}
		last, steps = op.Dest.Weight, steps+1
	}
	// Fewer than 20, for a late loop leaves some out.
	if steps < 3 || steps > 21 {
		t.Errorf("%d steps", steps)
	}
	var told []string
	s.until("the end is told", func() bool {
		told = s.events("server", "web 10.0.0.2:80")
		return strings.HasPrefix(told[len(told)-1], "serving with weight 100")
	})
	if len(told) != 2 || !strings.Contains(told[0], "slow start") || !strings.HasPrefix(told[1], "serving with weight 100") {
		t.Errorf("events %q, want one of the beginning and one of the end", told)
	}
}

func TestFallbackAnswers(t *testing.T) {
	s := newSite(t)
	s.config("release", `real_server "10.0.0.1" {}
  fallback "dc2" {
    service "web" {}
  }
  sorry_server "10.0.0.3" {}`)
	s.write("catalog/2.hcl", instanceFile(2, 5))
	s.start()
	s.table("10.0.0.1:1")
	order := func(key, value string) {
		t.Helper()
		if err := s.client().Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	order("drain/web/10.0.0.1", "away")
	s.table("10.0.0.2:5") // 10.0.0.1 had no connections to finish
	p := s.snapshot().Pools[0]
	if p.Answers != discovery.TheFallback || len(p.Fallback.Servers) != 1 || p.Fallback.Servers[0].Kernel == nil || p.Sorry.State != discovery.Standby {
		t.Errorf("pool %+v, fallback %+v, sorry server %+v", p, p.Fallback, p.Sorry)
	}
	order("drain/web/web-2", "away, too") // an order that only the fallback knows
	s.table("10.0.0.3:1")
	if err := s.client().Delete(t.Context(), "drain/web/10.0.0.1"); err != nil {
		t.Fatal(err)
	}
	s.table("10.0.0.1:1")
	want := []string{"quorum lost", "the fallback pool dc2 answers", "the sorry server 10.0.0.3:80 answers", "quorum regained", "its own real servers answer again"}
	s.until("all is told", func() bool { return slices.Equal(s.events("pool", "web"), want) })
}

// A director that is a real server itself has the virtual server only as master.
func TestActiveOnMaster(t *testing.T) {
	for _, onStop := range []string{"release", "keep"} {
		t.Run(onStop, func(t *testing.T) {
			t.Parallel() // waits for an election
			s := newSite(t)
			s.platform = quiet(s)
			s.platform.Addresses = func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("10.0.0.1")} }
			configure := func(activeOn string) {
				s.write("director.hcl", fmt.Sprintf(base, s.dir, onStop, 80, `real_server "10.0.0.1" { forward = "dr" }
  real_server "10.0.0.2" {}
  `+activeOn)+strings.Replace(router, "400ms", "1s", 1)) // time enough to be seen as a backup
			}
			configure(`active_on = "master"
  vrrp      = "VI_1"`)
			s.start()
			s.until("the backup stands by", func() bool {
				p := s.snapshot().Pools
				return len(p) == 1 && p[0].Standby == `VI_1 is BACKUP here, and active_on is "master"` && len(p[0].Warnings) == 0
			})
			s.until("the master does not", func() bool { return s.snapshot().Pools[0].Standby == "" })
			s.table("10.0.0.1:1 10.0.0.2:1")
			all, err := s.client().Events(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			master := slices.IndexFunc(all, func(e control.Event) bool { return e.Kind == "vrrp" && strings.HasPrefix(e.Text, "MASTER") })
			first := slices.IndexFunc(all, func(e control.Event) bool { return e.Kind == "ipvs" })
			if master < 0 || first < master {
				t.Errorf("event %d is the first change of the table, %d that it is master: %+v", first, master, all)
			}

			configure("") // a change in place
			s.hup <- syscall.SIGHUP
			s.until("the danger is named", func() bool {
				return strings.Contains(fmt.Sprint(s.snapshot().Pools[0].Warnings), `set active_on = "master"`)
			})
			s.leftByGuardian("web", "other")
			configure(`active_on = "master"
  vrrp      = "VI_1"`)
			s.hup <- syscall.SIGHUP
			s.until("it is gone", func() bool { return len(s.snapshot().Pools[0].Warnings) == 0 })
			s.table("10.0.0.1:1 10.0.0.2:1")
			s.leftByGuardian("other")

			s.stop()
			if got := s.kernel.Dump(); got != "" {
				t.Errorf("after the end as a master there is:\n%s", got)
			}
		})
	}
}

// leftByGuardian lets a guardian withdraw what only a master has from a kernel
// with the virtual server and one of somebody else, and checks what is left.
func (s *site) leftByGuardian(want ...string) {
	s.t.Helper()
	names := map[string]lvs.Service{}
	var dead kernel
	for name, port := range map[string]uint16{"web": 80, "other": 81} {
		names[name] = lvs.Service{Key: lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddr("127.0.0.1"), Port: port}, Scheduler: "wrr"}
		if err := dead.Do(lvs.Op{Verb: lvs.AddService, Service: names[name]}); err != nil {
			s.t.Fatal(err)
		}
	}
	open := func(context.Context, *slog.Logger) (agent.IPVS, error) { return &dead, nil }
	if err := agent.Withdraw(s.t.Context(), filepath.Join(s.dir, "state"), agent.Platform{OpenIPVS: open}, slog.New(slog.DiscardHandler)); err != nil {
		s.t.Fatal(err)
	}
	left := lvs.Table{}
	for _, name := range want {
		left[names[name].Key] = lvs.NewPool(names[name])
	}
	if d := cmp.Diff(lvstest.Dump(left), dead.Dump()); d != "" {
		s.t.Errorf("after the guardian (-want +got):\n%s", d)
	}
}

// A scheduler that the kernel lacks costs its own virtual server only, and is
// served as soon as the module is there.
func TestSchedulerOfAMissingModule(t *testing.T) {
	s := newSite(t)
	s.kernel.Schedulers = []string{"wrr"}
	s.config("release", `real_server "10.0.0.1" {}
}
virtual_server "hashed" {
  address   = "127.0.0.1:81"
  scheduler = "mh"
  forward   = "nat"
  real_server "10.0.0.2" {}`)
	s.start()
	s.table("10.0.0.1:1")
	const want = "the kernel has no scheduler mh, and its module ip_vs_mh could not be loaded"
	s.until("the reason is shown", func() bool {
		p := s.snapshot().Pools
		return len(p) == 2 && p[0].Error == "" && strings.HasPrefix(p[1].Error, want)
	})
	if err := s.client().Put(t.Context(), "weight/web/10.0.0.1", "3"); err != nil {
		t.Fatal(err)
	}
	s.table("10.0.0.1:3") // the rest of the table goes on
	if err := s.client().Put(t.Context(), "scheduler/hashed", "wrr"); err != nil {
		t.Fatal(err)
	}
	s.until("another scheduler helps", func() bool {
		return s.snapshot().Pools[1].Error == "" && strings.Contains(s.kernel.Dump(), "10.0.0.2:81")
	})
}
