//go:build priv

package interop

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/test/netns"
	"github.com/edgekeeper/edgekeeper/vrrp"
)

// TestPair walks two routers through start, clean stop, return and preemption.
func TestPair(t *testing.T) {
	t.Parallel()
	lan := netns.NewLAN(t)
	a := lan.Host(t, "a", "192.0.2.1/24")
	b := lan.Host(t, "b", "192.0.2.2/24")
	stateFile := filepath.Join(t.TempDir(), "a"+".vip.json")
	ra := a.Start(t, netns.Role("router", "-priority", "150", "-pass", "5525", "-label", "eth0:0", "-state", stateFile))
	rb := b.Start(t, netns.Role("router", "-priority", "100", "-pass", "5525"))
	waitHolder(t, patience, a, theVIP)

	for _, have := range a.Addresses(t) {
		if have.Prefix.String() != theVIP+"/24" {
			continue
		}
		if have.Label != "eth0:0" || have.Valid > 3 || have.Valid < 1 || have.Preferred != have.Valid {
			t.Errorf("address %+v: want label eth0:0 and a lease of 3 s that is not deprecated", have)
		}
	}
	time.Sleep(3500 * time.Millisecond) // longer than a lease: it must have been renewed
	if !a.Has(t, theVIP) || b.Has(t, theVIP) {
		t.Fatal("the lease of the master was not renewed, or the backup took over")
	}
	if s := status(t, rb); s.State != vrrp.Backup || s.Master.String() != "192.0.2.1" || s.MasterPriority != 150 || s.Counters.Received == 0 {
		t.Errorf("status of the backup: %+v", s)
	}

	ledger, capture, late := lan.Ledger(t, theVIP, a, b), lan.Capture(t, a, b), netns.MeasureLateness(t)
	begin := time.Now()
	if err := ra.Stop(t, 5*time.Second); err != nil {
		t.Errorf("stop: %v", err)
	}
	waitHolder(t, patience, b, theVIP)
	takeover{from: "a", to: "b", resigned: true, wait: vrrp.V2.Skew(time.Second, 100)}.check(t, capture, late, begin)
	ra = a.Start(t, netns.Role("router", "-priority", "150", "-pass", "5525"))
	waitHolder(t, patience, a, theVIP)
	waitGone(t, patience, b, theVIP)
	ledger.Alone(t, begin, late, vrrp.Config{Interval: time.Second}.ClaimWait())

	begin = time.Now()
	ra.Signal(t, syscall.SIGUSR2)
	ra.WaitOutput(t, "handover: <nil>", patience)
	if a.Has(t, theVIP) {
		t.Error("the handover left the address")
	}
	waitHolder(t, patience, b, theVIP)
	ledger.Alone(t, begin, late, vrrp.Config{Interval: time.Second}.ClaimWait())
}

// TestKilled: the kernel takes the address off a killed master before the
// backup takes over, and nobody ever sees two.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, fault := range []struct {
		name string
		do   func(*testing.T, *netns.Process)
	}{
		{"kill -9", func(t *testing.T, p *netns.Process) { p.Kill(t) }},
		{"SIGSTOP and SIGCONT", func(t *testing.T, p *netns.Process) {
			p.Signal(t, unix.SIGSTOP)
			time.AfterFunc(7*time.Second, func() { p.Signal(t, unix.SIGCONT) })
		}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			lan := netns.NewLAN(t)
			a := lan.Host(t, "a", "192.0.2.1/24")
			b := lan.Host(t, "b", "192.0.2.2/24")
			ra := a.Start(t, netns.Role("router", "-priority", "100", "-nopreempt"))
			waitHolder(t, patience, a, theVIP)
			rb := b.Start(t, netns.Role("router", "-priority", "100", "-nopreempt"))
			rb.WaitOutput(t, "role BACKUP", patience)
			ledger, capture, late := lan.Ledger(t, theVIP, a, b), lan.Capture(t, a, b), netns.MeasureLateness(t)
			netns.Wait(t, patience, "adverts", func() bool { return status(t, rb).Counters.Received > 1 })
			start := time.Now()
			fault.do(t, ra)
			gone := waitGone(t, patience, a, theVIP)
			waitHolder(t, patience, b, theVIP)
			took := time.Since(start)
			time.Sleep(8*time.Second - took) // past the SIGCONT
			times, two, none := ledger.Judge(start)
			t.Logf("address off after %s, taken over after %s, nobody had it for %s", gone, took, none)
			if times > 0 {
				t.Errorf("both held the address %d times, for %s", times, two)
			}
			takeover{from: "a", to: "b", wait: vrrp.V2.MasterDown(time.Second, 3, 100)}.check(t, capture, late, start)
			if a.Has(t, theVIP) || !b.Has(t, theVIP) {
				t.Error("the old master disturbs the new one")
			}
		})
	}
}

