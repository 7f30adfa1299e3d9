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

// signed adverts: the resignation must be newer than the last of them.
const signed = `authentication {
    type = "hmac"
    key "1" {
      hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    }
  }`

// TestGuardianHandsOver: kill -9 of the director alone costs the skew time.
func TestGuardianHandsOver(t *testing.T) {
	for _, c := range []struct {
		name string
		v    variant
		want time.Duration // until the backup has the address
	}{
		{"version 2", variant{}, v2skew},
		{"version 2 with a password", variant{vrrp: `authentication { 
    type = "pass"
    secret = "5525" 
  }`}, v2skew},
		{"version 3, 100 ms", variant{vrrp: "version = 3\nadvert_interval = \"100ms\""}, 61 * time.Millisecond},
		{"unicast", variant{unicast: true}, v2skew},
		{"IPv6", variant{vip: "2001:db8::100/64", a: "fe80::1/64", b: "fe80::2/64"}, v2skew},
		{"signed", variant{vrrp: signed}, v2skew},
		{"signed, version 3, 100 ms, unicast", variant{vrrp: "version = 3\nadvert_interval = \"100ms\"\n" + signed, unicast: true}, 61 * time.Millisecond},
		{"signed, IPv6, unicast", variant{vrrp: signed, vip: "2001:db8::100/64", a: "fe80::1/64", b: "fe80::2/64", unicast: true}, v2skew},
		{"no lease", variant{vrrp: `lease = "off"`}, v2skew},
		// Nobody can resign; the address goes at once all the same.
		{"AH", variant{vrrp: `authentication { 
    type = "ah"
    secret = "5525" 
  }`}, v2down},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, c.v)
			pid := s.a.master()
			if strings.Contains(c.v.vrrp, signed) && c.want == v2skew {
				s.amid(t)
			}
			begin := time.Now()
			s.a.proc.Signal(t, syscall.SIGKILL)
			off := s.ledger.after(t, settling, "a", false, begin)
			on := s.ledger.after(t, settling, "b", true, begin)
			t.Logf("address off after %s, on the backup after %s; the skew time is %s", off.Round(100*time.Microsecond), on.Round(100*time.Microsecond), c.want)
			if off > s.bound(promise, begin) {
				t.Errorf("address off after %s", off)
			}
			if on > s.bound(c.want+promise, begin) {
				t.Errorf("taken over after %s, promised are %s", on, c.want+promise)
			}
			if on < off {
				t.Error("the backup had the address first")
			}
			netns.Wait(t, settling, "end of the guardian", func() bool { return !alive(pid) })
			s.ledger.noTwo(t, begin)
			<-s.a.proc.Done() // its output ends with the guardian's
			if !strings.Contains(s.a.proc.Output(), "the director died") {
				t.Error("the guardian does not say what it did")
			}
			s.a.start() // at once, in place of the dead one
			s.a.until("is backup again", func(r control.Router) bool { return r.State == "BACKUP" && r.Received > 1 })
		})
	}
}

// TestGuardianFastAdverts: no lease fits adverts every 10 ms, so the guardian is
// all there is. The end of a process may take longer than the 36 ms after which
// a backup takes over by itself: how long is only recorded.
func TestGuardianFastAdverts(t *testing.T) {
	s := newSite(t, variant{vrrp: "version = 3\nadvert_interval = \"10ms\""})
	begin := time.Now()
	s.a.proc.Signal(t, syscall.SIGKILL)
	// Who was late by 36 ms before that has lost it to the other.
	took := netns.Wait(t, settling, "the address on the other alone", func() bool { return slices.Equal(s.ledger.Holders(), []string{s.b.Name}) })
	_, two, none := s.ledger.Judge(begin)
	t.Logf("address on the backup alone after %s; two holders for %s, nobody for at most %s", took, two, none)
}

// TestGuardianKilled: the director starts another, and nobody notices.
func TestGuardianKilled(t *testing.T) {
	t.Parallel()
	s := newSite(t, variant{})
	first := s.a.master()
	begin := time.Now()
	kill(t, first, syscall.SIGKILL)
	netns.Wait(t, settling, "another guardian", func() bool { return s.a.guardian() != 0 && s.a.guardian() != first })
	t.Logf("replaced after %s", time.Since(begin).Round(time.Millisecond))
	second := s.a.master()
	kill(t, second, syscall.SIGSTOP) // and one that hangs
	netns.Wait(t, settling, "a third guardian", func() bool { return s.a.guardian() != 0 && s.a.guardian() != second })
	s.a.master()
	if _, gone := s.ledger.first("a", false, begin); gone {
		t.Error("the master lost its address")
	}
	if _, came := s.ledger.first("b", true, begin); came {
		t.Error("the backup took over")
	}
	begin = time.Now()
	s.a.proc.Signal(t, syscall.SIGKILL)
	if on := s.ledger.after(t, settling, "b", true, begin); on > s.bound(v2skew+promise, begin) {
		t.Errorf("the third guardian handed over after %s", on)
	}
	s.ledger.noTwo(t, begin)
}

