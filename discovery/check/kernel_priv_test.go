//go:build priv

package check

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/test/netns"
)

// TestPingSockets sends echoes from a ping socket and from a raw one, whatever
// the machine allows.
func TestPingSockets(t *testing.T) {
	lan := netns.NewLAN(t)
	h, other := lan.Host(t, "director", "192.0.2.1/24", "2001:db8::1/64"), lan.Host(t, "server", "192.0.2.2/24", "2001:db8::2/64")
	_ = other
	for _, c := range []struct {
		groups string
		raw    bool
	}{{"0 0", false}, {"1 0", true}} {
		for _, target := range []string{"192.0.2.2", "2001:db8::2"} {
			addr := netip.MustParseAddr(target)
			p, err := New(discovery.CheckSpec{Type: discovery.ICMP, Timeout: 5 * time.Second}.For(netip.AddrPortFrom(addr, 0)))
			if err != nil {
				t.Fatal(err)
			}
			h.Do(t, func() error {
				if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte(c.groups), 0); err != nil {
					return err
				}
				f, raw, err := pingSocket(addr, netip.Addr{}, 0)
				if err != nil {
					return err
				}
				_ = f.Close()
				if raw != c.raw {
					t.Errorf("groups %q: a raw socket is used: %v", c.groups, raw)
				}
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				defer cancel()
				if _, err := p(ctx); err != nil {
					t.Errorf("groups %q, %s: %v", c.groups, target, err)
				}
				return nil
			})
		}
	}
}

// TestFewPorts makes checks of more targets than this host has ports, with and
// without a source address, and keeps the connections of all of them: what
// TestPortsAreShared does with an option that is younger than many kernels.
func TestFewPorts(t *testing.T) {
	const targets = 64
	lan := netns.NewLAN(t)
	h := lan.Host(t, "director", "192.0.2.1/24")
	h.Do(t, func() error {
		if err := os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("45000 45015"), 0); err != nil {
			return err
		}
		l, err := net.Listen("tcp", "0.0.0.0:80")
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
				go func() { _, _ = io.Copy(io.Discard, conn) }() // and never closes its side
			}
		}()
		for _, source := range []netip.Addr{{}, netip.MustParseAddr("127.0.0.1")} {
			c, err := newConnector()
			if err != nil {
				return err
			}
			defer c.close()
			spec := discovery.CheckSpec{Type: discovery.TCP, Timeout: time.Second, Source: source}
			w := wayTo(spec.For(netip.MustParseAddrPort("127.0.3.1:80")), spec)
			for i := range targets {
				at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 2, byte(i)}), 80)
				if _, err := c.begin(&entry{said: discovery.Say(spec.For(at), discovery.Verdict{})}, &spec); err != nil {
					t.Fatalf("connector, source %v, connection %d: %v", source, i, err)
				}
				w.target = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 3, byte(i)}), 80).String()
				conn, stop, err := w.tcp(t.Context())
				if err != nil {
					t.Fatalf("probe, source %v, connection %d: %v", source, i, err)
				}
				t.Cleanup(func() { _ = conn.Close() })
				stop()
			}
		}
		return nil
	})
}
