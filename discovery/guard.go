package discovery

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// guard limits how many real servers may stop serving on one source's word.
//
// When more than max_removal of the pool, and at least two, would have gone
// within removal_window, those that only one source wants gone are held: they
// stay as they were. So both of two are held, and one alone never is. A removal
// that both sources agree on (the catalog says critical or gone, and a native
// check says down), or that somebody ordered (maintenance, a KV drain, a change
// of the configuration), is never held. A server written in the configuration
// has one source only, so there is nobody to ask.
//
// What a catalog lacks that has lost its data was not taken out by anybody: it is
// held, however few it is, until it is registered again.
//
// What began to serve after a removal takes its place: a deployment that
// replaces a pool one by one is no mass removal, however fast it is.
//
// What is held stays held until the sources agree, the claim ends, or somebody
// orders it: otherwise the pool would be eaten up one window at a time. What
// Nomad says that it stops was ordered: its real servers end, held or not.
func guard(spec Spec, now time.Time, before Memory, servers []*server, d *Decision) {
	window := slices.Clone(before.Removals)
	window = slices.DeleteFunc(window, func(r Removal) bool { return now.Sub(r.At) >= spec.RemovalWindow })
	lost := missing(window, now, before, servers)

	served := 0
	var going, alone []*server
	for _, s := range servers {
		past := s.past
		if s.state == Kept {
			s.effective = int(past.Weight)
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

	allowed := max(1, int(spec.MaxRemoval*float64(served+lost)))
	tooMany := lost+len(going) > allowed
	var held []*server
	for _, s := range alone {
		if tooMany || s.past.State == HeldBack || s.lost && spec.MaxRemoval < 1 {
			held = append(held, s)
		}
	}
	for _, s := range going {
		if !slices.Contains(held, s) {
			window = slices.DeleteFunc(window, func(r Removal) bool { return r.Addr == s.addr })
			window = append(window, Removal{Addr: s.addr, At: now})
		}
	}
	for _, s := range held {
		s.state, s.effective = HeldBack, int(s.past.Weight)
		if s.fromKV {
			s.effective = s.weight
		}
		s.reason = "held: " + s.reason + "; " + s.otherSide()
	}
	switch onlyLost := !slices.ContainsFunc(held, func(s *server) bool { return !s.lost }); {
	case len(held) > 0 && onlyLost:
		d.Held = fmt.Sprintf("%d of %d real servers are missing from a catalog that has lost its data", len(held), served)
	case len(held) > 0:
		d.Held = fmt.Sprintf("%d of %d real servers would go on one source's word, more than max_removal allows (%d within %s)",
			len(held), served, allowed, spec.RemovalWindow)
	}
	d.Memory.Removals = window
}

// stillHeld takes the guard's word back where nobody is held after all, because a
// datacenter that goes before serves again.
func (d *Decision) stillHeld(servers []*server) {
	for _, s := range servers {
		if s.state == HeldBack {
			return
		}
	}
	d.Held = ""
}

// missing counts the removals of the window that nothing has made up for: neither
// the real server itself, which is back, nor another that began to serve since.
// Each of those makes up for one.
func missing(window []Removal, now time.Time, before Memory, servers []*server) (n int) {
	was := map[netip.AddrPort]bool{}
	var gone []time.Time // in order, as the window is
	for _, r := range window {
		was[r.Addr] = true
		past := before.of(r.Addr)
		i, listed := slices.BinarySearchFunc(servers, r.Addr, func(s *server, a netip.AddrPort) int { return s.addr.Compare(a) })
		if back := past.In && past.Weight > 0 || listed && servers[i].state == Serving; !back {
			gone = append(gone, r.At)
		}
	}
	var began []time.Time
	for _, s := range servers {
		if len(gone) == 0 {
			break // there is nothing to make up for
		}
		if s.state != Serving || s.weight == 0 || was[s.addr] {
			continue
		}
		since := now
		if s.past.Live {
			since = s.past.Since
		}
		began = append(began, since)
	}
	slices.SortFunc(began, time.Time.Compare)
	for _, t := range began {
		for len(gone) > 0 && !gone[0].After(t) {
			gone, n = gone[1:], n+1
		}
		n = max(n-1, 0)
	}
	return n + len(gone)
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
