package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// site is several machines on a LAN on which an advert takes 10 ms. Its log
// holds what all of them do, in order: "4.010 b send 0".
type site struct {
	t        *testing.T
	machines []*Machine
	now      time.Time
	wire     []func()
	at       []time.Time // of wire, ascending
	log      []string
}

// newSite has one machine per priority, named a, b, …, with ascending
// addresses, not started.
func newSite(t *testing.T, priorities ...uint8) *site {
	s := &site{t: t, now: epoch}
	for _, p := range priorities {
		cfg := captureConfig()
		cfg.Announce.Delay = -1
		cfg.Priority = p
		m, err := NewMachine(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s.machines = append(s.machines, m)
	}
	return s
}

func (s *site) address(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}) }

func (s *site) start(i int) { s.do(i, Start{Source: s.address(i)}) }

func (s *site) do(i int, ev Event) {
	for _, a := range slices.Clone(s.machines[i].Step(s.now, ev)) {
		line := ""
		switch a := a.(type) {
		case SendAdvert:
			line = fmt.Sprintf("send %d", a.Priority)
			for to := range s.machines {
				if to != i {
					s.at = append(s.at, s.now.Add(10*time.Millisecond))
					s.wire = append(s.wire, func() {
						s.do(to, Received{Source: s.address(i), Priority: a.Priority, Interval: time.Second})
					})
				}
			}
		case Enter:
			line = a.State.String()
		case Announce:
			continue
		}
		s.log = append(s.log, fmt.Sprintf("%.3f %c %s", s.now.Sub(epoch).Seconds(), 'a'+i, line))
	}
}

// until lets time pass: adverts arrive, timers are served on time.
func (s *site) until(seconds float64) {
	end := epoch.Add(time.Duration(seconds * float64(time.Second)))
	for {
		next, who := end, -1
		for i, m := range s.machines {
			if d := m.Deadline(); !d.IsZero() && !d.After(next) {
				next, who = d, i
			}
		}
		if len(s.at) > 0 && !s.at[0].After(next) {
			s.now = s.at[0]
			deliver := s.wire[0]
			s.at, s.wire = s.at[1:], s.wire[1:]
			deliver()
			continue
		}
		s.now = next
		if who < 0 {
			return
		}
		s.do(who, Timeout{})
	}
}

// from drops what happened so far.
func (s *site) from() { s.log = nil }