// TestLeaseWithoutGuardian: with both gone, and with none configured, the lease
// of the address ends before the backup takes over.
func TestLeaseWithoutGuardian(t *testing.T) {
	for _, configured := range []bool{true, false} {
		t.Run(map[bool]string{true: "both killed", false: "switched off"}[configured], func(t *testing.T) {
			t.Parallel()
			v := variant{}
			if !configured {
				v.root = "guardian = false"
			}
			var s *theSite
			if configured {
				s = newSite(t, v)
			} else {
				s = unguarded(t, v)
			}
			begin := time.Now()
			if pid := s.a.guardian(); pid != 0 {
				kill(t, pid, syscall.SIGKILL)
			}
			s.a.proc.Signal(t, syscall.SIGKILL)
			off := s.ledger.after(t, settling, "a", false, begin)
			on := s.ledger.after(t, settling, "b", true, begin)
			t.Logf("address off after %s, on the backup after %s", off.Round(time.Millisecond), on.Round(time.Millisecond))
			if on > s.bound(v2down+promise, begin) || on < off {
				t.Errorf("the master-down time is %s", v2down)
			}
			s.ledger.noTwo(t, begin)
		})
	}
}

func unguarded(t *testing.T, v variant) *theSite {
	lan := netns.NewLAN(t)
	v.vip = "192.0.2.100/24"
	s := &theSite{lan: lan, late: netns.MeasureLateness(t)}
	s.a, s.b = s.machine(t, lan, "a", "192.0.2.1/24", "", v), s.machine(t, lan, "b", "192.0.2.2/24", "", v)
	s.ledger = newLedger(t, lan, v.vip, s.a, s.b)
	s.a.start()
	s.a.until("master", func(r control.Router) bool { return r.State == "MASTER" })
	s.b.start()
	s.b.until("backup", func(r control.Router) bool { return r.State == "BACKUP" && r.Received > 0 })
	return s
}

// TestGuardianLeavesTheFrozenAlone: SIGSTOP of the director is the lease's
// business, and the guardian does not move.
func TestGuardianLeavesTheFrozenAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t, variant{})
	pid := s.a.master()
	begin := time.Now()
	s.a.proc.Signal(t, syscall.SIGSTOP)
	off := s.ledger.after(t, settling, "a", false, begin)
	on := s.ledger.after(t, settling, "b", true, begin)
	t.Logf("address off after %s, on the backup after %s", off.Round(time.Millisecond), on.Round(time.Millisecond))
	// The advert from which both count may have been late.
	if late := s.late.Between(begin.Add(-2*time.Second), begin); off < time.Second-late || on < 2*time.Second-late {
		t.Error("somebody was quicker than the lease")
	}
	time.Sleep(7*time.Second - time.Since(begin))
	woken := time.Now()
	s.a.proc.Signal(t, syscall.SIGCONT)
	s.a.until("backup", func(r control.Router) bool { return r.State == "BACKUP" })
	time.Sleep(2 * time.Second)
	s.ledger.noTwo(t, begin)
	if _, lost := s.ledger.first("b", false, woken); lost {
		t.Error("the woken director disturbed the new master")
	}
	if !alive(pid) || s.a.guardian() != pid {
		t.Error("the guardian did not survive the freeze")
	}
}

// TestGuardianLingers: one that was frozen with its director, which was killed,
// neither disturbs a new director on its host, nor the new master.
func TestGuardianLingers(t *testing.T) {
	for _, restart := range []bool{true, false} {
		t.Run(map[bool]string{true: "a new director starts", false: "it wakes up late"}[restart], func(t *testing.T) {
			t.Parallel()
			s := newSite(t, variant{})
			pid := s.a.master()
			t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) }) // it holds the output open
			snap, err := s.a.snapshot()
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			s.a.proc.Signal(t, syscall.SIGSTOP)
			kill(t, pid, syscall.SIGSTOP)
			s.a.proc.Signal(t, syscall.SIGKILL)
			netns.Wait(t, settling, "end of the director", func() bool { return !alive(snap.PID) })
			if restart {
				s.a.start()
				netns.Wait(t, settling, "end of the old guardian", func() bool { return !alive(pid) })
				s.a.until("runs", func(control.Router) bool { return true })
				t.Logf("the next director runs after %s", time.Since(begin).Round(time.Millisecond))
				s.ledger.noTwo(t, begin)
				return
			}
			s.ledger.after(t, settling, "b", true, begin)
			woken := time.Now()
			before := s.heard(t) // and the dead master's guardian is the only one left who could send more
			kill(t, pid, syscall.SIGCONT)
			netns.Wait(t, settling, "end of the guardian", func() bool { return !alive(pid) })
			time.Sleep(1500 * time.Millisecond)
			if _, lost := s.ledger.first("b", false, woken); lost || s.heard(t) != before {
				t.Error("the late guardian disturbed the new master")
			}
			s.ledger.noTwo(t, begin)
		})
	}
}

// heard is how many adverts director b has received.
func (s *theSite) heard(t *testing.T) (n uint64) {
	t.Helper()
	snap, err := s.b.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return snap.VRRP[0].Received
}

// TestGuardianCleanStop: SIGTERM hands over by itself, and sends the guardian away.
func TestGuardianCleanStop(t *testing.T) {
	t.Parallel()
	s := newSite(t, variant{})
	pid := s.a.master()
	begin := time.Now()
	if err := s.a.proc.Stop(t, 5*time.Second); err != nil {
		t.Errorf("stop: %v", err)
	}
	if alive(pid) {
		t.Error("the guardian is still there")
	}
	if strings.Contains(s.a.proc.Output(), "the director died") {
		t.Error("the guardian acted")
	}
	t.Logf("on the backup after %s", s.ledger.after(t, settling, "b", true, begin).Round(time.Millisecond))
}
