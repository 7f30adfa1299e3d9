package vrrp

import (
	"testing"
	"time"
)

func TestBackup(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		run    func(*script)
		want   []string
	}{
		{
			"nobody there: master after three intervals and the skew", nil,
			func(s *script) { s.until(5) },
			[]string{
				started,
				"3.609 send 100",
				"3.859 send 100", "3.859 MASTER: no advert from anybody for 3.609 s", "3.859 announce 5",
				"4.859 send 100",
			},
		},
		{
			"the master falls silent", nil,
			func(s *script) { s.until(1); s.hear(3, 150); s.until(4.7) },
			[]string{
				started,
				"4.609 send 100", "4.609 MASTER: no advert from 192.0.2.3 for 3.609 s", "4.609 announce 5",
			},
		},
		{
			"equal priority is accepted, whatever the address", nil,
			func(s *script) { s.until(3); s.hear(1, 100); s.until(6.5) },
			[]string{started},
		},
		{
			"a lower master is not accepted: the timer goes on", nil,
			func(s *script) { s.until(3); s.hear(3, 99); s.until(4) },
			[]string{
				started,
				"3.609 send 100",
				"3.859 send 100", "3.859 MASTER: priority 99 of 192.0.2.3 is lower than our 100", "3.859 announce 5",
			},
		},
		{
			"NoPreempt accepts a lower master", func(c *Config) { c.NoPreempt = true },
			func(s *script) { s.until(3); s.hear(3, 1); s.until(6.6) },
			[]string{started},
		},
		{
			"a priority that falls below a refused master's: that advert counts after all", nil,
			func(s *script) { s.until(3); s.hear(3, 99); s.until(3.5); s.do(SetPriority{50}); s.until(7) },
			[]string{
				started,
				"6.805 send 50", "6.805 MASTER: no advert from 192.0.2.3 for 3.805 s", "6.805 announce 5",
			},
		},
		{
			"a priority that falls and is still the better one: the timer goes on", nil,
			func(s *script) { s.until(3); s.hear(3, 10); s.until(3.5); s.do(SetPriority{50}); s.until(4) },
			[]string{started, "3.805 send 50"},
		},
		{
			"PreemptDelay accepts it for a while", func(c *Config) { c.PreemptDelay = 10 * time.Second },
			func(s *script) {
				for i := 1.0; i < 15; i++ {
					s.until(i)
					s.hear(3, 50)
				}
			},
			[]string{ // heard first at 1 s, last accepted at 10 s
				started,
				"13.609 send 100",
				"13.859 send 100", "13.859 MASTER: priority 50 of 192.0.2.3 is lower than our 100", "13.859 announce 5",
				"14.000 send 100", "14.000 announce 5",
			},
		},
		{
			"PreemptDelay starts again when a higher master was heard", func(c *Config) { c.PreemptDelay = 3 * time.Second },
			func(s *script) {
				for i := 1.0; i < 8; i++ {
					s.until(i)
					s.hear(3, map[bool]uint8{true: 200, false: 50}[i == 3])
				}
			},
			[]string{started},
		},
		{
			"the master resigns: the skew is all we wait", nil,
			func(s *script) { s.until(1); s.hear(3, 150); s.until(2); s.hear(3, 0); s.until(2.7) },
			[]string{
				started,
				"2.609 send 100", "2.609 MASTER: 192.0.2.3 gave up mastership (priority 0)", "2.609 announce 5",
			},
		},
		{
			"priority 0 from somebody who is not our master", nil,
			func(s *script) { s.until(1); s.hear(3, 150); s.hear(4, 0); s.until(4.6) },
			[]string{started},
		},
		{
			"version 3: the interval and its skew are the master's", func(c *Config) { c.Version = V3 },
			func(s *script) {
				s.do(Received{Source: addr("192.0.2.3"), Priority: 200, Interval: 100 * time.Millisecond})
				s.until(0.4)
			},
			[]string{
				started,
				"0.361 send 100", "0.361 MASTER: no advert from 192.0.2.3 for 0.361 s", "0.361 announce 5",
			},
		},
		{
			"the owner does not wait", func(c *Config) { c.Priority = 255 },
			func(s *script) { s.until(0.5) },
			[]string{
				"0.000 BACKUP: owner of the addresses (priority 255)", "0.000 send 255",
				"0.250 send 255", "0.250 MASTER: owner of the addresses (priority 255)", "0.250 announce 5",
			},
		},
		{
			"a higher priority shortens a running timer", nil,
			func(s *script) { s.do(SetPriority{228}); s.until(3.4) },
			[]string{
				started,
				"3.109 send 228",
				"3.359 send 228", "3.359 MASTER: no advert from anybody for 3.109 s", "3.359 announce 5",
			},
		},
		{
			"down multiplier", func(c *Config) { c.DownMultiplier = 5 },
			func(s *script) { s.until(5.6) },
			[]string{started},
		},
		{
			"late by more than an interval: one more interval to listen", nil,
			func(s *script) { s.sleep(9); s.do(Timeout{}); s.until(9.5); s.hear(3, 150); s.until(13) },
			[]string{started},
		},
		{
			"late, and really nobody there", nil,
			func(s *script) { s.sleep(9); s.do(Timeout{}); s.until(10.3) },
			[]string{
				started,
				"10.000 send 100",
				"10.250 send 100", "10.250 MASTER: no advert from anybody for 10.000 s", "10.250 announce 5",
			},
		},
		{
			"fault and recovery", nil,
			func(s *script) {
				s.until(1)
				s.do(Failed{"eth0 is down"})
				s.hear(3, 200)
				s.until(9)
				s.do(Recovered{addr("192.0.2.2"), "eth0 is up"})
				s.until(12.9)
			},
			[]string{
				started,
				"1.000 FAULT: eth0 is down",
				"9.000 BACKUP: eth0 is up",
				"12.609 send 100",
				"12.859 send 100", "12.859 MASTER: no advert from anybody for 3.609 s", "12.859 announce 5",
			},
		},
		{
			"stop", nil,
			func(s *script) { s.do(Stop{}); s.do(Stop{}); s.until(9) },
			[]string{started, "0.000 INIT: stopped"},
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

func TestMaster(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		run    func(*script) // begins at 4.0, master since 3.609, next advert 4.609
		want   []string      // after the announcement on becoming master
	}{
		{
			"a higher priority is obeyed", nil,
			func(s *script) { s.hear(3, 101); s.until(7.5) },
			[]string{"4.000 BACKUP: priority 101 of 192.0.2.3 is higher than our 100", "4.000 send 0"},
		},
		{
			"equal priority, higher address is obeyed", nil,
			func(s *script) { s.hear(3, 100); s.until(7.5) },
			[]string{"4.000 BACKUP: 192.0.2.3 has our priority 100 and the higher address", "4.000 send 0"},
		},
		{
			"equal priority, lower address is answered at once", nil,
			func(s *script) { s.hear(1, 100); s.until(5) },
			[]string{"4.000 send 100", "4.000 announce 5", "5.000 send 100"},
		},
		{
			"a lower priority is answered at once", nil,
			func(s *script) { s.hear(3, 99); s.until(4.9) },
			[]string{"4.000 send 100", "4.000 announce 5"},
		},
		{
			"NoLowerAnswer only announces", func(c *Config) { c.NoLowerAnswer = true },
			func(s *script) { s.hear(3, 99); s.until(4.7) },
			[]string{"4.000 announce 5", "4.609 send 100"},
		},
		{
			"our own address and priority: nothing", nil,
			func(s *script) { s.hear(2, 100) },
			nil,
		},
		{
			"priority 0 is answered with an advert, and whoever had the addresses is corrected", nil,
			func(s *script) { s.hear(3, 0); s.until(4.9) },
			[]string{"4.000 send 100", "4.000 announce 5"},
		},
		{
			"second announcement and refresh", func(c *Config) {
				c.Announce = AnnounceConfig{Repeat: 2, Delay: 700 * time.Millisecond, Refresh: 2 * time.Second}
			},
			func(s *script) { s.until(5.7) },
			[]string{"4.309 announce 2", "4.609 send 100", "5.609 send 100", "5.609 announce 1"},
		},
		{
			"a new priority goes out with the next advert", nil,
			func(s *script) { s.do(SetPriority{7}); s.until(4.7) },
			[]string{"4.609 send 7"},
		},
		{
			"priorities are clamped", nil,
			func(s *script) { s.do(SetPriority{0}); s.until(4.7); s.do(SetPriority{255}); s.until(5.7) },
			[]string{"4.609 send 1", "5.609 send 254"},
		},
		{
			"Advertise starts a new beat", nil,
			func(s *script) { s.do(Advertise{}); s.until(5) },
			[]string{"4.000 send 100", "5.000 send 100"},
		},
		{
			"stop resigns", nil,
			func(s *script) { s.do(Stop{}); s.until(9) },
			[]string{"4.000 send 0", "4.000 INIT: stopped"},
		},
		{
			"a step down resigns and elects again", nil,
			func(s *script) { s.do(StepDown{"somebody removed it"}); s.do(StepDown{"again"}); s.until(7.9) },
			[]string{"4.000 send 0", "4.000 BACKUP: somebody removed it", "7.609 send 100", "7.859 send 100", "7.859 MASTER: no advert from anybody for 3.609 s", "7.859 announce 5"},
		},
		{
			"a fault resigns", nil,
			func(s *script) { s.do(Failed{"eth0 is down"}); s.until(9) },
			[]string{"4.000 send 0", "4.000 FAULT: eth0 is down"},
		},
		{
			"late, but nobody can have taken over: go on", nil,
			func(s *script) { s.sleep(2.6); s.do(Timeout{}) },
			[]string{"6.600 send 100"},
		},
		{
			"late enough to have been replaced: step down before anything else", nil,
			func(s *script) { s.sleep(2.62); s.do(Timeout{}); s.until(10.2) },
			[]string{"6.620 BACKUP: 3.011 s since our last advert: a backup may have taken over, electing again"},
		},
		{
			"late, and the new master's advert comes first: no answer to it", nil,
			func(s *script) { s.sleep(10); s.hear(3, 50); s.until(17) },
			[]string{"14.000 BACKUP: 10.391 s since our last advert: a backup may have taken over, electing again"},
		},
		{
			"late, then the lower new master is preempted by the rules", nil,
			func(s *script) {
				s.sleep(10)
				for i := 14.0; i < 18; i++ {
					s.hear(3, 50)
					s.until(i + 0.99)
				}
			},
			[]string{
				"14.000 BACKUP: 10.391 s since our last advert: a backup may have taken over, electing again",
				"17.609 send 100",
				"17.859 send 100", "17.859 MASTER: priority 50 of 192.0.2.3 is lower than our 100", "17.859 announce 5",
			},
		},
		{
			"late when a stop comes: no priority 0 for somebody else's role", nil,
			func(s *script) { s.sleep(10); s.do(Stop{}) },
			[]string{
				"14.000 BACKUP: 10.391 s since our last advert: a backup may have taken over, electing again",
				"14.000 INIT: stopped",
			},
		},
		{
			"handover: resign, keep the addresses until the next master is heard, then leave it alone", nil,
			func(s *script) {
				s.do(Handover{Hold: 5 * time.Second})
				for i := 4.5; i < 13; i++ {
					s.until(i)
					s.hear(3, 50)
				}
			},
			[]string{ // accepted until 9.5, last at 9.5
				"4.000 send 100", "4.000 send 100", "4.000 send 0",
				"4.500 BACKUP: handed over to 192.0.2.3 (priority 50)", "4.500 send 0",
				"12.109 send 100",
				"12.359 send 100", "12.359 MASTER: priority 50 of 192.0.2.3 is lower than our 100", "12.359 announce 5",
				"12.500 send 100", "12.500 announce 5",
			},
		},
		{
			"handover, but nobody is there: remain master", nil,
			func(s *script) { s.do(Handover{}); s.until(6.6) },
			[]string{"4.000 send 100", "4.000 send 100", "4.000 send 0", "5.496 send 100", "6.496 send 100"},
		},
		{
			"handover, and late: somebody may be there", nil,
			func(s *script) { s.do(Handover{}); s.sleep(1.8); s.do(Timeout{}) },
			[]string{"4.000 send 100", "4.000 send 100", "4.000 send 0", "5.800 BACKUP: 1.800 s since our last advert: a backup may have taken over, electing again"},
		},
		{
			"handover interrupted by a stop: one resignation is enough", nil,
			func(s *script) { s.do(Handover{}); s.do(Stop{}) },
			[]string{"4.000 send 100", "4.000 send 100", "4.000 send 0", "4.000 INIT: stopped"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t, tt.change)
			s.succeed()
			tt.run(s)
			s.want(tt.want...)
		})
	}
}

