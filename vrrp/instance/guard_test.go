package instance

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// guardLog is a Guard that writes down what it is told.
type guardLog struct{ log *journal }

func (g *guardLog) Arm(source netip.Addr, resign []Datagram, within time.Duration) {
	g.log.add("arm from %s within %s", source, within.Round(time.Millisecond))
	for _, d := range resign {
		p, err := vrrp.ParseIPv4(d.Packet)
		var a vrrp.Advert
		if err == nil {
			err = vrrp.Parse(&a, p.Payload, p.Source, p.Destination)
		}
		g.log.add("  to %s: %s->%s vrid %d priority %d %v", d.To, p.Source, p.Destination, a.VRID, a.Priority, err)
	}
}

func (g *guardLog) Disarm() { g.log.add("disarm") }

// TestGuard: armed from before the addresses are on until after they are off,
// with adverts that stay as they are when others are sent.
func TestGuard(t *testing.T) {
	cases := []struct {
		name   string
		change func(*vrrp.Config)
		armed  string // lines of Arm
	}{
		{"multicast", func(*vrrp.Config) {}, `
			3.859 arm from 192.0.2.1 within 2.008s
			3.859   to 224.0.0.18: 192.0.2.1->224.0.0.18 vrid 51 priority 0 <nil>`},
		{"unicast", func(c *vrrp.Config) {
			c.Peers = []netip.Addr{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")}
		}, `
			3.859 arm from 192.0.2.1 within 2.008s
			3.859   to 192.0.2.2: 192.0.2.1->192.0.2.2 vrid 51 priority 0 <nil>
			3.859   to 192.0.2.3: 192.0.2.1->192.0.2.3 vrid 51 priority 0 <nil>`},
		{"authentication header", func(c *vrrp.Config) { c.Auth = vrrp.Auth{Type: vrrp.AuthAH, Secret: "x"} }, `
			3.859 arm from 192.0.2.1 within 2.008s`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var log *journal
				n := start(t, &lan{}, "192.0.2.1", func(cfg *Config) {
					log = cfg.Host.(*host).log
					cfg.Guard = &guardLog{log}
					c.change(&cfg.VRRP)
				})
				n.until(1)
				log.take()
				n.until(4.5)
				want := c.armed + `
					3.859 install 3s
					3.859 announce
					3.859 announce
					3.859 role MASTER`
				unsent(log)
				n.want(t, want)
				n.SetFault("script", "failed")
				n.until(5.1)
				unsent(log)
				n.want(t, `
					4.500 remove
					4.500 disarm
					4.500 role FAULT`)
				n.stop()
			})
		})
	}
}

// unsent leaves out the adverts: how many there are is not the matter here.
func unsent(log *journal) {
	log.mu.Lock()
	defer log.mu.Unlock()
	log.lines = slices.DeleteFunc(log.lines, func(line string) bool { return strings.Contains(line, " send ") })
}
