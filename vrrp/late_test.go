package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

// A backup that wakes up after its timer has ended may have its master's adverts
// unread in the socket: it gives them a moment, and a timer in time none.
func TestLateBackupListens(t *testing.T) {
	peer := netip.MustParseAddr("192.0.2.2")
	for _, tt := range []struct {
		late, listens time.Duration
	}{
		{0, 0},
		{15 * time.Millisecond, 0},
		{16 * time.Millisecond, 15625 * time.Microsecond},
		{249 * time.Millisecond, 15625 * time.Microsecond},
		{250 * time.Millisecond, 250 * time.Millisecond},
		{999 * time.Millisecond, 250 * time.Millisecond},
		{time.Second, time.Second},
		{time.Hour, time.Second},
	} {
		for _, heard := range []bool{false, true} {
			m, err := NewMachine(Config{Name: "VI_1", VRID: 51, Priority: 100, Addresses: []Address{{Prefix: netip.MustParsePrefix("192.0.2.100/24")}}}.WithDefaults())
			if err != nil {
				t.Fatal(err)
			}
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			m.Step(now, Start{Source: netip.MustParseAddr("192.0.2.1")})
			m.Step(now, Received{Source: peer, Priority: 100, Interval: time.Second})
			now = m.Deadline().Add(tt.late)
			m.Step(now, Timeout{})
			if tt.listens > 0 {
				if m.State() != Backup || !m.Deadline().Equal(now.Add(tt.listens)) {
					t.Errorf("late by %s: %s until %s, want to listen for %s", tt.late, m.State(), m.Deadline().Sub(now), tt.listens)
				}
				if heard {
					m.Step(now.Add(time.Millisecond), Received{Source: peer, Priority: 100, Interval: time.Second})
				}
				m.Step(now.Add(tt.listens), Timeout{})
			}
			if want := map[bool]State{true: Backup, false: Master}[heard && tt.listens > 0]; m.State() != want {
				t.Errorf("late by %s, adverts unread %v: %s, want %s", tt.late, heard, m.State(), want)
			}
		}
	}
}
