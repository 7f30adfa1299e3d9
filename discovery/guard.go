package discovery

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// guard limits how many real servers may stop serving on one source's word.
//
// When more than max_removal of the pool (at least two) would have gone within
// removal_window, those that only one source wants gone are held: they stay as
// they were. A removal that both sources agree on (the catalog says critical or
// gone, and a native check says down), or that somebody ordered (maintenance, a
// KV drain, a change of the configuration), is never held. A server written in
// the configuration has one source only, so there is nobody to ask.
//
// What is held stays held until the sources agree, the claim ends, or somebody
// orders it: otherwise the pool would be eaten up one window at a time.
func guard(spec Spec, now time.Time, before Memory, servers map[netip.AddrPort]*server, d *Decision) {
	window := slices.Clone(before.Removals)
	window = slices.DeleteFunc(window, func(r Removal) bool {
		s := servers[r.Addr]
		return now.Sub(r.At) >= spec.RemovalWindow || (s != nil && s.state == Serving)
	})

	served := 0
	var going, alone []*server
	for _, addr := range sortedAddrs(servers) {
		s, past := servers[addr], before.Servers[addr]
		if s.state == Kept {
			s.effective = past.Weight
		}
		if !past.In || past.Weight == 0 {
			continue
		}
		served++
		if s.explicit || (s.state != Failed && s.state != Leaving) {
			continue
		}
		going = append(going, s)
		if !s.corroborated() {
			alone = append(alone, s)
		}
	}

	allowed := max(2, int(spec.MaxRemoval*float64(served+len(window))))
	tooMany := len(window)+len(going) > allowed
	var held []*server
	for _, s := range alone {
		if tooMany || before.Servers[s.addr].Held {
			held = append(held, s)
		}
	}
	for _, s := range going {
		if !slices.Contains(held, s) {
			window = append(window, Removal{Addr: s.addr, At: now})
		}
	}
	for _, s := range held {
		s.state, s.effective = HeldBack, before.Servers[s.addr].Weight
		if s.fromKV {
			s.effective = s.weight
		}
		s.reason = "held: " + s.reason + "; " + s.otherSide()
	}
	if len(held) > 0 {
		d.Held = fmt.Sprintf("%d of %d real servers would go on one source's word, more than max_removal allows (%d within %s)",
			len(held), served, allowed, spec.RemovalWindow)
	}
	d.Memory.Removals = window
}

// corroborated reports whether every source that could object agrees that the
// server should not serve.
func (s *server) corroborated() bool {
	if s.origin == FromConfig {
		return true
	}
	return s.catalog.kind == bad && s.native.kind == bad
}

// otherSide says, for a held server, why the claim was not believed.
func (s *server) otherSide() string {
	switch s.native.kind {
	case silent:
		return "no native check confirms it"
	case pending:
		return "its native check has not answered yet"
	case good:
		return "its native check is up"
	case bad:
	}
	return "the catalog says " + s.catalog.reason
}
