//go:build priv

package interop

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/netns"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
	"github.com/edgekeeper/edgekeeper/vrrp/socket"
	"github.com/edgekeeper/edgekeeper/vrrp/vip"
)

// The two sides of a group: eth0 and eth1, with a virtual address each.
var (
	sideInterfaces = []string{"eth0", "eth1"}
	sideVIPs       = []string{"192.0.2.100", "198.51.100.100"}
)

// runGroup is a sync group of a virtual router on each side. SIGUSR2 hands over.
func runGroup() error {
	f := flag.NewFlagSet("group", flag.ContinueOnError)
	priority := f.Uint("priority", 100, "")
	if err := f.Parse(os.Args[1:]); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var members []*instance.Runner
	var hosts []*vip.Host
	for i, name := range sideInterfaces {
		cfg := vrrp.Config{
			Name: "VI_" + name, VRID: 51, Priority: uint8(*priority),
			Addresses: []vrrp.Address{{Prefix: netip.MustParsePrefix(sideVIPs[i] + "/24")}},
		}
		host, err := vip.Open(vip.Config{Name: cfg.Name, Interface: name, Addresses: cfg.Addresses, Logger: log})
		if err != nil {
			return err
		}
		r, err := instance.New(instance.Config{
			VRRP: cfg, Host: host, Logger: log,
			Dial: func() (instance.Conn, error) {
				c, err := socket.Open(socket.Config{Interface: name, VRRP: cfg})
				if err != nil {
					return nil, err
				}
				return c, nil
			},
		})
		if err != nil {
			return err
		}
		hosts, members = append(hosts, host), append(members, r)
	}
	g, err := instance.NewGroup(instance.GroupConfig{
		Name: "edge", Members: members, Logger: log,
		OnRole: func(r instance.GroupRole) { fmt.Printf("group %s: %s\n", r.State, r.Reason) },
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	usr := make(chan os.Signal, 1)
	signal.Notify(usr, syscall.SIGUSR2)
	go func() {
		for range usr {
			fmt.Println("handover:", g.Handover(ctx, 0))
		}
	}()
	err = g.Run(ctx)
	for _, h := range hosts {
		err = errors.Join(err, h.Close())
	}
	return err
}

// sides are two LANs with the hosts a and b on both.
type sides struct {
	a, b         *netns.Host
	aPort, bPort netns.Port // of eth1
	ledgers      []*netns.Ledger
	late         *netns.Lateness
}

func newSides(t *testing.T) *sides {
	one, two := netns.NewLAN(t), netns.NewLAN(t)
	s := &sides{a: one.Host(t, "a", "192.0.2.1/24"), b: one.Host(t, "b", "192.0.2.2/24"), late: netns.MeasureLateness(t)}
	s.aPort = two.Join(t, s.a, "eth1", "198.51.100.1/24")
	s.bPort = two.Join(t, s.b, "eth1", "198.51.100.2/24")
	for _, ip := range sideVIPs {
		s.ledgers = append(s.ledgers, one.Ledger(t, ip, s.a, s.b))
	}
	return s
}

// both waits until this host alone has the addresses of both sides.
func (s *sides) both(t *testing.T, limit time.Duration, h *netns.Host, why string) {
	t.Helper()
	took := netns.Wait(t, limit, "both addresses on "+h.Name+" alone "+why, func() bool {
		return !slices.ContainsFunc(s.ledgers, func(l *netns.Ledger) bool { return !slices.Equal(l.Holders(), []string{h.Name}) })
	})
	t.Logf("both addresses are on %s %s after %s", h.Name, why, took.Round(time.Millisecond))
}

// never checks that since from no two hosts had one address.
func (s *sides) never(t *testing.T, from time.Time) {
	t.Helper()
	for _, l := range s.ledgers {
		l.Alone(t, from, s.late, vrrp.Config{Interval: time.Second}.ClaimWait())
	}
}

// briefly checks that since from two hosts did not have one address for longer
// than most.
func (s *sides) briefly(t *testing.T, from time.Time, most time.Duration) {
	t.Helper()
	for i, l := range s.ledgers {
		if times, two, none := l.Judge(from); two > most+s.late.Between(from, time.Now()) {
			t.Errorf("two hosts had %s %d times, for %s", sideVIPs[i], times, two)
		} else {
			t.Logf("%s: on two hosts %d times, for %s; on none for %s at most", sideVIPs[i], times, two, none)
		}
	}
}

func group(t *testing.T, h *netns.Host, priority int) *netns.Process {
	t.Helper()
	return h.Start(t, netns.Role("group", "-priority", fmt.Sprint(priority)))
}

// keepalivedGroup runs keepalived with a sync group of the same two sides.
func keepalivedGroup(t *testing.T, h *netns.Host, priority int) *netns.Process {
	t.Helper()
	dir := t.TempDir()
	conf := "global_defs {\n router_id keepalived\n script_user root\n}\nvrrp_sync_group edge {\n group {\n  VI_eth0\n  VI_eth1\n }\n}\n"
	for i, name := range sideInterfaces {
		conf += fmt.Sprintf("vrrp_instance VI_%s {\n state BACKUP\n interface %s\n virtual_router_id 51\n priority %d\n advert_int 1\n virtual_ipaddress {\n  %s/24\n }\n}\n",
			name, name, priority, sideVIPs[i])
	}
	file := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return h.Start(t, netns.Tool("keepalived", "-n", "-l", "-D", "-P", "-f", file, "-p", filepath.Join(dir, "pid"), "-r", filepath.Join(dir, "vrrp.pid")))
}

// TestGroup: two routers of ours with two interfaces each. Whatever happens to
// one of the links, or is ordered, both addresses move, and none is ever on both
// hosts.
func TestGroup(t *testing.T) {
	t.Parallel()
	s := newSides(t)
	begin := time.Now()
	a := group(t, s.a, 150)
	group(t, s.b, 100)
	s.both(t, patience, s.a, "at the start")
	s.aPort.Cut(t)
	s.both(t, patience, s.b, "when one link of a is cut")
	s.aPort.Mend(t)
	s.both(t, patience, s.a, "when it is mended")
	s.a.Cut(t)
	s.both(t, patience, s.b, "when the other is cut")
	s.a.Mend(t)
	s.both(t, patience, s.a, "when that is mended")
	a.Signal(t, syscall.SIGUSR2)
	a.WaitOutput(t, "handover: <nil>", patience)
	s.both(t, patience, s.b, "after a handover")
	s.never(t, begin)
}

// TestGroupKilled: both leases of a killed router end before its successor takes
// the addresses.
func TestGroupKilled(t *testing.T) {
	t.Parallel()
	s := newSides(t)
	begin := time.Now()
	a := group(t, s.a, 150)
	b := group(t, s.b, 100)
	s.both(t, patience, s.a, "at the start")
	b.WaitOutput(t, "group BACKUP", patience)
	a.Kill(t)
	s.both(t, patience, s.b, "when a was killed")
	s.never(t, begin)
}

// TestGroupBesideKeepalived: both with a sync group, with our router better and
// with keepalived better; one link of the master is cut and mended.
func TestGroupBesideKeepalived(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		ours, theirs  int
		first, second func(*sides) *netns.Host
	}{
		{"ours is better", 150, 100, func(s *sides) *netns.Host { return s.a }, func(s *sides) *netns.Host { return s.b }},
		{"keepalived is better", 100, 150, func(s *sides) *netns.Host { return s.b }, func(s *sides) *netns.Host { return s.a }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSides(t)
			begin := time.Now()
			ours := group(t, s.a, tt.ours)
			theirs := keepalivedGroup(t, s.b, tt.theirs)
			first, second := tt.first(s), tt.second(s)
			port := s.aPort
			if first == s.b {
				port = s.bPort
			}
			s.both(t, patience, first, "at the start")
			port.Cut(t)
			s.both(t, patience, second, "when eth1 is cut")
			port.Mend(t)
			s.both(t, patience, first, "when it is mended")
			first.Cut(t)
			s.both(t, patience, second, "when eth0 is cut")
			first.Mend(t)
			s.both(t, patience, first, "when it is mended")
			time.Sleep(3 * time.Second) // and it stays so
			s.both(t, patience, first, "later")
			master, process := theirs, s.a
			if first == s.a {
				master, process = ours, s.b
			}
			if err := master.Stop(t, 5*time.Second); err != nil && first == s.a {
				t.Errorf("stop: %v", err)
			}
			s.both(t, patience, process, "when the master stops")
			s.briefly(t, begin, time.Second) // keepalived does not wait for us: one advert
		})
	}
}
