package conflict

import (
	"net/netip"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

func newLookout(t *testing.T, interval time.Duration) *Lookout {
	t.Helper()
	w, err := New(Config{
		Interface: "eth0", Interval: interval,
		VRRP: vrrp.Config{VRID: 51, Addresses: []vrrp.Address{{Prefix: netip.PrefixFrom(vip4, 24)}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestDue: a master probes a second after it has become one and then at the
// interval; a backup only while it has an address that it should not have.
func TestDue(t *testing.T) {
	w := newLookout(t, 10*time.Second)
	var probed time.Time
	at := func(d time.Duration, want bool) {
		t.Helper()
		if got := w.due(&probed, w.since.Add(d)); got != want {
			t.Errorf("after %s: %t", d, got)
		}
	}
	at(time.Hour, false)
	w.Follow(true)
	at(900*time.Millisecond, false)
	at(1100*time.Millisecond, true)
	at(2*time.Second, false)
	at(11*time.Second, false)
	at(11200*time.Millisecond, true)
	w.SetInterval(5 * time.Second)
	at(16300*time.Millisecond, true)
	w.SetInterval(0)
	at(time.Hour, false)
	w.SetInterval(5 * time.Second)
	w.Follow(false)
	at(time.Hour, false)
	w.here[vip4] = "eth0"
	at(time.Hour, true)
}

// TestQuiet: a conflict outlives two lost probes.
func TestQuiet(t *testing.T) {
	if got := newLookout(t, 10*time.Second).Quiet(); got <= 30*time.Second {
		t.Error(got)
	}
	if got := newLookout(t, 0).Quiet(); got != passive {
		t.Error(got)
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("New accepts a Config without an interface")
	}
}
