package instance

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// another is the configuration of a node with a host that succeeds its own.
func (n *node) another(change func(*Config)) (Config, *host) {
	cfg := n.Runner.cfg
	next := &host{t: n.host.t, log: n.log}
	cfg.Host = next
	cfg.VRRP.Addresses = slices.Clone(cfg.VRRP.Addresses)
	change(&cfg)
	return cfg, next
}

func more(c *Config) {
	c.VRRP.Addresses = append(c.VRRP.Addresses, vrrp.Address{Prefix: netip.MustParsePrefix("192.0.2.101/24")})
}

// TestReconfigure: a master installs with the advert that tells, and a backup
// takes off what only the host before may have had. What that one still reports
// counts no more.
func TestReconfigure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := start(t, &lan{}, "192.0.2.1", nil)
		n.until(4)
		n.log.take()
		cfg, next := n.another(more)
		if err := n.Reconfigure(cfg); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		n.want(t, `
			4.000 send 100
			4.000 install 3s
			4.000 announce
			4.000 announce`)
		if s := n.Status(); len(s.Addresses) != 2 || !s.Present || s.Counters.ToMaster != 1 {
			t.Errorf("%+v", s)
		}
		n.host.report.get()(Change{Kind: AddressLost, What: "somebody removed 192.0.2.100/24"})
		synctest.Wait()
		n.want(t, "")
		next.report.get()(Change{Kind: AddressLost, What: "somebody removed 192.0.2.101/24"})
		synctest.Wait()
		n.want(t, `
			4.000 send 100
			4.000 renew
			4.000 announce`)
		n.until(5.5)
		n.want(t, `
			5.000 send 100
			5.000 renew`)
	})
}

func TestReconfigureAsBackup(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := start(t, &lan{}, "192.0.2.1", nil)
		n.until(1)
		n.log.take()
		cfg, next := n.another(more)
		if err := n.Reconfigure(cfg); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		n.want(t, "1.000 remove")
		n.until(4)
		if !next.has() || n.host.has() || n.Status().State != vrrp.Master {
			t.Errorf("%s, the new host has the addresses: %t", n.Status().State, next.has())
		}
	})
}

// TestReconfigureUnsent: an advert that does not leave lets no lease begin, and
// the next one does.
func TestReconfigureUnsent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := start(t, &lan{}, "192.0.2.1", nil)
		n.until(4)
		n.log.take()
		n.conn.get().fail.set(errFake)
		cfg, next := n.another(func(c *Config) { more(c); c.VRRP.Announce.Repeat = 1 })
		if err := n.Reconfigure(cfg); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if next.has() {
			t.Error("installed without an advert")
		}
		n.conn.get().fail.set(nil)
		n.log.take()
		n.until(5.5)
		if !next.has() {
			t.Error("not installed")
		}
	})
}

// TestReconfigureRefused: another virtual router needs another runner.
func TestReconfigureRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := start(t, &lan{}, "192.0.2.1", nil)
		n.until(4)
		n.log.take()
		cfg, next := n.another(func(c *Config) { c.VRRP.VRID = 52 })
		if err := n.Reconfigure(cfg); !errors.Is(err, ErrRestart) {
			t.Errorf("%v, want ErrRestart", err)
		}
		n.until(4 + time.Second.Seconds()/2)
		n.want(t, "")
		if next.has() || n.Status().VRID != 51 {
			t.Error("changed all the same")
		}
		n.stop()
		cfg, _ = n.another(more)
		if err := n.Reconfigure(cfg); !errors.Is(err, ErrStopped) {
			t.Errorf("%v, want ErrStopped", err)
		}
	})
}
