package instance

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs a test on virtual time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// until sleeps to an offset from the start of the node, and lets everything settle.
func (n *node) until(seconds float64) {
	time.Sleep(time.Until(n.log.start.Add(time.Duration(seconds * float64(time.Second)))))
	synctest.Wait()
}

func (n *node) want(t *testing.T, want string) {
	t.Helper()
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(want), "\n") {
		lines = append(lines, strings.TrimSpace(line))
	}
	if diff := cmp.Diff(strings.Join(lines, "\n"), n.log.take()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestOrder: advert, claim, advert, addresses, announcements, role; on stop
// priority 0, addresses off, role.
func TestOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := start(t, &lan{}, "192.0.2.1", nil)
		n.until(5)
		n.want(t, `
			0.000 remove
			0.000 remove
			0.000 role BACKUP
			3.609 send 100
			3.859 send 100
			3.859 install 3s
			3.859 announce
			3.859 announce
			3.859 role MASTER
			4.859 send 100
			4.859 renew`)
		n.stop()
		n.want(t, `
			5.000 send 0
			5.000 remove
			5.000 role INIT`)
		s := n.Status()
		if s.State != vrrp.Init || s.Counters.Sent != 4 || s.Counters.ResignsSent != 1 || s.Counters.ToMaster != 1 || s.Present {
			t.Errorf("status after the stop: %+v", s)
		}
	})
}

// TestNoAdvertNoLease: a master that cannot send does not renew.
func TestNoAdvertNoLease(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := start(t, &lan{}, "192.0.2.1", nil)
		n.until(4)
		n.conn.get().fail.set(errFake)
		n.log.take()
		n.until(8)
		n.want(t, ``)
		if n.host.has() {
			t.Error("the lease did not end")
		}
		if s := n.Status(); s.Counters.SendErrors == 0 || !strings.Contains(s.LastError, "fake error") {
			t.Errorf("status: %+v", s)
		}
		n.conn.get().fail.set(nil)
		n.until(9)
		if !n.host.has() {
			t.Error("the next advert did not put the address back")
		}
	})
}

// TestHeldUp: the loop is held up in the kernel, or its process is stopped
// there, between an advert and the renewal.
func TestHeldUp(t *testing.T) {
	t.Run("long enough to have been replaced", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			n := start(t, &lan{}, "192.0.2.1", nil)
			n.until(4)
			n.log.take()
			n.host.block.set(5 * time.Second)
			n.until(9.9)
			n.want(t, `
				4.859 send 100
				9.859 renew
				9.859 remove
				9.859 role BACKUP`)
			s := n.Status()
			if s.Reason.Cause != vrrp.CauseLate || s.Counters.LateSteps != 1 || len(s.Troubles) != 1 || s.Troubles[0].Kind != TroubleLate {
				t.Errorf("status: %+v", s)
			}
		})
	})
	t.Run("longer than the lease can bear", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			n := start(t, &lan{}, "192.0.2.1", nil)
			n.until(4)
			n.log.take()
			n.host.block.set(100 * time.Millisecond) // LeaseSlack is 69 ms
			n.until(5)
			n.want(t, `
				4.859 send 100
				4.959 renew
				4.959 send 100
				4.959 renew`)
		})
	})
	t.Run("a little", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			n := start(t, &lan{}, "192.0.2.1", nil)
			n.until(4)
			n.log.take()
			n.host.block.set(50 * time.Millisecond)
			n.until(5)
			n.want(t, `
				4.859 send 100
				4.909 renew`)
		})
	})
}

// TestCallbackMayBlock: a callback that never returns delays no advert.
func TestCallbackMayBlock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		n := start(t, &lan{}, "192.0.2.1", func(c *Config) { c.OnRole = func(Role) { <-release } })
		n.until(10)
		if s := n.Status(); s.Counters.Sent != 8 {
			t.Errorf("%d adverts in 6.4 s, want that of the claim and 7", s.Counters.Sent)
		}
		close(release)
	})
}