// want compares the log.
func (s *site) want(lines ...string) {
	s.t.Helper()
	if diff := cmp.Diff(lines, s.log); diff != "" {
		s.t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestClaimPreemption: the old master removes its addresses, then the new one
// installs; it costs one round trip.
func TestClaimPreemption(t *testing.T) {
	s := newSite(t, 100, 200)
	s.start(0)
	s.until(4.5) // a is master, next advert 4.859
	s.start(1)
	s.until(7.6)
	s.from()
	s.until(7.8)
	s.want(
		"7.719 b send 200", // claims, after 3 s and its skew
		"7.729 a BACKUP",   // addresses off
		"7.729 a send 0",   // and says so
		"7.739 b send 200",
		"7.739 b MASTER",
	)
}

func TestClaimHandover(t *testing.T) {
	s := newSite(t, 100, 200)
	s.start(0)
	s.start(1)
	s.until(5)
	s.from()
	s.do(1, Handover{Hold: 5 * time.Second})
	s.until(5.1)
	s.want("5.000 b send 200", "5.000 b send 200", "5.000 b send 0")
	s.until(5.7)
	s.want(
		"5.000 b send 200", "5.000 b send 200", "5.000 b send 0",
		"5.619 a send 100", // the skew of priority 100
		"5.629 b BACKUP",
		"5.629 b send 0",
		"5.639 a send 100",
		"5.639 a MASTER",
	)
	if got := s.machines[1].State(); got != Backup {
		t.Errorf("b is %s", got)
	}
}

// TestClaimHandoverOfQuickest: nor does a backup of priority 254 install before
// the other has let go, though its skew is 8 ms.
func TestClaimHandoverOfQuickest(t *testing.T) {
	s := newSite(t, 253, 254)
	s.machines[1].cfg.NoPreempt = true
	s.start(0)
	s.until(4)
	s.start(1)
	s.until(5)
	s.from()
	s.do(0, Handover{})
	s.until(5.1)
	s.want(
		"5.000 a send 253", "5.000 a send 253", "5.000 a send 0",
		"5.018 b send 254",
		"5.028 a BACKUP",
		"5.028 a send 0",
		"5.038 b send 254",
		"5.038 b MASTER",
	)
}

// TestClaimColdStart: of several that start at once one installs, after the
// others have had time to object.
func TestClaimColdStart(t *testing.T) {
	s := newSite(t, 100, 100, 100)
	for i := range 3 {
		s.start(i)
	}
	s.until(4)
	masters := 0
	for _, line := range s.log {
		if strings.HasSuffix(line, "MASTER") {
			masters++
			if line != "3.859 c MASTER" {
				t.Errorf("%s", line)
			}
		}
	}
	if masters != 1 {
		t.Errorf("%d routers took the addresses:\n%s", masters, strings.Join(s.log, "\n"))
	}
}

// TestClaimThirdRouter: the priority 0 of a master that has yielded moves
// nobody else, even one that has just started and knows no master.
func TestClaimThirdRouter(t *testing.T) {
	s := newSite(t, 100, 200, 254)
	s.start(0)
	s.until(4.5)
	s.start(1)
	s.until(7.6)
	s.start(2) // would become master at 10.608
	s.from()
	s.until(10.5)
	for _, line := range s.log {
		if strings.Contains(line, " c ") {
			t.Errorf("%s", line)
		}
	}
	s.from()
	s.until(10.7)
	s.want(
		"10.608 c send 254",
		"10.618 b BACKUP", "10.618 b send 0",
		"10.628 c send 254", "10.628 c MASTER",
	)
}

// TestClaim is one claiming router and what it hears. It starts at 0 and
// claims at 3.609, except where a master resigns.
func TestClaim(t *testing.T) {
	claim := func(s *script) { s.until(3); s.hear(3, 99); s.until(3.65); s.log = nil }
	tests := []struct {
		name   string
		change func(*Config)
		run    func(*script)
		want   []string
	}{
		{
			"a peer that never confirms, as keepalived", nil,
			func(s *script) { claim(s); s.until(3.9) },
			[]string{"3.859 send 100", "3.859 MASTER: priority 99 of 192.0.2.3 is lower than our 100", "3.859 announce 5"},
		},
		{
			"priority 0 from a router that only stops: no wait", nil,
			func(s *script) {
				s.until(1)
				s.hear(3, 150)
				s.until(2)
				s.hear(3, 0)
				s.hear(3, 0)
				s.log = nil
				s.until(2.7)
			},
			[]string{"2.609 send 100", "2.609 MASTER: 192.0.2.3 gave up mastership (priority 0)", "2.609 announce 5"},
		},
		{
			"priority 0 from somebody else confirms nothing, and is answered", nil,
			func(s *script) { claim(s); s.hear(4, 0); s.until(3.8) },
			[]string{"3.650 send 100"},
		},
		{
			"another that has claimed from the same master just before: both must let go", nil,
			func(s *script) {
				s.until(3.6)
				s.hear(4, 98) // claims; 192.0.2.3 gives way to it
				s.hear(3, 97)
				s.until(3.62) // we claim too
				s.log = nil
				s.hear(3, 0)
				s.until(3.64)
				s.hear(4, 0)
			},
			[]string{
				"3.620 send 100", // priority 0 of one of two is answered
				"3.640 send 100", "3.640 MASTER: priority 97 of 192.0.2.3 is lower than our 100", "3.640 announce 5",
			},
		},
		{
			"two rivals: both must let go", nil,
			func(s *script) {
				claim(s)
				s.hear(4, 98)
				s.hear(3, 0)
				s.until(3.7)
				s.hear(4, 0)
			},
			[]string{
				"3.650 send 100", // to the one that has not heard us
				"3.650 send 100",
				"3.700 send 100", "3.700 MASTER: priority 99 of 192.0.2.3 is lower than our 100", "3.700 announce 5",
			},
		},
		{
			"the old master begins a handover while our claim is on its way", nil,
			func(s *script) {
				claim(s)
				s.hear(3, 99)
				s.hear(3, 99)
				s.hear(3, 0) // still holds
				s.until(3.7)
				s.hear(3, 0) // has heard us
			},
			[]string{
				"3.650 send 100", "3.650 send 100", "3.650 send 100",
				"3.700 send 100", "3.700 MASTER: priority 99 of 192.0.2.3 is lower than our 100", "3.700 announce 5",
			},
		},
		{
			"lost to a better router", nil,
			func(s *script) { claim(s); s.hear(4, 101); s.until(7.2) },
			[]string{"3.650 send 0"},
		},
		{
			"lost to a tie", nil,
			func(s *script) { claim(s); s.hear(4, 100); s.until(7.2) },
			[]string{"3.650 send 0"},
		},
		{
			"a tie that we win", func(c *Config) { c.NoLowerAnswer = true },
			func(s *script) { claim(s); s.hear(1, 100); s.until(3.8) },
			nil,
		},
		{
			"lost in version 3: the interval is the better router's", func(c *Config) { c.Version = V3 },
			func(s *script) {
				claim(s)
				s.do(Received{Source: addr("192.0.2.4"), Priority: 101, Interval: 100 * time.Millisecond})
				s.until(4.1)
			},
			[]string{
				"3.650 send 0",
				"4.011 send 100", "4.011 MASTER: no advert from 192.0.2.4 for 0.361 s", "4.011 announce 5",
			},
		},
		{
			"stopped: it resigns, others have accepted it", nil,
			func(s *script) { claim(s); s.do(Stop{}); s.until(9) },
			[]string{"3.650 send 0", "3.650 INIT: stopped"},
		},
		{
			"a fault", nil,
			func(s *script) { claim(s); s.do(Failed{"eth0 is down"}); s.until(9) },
			[]string{"3.650 send 0", "3.650 FAULT: eth0 is down"},
		},
		{
			"a new priority counts at once", nil,
			func(s *script) { claim(s); s.do(SetPriority{50}); s.hear(3, 99); s.until(7) },
			[]string{"3.650 send 0"},
		},
		{
			"late: claims once more, objections may lie unread", nil,
			func(s *script) { claim(s); s.sleep(1); s.do(Timeout{}); s.until(5) },
			[]string{"4.650 send 100", "4.900 send 100", "4.900 MASTER: priority 99 of 192.0.2.3 is lower than our 100", "4.900 announce 5"},
		},
		{
			"late enough to have been replaced: listens, and sends nothing", nil,
			func(s *script) { claim(s); s.sleep(3); s.do(Timeout{}); s.until(10); s.do(Stop{}) },
			[]string{"10.000 INIT: stopped"},
		},
		{
			"after a handover any master is accepted, though a rival of it gives up", nil,
			func(s *script) {
				claim(s)
				s.until(4)
				s.do(Handover{Hold: 5 * time.Second})
				s.hear(3, 50)
				s.hear(4, 40) // claims too
				s.hear(4, 0)  // and gives up
				s.hear(3, 50) // which is answered
				s.log = nil
				s.until(4.9)
			},
			nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t, tt.change)
			tt.run(s)
			s.want(tt.want...)
		})
	}
}

// TestClaimIsOutwardlyBackup: state and master are still the old ones.
func TestClaimIsOutwardlyBackup(t *testing.T) {
	s := newScript(t, func(c *Config) { c.PreemptDelay = time.Second })
	s.until(1)
	s.hear(3, 50)
	s.until(2)
	s.hear(3, 50)
	s.until(4.7)
	master, priority := s.m.Master()
	if !s.m.Claiming() || s.m.State() != Backup || master != addr("192.0.2.3") || priority != 50 {
		t.Errorf("claiming %v, %s, master %s with %d", s.m.Claiming(), s.m.State(), master, priority)
	}
	s.until(5)
	if master, priority = s.m.Master(); s.m.Claiming() || s.m.State() != Master || master != addr("192.0.2.2") || priority != 100 {
		t.Errorf("claiming %v, %s, master %s with %d", s.m.Claiming(), s.m.State(), master, priority)
	}
}
