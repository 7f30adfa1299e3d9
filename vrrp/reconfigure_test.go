package vrrp

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// another is the configuration of a script's machine with one thing changed.
func (s *script) another(change func(*Config)) Reconfigure {
	s.t.Helper()
	c := s.m.Config()
	c.Addresses = slices.Clone(c.Addresses)
	change(&c)
	if !s.m.Config().Reconfigurable(c) {
		s.t.Errorf("cannot become %+v", c)
	}
	return Reconfigure{c}
}

// TestReconfigureMaster: it tells at once and keeps its role; only other
// addresses are announced.
func TestReconfigureMaster(t *testing.T) {
	s := newScript(t, func(c *Config) { c.Priority = 100 })
	s.succeed()
	s.do(s.another(func(c *Config) { c.Interval = 3 * time.Second }))
	s.until(9)
	// Once more in the old time, for a backup that has lost the first.
	s.want("4.000 send 100", "5.000 send 100", "8.000 send 100")
	s.log = nil
	s.do(s.another(func(c *Config) { c.Addresses = append(c.Addresses, Address{Prefix: prefix("192.0.2.101/24")}) }))
	s.want("9.000 send 100", "9.000 announce 5")
	s.log = nil
	s.do(s.another(func(c *Config) { c.Announce.Refresh = 2 * time.Second }))
	s.until(11.5)
	s.want("9.000 send 100", "11.000 announce 1")
	s.log = nil
	s.do(s.another(func(c *Config) { c.Interval = time.Second })) // 2.5 s after an advert is no lateness
	s.want("11.500 send 100")
}

// TestReconfigureLateMaster: what a late master is told makes it no master.
func TestReconfigureLateMaster(t *testing.T) {
	s := newScript(t, nil)
	s.succeed()
	s.sleep(5)
	s.do(s.another(func(c *Config) { c.Interval = 10 * time.Second }))
	if len(s.log) != 1 || s.m.State() != Backup {
		t.Errorf("%s: %q", s.m.State(), s.log)
	}
}

// TestReconfigureBackup: the wait begins anew where it is another one, and a
// lower master is left in its role as soon as the configuration says so.
func TestReconfigureBackup(t *testing.T) {
	wait := func(change func(*Config), hear byte) (time.Duration, *script) {
		s := newScript(t, func(c *Config) { c.Priority = 100 })
		s.until(1)
		s.hear(9, hear)
		s.until(2)
		s.do(s.another(change))
		return s.m.Deadline().Sub(s.now), s
	}
	if d, _ := wait(func(c *Config) { c.NoLowerAnswer = true }, 200); d != V2.MasterDown(time.Second, 3, 100)-time.Second {
		t.Errorf("another answer: waits for %s", d)
	}
	if d, _ := wait(func(c *Config) { c.Interval = 2 * time.Second }, 200); d != V2.MasterDown(2*time.Second, 3, 100) {
		t.Errorf("another interval: waits for %s", d)
	}
	if d, _ := wait(func(c *Config) { c.DownMultiplier = 5 }, 200); d != V2.MasterDown(time.Second, 5, 100) {
		t.Errorf("another multiplier: waits for %s", d)
	}
	for _, change := range []func(*Config){func(c *Config) { c.NoPreempt = true }, func(c *Config) { c.PreemptDelay = time.Minute }} {
		_, s := wait(change, 50)
		s.until(4) // its own wait, which that master has not stopped, has ended
		s.hear(9, 50)
		s.until(6)
		if s.m.State() != Backup {
			t.Errorf("preempts: %q", s.log)
		}
	}
	// Priority 0 has shortened the wait; what follows goes by the new interval.
	_, s := wait(func(*Config) {}, 200)
	s.hear(9, PriorityResign)
	s.do(s.another(func(c *Config) { c.Interval = 7 * time.Second }))
	if d := s.m.Deadline().Sub(s.now); d >= time.Second {
		t.Errorf("waits for %s after priority 0", d)
	}
	s.hear(9, 200)
	if d := s.m.Deadline().Sub(s.now); d < 21*time.Second {
		t.Errorf("waits for %s after an advert", d)
	}
}

// TestReconfigurable: another virtual router is none.
func TestReconfigurable(t *testing.T) {
	now := captureConfig().WithDefaults()
	for name, change := range map[string]func(*Config){
		"identifier": func(c *Config) { c.VRID++ },
		"version":    func(c *Config) { c.Version = V3 },
		"family":     func(c *Config) { c.Addresses = []Address{{Prefix: prefix("2001:db8::1/64")}} },
		"owner":      func(c *Config) { c.Priority = PriorityOwner },
		"unicast":    func(c *Config) { c.Peers = append(c.Peers, addr("192.0.2.9")) },
		"auth type":  func(c *Config) { c.Auth = Auth{Type: AuthAH, Secret: "1"} },
		"invalid":    func(c *Config) { c.Addresses = nil },
	} {
		next := now
		change(&next)
		if now.Reconfigurable(next) {
			t.Errorf("%s can be changed", name)
		}
		s := newScript(t, nil)
		s.succeed()
		before := s.m.Config()
		s.do(Reconfigure{next})
		if len(s.log) > 0 || s.m.Config().VRID != before.VRID || len(s.m.Config().Addresses) != len(before.Addresses) {
			t.Errorf("%s: %q", name, s.log)
		}
	}
}

// TestReconfigureCodec: numbers that others count by go on.
func TestReconfigureCodec(t *testing.T) {
	cfg := captureConfig()
	cfg.Auth = Auth{Type: AuthAH, Secret: "5525"}
	c, peer := codecOf(t, cfg), codecOf(t, cfg)
	send := func(want error) {
		t.Helper()
		var a Advert
		p := packetOf(t, slices.Clone(c.Encode(epoch, addr("192.0.2.1"), Group4, 100)), "192.0.2.1", "224.0.0.18")
		if err := peer.Decode(epoch, &a, p); !errors.Is(err, want) {
			t.Errorf("decode: %v, want %v", err, want)
		}
	}
	send(nil)
	send(nil)
	cfg.Addresses = append(slices.Clone(cfg.Addresses), Address{Prefix: prefix("192.0.2.101/24")})
	if err := c.Reconfigure(cfg); err != nil {
		t.Fatal(err)
	}
	send(nil)
	if len(c.Addresses()) != len(cfg.Addresses) {
		t.Errorf("advertises %v", c.Addresses())
	}
	cfg.Auth.Secret = "other"
	if err := c.Reconfigure(cfg); err != nil {
		t.Fatal(err)
	}
	send(DropAuth)
	cfg.VRID = 0
	if err := c.Reconfigure(cfg); err == nil {
		t.Error("took an invalid configuration")
	}
}
