package vrrptest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// Two virtual addresses; a site has one or both.
var virtual = [...]vrrp.Address{
	{Prefix: netip.MustParsePrefix("192.0.2.100/24")},
	{Prefix: netip.MustParsePrefix("192.0.2.101/24")},
}

// site is the configuration that its routers share, once all have taken it over.
type site struct {
	vrrp.Config
	list    uint8 // set of virtual addresses
	unicast bool
}

// drawSite draws a configuration.
func drawSite(rng *rand.Rand) site {
	c := site{list: uint8(1 + rng.IntN(3)), unicast: rng.IntN(4) == 0}
	c.Name, c.VRID, c.Version = "VI_1", 51, vrrp.V2
	c.Interval = time.Duration(1+rng.IntN(10)) * time.Second
	c.DownMultiplier = 3
	c.Announce = vrrp.AnnounceConfig{Delay: -1}
	if rng.IntN(2) == 0 {
		c.Version = vrrp.V3
		if rng.IntN(4) == 0 {
			c.Interval = time.Duration(1+rng.IntN(100)) * 10 * time.Millisecond
		}
	}
	switch rng.IntN(6) {
	case 0:
		c.NoPreempt = true
	case 1:
		c.PreemptDelay = time.Duration(rng.Int64N(int64(10 * c.Interval)))
	case 2:
		c.DownMultiplier = 2 + rng.IntN(4)
	}
	c.NoLowerAnswer = rng.IntN(4) == 0
	switch rng.IntN(12) {
	case 0:
		c.Lease = vrrp.LeaseOff
	case 1:
		c.Lease = c.Interval.Truncate(time.Second) + time.Duration(1+rng.IntN(3))*time.Second
	}
	for i, a := range virtual {
		if c.list>>i&1 != 0 {
			c.Addresses = append(c.Addresses, a)
		}
	}
	return c
}

// newSim draws a site and its routers.
func newSim(opt Options) *sim {
	s := &sim{opt: opt, world: world{rng: rand.New(rand.NewPCG(opt.Seed, 0x9e3779b97f4a7c15))}}
	rng := s.rng
	n := 2 + min(rng.IntN(6), rng.IntN(6)) // more often few
	s.site = drawSite(rng)
	equal := rng.IntN(3) == 0
	rank := uint8(1 + rng.IntN(254))
	owner, mixed, foreign, guarded, drifting := -1, rng.IntN(12) == 0, rng.IntN(4) == 0, rng.IntN(3) > 0, rng.IntN(2) == 0
	if rng.IntN(8) == 0 {
		owner = rng.IntN(n)
	}
	for i := range n {
		r := &router{
			process: process{id: i, name: fmt.Sprintf("r%d", i+1), inbox: make([]delivery, 0, inboxLen)},
			source:  netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), rank: rank,
		}
		if !equal {
			r.rank = uint8(1 + rng.IntN(254))
		}
		if i == owner {
			r.rank = vrrp.PriorityOwner
		}
		r.nopreempt = mixed && rng.IntN(2) == 0
		r.foreign = foreign && rng.IntN(3) == 0
		s.foreign = s.foreign || r.foreign
		r.guard.kept = guarded && !r.foreign
		if drifting {
			r.clock.ppm = usualDrift(rng)
		}
		s.routers, s.processes = append(s.routers, r), append(s.processes, &r.process)
	}
	s.adopt(s.site)
	s.heal()
	return s
}

// usualDrift is a clock's rate, within 1 percent. (A crystal is right within 0.01
// percent, and NTP slews by 0.05.)
func usualDrift(rng *rand.Rand) int64 { return rng.Int64N(2*usualPPM+1) - usualPPM }

const (
	usualPPM = 10_000
	faultPPM = 50_000
)

// adopt makes c the configuration of the site. Routers take it over one by one.
func (s *sim) adopt(c site) {
	s.site = c
	s.interval = max(s.interval, c.Interval) // adverts with the old one may be on their way
	s.hold = 3 * s.interval
	for _, r := range s.routers {
		r.stale = true
	}
	s.describe()
}

// describe writes the site into the trace.
func (s *sim) describe() {
	if c := s.site; s.tracing {
		s.trace(nil, "%d routers, version %d, interval %s, multiplier %d, nopreempt %v, preempt delay %s, no lower answer %v, unicast %v",
			len(s.routers), c.Version, c.Interval, c.DownMultiplier, c.NoPreempt, c.PreemptDelay, c.NoLowerAnswer, c.unicast)
	}
}

// configOf is the site's configuration for a router.
func (s *sim) configOf(r *router) vrrp.Config {
	c := s.site.Config
	c.Priority = r.rank
	if r.nopreempt {
		c.NoPreempt, c.PreemptDelay = true, 0
	}
	return c.WithDefaults()
}

// configure gives it to one that starts, or is reconfigured.
func (s *sim) configure(r *router) {
	r.cfg, r.list, r.peers, r.stale = s.configOf(r), s.site.list, 0, false
	if s.site.unicast {
		r.peers = (1<<len(s.routers) - 1) &^ (1 << r.id)
	}
	r.replacedAfter, r.leaseTime, r.leaseSlack = r.cfg.ReplacedAfter(), r.cfg.LeaseTime(), r.cfg.LeaseSlack()
	if r.foreign {
		r.leaseTime = 0
	}
}
