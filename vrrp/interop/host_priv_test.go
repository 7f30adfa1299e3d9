//go:build priv

package interop

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/netns"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

// TestInterfaceAnew: an interface that is absent at the start, comes, is deleted,
// comes again under its name, and is renamed away and back while it is up.
func TestInterfaceAnew(t *testing.T) {
	t.Parallel()
	lan := netns.NewLAN(t)
	a := lan.Host(t, "a", "192.0.2.1/24")
	make := func() {
		t.Helper()
		ip(t, a, "link", "add", "eth0", "type", "veth", "peer", "name", "wire0")
		ip(t, a, "addr", "add", "192.0.2.1/24", "dev", "eth0")
		ip(t, a, "link", "set", "wire0", "up")
		ip(t, a, "link", "set", "eth0", "up")
	}
	fault := func(r *netns.Process, want string) {
		t.Helper()
		var have instance.Status
		netns.Wait(t, patience, "fault "+want, func() bool {
			have = status(t, r)
			return have.State == vrrp.Fault && have.Faults["interface"] == want
		})
	}
	master := func(r *netns.Process) {
		t.Helper()
		waitHolder(t, patience, a, theVIP)
		before := status(t, r)
		netns.Wait(t, patience, "adverts of the new master", func() bool { return status(t, r).Counters.Sent > before.Counters.Sent+1 })
		s := status(t, r)
		if s.Counters.SendErrors > before.Counters.SendErrors || s.Counters.HostErrors > before.Counters.HostErrors || s.Counters.AddressesLost > 0 {
			t.Errorf("%+v\n%v", s.Counters, s.Troubles)
		}
		if groups := a.Run(t, netns.Tool("ip", "maddr", "show", "dev", "eth0")); !strings.Contains(groups, "224.0.0.18") {
			t.Errorf("eth0 has not joined the group:\n%s", groups)
		}
	}

	ip(t, a, "link", "del", "eth0")
	r := a.Start(t, netns.Role("router", "-priority", "200"))
	r.WaitOutput(t, "role FAULT", patience)
	fault(r, "interface eth0 does not exist")
	make()
	master(r)

	ip(t, a, "link", "del", "eth0")
	fault(r, "interface eth0 does not exist")
	make()
	master(r)

	// At once: another interface has the name before anybody has looked.
	ip(t, a, "link", "add", "next0", "type", "veth", "peer", "name", "wire1")
	ip(t, a, "link", "set", "wire1", "up")
	ip(t, a, "addr", "add", "192.0.2.1/24", "dev", "next0")
	ip(t, a, "link", "set", "next0", "up")
	batch := filepath.Join(t.TempDir(), "batch")
	write(t, batch, "link del eth0\nlink set next0 name eth0\n")
	faults := status(t, r).Counters.ToFault
	ip(t, a, "-batch", batch)
	netns.Wait(t, patience, "fault for the replaced interface", func() bool { return status(t, r).Counters.ToFault > faults })
	master(r)

	ip(t, a, "link", "set", "eth0", "name", "gone0")
	fault(r, "interface eth0 does not exist")
	waitGoneFrom(t, a, "gone0", theVIP)
	ip(t, a, "link", "set", "gone0", "name", "eth0")
	master(r)
}

// waitGoneFrom is for an interface that has not the usual name.
func waitGoneFrom(t *testing.T, h *netns.Host, device, ip string) {
	t.Helper()
	netns.Wait(t, patience, "absence of "+ip+" on "+device, func() bool {
		return !strings.Contains(h.Run(t, netns.Tool("ip", "addr", "show", "dev", device)), ip+"/")
	})
}

// TestStepDownOnLoss: keepalived's way, with somebody to take over.
func TestStepDownOnLoss(t *testing.T) {
	t.Parallel()
	p := newPair(t, newMode(2, false, false, "none"))
	ra := p.router(t, 100, "-step-down", "-nopreempt")
	waitHolder(t, patience, p.a, p.vip)
	rb := p.b.Start(t, netns.Role("router", "-priority", "100", "-nopreempt"))
	rb.WaitOutput(t, "role BACKUP", patience)
	netns.Wait(t, patience, "adverts", func() bool { return status(t, rb).Counters.Received > 1 })
	// A renewal that comes before the notification puts it back: then once more.
	const tries = 5
	for try := 1; try <= tries && !p.b.Has(t, p.vip); try++ {
		ip(t, p.a, "addr", "del", theVIP+"/24", "dev", "eth0")
		netns.Wait(t, patience, "address on either", func() bool { return p.a.Has(t, p.vip) || p.b.Has(t, p.vip) })
	}
	rb.WaitOutput(t, "role MASTER: 192.0.2.1 gave up mastership (priority 0)", patience) // after the skew, not the master-down time
	s := status(t, ra)
	if s.State != vrrp.Backup || s.Counters.AddressesLost != 1 || s.Counters.ResignsSent != 1 {
		t.Errorf("%s because %s, %+v", s.State, s.Reason, s.Counters)
	}
	if p.a.Has(t, p.vip) {
		t.Error("put back all the same")
	}
}

