package instance

import (
	"testing"
	"testing/synctest"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

func TestFaults(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var dialErr knob[error]
		dialErr.set(errFake)
		var l lan
		n := start(t, &l, "192.0.2.1", func(c *Config) {
			dial := c.Dial
			c.Dial = func() (Conn, error) {
				if err := dialErr.get(); err != nil {
					return nil, err
				}
				return dial()
			}
		})
		n.until(2.5)
		if s := n.Status(); s.State != vrrp.Fault || s.Faults["socket"] != "fake error" {
			t.Errorf("without a socket: %s, %v", s.State, s.Faults)
		}
		dialErr.set(nil)
		n.until(3)
		if s := n.Status(); s.State != vrrp.Backup || len(s.Faults) != 0 || s.Source.String() != "192.0.2.1" {
			t.Errorf("with a socket: %s, %v", s.State, s.Faults)
		}
		n.until(7)
		n.log.take()

		n.host.report.get()(Change{Kind: LinkDown, What: "eth0 is down"})
		n.SetFault("script", "exit code 1")
		synctest.Wait()
		n.want(t, `
			7.000 send 0
			7.000 remove
			7.000 role FAULT`)
		n.host.report.get()(Change{Kind: LinkUp, What: "eth0 is up"})
		n.until(8)
		if s := n.Status(); s.State != vrrp.Fault || s.Reason.String() != "eth0 is down" || len(s.Faults) != 1 {
			t.Errorf("one fault left: %s, %v", s.State, s.Faults)
		}
		n.SetFault("script", "")
		n.until(9)
		if s := n.Status(); s.State != vrrp.Backup || s.Reason.String() != "script recovered" {
			t.Errorf("no fault left: %s, %s", s.State, s.Reason)
		}
	})
}

// TestInitialFaults: a router that starts with a fault takes no part, not for a
// moment, until the fault is cleared; also the owner of the addresses.
func TestInitialFaults(t *testing.T) {
	for _, priority := range []uint8{100, vrrp.PriorityOwner} {
		bubble(t, func(t *testing.T) {
			var l lan
			n := start(t, &l, "192.0.2.1", func(c *Config) {
				c.VRRP.Priority = priority
				c.Faults = map[string]string{"script": "no verdict yet"}
			})
			n.until(5)
			n.want(t, `
				0.000 remove
				0.000 remove
				0.000 role FAULT`)
			if s := n.Status(); s.State != vrrp.Fault || s.Reason.String() != "no verdict yet" || s.Faults["script"] == "" {
				t.Errorf("%s, %s, %v", s.State, s.Reason, s.Faults)
			}
			n.SetFault("script", "")
			n.until(10)
			if s := n.Status(); s.State != vrrp.Master || len(s.Faults) != 0 {
				t.Errorf("without a fault: %s, %v", s.State, s.Faults)
			}
		})
	}
}

// TestIgnoreLink: the interface may be down, but not away.
func TestIgnoreLink(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := start(t, &lan{}, "192.0.2.1", func(c *Config) { c.IgnoreLink = true })
		n.until(4)
		n.log.take()
		report := n.host.report.get()
		report(Change{Kind: LinkDown, What: "eth0 has no carrier"})
		n.until(4.1)
		n.want(t, ``)
		if s := n.Status(); s.State != vrrp.Master || len(s.Faults) != 0 {
			t.Errorf("without a carrier: %s, %v", s.State, s.Faults)
		}
		report(Change{Kind: LinkDown, What: "eth0 does not exist", Gone: true})
		n.until(4.2)
		if s := n.Status(); s.State != vrrp.Fault || s.Reason.String() != "eth0 does not exist" {
			t.Errorf("without an interface: %s, %s", s.State, s.Reason)
		}
		report(Change{Kind: LinkDown, What: "eth0 is down"})
		n.until(9)
		if s := n.Status(); s.State != vrrp.Master {
			t.Errorf("with an interface that is down: %s, %v", s.State, s.Faults)
		}
	})
}

// TestHostFails: a router that cannot install addresses lets another be master,
// and tries again later.
func TestHostFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var l lan
		a := start(t, &l, "192.0.2.1", func(c *Config) { c.VRRP.Priority = 150 })
		b := start(t, &l, "192.0.2.2", nil)
		a.host.fail.set(errFake)
		a.until(10)
		if s := a.Status(); s.State != vrrp.Fault || s.Faults["addresses"] == "" || s.Counters.HostErrors == 0 {
			t.Errorf("%s, %v", s.State, s.Faults)
		}
		if !b.host.has() {
			t.Error("the other router has not taken over")
		}
		a.host.fail.set(nil)
		a.until(50)
		if !a.host.has() || b.host.has() {
			t.Error("the repaired router did not come back")
		}
	})
}

// TestAddressLost: put back at once and announced, but not by a backup.
func TestAddressLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := start(t, &lan{}, "192.0.2.1", nil)
		n.until(1)
		n.log.take()
		n.host.report.get()(Change{Kind: AddressLost, What: "somebody removed 192.0.2.100"})
		n.until(3)
		n.want(t, ``)
		n.until(4)
		n.log.take()
		n.host.report.get()(Change{Kind: AddressLost, What: "somebody removed 192.0.2.100"})
		synctest.Wait()
		n.want(t, `
			4.000 send 100
			4.000 renew
			4.000 announce`)
		if s := n.Status(); s.Counters.AddressesLost != 1 {
			t.Errorf("%+v", s.Counters)
		}
	})
}
