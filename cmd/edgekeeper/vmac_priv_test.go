//go:build priv

package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/test/netns"
)

// left is what a director leaves on its host beside the address.
type left struct {
	link     string // "", "down" or "up"
	rules    bool
	ignore   string // arp_ignore of eth0
	announce string
}

func (m *machine) left() left {
	m.t.Helper()
	out := left{rules: strings.Contains(m.Run(m.t, netns.Tool("nft", "list", "ruleset")), "edgekeeper")}
	if line := m.Run(m.t, netns.Tool("sh", "-c", "ip -o link show vrrp.51 2>/dev/null; true")); line != "" {
		out.link = "down"
		if strings.Contains(line, ",UP") {
			out.link = "up"
		}
	}
	lines := strings.Fields(m.Run(m.t, netns.Tool("sh", "-c", "cat /proc/sys/net/ipv4/conf/eth0/arp_ignore /proc/sys/net/ipv4/conf/eth0/arp_announce")))
	out.ignore, out.announce = lines[0], lines[1]
	return out
}

func (m *machine) wantLeft(when string, want left) {
	m.t.Helper()
	if got := m.left(); got != want {
		m.t.Errorf("%s on %s: %+v, want %+v", when, m.Name, got, want)
	}
}

// TestVMACOfDirector: the macvlan interface and the rules come and go with the
// role, whatever becomes of the director.
func TestVMACOfDirector(t *testing.T) {
	t.Parallel()
	s := newSite(t, variant{vrrp: "accept = false\n  vmac {}"})
	master, backup, clean := left{"up", true, "1", "2"}, left{"down", false, "1", "2"}, left{"", false, "0", "0"}
	pid := s.a.master()
	s.a.wantLeft("as master", master)
	s.b.wantLeft("as backup", backup)
	s.a.until("shows it", func(r control.Router) bool {
		return r.NoAccept && len(r.VMACs) == 1 && r.VMACs[0] == control.VMAC{Name: "vrrp.51", Device: "eth0", MAC: "00:00:5e:00:01:33", Adverts: true} &&
			len(r.Addresses) == 1 && r.Addresses[0].Device == "vrrp.51"
	})

	// The guardian sets the interface down and takes the rules out.
	begin := time.Now()
	s.a.proc.Signal(t, syscall.SIGKILL)
	on := s.ledger.after(t, settling, "b", true, begin)
	t.Logf("director killed: on the backup after %s; the skew time is %s", on, v2skew)
	if on > s.bound(v2skew+promise, begin) {
		t.Errorf("taken over after %s", on)
	}
	netns.Wait(t, settling, "end of the guardian", func() bool { return !alive(pid) })
	s.a.wantLeft("after the guardian", backup)
	s.ledger.noTwo(t, begin)
	s.a.start()
	s.a.until("is backup again", func(r control.Router) bool { return r.State == "BACKUP" && r.Received > 1 })
	s.a.wantLeft("as backup again", backup)

	// Both die: the lease takes the address, cleanup the rest.
	pid = s.b.master()
	begin = time.Now()
	kill(t, pid, syscall.SIGSTOP) // it must not be quicker than its own end
	s.b.proc.Signal(t, syscall.SIGKILL)
	kill(t, pid, syscall.SIGKILL)
	off := s.ledger.after(t, settling, "b", false, begin)
	on = s.ledger.after(t, settling, "a", true, begin)
	t.Logf("both killed: address off after %s, on the other after %s", off, on)
	s.ledger.noTwo(t, begin)
	s.b.wantLeft("after both died", master)
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	s.b.Run(t, netns.Command{Path: path, Args: []string{"cleanup", "-config", s.b.dir + "/director.hcl"}})
	s.b.wantLeft("after cleanup", clean)

	// A reload takes the interface away, and brings it back.
	s.a.master()
	file := s.a.dir + "/director.hcl"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	without := strings.Replace(strings.Replace(string(text), "vmac {}", "", 1), "accept = false", "", 1)
	for _, step := range []struct {
		text string
		want left
	}{{without, clean}, {string(text), master}} {
		if err := os.WriteFile(file, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.a.proc.Signal(t, syscall.SIGHUP)
		netns.Wait(t, settling, "reload", func() bool {
			sn, err := s.a.snapshot()
			return err == nil && len(sn.VRRP) == 1 && (len(sn.VRRP[0].VMACs) > 0) == (step.want == master) && sn.VRRP[0].State == "MASTER" && sn.VRRP[0].Addresses[0].Present
		})
		s.a.wantLeft("after the reload", step.want)
	}

	if err := s.a.proc.Stop(t, 5*time.Second); err != nil {
		t.Errorf("stop: %v", err)
	}
	s.a.wantLeft("after the stop", clean)
}

// TestVMACForeign: an interface of that name ends the start, with a word on what
// to do.
func TestVMACForeign(t *testing.T) {
	t.Parallel()
	lan := netns.NewLAN(t)
	s := &theSite{ledger: &ledger{}}
	m := s.machine(t, lan, "a", "192.0.2.1/24", "192.0.2.2/24", variant{vip: "192.0.2.100/24", vrrp: "vmac {}"})
	m.Run(t, netns.Tool("ip", "link", "add", "vrrp.51", "link", "eth0", "address", "00:00:5e:00:01:33", "type", "macvlan", "mode", "private"))
	m.start()
	select {
	case <-m.proc.Done():
	case <-time.After(settling):
		t.Fatal("the director runs beside an interface that is not its own")
	}
	for _, want := range []string{"vrrp VI_1", "vrrp.51", "not ours", "ip link del vrrp.51"} {
		if !strings.Contains(m.proc.Output(), want) {
			t.Errorf("the output does not say %q", want)
		}
	}
	m.Run(t, netns.Tool("ip", "link", "show", "vrrp.51"))
}