func TestPairOfRunners(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var l lan
		a := start(t, &l, "192.0.2.1", func(c *Config) { c.VRRP.Priority = 150 })
		b := start(t, &l, "192.0.2.2", nil)
		a.until(5)
		if !a.host.has() || b.host.has() {
			t.Fatal("the higher priority is not master")
		}
		if s := b.Status(); s.Master.String() != "192.0.2.1" || s.MasterPriority != 150 || s.Counters.Received == 0 {
			t.Errorf("status of the backup: %+v", s)
		}

		a.SetPriority(50, "test")
		a.until(10)
		if a.host.has() || !b.host.has() {
			t.Fatal("the lowered priority did not move the address")
		}
		if s := a.Status(); s.Priority != 50 || s.ConfigPriority != 150 || s.PriorityReason != "test" || s.Reason.Cause != vrrp.CauseHigherPriority {
			t.Errorf("status: %+v", s)
		}

		if err := b.Handover(t.Context(), 0); err != nil {
			t.Errorf("handover to a lower priority: %v", err)
		}
		if b.host.has() {
			t.Error("the handover left the address")
		}
		synctest.Wait() // the next master installs when it hears that we have let go
		if !a.host.has() || b.host.has() {
			t.Error("the handover did not move the address")
		}
		if err := b.Handover(t.Context(), 0); !errors.Is(err, ErrNotMaster) {
			t.Errorf("handover of a backup: %v", err)
		}
		b.stop()
		if err := a.Handover(t.Context(), 0); !errors.Is(err, ErrNoPeer) {
			t.Errorf("handover without a peer: %v", err)
		}
		if !a.host.has() {
			t.Error("a handover to nobody lost the address")
		}
		result := make(chan error)
		go func() { result <- a.Handover(t.Context(), 0) }()
		synctest.Wait()
		a.SetFault("test", "broken")
		if err := <-result; !errors.Is(err, ErrNotHeard) {
			t.Errorf("handover that a fault ends: %v", err)
		}
		a.SetFault("test", "")
		time.Sleep(10 * time.Second)
		if !a.host.has() {
			t.Error("no master after the fault")
		}
		go func() { result <- a.Handover(t.Context(), 0) }()
		synctest.Wait()
		a.stop()
		if err := <-result; !errors.Is(err, ErrStopped) {
			t.Errorf("handover during a stop: %v", err)
		}
		if err := a.Handover(t.Context(), 0); !errors.Is(err, ErrStopped) {
			t.Errorf("handover after a stop: %v", err)
		}
	})
}

// TestTroubles: each kind and peer once per change of master.
func TestTroubles(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var l lan
		reported := make(chan Trouble, 100)
		n := start(t, &l, "192.0.2.1", func(c *Config) {
			c.OnTrouble = func(x Trouble) { reported <- x }
			c.VRRP.Auth = vrrp.Auth{Type: vrrp.AuthPass, Secret: "right"}
		})
		peer := l.dial("192.0.2.9", &journal{start: time.Now()})
		cfg := vrrp.Config{
			Name: "x", VRID: 51, Auth: vrrp.Auth{Type: vrrp.AuthPass, Secret: "wrong"},
			Addresses: []vrrp.Address{{Prefix: netip.MustParsePrefix("192.0.2.100/24")}},
		}
		codec, err := vrrp.NewCodec(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for i := 1.0; i < 8; i++ {
			n.until(i)
			if err := peer.Send(codec.Encode(time.Now(), peer.source, vrrp.Group4, 200), vrrp.Group4); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		// As backup, and once more since we became master at 3.609 s.
		if len(reported) != 2 {
			t.Fatalf("%d reports, want 2", len(reported))
		}
		first := <-reported
		if first.Kind != TroubleAuth || first.Peer != peer.source || !strings.Contains(first.Detail, "passwords differ") || first.Count != 1 {
			t.Errorf("%+v", first)
		}
		s := n.Status()
		if len(s.Troubles) != 1 || s.Troubles[0].Count != 7 || s.Counters.Dropped[vrrp.DropAuth] != 7 {
			t.Errorf("%+v, %v", s.Troubles, s.Counters.Dropped)
		}
	})
}

// TestTroublesAreBounded: forged sources do not fill the memory.
func TestTroublesAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var l lan
		n := start(t, &l, "192.0.2.1", nil)
		log := &journal{start: time.Now()}
		for i := range 200 {
			codec, err := vrrp.NewCodec(vrrp.Config{VRID: 51, Interval: 2 * time.Second, Addresses: n.cfg.VRRP.Addresses})
			if err != nil {
				t.Fatal(err)
			}
			c := l.dial(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String(), log)
			if err := c.Send(codec.Encode(time.Now(), c.source, vrrp.Group4, 1), vrrp.Group4); err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if got := len(n.Status().Troubles); got != maxTroubles {
			t.Errorf("%d troubles, want %d", got, maxTroubles)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("New accepts a Config without Dial and Host")
	}
	_, err := New(Config{Dial: func() (Conn, error) { return nil, errFake }, Host: &host{}})
	if field, ok := errors.AsType[*vrrp.FieldError](err); !ok || field.Field != "VRID" {
		t.Errorf("New: %v", err)
	}
}

func TestLateness(t *testing.T) {
	var l Lateness
	for _, d := range []time.Duration{-1, 0, time.Millisecond, 1500 * time.Microsecond, time.Minute} {
		l.observe(d)
	}
	if l.Max != time.Minute || l.Count != 5 || l.Buckets[0] != 2 || l.Buckets[2] != 1 || l.Buckets[3] != 1 || l.Buckets[len(LatenessBounds)] != 1 {
		t.Errorf("%+v", l)
	}
}

func TestTroubleNames(t *testing.T) {
	seen := map[string]bool{}
	for k := TroubleAuth; k < TroubleKinds; k++ {
		if k.String() == "unknown" || k.Cause() == "unknown" || seen[k.String()] || seen[k.Cause()] {
			t.Errorf("TroubleKind(%d) has no name or no cause of its own: %s, %s", k, k, k.Cause())
		}
		seen[k.String()], seen[k.Cause()] = true, true
	}
	if TroubleKind(TroubleKinds).String() != "unknown" {
		t.Error("a kind was added that this test does not know")
	}
}
