//go:build priv

package check

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/test/netns"
)

func TestMain(m *testing.M) {
	if os.Getenv(sinkVariable) != "" {
		sink()
		return
	}
	netns.Main(m, nil)
}

// vipSite is a director, a real server, and a host that holds the virtual
// address and serves there: whoever passes a packet on reaches it.
type vipSite struct {
	lan                     *netns.LAN
	director, server, other *netns.Host
	vip, real               netip.Addr
	accepted                atomic.Int32
}

func newVIPSite(t *testing.T, v4 bool) *vipSite {
	s := &vipSite{lan: netns.NewLAN(t), vip: netip.MustParseAddr("192.0.2.100"), real: netip.MustParseAddr("192.0.2.10")}
	addresses := []string{"192.0.2.1/24", "192.0.2.10/24", "192.0.2.11/24"}
	if !v4 {
		s.vip, s.real = netip.MustParseAddr("2001:db8::100"), netip.MustParseAddr("2001:db8::10")
		addresses = []string{"2001:db8::1/64", "2001:db8::10/64", "2001:db8::11/64"}
	}
	s.director, s.server, s.other = s.lan.Host(t, "director", addresses[0]), s.lan.Host(t, "server", addresses[1]), s.lan.Host(t, "other", addresses[2])
	ping, err := New(discovery.CheckSpec{Type: discovery.ICMP}.For(netip.AddrPortFrom(s.real, 0)))
	if err != nil {
		t.Fatal(err)
	}
	netns.Wait(t, 20*time.Second, "the hosts reach each other", func() (ok bool) {
		s.director.Do(t, func() error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, err := ping(ctx)
			ok = err == nil
			return nil
		})
		return ok
	})
	return s
}

// hold puts the virtual address on an interface of a host.
func (s *vipSite) hold(t *testing.T, h *netns.Host, dev string) {
	t.Helper()
	h.Do(t, func() error {
		link, err := netlink.LinkByName(dev)
		if err != nil {
			return err
		}
		addr, err := netlink.ParseAddr(netip.PrefixFrom(s.vip, s.vip.BitLen()).String())
		if err != nil {
			return err
		}
		if s.vip.Is6() { // as a director installs it: never a source, without duplicate address detection
			addr.Flags, addr.PreferedLft, addr.ValidLft = unix.IFA_F_NODAD, 0, math.MaxInt32
		}
		if dev == "lo" { // a real server of direct routing does not answer for it
			if err := os.WriteFile("/proc/sys/net/ipv4/conf/all/arp_ignore", []byte("1"), 0); err != nil {
				return err
			}
		}
		return netlink.AddrAdd(link, addr)
	})
	// The kernel makes an IPv6 address a local one a moment later.
	netns.Wait(t, 20*time.Second, "the virtual address is local", func() (local bool) {
		h.Do(t, func() error {
			p, err := pathTo(s.vip)
			local = err == nil && p.local
			return nil
		})
		return local
	})
}

// serve listens on every address of a host.
func (s *vipSite) serve(t *testing.T, h *netns.Host) {
	t.Helper()
	h.Do(t, func() error {
		l, err := net.Listen("tcp", ":80")
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				s.accepted.Add(1)
				_ = conn.Close()
			}
		}()
		return nil
	})
}

