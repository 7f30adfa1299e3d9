//go:build priv

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/test/netns"
)

// reload replaces text of the configuration, old and new in pairs, and waits
// until it is in force.
func (m *machine) reload(pairs ...string) {
	m.t.Helper()
	file := filepath.Join(m.dir, "director.hcl")
	b, err := os.ReadFile(file)
	if err != nil {
		m.t.Fatal(err)
	}
	text := strings.NewReplacer(pairs...).Replace(string(b))
	if text == string(b) {
		m.t.Fatalf("nothing to replace in\n%s", text)
	}
	m.take(text)
}

// take makes a text the configuration and waits until it is in force.
func (m *machine) take(text string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, "director.hcl"), []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	before, err := m.snapshot()
	if err != nil {
		m.t.Fatal(err)
	}
	m.proc.Signal(m.t, syscall.SIGHUP)
	netns.Wait(m.t, settling, m.Name+" has taken the configuration", func() bool {
		s, err := m.snapshot()
		if err == nil && s.Config.Refused != "" {
			m.t.Fatal(s.Config.Refused)
		}
		return err == nil && s.Config.LoadedAt.After(before.Config.LoadedAt)
	})
}

// lone is a master that nobody would take over from: whatever a reload takes off
// is gone from the network.
func lone(t *testing.T, more string) (*machine, *ledger) {
	t.Helper()
	lan := netns.NewLAN(t)
	s := &theSite{lan: lan}
	m := s.machine(t, lan, "a", "192.0.2.1/24", "192.0.2.2/24", variant{vip: "192.0.2.100/24", vrrp: more})
	s.ledger = newLedger(t, lan, "192.0.2.100/24", m)
	began := time.Now()
	m.start()
	m.master()
	s.ledger.after(t, 5*time.Second, m.Name, true, began) // it hears of it a moment later
	return m, s.ledger
}

// somewhere reports whether an address is on any interface of the host.
func (m *machine) somewhere(ip string) bool {
	return strings.Contains(m.Run(m.t, netns.Tool("ip", "addr", "show")), " "+ip+"/")
}

// stays checks that the master was not disturbed since begin.
func (m *machine) stays(l *ledger, begin time.Time, since time.Time) {
	m.t.Helper()
	if _, _, none := l.Judge(begin); none > 0 {
		m.t.Errorf("the address was off for %s", none)
	}
	m.until("is master since then", func(r control.Router) bool { return r.State == "MASTER" })
	s, err := m.snapshot()
	if err != nil {
		m.t.Fatal(err)
	}
	r := s.VRRP[slices.IndexFunc(s.VRRP, func(r control.Router) bool { return r.Name == "VI_1" })]
	if !r.Since.Equal(since) || r.AddressesLost > 0 || r.HostErrors > 0 || len(r.Troubles) > 0 {
		m.t.Errorf("since %s, want %s; lost %d, errors %d, %v", r.Since, since, r.AddressesLost, r.HostErrors, r.Troubles)
	}
}

// TestReloadInPlace: an address more, another one less, other timers and
// priorities come to a master without an election, and without a moment in which
// an address that stays is off.
func TestReloadInPlace(t *testing.T) {
	t.Parallel()
	const vip = `virtual_address "192.0.2.100/24" {}`
	for _, c := range []struct{ name, more string }{
		{"plain", ""},
		{"signed", signed},
		{"not accepted", "accept = false"},
		{"macvlan", "vmac {}"},
		{"no lease", `lease = "off"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, l := lone(t, c.more)
			s, err := m.snapshot()
			if err != nil {
				t.Fatal(err)
			}
			since, begin := s.VRRP[0].Since, time.Now()
			has := func(want ...string) {
				t.Helper()
				for _, ip := range []string{"192.0.2.100", "192.0.2.101", "198.51.100.7", "198.51.100.8"} {
					if m.somewhere(ip) != slices.Contains(want, ip) {
						t.Errorf("%s is here: %t", ip, m.somewhere(ip))
					}
				}
				state, err := os.ReadFile(m.dir + "/state/addresses/VI_1.vip.json")
				if err != nil {
					t.Fatal(err)
				}
				for _, ip := range []string{"192.0.2.101", "198.51.100.7", "198.51.100.8"} {
					if strings.Contains(string(state), ip+"/") != slices.Contains(want, ip) {
						t.Errorf("the state file names what is not here, or not what is: %s\n%s", ip, state)
					}
				}
			}

			// Two of a subnet of their own: the kernel takes the second off with the first.
			m.reload(vip, vip+"\n"+`virtual_address "192.0.2.101/24" {}
virtual_address "198.51.100.7/24" {}
virtual_address "198.51.100.8/24" {}`)
			has("192.0.2.100", "192.0.2.101", "198.51.100.7", "198.51.100.8")
			m.reload(`virtual_address "198.51.100.7/24" {}`, "", `virtual_address "192.0.2.101/24" {}`, "")
			has("192.0.2.100", "198.51.100.8")
			m.reload("preempt           = false", "preempt = false\npriority = 150\nadvert_interval = \"2s\"\ngarp_repeat = 2\non_address_loss = \"step-down\"")
			has("192.0.2.100", "198.51.100.8")
			m.until("priority", func(r control.Router) bool { return r.Priority == 150 && r.AdvertIntervalMS == 2000 })
			m.stays(l, begin, since)

			// The guardian knows: what it leaves to nobody is off at once.
			m.master()
			m.proc.Kill(t)
			netns.Wait(t, 2*time.Second, "all addresses off", func() bool { return !m.somewhere("192.0.2.100") && !m.somewhere("198.51.100.8") })
		})
	}
}

// TestReloadAnew: what makes it another virtual router, or is on another
// interface, starts it again and leaves nothing behind.
func TestReloadAnew(t *testing.T) {
	t.Parallel()
	lan := netns.NewLAN(t)
	s := &theSite{lan: lan}
	m := s.machine(t, lan, "a", "192.0.2.1/24", "192.0.2.2/24", variant{vip: "192.0.2.100/24"})
	lan.Join(t, m.Host, "eth1", "192.0.2.3/24")
	m.start()
	m.master()
	on := func(device, ip string) bool {
		return strings.Contains(m.Run(t, netns.Tool("ip", "addr", "show", "dev", device)), ip+"/")
	}
	for _, step := range []struct{ old, new, here, gone string }{
		{"virtual_router_id = 51", "virtual_router_id = 52", "eth0 192.0.2.100", ""},
		{`interface         = "eth0"`, `interface = "eth1"`, "eth1 192.0.2.100", "eth0 192.0.2.100"},
		{`"192.0.2.100/24" {}`, `"192.0.2.109/24" {}`, "eth1 192.0.2.109", "eth1 192.0.2.100"},
		{`vrrp "VI_1"`, `vrrp "VI_2"`, "eth1 192.0.2.109", ""},
		{`vrrp "VI_2" {`, "vrrp \"VI_1\" {\nversion = 3", "eth1 192.0.2.109", ""},
	} {
		m.reload(step.old, step.new)
		m.master()
		device, ip, _ := strings.Cut(step.here, " ")
		if !on(device, ip) {
			t.Errorf("after %s: %s is not on %s", step.new, ip, device)
		}
		if device, ip, some := strings.Cut(step.gone, " "); some && on(device, ip) {
			t.Errorf("after %s: %s is left on %s", step.new, ip, device)
		}
	}
	if files, err := filepath.Glob(m.dir + "/state/addresses/*"); err != nil || len(files) != 1 {
		t.Errorf("state files: %v %v", files, err)
	}
}
