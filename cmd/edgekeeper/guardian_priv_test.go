//go:build priv

package main

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/test/netns"
)

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
