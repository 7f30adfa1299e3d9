package vrrp

import (
	"testing"
	"time"
)

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
