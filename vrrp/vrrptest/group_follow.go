package vrrptest

import "github.com/edgekeeper/edgekeeper/vrrp"

// follow makes r one of the site's configuration: while it runs, where that is
// possible and the dice say so, member after member.
func (s *groupSim) follow(r *groupRouter) {
	inPlace := s.opt.Break == nil && !r.foreign && s.rng.IntN(4) > 0
	for i, m := range r.members {
		inPlace = inPlace && m.cfg.Reconfigurable(s.configOf(r, i))
	}
	if !inPlace {
		s.restart(r)
		return
	}
	s.report.InPlace++
	s.trace(&r.process, "reconfigured")
	for i, m := range r.members {
		old := *m
		m.configure(s.configOf(r, i))
		m.replacedAfter = max(m.replacedAfter, old.replacedAfter) // until it has said so
		if m.cfg.Interval != old.cfg.Interval || m.cfg.DownMultiplier != old.cfg.DownMultiplier {
			m.fresh = false
			if m.cfg.Version == vrrp.V2 {
				m.interval = m.cfg.Interval
			}
		}
		m.changed = s.now
		s.step(r, i, vrrp.Reconfigure{Config: m.cfg})
		if r.stopped {
			return // the next calm
		}
	}
	r.stale = false
	for i, m := range r.members {
		if m.priority != m.cfg.Priority && r.running() {
			m.priority, s.reranked = m.cfg.Priority, s.now
			s.step(r, i, vrrp.SetPriority{Priority: m.priority})
		}
	}
}
