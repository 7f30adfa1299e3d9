//go:build priv

package interop

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/netns"
)

// echo answers datagrams on a host.
func echo(b *testing.B, h *netns.Host) {
	var c net.PacketConn
	h.Do(b, func() (err error) {
		c, err = net.ListenPacket("udp4", ":7")
		return err
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(buf[:n], from)
		}
	}()
	b.Cleanup(func() { _ = c.Close(); <-done })
}

// asking is a client that sends a datagram to the address every millisecond.
type asking struct {
	conn    net.PacketConn
	answers chan time.Time
	stopped chan struct{}
}

func (s *benchSite) ask() *asking {
	a := &asking{answers: make(chan time.Time, 1<<16), stopped: make(chan struct{})}
	s.client.Do(s.b, func() (err error) {
		a.conn, err = net.ListenPacket("udp4", ":0")
		return err
	})
	go func() {
		defer close(a.stopped)
		to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(benchVIP + ":7"))
		for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
			if _, err := a.conn.WriteTo([]byte("?"), to); err != nil && strings.Contains(err.Error(), "closed") {
				tick.Stop()
				return
			}
		}
	}()
	go func() {
		defer close(a.answers)
		buf := make([]byte, 64)
		for {
			if _, _, err := a.conn.ReadFrom(buf); err != nil {
				return
			}
			a.answers <- time.Now()
		}
	}()
	return a
}

// gap ends the client and returns the longest time between two answers.
func (a *asking) gap(from time.Time) (longest time.Duration) {
	_ = a.conn.Close()
	<-a.stopped
	last := from
	for at := range a.answers {
		if at.After(from) {
			longest = max(longest, at.Sub(last))
			last = at
		}
	}
	return longest
}
