//go:build priv

package interop

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/netns"
)

// openWithin is the time that a connection may take. A neighbour solicitation that
// finds a new IPv6 address before the kernel's worker has joined its solicited-node
// group (addrconf_dad_work) is lost, and the next one comes a second later.
const openWithin = 5 * time.Second

// serve listens on a port of every address of a host.
func serve(t *testing.T, h *netns.Host) {
	t.Helper()
	h.Start(t, netns.Role("listener")).WaitOutput(t, "listening", patience)
}

func rules(t *testing.T, h *netns.Host) string {
	t.Helper()
	return h.Run(t, netns.Tool("nft", "list", "ruleset"))
}

// TestNoAccept: a master that does not accept answers ARP and neighbour
// solicitations for its virtual addresses and nothing else; its own addresses
// are not concerned, and neither are tables of others.
func TestNoAccept(t *testing.T) {
	t.Parallel()
	for _, vmac := range []bool{false, true} {
		for _, m := range vmacModes {
			name := m.name
			if vmac {
				name += " VMAC"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newVMACSite(t, m)
				args := []string{"-priority", "150", "-vips", s.prefix()}
				if vmac {
					args = append(args, "-vmac", s.link)
				}
				state := filepath.Join(t.TempDir(), "VI_1.vip.json")
				s.a.Run(t, netns.Tool("nft", "add table inet other; add chain inet other c { type filter hook input priority 0; }; add table inet edgekeeper2"))
				others := rules(t, s.a)
				serve(t, s.a)
				own := map[bool]string{false: "192.0.2.1", true: "2001:db8::a"}[s.v6]
				present := func() bool { return s.holds(t, s.a) }

				r := s.a.Start(t, netns.Role("router", append(args, "-state", state)...))
				netns.Wait(t, patience, "address", present)
				if got := connect(t, s.client, s.vip, listenerPort, openWithin); got != "open" {
					t.Errorf("with accept: %s", got)
				}
				if err := r.Stop(t, 5*time.Second); err != nil {
					t.Error(err)
				}

				r = s.a.Start(t, netns.Role("router", append(args, "-state", state, "-no-accept")...))
				netns.Wait(t, patience, "address", present)
				s.client.Run(t, netns.Tool("ip", "neigh", "flush", "dev", "eth0"))
				silent := func() {
					t.Helper()
					for _, port := range []int{listenerPort, 9} {
						if got := connect(t, s.client, s.vip, port, 700*time.Millisecond); got != "silence" {
							t.Errorf("TCP to port %d: %s", port, got)
						}
					}
					if ping(t, s.client, s.vip, 500*time.Millisecond) {
						t.Error("ping is answered")
					}
				}
				silent()
				netns.Wait(t, patience, "answer to ARP or neighbour solicitation", func() bool {
					if strings.Contains(s.neighbour(t, s.vip), "lladdr") {
						return true
					}
					ping(t, s.client, s.vip, 50*time.Millisecond) // so that it is asked for
					return false
				})
				if s.v6 {
					// The unicast solicitation that confirms an entry, too.
					s.client.Run(t, netns.Tool("ip", "neigh", "change", s.vip, "dev", "eth0", "nud", "probe"))
					netns.Wait(t, patience, "confirmation", func() bool { return strings.Contains(s.neighbour(t, s.vip), "REACHABLE") })
				}
				if got := connect(t, s.client, own, listenerPort, openWithin); got != "open" {
					t.Errorf("TCP to the router's own address: %s", got)
				}

				// Somebody flushes the ruleset, or our chain, or a set.
				for _, flush := range []string{"flush ruleset", "flush chain inet edgekeeper input", "flush set inet edgekeeper no_accept4; flush set inet edgekeeper no_accept6", "delete table inet edgekeeper"} {
					s.a.Run(t, netns.Tool("nft", flush))
					netns.Wait(t, patience, "rules after "+flush, func() bool {
						out := rules(t, s.a)
						return strings.Contains(out, s.vip) && strings.Count(out, "drop") == 2
					})
					silent()
				}
				if got := strings.Count(r.Output(), "somebody removed our nftables rules"); got != 4 {
					t.Errorf("reported %d times, want 4", got)
				}
				s.a.Run(t, netns.Tool("nft", "add table inet other; add chain inet other c { type filter hook input priority 0; }; add table inet edgekeeper2"))

				if err := r.Stop(t, 5*time.Second); err != nil {
					t.Error(err)
				}
				if got := rules(t, s.a); got != others {
					t.Errorf("rules after the stop:\n%s\nbefore:\n%s", got, others)
				}

				// Killed: a start with accept finds and removes them.
				r = s.a.Start(t, netns.Role("router", append(args, "-state", state, "-no-accept")...))
				netns.Wait(t, patience, "address", present)
				r.Kill(t)
				r = s.a.Start(t, netns.Role("router", append(args, "-state", state)...))
				r.WaitOutput(t, "role BACKUP", patience)
				if got := rules(t, s.a); got != others {
					t.Errorf("rules after a crash and a start:\n%s", got)
				}
			})
		}
	}
}

// TestNoAcceptShared: two virtual routers of a host share the table; each takes
// out its own.
func TestNoAcceptShared(t *testing.T) {
	t.Parallel()
	lan := netns.NewLAN(t)
	a := lan.Host(t, "a", "192.0.2.1/24")
	r1 := a.Start(t, netns.Role("router", "-vrid", "51", "-vips", "192.0.2.101/24", "-no-accept"))
	r2 := a.Start(t, netns.Role("router", "-vrid", "52", "-vips", "192.0.2.102/24", "-no-accept"))
	netns.Wait(t, patience, "both", func() bool {
		out := rules(t, a)
		return strings.Contains(out, "192.0.2.101") && strings.Contains(out, "192.0.2.102") && strings.Count(out, "drop") == 2
	})
	if err := r1.Stop(t, 5*time.Second); err != nil {
		t.Error(err)
	}
	if out := rules(t, a); strings.Contains(out, "192.0.2.101") || !strings.Contains(out, "192.0.2.102") {
		t.Errorf("after the stop of one:\n%s", out)
	}
	if err := r2.Stop(t, 5*time.Second); err != nil {
		t.Error(err)
	}
	if out := rules(t, a); out != "" {
		t.Errorf("after the stop of both:\n%s", out)
	}
}

// TestNoAcceptChurn: many virtual routers begin and end at the same time, so that
// the table is made and removed under each other's eyes; none minds.
func TestNoAcceptChurn(t *testing.T) {
	t.Parallel()
	lan := netns.NewLAN(t)
	a := lan.Host(t, "a", "192.0.2.1/24")
	t.Run("routers", func(t *testing.T) {
		for i := range 6 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for range 4 {
					r := a.Start(t, netns.Role("router", "-vrid", fmt.Sprint(60+i), "-priority", "255", "-vips", fmt.Sprintf("192.0.2.%d/24", 160+i), "-no-accept"))
					r.WaitOutput(t, "role MASTER", patience)
					if err := r.Stop(t, 5*time.Second); err != nil || strings.Contains(r.Output(), "level=WARN") {
						t.Errorf("%v\n%s", err, r.Output())
					}
				}
			})
		}
	})
	if out := rules(t, a); out != "" {
		t.Errorf("rules that are left:\n%s", out)
	}
}