// TestChangedByOthers: another lifetime, another prefix length, and an address
// that is there in BACKUP.
func TestChangedByOthers(t *testing.T) {
	t.Parallel()
	lan := netns.NewLAN(t)
	a := lan.Host(t, "a", "192.0.2.1/24", "2001:db8::1/64")
	args := []string{"-priority", "200", "-vips", theVIP + "/24"}
	r := a.Start(t, netns.Role("router", args...))
	r.WaitOutput(t, "role BACKUP", patience)
	ip(t, a, "addr", "add", theVIP+"/24", "dev", "eth0")
	r.WaitOutput(t, "trouble "+instance.TroubleBackupHolds.String()+": ", patience)
	r.WaitOutput(t, "role MASTER", patience)

	lifetime := func() int {
		for _, have := range a.Addresses(t) {
			if have.Prefix.String() == theVIP+"/24" {
				return have.Valid
			}
		}
		return -1
	}
	netns.Wait(t, patience, "a lease on the address that was there", func() bool { l := lifetime(); return l > 0 && l <= 3 })
	ip(t, a, "addr", "change", theVIP+"/24", "dev", "eth0", "valid_lft", "forever", "preferred_lft", "forever")
	netns.Wait(t, patience, "the lease again", func() bool { l := lifetime(); return l > 0 && l <= 3 })

	ip(t, a, "addr", "add", theVIP+"/32", "dev", "eth0")
	netns.Wait(t, patience, "only our form of the address", func() bool {
		n := 0
		for _, have := range a.Addresses(t) {
			if have.Prefix.Addr().String() == theVIP {
				n++
			}
		}
		return n == 1 && lifetime() > 0
	})
	if err := r.Stop(t, 5*time.Second); err != nil {
		t.Errorf("stop: %v", err)
	}
	if a.Has(t, theVIP) {
		t.Error("the address is left")
	}
}

// TestPace: the first announcement of each address on becoming master does not
// wait; those that follow are apart; none comes after the addresses are off.
func TestPace(t *testing.T) {
	t.Parallel()
	p := newPair(t, newMode(2, false, false, "none"))
	p.vips = theVIP + "/24,192.0.2.101/24,192.0.2.102/24"
	capture, late := p.lan.Capture(t, p.a), netns.MeasureLateness(t)
	const pace = 150 * time.Millisecond
	more := movedFile(t, vrrp.Config{Announce: vrrp.AnnounceConfig{Repeat: 20, Delay: -1}})
	r := p.router(t, 200, "-pace", pace.String(), "-more", more)
	waitHolder(t, patience, p.a, p.vip)
	time.Sleep(2 * time.Second)
	if err := r.Stop(t, 5*time.Second); err != nil {
		t.Errorf("stop: %v", err)
	}
	time.Sleep(500 * time.Millisecond) // in which a queue that is not dropped would go on
	netns.Wait(t, patience, "resignation", func() bool {
		return slices.ContainsFunc(adverts(capture.Frames()), func(a advert) bool { return a.priority == 0 })
	})
	frames := capture.Frames()
	file := writePcap(t, frames)

	lines := p.tshark(t, file, "vrrp || arp.isgratuitous==1", "frame.time_relative", "arp.src.proto_ipv4", "vrrp.prio")
	var at []time.Duration
	var who []string
	master, resigned := -1, false
	for _, l := range lines {
		f := strings.Split(l, "|")
		seconds, err := strconv.ParseFloat(f[0], 64)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case f[1] == "":
			resigned = resigned || f[2] == "0"
			if master < 0 {
				master = len(at)
			}
		case resigned:
			t.Errorf("announcement after priority 0: %s", l)
		default:
			at, who = append(at, time.Duration(seconds*float64(time.Second))), append(who, f[1])
		}
	}
	if len(at) < 6 || len(at) > 30 || master != 0 || !resigned {
		t.Fatalf("%d announcements, the first advert before number %d, resigned %t", len(at), master, resigned)
	}
	for i, ip := range who {
		if want := []string{theVIP, "192.0.2.101", "192.0.2.102"}[i%3]; ip != want {
			t.Errorf("announcement %d is of %s, want %s", i, ip, want)
		}
	}
	// The first three went at once; each of the others waited for the one before,
	// so that they cannot have taken less time together, however busy the machine.
	if took, least := at[len(at)-1]-at[0], time.Duration(len(at)-3)*pace; took < least {
		t.Errorf("%d announcements in %s, want at least %s", len(at), took, least)
	}
	if took, busy := at[2]-at[0], late.Between(frames[0].At, frames[len(frames)-1].At); took >= pace+busy {
		t.Errorf("the first round took %s; the machine was late by up to %s", took, busy)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
