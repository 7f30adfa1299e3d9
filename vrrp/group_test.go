package vrrp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// groupScript drives a group of two members on virtual time, A on 192.0.2.0/24
// and B on 198.51.100.0/24, as host 2 of both. Lines begin with the member.
type groupScript struct {
	t   *testing.T
	g   *Group
	now time.Time
	log []string
}

func newGroupScript(t *testing.T, change func(a, b *Config)) *groupScript {
	t.Helper()
	a := captureConfig()
	a.Name, a.Announce.Delay = "A", -1
	b := a
	b.Name, b.VRID = "B", 52
	if change != nil {
		change(&a, &b)
	}
	g, err := NewGroup(a, b)
	if err != nil {
		t.Fatal(err)
	}
	return &groupScript{t: t, g: g, now: epoch}
}

func source(member, host int) string {
	return fmt.Sprintf([]string{"192.0.2.%d", "198.51.100.%d"}[member], host)
}

const bothStarted = `
	0.000 A BACKUP: started, listening for a master
	0.000 B BACKUP: started, listening for a master`

// start begins both members at time 0.
func (s *groupScript) start() *groupScript {
	for i := range 2 {
		s.do(i, Start{Source: addr(source(i, 2))})
	}
	return s
}

func (s *groupScript) do(member int, ev Event) {
	s.t.Helper()
	for _, a := range s.g.Step(s.now, member, ev) {
		at := fmt.Sprintf("%.3f %c ", s.now.Sub(epoch).Seconds(), 'A'+rune(a.Member))
		switch a := a.Action.(type) {
		case SendAdvert:
			s.log = append(s.log, at+fmt.Sprintf("send %d", a.Priority))
		case Enter:
			s.log = append(s.log, at+fmt.Sprintf("%s: %s", a.State, a.Reason))
		case Announce:
			s.log = append(s.log, at+fmt.Sprintf("announce %d", a.Rounds))
		}
	}
	masters := 0
	for _, m := range s.g.members {
		if m.State() == Master {
			masters++
		}
	}
	if masters == 1 {
		s.t.Fatalf("%s: one of two members is master", s.now.Sub(epoch))
	}
}

func (s *groupScript) hear(member, host int, priority uint8) {
	s.t.Helper()
	s.do(member, Received{Source: addr(source(member, host)), Priority: priority, Interval: s.g.Member(member).Config().Interval})
}

func (s *groupScript) until(seconds float64) {
	s.t.Helper()
	end := epoch.Add(time.Duration(seconds * float64(time.Second)))
	for {
		at, who := end.Add(1), -1
		for i := range 2 {
			if d := s.g.Member(i).Deadline(); !d.IsZero() && d.Before(at) {
				at, who = d, i
			}
		}
		if who < 0 {
			break
		}
		s.now = at
		s.do(who, Timeout{})
	}
	s.now = end
}

func (s *groupScript) want(want string) {
	s.t.Helper()
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(want), "\n") {
		lines = append(lines, strings.TrimSpace(line))
	}
	if diff := cmp.Diff(strings.Join(lines, "\n"), strings.Join(s.log, "\n")); diff != "" {
		s.t.Errorf("(-want +got)\n%s", diff)
	}
	s.log = nil
}

// succeed makes it master of a host 9 that has fallen silent, and goes on to 4 s.
func (s *groupScript) succeed() *groupScript {
	s.t.Helper()
	s.start()
	s.hear(0, 9, 200)
	s.hear(1, 9, 200)
	s.until(4)
	if s.g.State() != Master {
		s.t.Fatalf("state %s after the silence", s.g.State())
	}
	s.log = nil
	return s
}

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

func TestGroupHandover(t *testing.T) {
	t.Run("taken over", func(t *testing.T) {
		s := newGroupScript(t, nil).succeed()
		s.do(1, Handover{})
		s.want(`
			4.000 A send 100
			4.000 A send 100
			4.000 A send 0
			4.000 B send 100
			4.000 B send 100
			4.000 B send 0`)
		s.until(4.5)
		s.hear(0, 8, 50)
		s.want(`
			4.500 A BACKUP: handed over to 192.0.2.8 (priority 50)
			4.500 A send 0
			4.500 B BACKUP: with A: handed over to 192.0.2.8 (priority 50)
			4.500 B send 0`)
		s.hear(1, 8, 50) // accepted on both, though lower
		s.until(7)
		s.want("")
	})
	t.Run("nobody there", func(t *testing.T) {
		s := newGroupScript(t, func(_, b *Config) { b.Interval = 2 * time.Second })
		s.start()
		s.hear(0, 9, 200)
		s.hear(1, 9, 200)
		s.until(7.5)
		s.log = nil
		s.do(0, Handover{})
		s.until(10)
		s.want(`
			7.500 A send 100
			7.500 A send 100
			7.500 A send 0
			7.500 B send 100
			7.500 B send 100
			7.500 B send 0
			9.496 A send 100
			9.496 B send 100`)
	})
}

// TestGroupTakesTurns: two routers of which each is better on one network, in
// lock step. They must not drive each other back for ever.
func TestGroupTakesTurns(t *testing.T) {
	routers := [2]*groupScript{}
	for i := range routers {
		routers[i] = newGroupScript(t, func(a, b *Config) {
			a.Priority, b.Priority = uint8(100+100*i), uint8(200-100*i)
		})
		for m := range 2 {
			routers[i].do(m, Start{Source: addr(source(m, 2+i))})
		}
	}
	type sent struct {
		from, member int
		priority     uint8
	}
	const step = time.Millisecond
	for now := epoch; now.Sub(epoch) < 2*time.Minute; now = now.Add(step) {
		var wire []sent
		each := func(i int, acts []MemberAction) {
			for _, a := range acts {
				if adv, ok := a.Action.(SendAdvert); ok {
					wire = append(wire, sent{i, a.Member, adv.Priority})
				}
			}
		}
		for i, r := range routers {
			for m := range 2 {
				if d := r.g.Member(m).Deadline(); !d.IsZero() && !d.After(now) {
					each(i, r.g.Step(now, m, Timeout{}))
				}
			}
		}
		for len(wire) > 0 { // all that is sent crosses on the way
			crossing := wire
			wire = nil
			for _, p := range crossing {
				to := routers[1-p.from]
				each(1-p.from, to.g.Step(now, p.member, Received{Source: addr(source(p.member, 2+p.from)), Priority: p.priority, Interval: time.Second}))
			}
		}
	}
	if a, b := routers[0].g.State(), routers[1].g.State(); (a == Master) == (b == Master) {
		t.Errorf("after two minutes the routers are %s and %s; %d and %d attempts failed", a, b, routers[0].g.lost, routers[1].g.lost)
	}
	t.Logf("lost: %d, %d", routers[0].g.lost, routers[1].g.lost)
}