func TestOwner(t *testing.T) {
	s := newScript(t, func(c *Config) { c.Priority = 255 })
	s.do(SetPriority{10})
	s.until(1)
	s.hear(1, 255)
	s.hear(3, 255)
	s.want(
		"0.000 BACKUP: owner of the addresses (priority 255)", "0.000 send 255",
		"0.250 send 255", "0.250 MASTER: owner of the addresses (priority 255)", "0.250 announce 5",
		"1.000 send 255", "1.000 announce 5",
		"1.000 BACKUP: 192.0.2.3 has our priority 255 and the higher address", "1.000 send 0",
	)
}

// TestOwnerPreempts: NoPreempt is not for the owner of the addresses, which was
// late and replaced (RFC 9568 section 6.1).
func TestOwnerPreempts(t *testing.T) {
	s := newScript(t, func(c *Config) { c.Priority, c.NoPreempt = PriorityOwner, true })
	s.until(1)
	s.sleep(5)
	s.do(Timeout{})
	s.log = nil
	for i := 6.0; i < 9; i++ {
		s.until(i)
		s.hear(3, 50)
	}
	s.until(9.3)
	s.want(
		"9.004 send 255",
		"9.254 send 255", "9.254 MASTER: priority 50 of 192.0.2.3 is lower than our 255", "9.254 announce 5",
	)
}

// TestBeat: adverts keep their beat when each wake-up is a little late.
func TestBeat(t *testing.T) {
	s := newScript(t, nil)
	s.succeed()
	for range 100 {
		s.now = s.m.Deadline().Add(20 * time.Millisecond)
		s.do(Timeout{})
	}
	if got := s.m.Deadline().Sub(epoch).Seconds(); got < 104.6 || got > 104.62 {
		t.Errorf("after 100 adverts the next is due at %.3f, want 104.609", got)
	}
}
