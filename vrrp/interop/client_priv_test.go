//go:build priv

package interop

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/edgekeeper/edgekeeper/test/netns"
)

// ping sends one echo request from a host and reports whether it was answered.
func ping(t *testing.T, from *netns.Host, ip string, limit time.Duration) bool {
	t.Helper()
	network, protocol := "ip4:icmp", 1
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: os.Getpid() & 0xffff, Seq: 1}}
	reply := icmp.Type(ipv4.ICMPTypeEchoReply)
	if netip.MustParseAddr(ip).Is6() {
		network, protocol = "ip6:ipv6-icmp", 58
		m.Type, reply = ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
	}
	answered := false
	from.Do(t, func() error {
		c, err := net.ListenPacket(network, "")
		if err != nil {
			return err
		}
		defer c.Close()
		b, err := m.Marshal(nil)
		if err != nil {
			return err
		}
		if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
			return err
		}
		if _, err := c.WriteTo(b, &net.IPAddr{IP: net.ParseIP(ip)}); err != nil {
			return nil // no route, no neighbour: not answered
		}
		buf := make([]byte, 1500)
		for {
			n, who, err := c.ReadFrom(buf)
			if err != nil {
				return nil // not answered in time
			}
			if got, err := icmp.ParseMessage(protocol, buf[:n]); err == nil && got.Type == reply && who.String() == ip {
				answered = true
				return nil
			}
		}
	})
	return answered
}

// connect tries a TCP connection: "open", "refused", or "silence" within limit.
func connect(t *testing.T, from *netns.Host, ip string, port int, limit time.Duration) string {
	t.Helper()
	verdict := ""
	from.Do(t, func() error {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(ip, fmt.Sprint(port)), limit)
		var timeout net.Error
		switch {
		case err == nil:
			verdict = "open"
			return c.Close()
		case errors.Is(err, syscall.ECONNREFUSED):
			verdict = "refused"
		case errors.As(err, &timeout) && timeout.Timeout():
			verdict = "silence"
		default:
			verdict = err.Error()
		}
		return nil
	})
	return verdict
}
