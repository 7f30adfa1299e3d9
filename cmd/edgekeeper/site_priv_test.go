//go:build priv

package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/test/binaries"
	"github.com/edgekeeper/edgekeeper/test/netns"
)

func TestMain(m *testing.M) { netns.Main(m, nil) }

var program = sync.OnceValues(func() (string, error) { return binaries.Edgekeeper(context.Background(), nil) })

// Bounds. The promise is skew + 100 ms; a test machine may be busy.
const (
	promise  = 100 * time.Millisecond
	busy     = 400 * time.Millisecond
	v2skew   = 609 * time.Millisecond  // adverts every second, priority 100
	v2down   = 3609 * time.Millisecond // the same
	v2claim  = 250 * time.Millisecond  // more, where the backup has just started and knows no master
	settling = 10 * time.Second
)

// machine is a host with a director.
type machine struct {
	*netns.Host
	t    *testing.T
	dir  string
	path string // of the program; default: program
	proc *netns.Process
	past []*netns.Process // all that were started
}

// theSite are two directors of one virtual router; a is master.
type theSite struct {
	lan    *netns.LAN
	a, b   *machine
	ledger *ledger
	late   *netns.Lateness
}

// bound is how long something that began then may take on this machine.
func (s *theSite) bound(promised time.Duration, begin time.Time) time.Duration {
	return promised + busy + s.late.Between(begin, time.Now())
}

// variant is what differs between virtual routers.
type variant struct {
	vip     string
	vrrp    string // arguments of the vrrp block
	root    string
	a, b    string // addresses of the hosts; default IPv4
	unicast bool
	program string // default: program
}

func newSite(t *testing.T, v variant) *theSite {
	t.Helper()
	if v.vip == "" {
		v.vip = "192.0.2.100/24"
	}
	if v.a == "" {
		v.a, v.b = "192.0.2.1/24", "192.0.2.2/24"
	}
	lan := netns.NewLAN(t)
	s := &theSite{lan: lan, late: netns.MeasureLateness(t)}
	s.a = s.machine(t, lan, "a", v.a, v.b, v)
	s.b = s.machine(t, lan, "b", v.b, v.a, v)
	s.ledger = newLedger(t, lan, v.vip, s.a, s.b)
	s.a.start()
	s.a.master()
	s.b.start()
	s.settled(t)
	return s
}

// settled waits until one director is backup of the other, and calls the master
// a: with quick adverts, a machine that is late can have changed who that is.
func (s *theSite) settled(t *testing.T) {
	t.Helper()
	is := func(m *machine, ok func(control.Router) bool) bool {
		r, err := m.router()
		return err == nil && ok(r)
	}
	master := func(r control.Router) bool { return r.State == "MASTER" }
	backup := func(r control.Router) bool { return r.State == "BACKUP" && r.Received > 0 }
	netns.Wait(t, settling, "master and backup", func() bool {
		return is(s.a, master) && is(s.b, backup) || is(s.b, master) && is(s.a, backup)
	})
	if is(s.b, master) {
		s.a, s.b = s.b, s.a
		s.ledger.hosts["a"], s.ledger.hosts["b"] = s.a.Host, s.b.Host
	}
}

// amid waits for the middle between two adverts of a second: the guardian gets the
// resignation that is newer than a signed advert a moment after that has left, and a
// director that dies before has none that the backup would take.
func (s *theSite) amid(t *testing.T) {
	t.Helper()
	before := s.heard(t)
	netns.Wait(t, settling, "an advert", func() bool { return s.heard(t) > before })
	time.Sleep(time.Second / 2)
}

