package vrrp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// Several backups that succeed a dead master in the same moment all have the
// addresses. Who takes them from these waits for each, not only for those heard
// last.
func TestClaimAwaitsAll(t *testing.T) {
	const others = 5
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	m, err := NewMachine(Config{Name: "VI_1", VRID: 51, Priority: 100, Addresses: []Address{{Prefix: netip.MustParsePrefix("192.0.2.100/24")}}}.WithDefaults())
	if err != nil {
		t.Fatal(err)
	}
	peer := func(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", 10+i)) }
	m.Step(now, Start{Source: netip.MustParseAddr("192.0.2.1")})
	now = m.Deadline().Add(-10 * time.Millisecond)
	for i := range others {
		m.Step(now.Add(time.Duration(i)*time.Millisecond), Received{Source: peer(i), Priority: 50, Interval: time.Second})
	}
	now = m.Deadline()
	m.Step(now, Timeout{})
	if !m.Claiming() {
		t.Fatalf("%s, not claiming", m.State())
	}
	for i := range others {
		if m.State() == Master {
			t.Fatalf("master after %d of %d have let go", i, others)
		}
		m.Step(now.Add(time.Millisecond), Received{Source: peer(others - 1 - i), Priority: PriorityResign, Interval: time.Second})
	}
	if m.State() != Master {
		t.Errorf("%s after all have let go", m.State())
	}
}
