//go:build priv

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/netns"
	"github.com/edgekeeper/edgekeeper/vrrp"
)

// mode is one way to run a virtual router, on both sides.
type mode struct {
	name       string
	v6         bool
	router     []string // flags of the router role
	keepalived string   // lines inside vrrp_instance; %s is the other host's address
	unicast    bool
	version    int
}

var modes = []mode{
	{name: "v2", version: 2},
	{name: "v2 pass", version: 2, router: []string{"-pass", "5525"}, keepalived: "authentication {\n auth_type PASS\n auth_pass 5525\n}"},
	{name: "v2 AH", version: 2, router: []string{"-ah", "5525"}, keepalived: "authentication {\n auth_type AH\n auth_pass 5525\n}"},
	{name: "v2 unicast pass", version: 2, unicast: true, router: []string{"-pass", "5525"}, keepalived: "authentication {\n auth_type PASS\n auth_pass 5525\n}"},
	{name: "v2 unicast AH", version: 2, unicast: true, router: []string{"-ah", "5525"}, keepalived: "authentication {\n auth_type AH\n auth_pass 5525\n}"},
	{name: "v3", version: 3, router: []string{"-version", "3"}},
	{name: "v3 unicast", version: 3, unicast: true, router: []string{"-version", "3"}},
	{name: "v3 IPv6", version: 3, v6: true},
	{name: "v3 IPv6 unicast", version: 3, v6: true, unicast: true},
}

// pair is a LAN with our router on a and keepalived on b, and who waits for what.
type pair struct {
	mode
	lan  *netns.LAN
	a, b *netns.Host
	vip  string
	vips string
}

func newPair(t *testing.T, m mode) *pair {
	p := &pair{mode: m, lan: netns.NewLAN(t), vip: theVIP, vips: theVIP + "/24"}
	if m.v6 {
		p.vip, p.vips = "2001:db8::100", "fe80::100/64,2001:db8::100/64"
		p.a = p.lan.Host(t, "a", "fe80::a/64", "2001:db8::a/64")
		p.b = p.lan.Host(t, "b", "fe80::b/64", "2001:db8::b/64")
		return p
	}
	p.a = p.lan.Host(t, "a", "192.0.2.1/24")
	p.b = p.lan.Host(t, "b", "192.0.2.2/24")
	return p
}

func (p *pair) address(host string) string {
	switch {
	case p.v6:
		return "fe80::" + host
	case host == "a":
		return "192.0.2.1"
	}
	return "192.0.2.2"
}

// router starts ours on a.
func (p *pair) router(t *testing.T, priority int, more ...string) *netns.Process {
	args := append([]string{"-priority", fmt.Sprint(priority), "-vips", p.vips}, p.mode.router...)
	if p.unicast {
		args = append(args, "-peers", p.address("b"))
	}
	return p.a.Start(t, netns.Role("router", append(args, more...)...))
}

// keepalived starts keepalived on b.
func (p *pair) keepalived(t *testing.T, priority int, more string) *netns.Process {
	return startKeepalived(t, p, p.b, priority, more)
}

func startKeepalived(t *testing.T, p *pair, h *netns.Host, priority int, more string) *netns.Process {
	t.Helper()
	dir := t.TempDir()
	unicast := ""
	if p.unicast {
		unicast = fmt.Sprintf("unicast_src_ip %s\nunicast_peer {\n %s\n}", p.address("b"), p.address("a"))
		if p.v6 {
			unicast += "\nunicast_ttl 255"
		}
	}
	conf := fmt.Sprintf(`global_defs {
 router_id b
 vrrp_version %d
 script_user root
}
vrrp_instance VI_1 {
 state BACKUP
 interface eth0
 virtual_router_id 51
 priority %d
 advert_int 1
 %s
 %s
 %s
 virtual_ipaddress {
  %s
 }
}
`, p.version, priority, p.mode.keepalived, unicast, more, strings.ReplaceAll(p.vips, ",", "\n  "))
	file := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return h.Start(t, netns.Tool("keepalived", "-n", "-l", "-D", "-P", "-f", file,
		"-p", filepath.Join(dir, "pid"), "-r", filepath.Join(dir, "vrrp.pid")))
}

