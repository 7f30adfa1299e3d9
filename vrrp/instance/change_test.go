package instance

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// TestStepDown: with that policy a removed address, or route, costs the role.
func TestStepDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := start(t, &lan{}, "192.0.2.1", func(c *Config) { c.OnLoss = LossStepDown })
		n.until(4)
		n.log.take()
		n.host.report.get()(Change{Kind: RouteLost, What: "somebody removed route 10.0.0.0/8"})
		synctest.Wait()
		n.want(t, `
			4.000 send 0
			4.000 remove
			4.000 role BACKUP`)
		s := n.Status()
		if s.Counters.RoutesLost != 1 || s.Reason.Cause != vrrp.CauseSteppedDown || len(s.Troubles) != 1 || !strings.HasSuffix(s.Troubles[0].Detail, "stepping down") {
			t.Errorf("%+v %v %v", s.Counters, s.Reason, s.Troubles)
		}
		n.until(8)
		if n.Status().State != vrrp.Master {
			t.Error("alone, it must become master again")
		}
	})
}

// TestAddressChanged: put right by a full installation, under either policy.
func TestAddressChanged(t *testing.T) {
	for _, policy := range []LossPolicy{LossRestore, LossStepDown} {
		bubble(t, func(t *testing.T) {
			n := start(t, &lan{}, "192.0.2.1", func(c *Config) { c.OnLoss = policy })
			n.until(4)
			n.log.take()
			n.host.report.get()(Change{Kind: AddressChanged, What: "somebody put 192.0.2.100/32 on eth0"})
			synctest.Wait()
			n.want(t, `
				4.000 send 100
				4.000 renew
				4.000 install 3s
				4.000 announce`)
		})
	}
}

// TestRouteLost: put back, and no announcement, for no address moved.
func TestRouteLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := start(t, &lan{}, "192.0.2.1", nil)
		n.until(4)
		n.log.take()
		n.host.report.get()(Change{Kind: RouteLost, What: "somebody removed rule 50"})
		synctest.Wait()
		n.want(t, `
			4.000 send 100
			4.000 renew`)
	})
}

// TestIncomplete: a route that cannot be installed is said, and costs nothing.
func TestIncomplete(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := start(t, &lan{}, "192.0.2.1", nil)
		n.host.partial.set(ErrIncomplete)
		n.until(60)
		s := n.Status()
		if s.State != vrrp.Master || !s.Present || s.Counters.HostErrors < 10 || len(s.Troubles) == 0 {
			t.Errorf("%s, present %t, %+v, %v", s.State, s.Present, s.Counters, s.Troubles)
		}
	})
}

// TestFound: an address that is there in BACKUP is a trouble until it goes.
func TestFound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := start(t, &lan{}, "192.0.2.1", nil)
		n.until(1)
		report, ip := n.host.report.get(), netip.MustParseAddr("192.0.2.100")
		report(Change{Kind: AddressFound, Address: ip, Device: "eth1"})
		synctest.Wait()
		s := n.Status()
		if len(s.Troubles) != 1 || s.Troubles[0].Kind != TroubleBackupHolds || s.Troubles[0].Address != ip || !s.Troubles[0].Active() {
			t.Errorf("%+v", s.Troubles)
		}
		report(Change{Kind: AddressGone, Address: ip, Device: "eth1"})
		synctest.Wait()
		if s := n.Status(); s.Troubles[0].Active() {
			t.Errorf("%+v", s.Troubles)
		}
	})
}

// TestLinkDelays: what does not last is not acted upon; what is gone is.
func TestLinkDelays(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := start(t, &lan{}, "192.0.2.1", func(c *Config) {
			c.LinkDownDelay, c.LinkUpDelay = 500*time.Millisecond, 2*time.Second
		})
		n.until(4)
		report, state := n.host.report.get(), func(want vrrp.State) {
			t.Helper()
			synctest.Wait()
			if got := n.Status().State; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		report(Change{Kind: LinkDown, What: "eth0 is down"})
		n.until(4.4)
		state(vrrp.Master)
		report(Change{Kind: LinkUp, What: "eth0 is up"})
		n.until(6)
		state(vrrp.Master)
		report(Change{Kind: LinkDown, What: "eth0 is down"})
		n.until(6.6)
		state(vrrp.Fault)
		report(Change{Kind: LinkUp, What: "eth0 is up"})
		n.until(8)
		report(Change{Kind: LinkDown, What: "eth0 is down"})
		n.until(9)
		report(Change{Kind: LinkUp, What: "eth0 is up"})
		n.until(10.9)
		state(vrrp.Fault)
		n.until(11.1)
		state(vrrp.Backup)
		report(Change{Kind: LinkDown, Gone: true, What: "eth0 does not exist"})
		state(vrrp.Fault)
		if why := n.Status().Faults["interface"]; why != "eth0 does not exist" {
			t.Errorf("fault %q", why)
		}
	})
}