func (s *vipSite) forward(t *testing.T, h *netns.Host) {
	t.Helper()
	h.Do(t, func() error {
		for _, path := range []string{"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"} {
			if err := os.WriteFile(path, []byte("1"), 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// probe makes one attempt from the director.
func (s *vipSite) probe(t *testing.T, change func(*discovery.CheckSpec)) string {
	t.Helper()
	spec := discovery.CheckSpec{Type: discovery.VIP, Timeout: 300 * time.Millisecond, VIP: discovery.VIPSpec{Addr: s.vip}}
	if change != nil {
		change(&spec)
	}
	p, err := New(spec.For(netip.AddrPortFrom(s.real, 80)))
	if err != nil {
		t.Fatal(err)
	}
	var result error
	s.director.Do(t, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), spec.Timeout)
		defer cancel()
		_, result = p(ctx)
		return nil
	})
	if result == nil {
		return "ok"
	}
	return reason(result, spec.Timeout)
}

func echoInstead(c *discovery.CheckSpec) { c.VIP.Echo = true }

// longer leaves time for an address to be resolved.
func longer(c *discovery.CheckSpec) { c.Timeout = 5 * time.Second }

func longEcho(c *discovery.CheckSpec) { longer(c); echoInstead(c) }

// TestVIP asks real servers with and without the virtual address, from a
// director that holds it and from one that does not.
func TestVIP(t *testing.T) {
	for _, v4 := range []bool{true, false} {
		for _, master := range []bool{true, false} {
			t.Run(fmt.Sprintf("IPv4 %v master %v", v4, master), func(t *testing.T) {
				t.Parallel()
				site := func(t *testing.T) *vipSite {
					t.Parallel()
					s := newVIPSite(t, v4)
					if master {
						s.hold(t, s.director, "eth0")
						s.serve(t, s.director) // and would answer itself
					}
					return s
				}
				want := func(t *testing.T, s *vipSite, want string, change func(*discovery.CheckSpec)) {
					t.Helper()
					if got := s.probe(t, change); got != want {
						t.Errorf("%q, want %q", got, want)
					}
				}
				silent := func(s *vipSite) string {
					return fmt.Sprintf("no answer from %s within 300ms: the real server may not have it", s.vip)
				}
				t.Run("has it", func(t *testing.T) {
					s := site(t)
					s.hold(t, s.server, "lo")
					s.serve(t, s.server)
					want(t, s, "ok", longer)
					want(t, s, "ok", longer)
					want(t, s, "ok", longEcho)
					if n := s.accepted.Load(); n != 0 {
						t.Errorf("the service saw %d connections", n)
					}
					if n := s.halfOpen(t); n != 0 {
						t.Errorf("%d half-open connections were left", n)
					}
				})
				t.Run("does not listen", func(t *testing.T) {
					s := site(t)
					s.hold(t, s.server, "lo")
					want(t, s, "connection refused", longer)
				})
				t.Run("lacks it", func(t *testing.T) {
					s := site(t)
					s.serve(t, s.server)
					s.director.Neighbour(t, s.real.String(), s.server)
					want(t, s, silent(s), nil)
					want(t, s, silent(s), echoInstead)
				})
				t.Run("lacks it and is a router", func(t *testing.T) {
					s := site(t)
					s.serve(t, s.server)
					s.forward(t, s.server)
					s.serve(t, s.other)
					if !master {
						s.hold(t, s.other, "eth0")
					}
					want(t, s, errPassed.Error(), longer)
					want(t, s, errPassed.Error(), longEcho)
					if n := s.accepted.Load(); n != 0 {
						t.Errorf("somebody saw %d connections", n)
					}
				})
				t.Run("is gone", func(t *testing.T) {
					s := site(t)
					s.lan.Isolate(t, s.server, true)
					want(t, s, silent(s), nil)
					s.real = s.real.Next().Next().Next() // nobody, whose hardware address is not known
					want(t, s, "no route to host", nil)
				})
				t.Run("is this host", func(t *testing.T) {
					s := site(t)
					s.real = netip.MustParseAddr(map[bool]string{true: "192.0.2.1", false: "2001:db8::1"}[v4])
					want(t, s, "ok", longer)
				})
			})
		}
	}
}

// TestVIPForgetsHalfOpen finds a connection that an earlier attempt has left
// half open, and that repeats its answer: it is reset, and the next attempt is
// not misled.
func TestVIPForgetsHalfOpen(t *testing.T) {
	s := newVIPSite(t, true)
	s.hold(t, s.server, "lo")
	s.serve(t, s.server)
	if got := s.probe(t, longer); got != "ok" {
		t.Fatal(got)
	}
	m := new(Maker)
	w := &m.wires[0]
	var p path
	s.director.Do(t, func() (err error) {
		if p, err = pathTo(s.real); err == nil {
			err = w.open(true)
		}
		return err
	})
	hardware := netns.HardwareOf(t, s.server)
	left := question{source: p.source, vip: s.vip, port: 80, from: w.port, key: 12345}
	if err := w.send(left.packet(), p.link, hardware); err != nil {
		t.Fatal(err)
	}
	netns.Wait(t, 5*time.Second, "the connection is half open", func() bool { return s.halfOpen(t) == 1 })
	spec := discovery.CheckSpec{Type: discovery.VIP, Timeout: 5 * time.Second, VIP: discovery.VIPSpec{Addr: s.vip}}
	probe, err := m.New(spec.For(netip.AddrPortFrom(s.real, 80)))
	if err != nil {
		t.Fatal(err)
	}
	s.director.Do(t, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), spec.Timeout)
		defer cancel()
		_, err := probe(ctx)
		return err
	})
	netns.Wait(t, 5*time.Second, "nothing is half open", func() bool { return s.halfOpen(t) == 0 })
}

// halfOpen counts connections of the real server in SYN-RECEIVED.
func (s *vipSite) halfOpen(t *testing.T) int {
	t.Helper()
	n := 0
	s.server.Do(t, func() error {
		for _, path := range []string{"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"} {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for line := range strings.Lines(string(text)) {
				if f := strings.Fields(line); len(f) > 3 && f[3] == "03" {
					n++
				}
			}
		}
		return nil
	})
	return n
}

// TestVIPNeedsAnAddress says what is missing on a host whose only address
// towards the real server is the virtual one.
func TestVIPNeedsAnAddress(t *testing.T) {
	lan := netns.NewLAN(t)
	s := &vipSite{lan: lan, director: lan.Host(t, "director", "192.0.2.100/24"), vip: netip.MustParseAddr("192.0.2.100"), real: netip.MustParseAddr("192.0.2.10")}
	const want = "ask 192.0.2.10: this host has no address towards it but the virtual one; set source_address"
	if got := s.probe(t, nil); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