// TestWithKeepalived: for every mode, elections in both directions, a clean
// stop of each side, and nobody complains about the other's packets.
func TestWithKeepalived(t *testing.T) {
	t.Parallel()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, m)
			limit := 5 * time.Second

			// keepalived is there first, with the lower priority: we preempt it.
			kd := p.keepalived(t, 100, "")
			waitHolder(t, limit, p.b, p.vip)
			ours := p.router(t, 150)
			waitHolder(t, limit, p.a, p.vip)
			waitGone(t, time.Second, p.b, p.vip)
			kd.WaitOutput(t, "Entering BACKUP STATE", time.Second)

			// We stop cleanly: keepalived takes over in its skew.
			if err := ours.Stop(t, 2*time.Second); err != nil {
				t.Errorf("stop: %v", err)
			}
			if took := waitHolder(t, 3*time.Second, p.b, p.vip); took > skewTakeover {
				t.Errorf("keepalived took over %s after our priority 0", took)
			}

			// We come back lower and stay backup; keepalived stops cleanly.
			ours = p.router(t, 50)
			ours.WaitOutput(t, "role BACKUP", 2*time.Second)
			time.Sleep(4200 * time.Millisecond) // longer than our master-down time
			if p.a.Has(t, p.vip) || !p.b.Has(t, p.vip) {
				t.Fatal("we do not accept keepalived as master")
			}
			s := status(t, ours)
			if s.Master.String() != p.address("b") || s.MasterPriority != 100 || s.Counters.Received < 3 {
				t.Errorf("master %s with priority %d after %d adverts", s.Master, s.MasterPriority, s.Counters.Received)
			}
			for _, x := range s.Troubles {
				t.Errorf("trouble with keepalived: %s: %s", x.Kind, x.Detail)
			}
			kd.Signal(t, syscall.SIGTERM)
			ours.WaitOutput(t, "gave up mastership", 2*time.Second)
			waitHolder(t, time.Second, p.a, p.vip)
			<-kd.Done()
			for _, bad := range []string{"nvalid", "mismatch", "bogus", "dropp"} {
				if strings.Contains(strings.ReplaceAll(kd.Output(), "Netlink", ""), bad) {
					t.Errorf("keepalived complains about our packets:\n%s", kd.Output())
					break
				}
			}
		})
	}
}

// TestFaultsBesideKeepalived kills and stops our master in front of keepalived:
// never two holders.
func TestFaultsBesideKeepalived(t *testing.T) {
	t.Parallel()
	for _, fault := range []struct {
		name string
		do   func(*testing.T, *netns.Process)
	}{
		{"kill -9", func(t *testing.T, p *netns.Process) { p.Kill(t) }},
		{"SIGSTOP and SIGCONT", func(t *testing.T, p *netns.Process) {
			p.Signal(t, syscall.SIGSTOP)
			time.AfterFunc(7*time.Second, func() { p.Signal(t, syscall.SIGCONT) })
		}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, modes[1])
			ours := p.router(t, 100, "-nopreempt")
			waitHolder(t, 5*time.Second, p.a, p.vip)
			p.keepalived(t, 90, "")
			time.Sleep(2500 * time.Millisecond)
			w := startWatch(t, p.vip, p.a, p.b)
			fault.do(t, ours)
			took := waitHolder(t, 6*time.Second, p.b, p.vip)
			time.Sleep(9*time.Second - took)
			w.stop()
			t.Logf("keepalived took over after %s, nobody had the address for %s", took, w.none)
			if w.both > 0 {
				t.Errorf("both held the address at %d samples", w.both)
			}
			if p.a.Has(t, p.vip) || !p.b.Has(t, p.vip) {
				t.Error("our continued router disturbs keepalived")
			}
		})
	}
}

// TestHandoverToKeepalived: a handover to a lower priority leaves clients
// without the address for no noticeable time.
func TestHandoverToKeepalived(t *testing.T) {
	t.Parallel()
	p := newPair(t, modes[1])
	ours := p.router(t, 150)
	waitHolder(t, 5*time.Second, p.a, p.vip)
	p.keepalived(t, 100, "")
	time.Sleep(2500 * time.Millisecond)
	w := startWatch(t, p.vip, p.a, p.b)
	ours.Signal(t, syscall.SIGUSR2)
	ours.WaitOutput(t, "handover: <nil>", 3*time.Second)
	waitHolder(t, time.Second, p.b, p.vip)
	time.Sleep(6 * time.Second) // longer than our master-down time: keepalived is left alone
	w.stop()
	if p.a.Has(t, p.vip) || !p.b.Has(t, p.vip) {
		t.Error("the address is not on keepalived alone")
	}
	t.Logf("nobody had the address for %s, both at %d samples", w.none, w.both)
	if w.none > 200*time.Millisecond {
		t.Errorf("nobody had the address for %s", w.none)
	}
}

