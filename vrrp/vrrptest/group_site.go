package vrrptest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// newGroupSim draws a site.
func newGroupSim(opt GroupOptions) *groupSim {
	s := &groupSim{opt: opt, world: world{rng: rand.New(rand.NewPCG(opt.Seed, 0x6a09e667f3bcc908))}}
	rng := s.rng
	n, k := 2+min(rng.IntN(3), rng.IntN(3)), 2+rng.IntN(maxMembers-1)
	s.equal, s.ranked = rng.IntN(4) == 0, rng.IntN(5) > 0
	mirrored := rng.IntN(5) == 0 // ties are broken differently on one LAN
	s.ranked = s.ranked && !mirrored
	// keepalived has nothing against two routers that are each better on one LAN.
	foreign, drifting := s.ranked && rng.IntN(4) == 0, rng.IntN(2) == 0
	for range k {
		s.lans = append(s.lans, &groupLAN{})
	}
	s.delay = 20 * time.Millisecond
	for id := range n {
		r := &groupRouter{process: process{id: id, name: fmt.Sprintf("r%d", id+1)}}
		for i := range s.lans {
			host := id + 1
			if mirrored && i == 0 {
				host = n - id
			}
			r.members = append(r.members, &groupMember{source: netip.AddrFrom4([4]byte{10, 0, byte(i), byte(host)})})
		}
		r.foreign = foreign && rng.IntN(3) == 0
		s.foreign = s.foreign || r.foreign
		if drifting {
			r.clock.ppm = usualDrift(rng)
		}
		s.routers, s.processes = append(s.routers, r), append(s.processes, &r.process)
	}
	s.drawConfig()
	s.drawRanks()
	for _, r := range s.routers {
		s.configure(r)
	}
	s.settleIntervals()
	for _, l := range s.lans {
		l.heal(0, s.delay)
	}
	return s
}

// drawConfig draws the configuration of the site.
func (s *groupSim) drawConfig() {
	rng := s.rng
	base := vrrp.Config{
		Version: vrrp.V2, Interval: time.Duration(1+rng.IntN(4)) * time.Second, DownMultiplier: 3,
		Announce: vrrp.AnnounceConfig{Delay: -1}, NoLowerAnswer: rng.IntN(4) == 0,
	}
	if rng.IntN(2) == 0 {
		base.Version = vrrp.V3
	}
	switch rng.IntN(6) {
	case 0:
		base.NoPreempt = true
	case 1:
		base.PreemptDelay = time.Duration(rng.Int64N(int64(10 * base.Interval)))
	case 2:
		base.DownMultiplier = 2 + rng.IntN(4)
	}
	mixed := rng.IntN(4) == 0 // intervals
	s.noPreempt = false
	for i, l := range s.lans {
		c := base
		c.Name, c.VRID = fmt.Sprintf("VI_%d", i+1), uint8(51+i)
		c.Addresses = []vrrp.Address{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 100}), 24)}}
		c.Priority = 100
		if mixed {
			c.Interval = time.Duration(1+rng.IntN(4)) * time.Second
		}
		if i > 0 && rng.IntN(8) == 0 {
			c.NoPreempt, c.PreemptDelay = true, 0
		}
		s.noPreempt = s.noPreempt || c.NoPreempt
		s.interval = max(s.interval, c.Interval) // adverts with the old one may be on their way
		l.site = c.WithDefaults()
	}
	s.hold = 3 * s.interval
}

// drawRanks draws the priorities of the configuration.
func (s *groupSim) drawRanks() {
	for _, r := range s.routers {
		rank := uint8(1 + s.rng.IntN(254))
		for _, m := range r.members {
			switch {
			case s.equal:
				m.rank = 100
			case s.ranked:
				m.rank = rank
			default:
				m.rank = uint8(1 + s.rng.IntN(254))
			}
		}
	}
}

// reconfigure draws a new configuration for the site, or only new priorities,
// which the routers take over one by one.
func (s *groupSim) reconfigure() {
	s.report.Reconfigure++
	if s.rng.IntN(2) == 0 {
		s.drawConfig()
	}
	s.drawRanks()
	s.reconfigured = true
	for _, r := range s.routers {
		r.stale = true
	}
	s.describe()
}

// settleIntervals: all have the configuration of the site, and nothing is left of
// an older one.
func (s *groupSim) settleIntervals() {
	s.interval, s.reconfigured = 0, false
	for _, l := range s.lans {
		s.interval = max(s.interval, l.site.Interval)
	}
	s.hold = max(s.hold, 3*s.interval)
}

// describe writes the site into the trace.
func (s *groupSim) describe() {
	if c := s.lans[0].site; s.tracing {
		s.trace(nil, "%d routers, %d members, version %d, interval %s, longest %s, multiplier %d, ranked %v, equal %v, nopreempt %v, keepalived %v",
			len(s.routers), len(s.lans), c.Version, c.Interval, s.interval, c.DownMultiplier, s.ranked, s.equal, s.noPreempt, s.foreign)
	}
}
