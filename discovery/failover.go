package discovery

import (
	"fmt"
	"slices"
)

// place is where in a specification something is asked. Tier 0 is a selector's
// own query, the others are its failovers in their order.
type place struct{ selector, tier int }

// ask is one question of a specification.
type ask struct {
	place
	query Query
}

// asks lists the questions of a specification.
func asks(spec Spec) []ask {
	var out []ask
	for i, sel := range spec.Selectors {
		for tier, q := range sel.Queries() {
			out = append(out, ask{place{i, tier}, q})
		}
	}
	return out
}

// Queries lists what a selector asks, its own query first.
func (s Selector) Queries() []Query {
	return append([]Query{s.Query}, s.Failover...)
}

// activeTiers gives for each selector the first tier with a real server that can
// serve; tier 0 where none has one, so that nothing hangs on failovers that could
// not serve either.
//
// What counts is the merged verdict and not Consul's alone: a datacenter whose
// servers all fail their native checks is given up too, and so is one that was
// drained. Servers that the guard holds count as serving: whoever is not
// believed to be gone is not replaced.
func activeTiers(spec Spec, servers []*server) []int {
	out := make([]int, max(1, len(spec.Selectors)))
	for i, sel := range spec.Selectors {
		if len(sel.Failover) == 0 {
			continue
		}
		best := len(sel.Failover) + 1
		for _, s := range servers {
			if s.origin == FromCatalog && s.from.selector == i && (s.state == Serving || s.state == HeldBack || s.state == Kept) {
				best = min(best, s.from.tier)
			}
		}
		if best <= len(sel.Failover) {
			out[i] = best
		}
	}
	return out
}

// idle reports whether the server belongs to another tier than the active one.
func (s *server) idle(active []int) bool {
	return s.origin == FromCatalog && s.from.tier != active[s.from.selector]
}

// failOver keeps the tiers behind the active one out of the pool. That is an
// order of the configuration, so the guard has no part in it.
func failOver(spec Spec, servers []*server) {
	if !slices.ContainsFunc(spec.Selectors, func(s Selector) bool { return len(s.Failover) > 0 }) {
		return
	}
	active := activeTiers(spec, servers)
	for _, s := range servers {
		if s.origin != FromCatalog || s.from.tier <= active[s.from.selector] || s.state == Unusable {
			continue
		}
		tier := active[s.from.selector]
		now := spec.Selectors[s.from.selector].Queries()[tier]
		s.state, s.explicit = Standby, true
		s.reason = fmt.Sprintf("%s stands by while %s serves; %s", datacenter(s.query), datacenter(&now), s.reason)
	}
}

func datacenter(q *Query) string {
	if q.Datacenter == "" {
		return "the own datacenter"
	}
	return "datacenter " + q.Datacenter
}