// TestHost: what happens to the interface and the addresses of a master.
func TestHost(t *testing.T) {
	t.Parallel()
	lan := netns.NewLAN(t)
	a := lan.Host(t, "a", "192.0.2.1/24")
	r := a.Start(t, netns.Role("router", "-priority", "200", "-vips", theVIP+"/24,198.51.100.7/32"))
	waitHolder(t, patience, a, "198.51.100.7")

	t.Run("address removed by somebody else", func(t *testing.T) {
		// Whom the notification finds without the address has not been renewed
		// meanwhile. A renewal can come first, but not time and again.
		const tries = 5
		for try := 1; ; try++ {
			a.Run(t, netns.Tool("ip", "addr", "del", theVIP+"/24", "dev", "eth0"))
			waitHolder(t, patience, a, theVIP)
			s := status(t, r)
			if s.Counters.AddressesLost == 1 {
				break
			}
			if s.Counters.AddressesLost > 1 || try == tries {
				t.Fatalf("AddressesLost = %d after %d removals", s.Counters.AddressesLost, try)
			}
		}
	})
	t.Run("carrier lost and found", func(t *testing.T) {
		a.Cut(t)
		r.WaitOutput(t, "role FAULT: interface eth0 has no carrier", patience)
		waitGone(t, patience, a, theVIP)
		a.Mend(t)
		r.WaitOutput(t, "role BACKUP: interface recovered", patience)
		waitHolder(t, patience, a, theVIP)
	})
	t.Run("interface down and up", func(t *testing.T) {
		a.Run(t, netns.Tool("ip", "link", "set", "eth0", "down"))
		r.WaitOutput(t, "role FAULT: interface eth0 is down", patience)
		a.Run(t, netns.Tool("ip", "link", "set", "eth0", "up"))
		waitHolder(t, patience, a, theVIP)
	})
}

// TestRenamed: an interface that goes away under its name, and comes back.
func TestRenamed(t *testing.T) {
	t.Parallel()
	lan := netns.NewLAN(t)
	a := lan.Host(t, "a", "192.0.2.1/24")
	r := a.Start(t, netns.Role("router", "-priority", "200"))
	waitHolder(t, patience, a, theVIP)
	ip := func(args ...string) {
		t.Helper()
		a.Run(t, netns.Tool("ip", append([]string{"link", "set"}, args...)...))
	}
	ip("eth0", "down")
	r.WaitOutput(t, "role FAULT: interface eth0 is down", patience)
	ip("eth0", "name", "gone0")
	gone := func() bool {
		s := status(t, r)
		return s.State == vrrp.Fault && s.Faults["interface"] == "interface eth0 does not exist"
	}
	netns.Wait(t, patience, "fault for the renamed interface", gone)
	ip("gone0", "up")
	time.Sleep(500 * time.Millisecond)
	if !gone() {
		t.Errorf("%+v", status(t, r))
	}
	ip("gone0", "down")
	ip("gone0", "name", "eth0")
	ip("eth0", "up")
	waitHolder(t, patience, a, theVIP)
}

// TestLeftovers: a start after a crash with another configuration removes what
// the crashed one had.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	lan := netns.NewLAN(t)
	a := lan.Host(t, "a", "192.0.2.1/24")
	state := filepath.Join(t.TempDir(), "VI_1.vip.json")
	r := a.Start(t, netns.Role("router", "-lease", "-1ns", "-state", state, "-vips", theVIP+"/24"))
	waitHolder(t, patience, a, theVIP)
	r.Kill(t)
	if !a.Has(t, theVIP) {
		t.Fatal("without a lease the address should have stayed")
	}
	a.Start(t, netns.Role("router", "-state", state, "-vips", "192.0.2.101/24"))
	waitGone(t, patience, a, theVIP)
	waitHolder(t, patience, a, "192.0.2.101")
}
