package vrrp

import (
	"errors"
	"testing"
	"time"
)

func TestGroupBegins(t *testing.T) {
	t.Run("when all can run", func(t *testing.T) {
		s := newGroupScript(t, nil)
		s.do(0, Start{Source: addr(source(0, 2))})
		s.until(10)
		s.want("")
		s.do(1, Start{Source: addr(source(1, 2))})
		s.want(`
			10.000 A BACKUP: started, listening for a master
			10.000 B BACKUP: started, listening for a master`)
	})
	t.Run("together, and claims together", func(t *testing.T) {
		s := newGroupScript(t, func(a, b *Config) { b.Priority = 50 }).start()
		s.until(4.6)
		s.want(bothStarted + `
			3.805 A send 100
			3.805 B send 50
			4.055 A send 100
			4.055 A MASTER: no advert from anybody for 3.805 s
			4.055 A announce 5
			4.055 B send 50
			4.055 B MASTER: no advert from anybody for 3.805 s
			4.055 B announce 5`)
	})
	t.Run("owners at once", func(t *testing.T) {
		s := newGroupScript(t, func(a, b *Config) { a.Priority, b.Priority = 255, 255 }).start()
		s.until(0.5)
		s.want(`
			0.000 A BACKUP: owner of the addresses (priority 255)
			0.000 B BACKUP: owner of the addresses (priority 255)
			0.000 A send 255
			0.000 B send 255
			0.250 A send 255
			0.250 A MASTER: owner of the addresses (priority 255)
			0.250 A announce 5
			0.250 B send 255
			0.250 B MASTER: owner of the addresses (priority 255)
			0.250 B announce 5`)
	})
}

func TestGroupOwners(t *testing.T) {
	a := captureConfig()
	b := a
	b.Priority = 255
	for _, list := range [][]Config{{a, b}, {b, a}, {a, a, b}} {
		if _, err := NewGroup(list...); !errors.Is(err, ErrOwners) {
			t.Errorf("owner beside others: %v", err)
		}
	}
	if _, err := NewGroup(); err == nil {
		t.Error("a group without members")
	}
	a.VRID = 0
	if _, err := NewGroup(a); err == nil {
		t.Error("an invalid member")
	}
}

func TestGroupPromotion(t *testing.T) {
	t.Run("a master silent on one network only", func(t *testing.T) {
		s := newGroupScript(t, nil).start()
		for x := 0.0; x < 20; x++ {
			s.until(x)
			s.hear(1, 9, 200)
		}
		s.want(bothStarted)
		s.until(24)
		s.want(`
			22.609 A send 100
			22.609 B send 100
			22.859 A send 100
			22.859 A MASTER: no advert from anybody for 22.609 s
			22.859 A announce 5
			22.859 B send 100
			22.859 B MASTER: no advert from 198.51.100.9 for 3.609 s
			22.859 B announce 5
			23.859 A send 100
			23.859 B send 100`)
	})
	t.Run("silent on both", func(t *testing.T) {
		s := newGroupScript(t, nil).start()
		s.hear(0, 9, 200)
		s.hear(1, 9, 200)
		s.until(5)
		s.want(bothStarted + `
			3.609 A send 100
			3.609 A MASTER: no advert from 192.0.2.9 for 3.609 s
			3.609 A announce 5
			3.609 B send 100
			3.609 B MASTER: no advert from 198.51.100.9 for 3.609 s
			3.609 B announce 5
			4.609 A send 100
			4.609 B send 100`)
	})
	t.Run("a member that has heard nobody makes the other claim", func(t *testing.T) {
		s := newGroupScript(t, nil).start()
		s.hear(0, 9, 200)
		s.until(5)
		s.want(bothStarted + `
			3.609 A send 100
			3.609 B send 100
			3.859 A send 100
			3.859 A MASTER: no advert from 192.0.2.9 for 3.609 s
			3.859 A announce 5
			3.859 B send 100
			3.859 B MASTER: no advert from anybody for 3.609 s
			3.859 B announce 5
			4.859 A send 100
			4.859 B send 100`)
	})
	t.Run("one that heard a master again does not want any more", func(t *testing.T) {
		s := newGroupScript(t, nil).start()
		s.until(3)
		s.hear(1, 9, 200)
		s.until(6.4)
		s.hear(0, 9, 200)
		s.until(7)
		s.want(bothStarted)
	})
	t.Run("a master of lower priority on one network, of higher on the other", func(t *testing.T) {
		s := newGroupScript(t, nil).start()
		for x := 0.0; x < 20; x++ {
			s.until(x)
			s.hear(0, 9, 50)
			s.hear(1, 9, 200)
		}
		s.want(bothStarted)
	})
	t.Run("no preemption by one is none by all", func(t *testing.T) {
		s := newGroupScript(t, func(_, b *Config) { b.NoPreempt = true }).start()
		for x := 0.0; x < 20; x++ {
			s.until(x)
			s.hear(0, 9, 50)
			s.hear(1, 9, 50)
		}
		s.want(bothStarted)
	})
}

// TestGroupStaleWish: a member that wanted to be master before the process slept
// may have adverts unread, and is asked again before the group takes over.
func TestGroupStaleWish(t *testing.T) {
	s := newGroupScript(t, nil).start()
	s.hear(0, 9, 200)
	s.until(2)
	s.hear(1, 9, 200)
	s.until(4)
	s.log = nil
	s.now = s.now.Add(5 * time.Second)
	s.do(1, Timeout{})
	s.now = s.now.Add(time.Second) // its own grace is over
	s.do(1, Timeout{})
	s.want("")
	s.do(0, Timeout{})
	s.want("")
	s.now = s.now.Add(time.Second)
	s.do(0, Timeout{})
	if s.g.State() != Master {
		t.Errorf("state %s when both have listened again", s.g.State())
	}
}

