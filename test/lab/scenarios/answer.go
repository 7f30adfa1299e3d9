package scenarios

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

// answering makes a host answer with its name: connections ("tcp", "sctp"),
// datagrams ("udp"). A datagram is answered from the address that was bound, so that one
// has to be the virtual address.
func answering(t *scenario.T, h *site.Host, network, addr string) {
	t.OK(h.Do(func() error {
		if network == "udp" {
			c, err := net.ListenPacket(network, addr)
			if err != nil {
				return fmt.Errorf("listen on %s: %w", h.Name, err)
			}
			t.Cleanup(func() { _ = c.Close() })
			go func() {
				b := make([]byte, 100)
				for {
					_, from, err := c.ReadFrom(b)
					if err != nil {
						return
					}
					_, _ = c.WriteTo([]byte(h.Name), from) // a lost answer is asked for again
				}
			}()
			return nil
		}
		listen := net.Listen
		if network == "sctp" {
			listen = func(_, addr string) (net.Listener, error) { return listenSCTP(addr) }
		}
		l, err := listen(network, addr)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", h.Name, err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Write([]byte(h.Name))
				_ = c.Close()
			}
		}()
		return nil
	}))
}

// ask asks an address from a host and returns who answered, "" for nobody.
func ask(from *site.Host, network, addr string) (name string) {
	err := from.Do(func() error {
		connect := net.DialTimeout
		if network == "sctp" {
			connect = func(_, addr string, limit time.Duration) (net.Conn, error) { return dialSCTP(addr, limit) }
		}
		c, err := connect(network, addr, time.Second)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
			return err
		}
		if network == "udp" {
			if _, err := c.Write([]byte("?")); err != nil {
				return err
			}
		}
		b := make([]byte, 100)
		n, err := c.Read(b)
		name = string(b[:n])
		return err
	})
	if err != nil {
		return ""
	}
	return name
}

// answered asks until somebody answers, and returns who.
func answered(t *scenario.T, from *site.Host, network, addr string) (name string) {
	t.Within(slow, addr+" is answered", func() bool {
		name = ask(from, network, addr)
		return name != ""
	})
	return name
}

// script runs shell commands on a host, a line each, in one process: starting one
// takes a guest a tenth of a second.
func script(t *scenario.T, s *scenario.Site, host string, lines []string) {
	_, err := s.Run(s.Host(host), "sh", "-ec", strings.Join(lines, "\n"))
	t.OK(err)
}

// command runs a program on a host, its arguments in one string.
func command(t *scenario.T, s *scenario.Site, host, line string) string {
	out, err := s.Run(s.Host(host), strings.Fields(line)...)
	t.OK(err)
	return out
}
