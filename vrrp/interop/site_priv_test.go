//go:build priv

package interop

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/netns"
)

const theVIP = "192.0.2.100"

func waitHolder(t *testing.T, limit time.Duration, h *netns.Host, ip string) time.Duration {
	t.Helper()
	return netns.Wait(t, limit, "address "+ip+" on "+h.Name, func() bool { return h.Has(t, ip) })
}

func waitGone(t *testing.T, limit time.Duration, h *netns.Host, ip string) time.Duration {
	t.Helper()
	return netns.Wait(t, limit, "absence of "+ip+" on "+h.Name, func() bool { return !h.Has(t, ip) })
}

// mode is one way to run a virtual router, on both sides.
type mode struct {
	name       string
	v6         bool
	router     []string // flags of the router role
	keepalived string   // lines inside vrrp_instance; %s is the other host's address
	unicast    bool
	version    int
	auth       string // none, pass or ah
}

// modes are all combinations that exist: authentication is version 2's, and
// version 2 is IPv4's.
var modes = func() (all []mode) {
	for _, version := range []int{2, 3} {
		for _, v6 := range []bool{false, true} {
			for _, unicast := range []bool{false, true} {
				for _, auth := range []string{"none", "pass", "ah"} {
					if version == 2 && v6 || version == 3 && auth != "none" {
						continue
					}
					all = append(all, newMode(version, v6, unicast, auth))
				}
			}
		}
	}
	return all
}()

func newMode(version int, v6, unicast bool, auth string) mode {
	m := mode{version: version, v6: v6, unicast: unicast, auth: auth, router: []string{"-version", fmt.Sprint(version)}}
	if auth != "none" {
		m.router = append(m.router, "-"+auth, "5525")
		m.keepalived = fmt.Sprintf("authentication {\n auth_type %s\n auth_pass 5525\n}", strings.ToUpper(auth))
	}
	pick := func(yes bool, a, b string) string {
		if yes {
			return a
		}
		return b
	}
	m.name = fmt.Sprintf("v%d %s %s", version, pick(v6, "IPv6", "IPv4"), pick(unicast, "unicast", "multicast"))
	if auth != "none" {
		m.name += " " + auth
	}
	return m
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
	t.Helper()
	args := append([]string{"-priority", fmt.Sprint(priority), "-vips", p.vips}, p.mode.router...)
	if p.unicast {
		args = append(args, "-peers", p.address("b"))
	}
	return p.a.Start(t, netns.Role("router", append(args, more...)...))
}

// keepalived starts keepalived on b.
func (p *pair) keepalived(t *testing.T, priority int, more string) *netns.Process {
	t.Helper()
	return startKeepalived(t, p, p.b, filepath.Join(t.TempDir(), "keepalived.conf"), priority, more)
}

func startKeepalived(t *testing.T, p *pair, h *netns.Host, file string, priority int, more string) *netns.Process {
	t.Helper()
	dir := filepath.Dir(file)
	configure(t, p, h, file, priority, more)
	return h.Start(t, netns.Tool("keepalived", "-n", "-l", "-D", "-P", "-f", file,
		"-p", filepath.Join(dir, "pid"), "-r", filepath.Join(dir, "vrrp.pid")))
}

// configure writes keepalived's file.
func configure(t *testing.T, p *pair, h *netns.Host, file string, priority int, more string) {
	t.Helper()
	unicast := ""
	if p.unicast {
		peer := map[string]string{"a": "b", "b": "a"}[h.Name]
		unicast = fmt.Sprintf("unicast_src_ip %s\nunicast_peer {\n %s\n}", p.address(h.Name), p.address(peer))
		if p.v6 {
			unicast += "\nunicast_ttl 255"
		}
	}
	conf := fmt.Sprintf(`global_defs {
 router_id keepalived
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
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
}

// prefixes are the virtual addresses.
func (p *pair) prefixes() []netip.Prefix {
	var out []netip.Prefix
	for _, v := range strings.Split(p.vips, ",") {
		out = append(out, netip.MustParsePrefix(v))
	}
	return out
}