func TestGroupClaim(t *testing.T) {
	claim := func(t *testing.T) *groupScript {
		s := newGroupScript(t, nil).start()
		for x := 0.0; x < 4; x++ {
			s.until(x)
			s.hear(0, 9, 50)
			s.hear(1, 9, 50)
		}
		s.until(3.7)
		s.want(bothStarted + `
			3.609 A send 100
			3.609 B send 100`)
		return s
	}
	t.Run("both let go", func(t *testing.T) {
		s := claim(t)
		s.hear(1, 9, 0)
		s.want("")
		s.hear(0, 9, 0)
		s.want(`
			3.700 A send 100
			3.700 A MASTER: priority 50 of 192.0.2.9 is lower than our 100
			3.700 A announce 5
			3.700 B send 100
			3.700 B MASTER: priority 50 of 198.51.100.9 is lower than our 100
			3.700 B announce 5`)
	})
	t.Run("one does not say so", func(t *testing.T) {
		s := claim(t)
		s.hear(1, 9, 0)
		s.until(4)
		s.want(`
			3.859 A send 100
			3.859 A MASTER: priority 50 of 192.0.2.9 is lower than our 100
			3.859 A announce 5
			3.859 B send 100
			3.859 B MASTER: priority 50 of 198.51.100.9 is lower than our 100
			3.859 B announce 5`)
	})
	t.Run("a better router on one network", func(t *testing.T) {
		s := claim(t)
		s.hear(1, 9, 0)
		s.hear(0, 8, 150)
		s.want(`
			3.700 A send 0
			3.700 B send 0`)
	})
	t.Run("won, and doubted", func(t *testing.T) {
		s := claim(t)
		s.hear(1, 9, 0)
		s.hear(1, 8, 20)
		s.hear(0, 9, 0)
		s.until(3.8)
		s.want(`
			3.700 B send 100`)
		s.hear(1, 8, 0)
		s.want(`
			3.800 A send 100
			3.800 A MASTER: priority 50 of 192.0.2.9 is lower than our 100
			3.800 A announce 5
			3.800 B send 100
			3.800 B MASTER: priority 50 of 198.51.100.9 is lower than our 100
			3.800 B announce 5`)
	})
	t.Run("one network's interval is longer", func(t *testing.T) {
		s := newGroupScript(t, func(_, b *Config) { b.Interval = 8 * time.Second }).start()
		s.hear(0, 9, 200)
		s.until(27)
		s.want(bothStarted + `
			24.609 A send 100
			24.609 B send 100
			25.609 A send 100
			26.609 A send 100
			26.609 A send 100
			26.609 A MASTER: no advert from 192.0.2.9 for 24.609 s
			26.609 A announce 5
			26.609 B send 100
			26.609 B MASTER: no advert from anybody for 24.609 s
			26.609 B announce 5`)
	})
}

func TestGroupFallsBack(t *testing.T) {
	t.Run("a better router on one network", func(t *testing.T) {
		s := newGroupScript(t, nil).succeed()
		s.hear(1, 8, 150)
		s.want(`
			4.000 B BACKUP: priority 150 of 198.51.100.8 is higher than our 100
			4.000 B send 0
			4.000 A BACKUP: with B: priority 150 of 198.51.100.8 is higher than our 100
			4.000 A send 0`)
	})
	t.Run("a fault, and its end", func(t *testing.T) {
		s := newGroupScript(t, nil).succeed()
		s.do(0, Failed{Why: "eth0 is down"})
		s.want(`
			4.000 A send 0
			4.000 A FAULT: eth0 is down
			4.000 B send 0
			4.000 B FAULT: with A: eth0 is down`)
		s.do(1, Failed{Why: "eth1 is down"})
		s.do(0, Recovered{Source: addr(source(0, 2)), Why: "eth0 is up"})
		s.until(20)
		s.want("")
		s.do(1, Recovered{Source: addr(source(1, 2)), Why: "eth1 is up"})
		s.want(`
			20.000 A BACKUP: with B, which can run again
			20.000 B BACKUP: eth1 is up`)
	})
	t.Run("late in one member", func(t *testing.T) {
		s := newGroupScript(t, func(_, b *Config) { b.Interval = 8 * time.Second })
		s.start()
		s.hear(0, 9, 200)
		s.hear(1, 9, 200)
		s.until(25)
		s.log = nil
		s.now = s.now.Add(4 * time.Second)
		s.do(0, Timeout{})
		s.want(`
			29.000 A BACKUP: 4.391 s since our last advert: a backup may have taken over, electing again
			29.000 B BACKUP: with A: 4.391 s since our last advert: a backup may have taken over, electing again
			29.000 B send 0`)
	})
	t.Run("an address lost to somebody else", func(t *testing.T) {
		s := newGroupScript(t, nil).succeed()
		s.do(1, StepDown{Why: "the address was removed"})
		s.want(`
			4.000 B send 0
			4.000 B BACKUP: the address was removed
			4.000 A BACKUP: with B: the address was removed
			4.000 A send 0`)
	})
	t.Run("stop", func(t *testing.T) {
		s := newGroupScript(t, nil).succeed()
		s.do(0, Stop{})
		s.do(1, Stop{})
		s.want(`
			4.000 A send 0
			4.000 A INIT: stopped
			4.000 B send 0
			4.000 B INIT: stopped`)
	})
}

func TestGroupSiblingsAnnounce(t *testing.T) {
	s := newGroupScript(t, func(_, b *Config) { b.Announce.LowerRepeat = 2 }).succeed()
	s.hear(0, 8, 50)
	s.want(`
			4.000 A send 100
			4.000 A announce 5
			4.000 B announce 2`)
}