func (s *theSite) machine(t *testing.T, lan *netns.LAN, name, address, peer string, v variant) *machine {
	t.Helper()
	dir, err := os.MkdirTemp("", "ek") // short: a unix socket is in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	m := &machine{Host: lan.Host(t, name, strings.Fields(address)...), t: t, dir: dir, path: v.program}
	peers := ""
	if v.unicast {
		peers = fmt.Sprintf("unicast_peers = [%q]", netip.MustParsePrefix(peer).Addr())
	}
	text := fmt.Sprintf(`
router_id = %q
state_dir = %q
%s
control { socket = %q }
ipvs { manage_sysctls = false }
vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  preempt           = false
  %s
  %s
  virtual_address %q {}
}
`, name, dir+"/state", v.root, dir+"/sock", peers, v.vrrp, v.vip)
	if err := os.WriteFile(filepath.Join(dir, "director.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *machine) start() {
	m.t.Helper()
	path, err := m.path, error(nil)
	if path == "" {
		path, err = program()
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.proc = m.Host.Start(m.t, netns.Command{Path: path, Args: []string{"director", "-config", m.dir + "/director.hcl"}})
	m.past = append(m.past, m.proc)
}

func (m *machine) snapshot() (control.Snapshot, error) {
	ctx, cancel := context.WithTimeout(context.Background(), settling/2)
	defer cancel()
	return control.NewClient(m.dir + "/sock").Snapshot(ctx)
}

func (m *machine) until(what string, ok func(control.Router) bool) {
	m.t.Helper()
	netns.Wait(m.t, settling, m.Name+" "+what, func() bool {
		r, err := m.router()
		return err == nil && ok(r)
	})
}

// router is the status of VI_1. The socket is there before the first router.
func (m *machine) router() (control.Router, error) {
	s, err := m.snapshot()
	i := slices.IndexFunc(s.VRRP, func(r control.Router) bool { return r.Name == "VI_1" })
	if i < 0 {
		return control.Router{}, fmt.Errorf("no VI_1: %w", err)
	}
	return s.VRRP[i], err
}

// master waits until the director is master and its guardian armed, and returns
// the process id of that.
func (m *machine) master() (pid int) {
	m.t.Helper()
	netns.Wait(m.t, settling, m.Name+" is master and guarded", func() bool {
		s, err := m.snapshot()
		if err != nil || len(s.VRRP) == 0 || s.VRRP[0].State != "MASTER" || s.Guardian == nil || len(s.Guardian.Armed) == 0 {
			return false
		}
		pid = s.Guardian.PID
		return true
	})
	return pid
}

func (m *machine) guardian() int {
	s, err := m.snapshot()
	if err != nil || s.Guardian == nil {
		return 0
	}
	return s.Guardian.PID
}

func kill(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatalf("kill %d: %v", pid, err)
	}
}

func alive(pid int) bool {
	// The first thread of a killed process can be gone while others still hold
	// its files and locks.
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		panic(err) // the pattern is wrong
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err == nil && !strings.Contains(string(b), ") Z ") && !strings.Contains(string(b), ") X ") {
			return true
		}
	}
	return false
}

// ledger is who held the address when.
type ledger struct {
	*netns.Ledger
	hosts map[string]*netns.Host
}

func newLedger(t *testing.T, lan *netns.LAN, vip string, machines ...*machine) *ledger {
	t.Helper()
	l := &ledger{hosts: map[string]*netns.Host{}}
	var hosts []*netns.Host
	for _, m := range machines {
		l.hosts[m.Name] = m.Host
		hosts = append(hosts, m.Host)
	}
	l.Ledger = lan.Ledger(t, netip.MustParsePrefix(vip).Addr().String(), hosts...)
	return l
}

// first is when the address came to a host, or went, after from.
func (l *ledger) first(host string, has bool, from time.Time) (time.Time, bool) {
	return l.First(l.hosts[host], has, from)
}

// after waits for that and returns how long after from it was.
func (l *ledger) after(t *testing.T, limit time.Duration, host string, has bool, from time.Time) time.Duration {
	t.Helper()
	return l.After(t, limit, l.hosts[host], has, from)
}

// noTwo fails the test when two hosts held the address since from.
func (l *ledger) noTwo(t *testing.T, from time.Time) {
	t.Helper()
	times, two, none := l.Judge(from)
	if times > 0 {
		t.Errorf("both held the address %d times, for %s", times, two)
	}
	t.Logf("nobody held the address for at most %s", none.Round(time.Millisecond))
}