// TestSubSecond: version 3 with adverts every 100 ms and every 10 ms, both ways.
func TestSubSecond(t *testing.T) {
	t.Parallel()
	for _, interval := range []time.Duration{100 * time.Millisecond, 10 * time.Millisecond} {
		t.Run(interval.String(), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, modes[5])
			kd := p.keepalived(t, 100, fmt.Sprintf("advert_int %g", interval.Seconds()))
			waitHolder(t, 8*time.Second, p.b, p.vip)
			ours := p.router(t, 150, "-interval", interval.String())
			waitHolder(t, 2*time.Second, p.a, p.vip)
			waitGone(t, time.Second, p.b, p.vip)
			if err := ours.Stop(t, time.Second); err != nil {
				t.Errorf("stop: %v", err)
			}
			waitHolder(t, time.Second, p.b, p.vip)
			ours = p.router(t, 50, "-interval", interval.String())
			ours.WaitOutput(t, "role BACKUP", 2*time.Second)
			time.Sleep(2 * time.Second)
			s := status(t, ours)
			if s.State != vrrp.Backup || s.Lease != 0 || s.LeaseNote == "" {
				t.Errorf("%s because %s, lease %s %q, lateness %s", s.State, s.Reason, s.Lease, s.LeaseNote, s.Lateness.Max)
			}
			kd.Kill(t) // the kernel tells its VRRP process, which resigns
			waitHolder(t, 3*time.Second, p.a, p.vip)
		})
	}
}

// TestMistakesAreNamed: what keepalived is configured differently about shows
// in our status, with its address.
func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		mode       int
		keepalived string
		router     []string
		want       string
	}{
		{"wrong password", 1, "", []string{"-pass", "5526"}, "auth: authentication failed: the passwords differ"},
		{"no authentication", 0, "", []string{"-pass", "5526"}, "auth-type: authentication type none, ours is pass"},
		{"interval", 0, "advert_int 2", nil, "interval: advert interval 2s, ours is 1s"},
		{"virtual router id", 0, "virtual_router_id 52", nil, "vrid: virtual router id 52, ours is 51"},
		{"version", 0, "", []string{"-version", "3"}, "version: VRRP version 2, ours is 3"},
		{"addresses", 0, "", []string{"-vips", theVIP + "/24,192.0.2.101/24"}, "addresses: its address list is [192.0.2.100], ours is [192.0.2.100 192.0.2.101]"},
		{"authentication header there only", 2, "", []string{"-pass", "5525"}, "auth-type: authentication type ah, ours is pass"},
		{"authentication header here only", 1, "", []string{"-pass", "", "-ah", "5525"}, "auth-type: authentication type pass, ours is ah"},
		{"unicast there", 0, "unicast_peer {\n 192.0.2.1\n}", nil, "mode: the peer unicasts, we are configured for multicast"},
		{"unicast here", 0, "", []string{"-peers", "192.0.2.2"}, "mode: the peer multicasts, we are configured for unicast"},
		{"another peer", 0, "unicast_peer {\n 192.0.2.1\n}", []string{"-peers", "192.0.2.3"}, "peer: 192.0.2.2 is not in our list of unicast peers, [192.0.2.3]"},
		{"checksum form", 5, "", []string{"-plain-checksum"}, "checksum-form: its checksum has the form"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, modes[tt.mode])
			p.keepalived(t, 100, tt.keepalived)
			waitHolder(t, 8*time.Second, p.b, p.vip)
			ours := p.router(t, 50, tt.router...)
			ours.WaitOutput(t, "role BACKUP", 2*time.Second)
			ours.WaitOutput(t, "level=WARN msg=trouble", 4*time.Second)
			found := false
			for _, x := range status(t, ours).Troubles {
				found = found || strings.HasPrefix(x.Kind.String()+": "+x.Detail, tt.want) && x.Peer.String() == "192.0.2.2"
			}
			if !found {
				t.Errorf("want %q, have %+v", tt.want, status(t, ours).Troubles)
			}
		})
	}
}
