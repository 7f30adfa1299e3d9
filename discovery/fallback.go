package discovery

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// Fallback is a second pool of a virtual server. It is watched and checked all
// the time and serves while the pool has lost its quorum; where it has nobody
// that serves, the sorry server comes next.
type Fallback struct {
	Name      string
	Forward   lvs.Forward // of every real server that does not say otherwise
	Weight    int         // of catalog instances when nothing else says one
	Selectors []Selector
	Servers   []Server
	Checks    []CheckSpec
}

// Instead says who serves while the pool has lost its quorum.
type Instead uint8

// The ones that serve.
const (
	ThePool     Instead = iota // the pool itself, or what is left of it
	TheFallback                // the fallback pool
	TheSorry                   // the sorry server
)

var insteadNames = []string{"pool", "fallback", "sorry_server"}

// String gives pool, fallback or sorry_server.
func (i Instead) String() string { return enumName(insteadNames, i) }

// MarshalText gives the same word.
func (i Instead) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText takes the same word.
func (i *Instead) UnmarshalText(b []byte) error { return enumUnmarshal(insteadNames, i, b) }

// AllSelectors lists the selectors of the pool and of its fallback.
func (s Spec) AllSelectors() []Selector {
	if s.Fallback == nil {
		return s.Selectors
	}
	return slices.Concat(s.Selectors, s.Fallback.Selectors)
}

// ofFallback is the fallback as a pool by itself. No rule that weighs a pool as a
// whole is for it: whoever serves there is better than the sorry server.
func (s Spec) ofFallback() Spec {
	f := s.Fallback
	s.Selectors, s.Servers, s.Checks, s.Forward, s.Weight = f.Selectors, f.Servers, f.Checks, f.Forward, f.Weight
	s.Fallback, s.Sorry, s.SorryChecked = nil, nil, false
	s.Quorum, s.Hysteresis, s.PanicThreshold, s.MaxRemoval, s.SlowStart = 1, 0, 0, 1, SlowStart{}
	return s
}

// mergeFallback judges the fallback pool. After a restart the kernel's table may
// hold its real servers: those are no business of the pool, and before is
// returned without them.
func mergeFallback(spec Spec, view View, before Memory, servers *roster) (*Decision, Memory) {
	if spec.Fallback == nil {
		return nil, before
	}
	own := spec.ofFallback()
	var memory Memory
	if before.Fallback != nil {
		memory = *before.Fallback
	}
	listed := candidates(own, view, &Decision{})
	theirs := func(p Judged) bool { return p.Adopted && listed.at[p.Addr] != nil }
	if slices.ContainsFunc(before.Servers, theirs) {
		var rest []Judged
		for _, past := range before.Servers {
			if theirs(past) && before.Fallback == nil {
				memory.Servers = append(memory.Servers, past)
			}
			if !theirs(past) || servers.at[past.Addr] != nil {
				rest = append(rest, past)
			}
		}
		before.Servers = rest
	}
	d := Merge(own, view, memory)
	return &d, before
}

// substitute puts the fallback pool or the sorry server in the place of a pool
// that has lost its quorum.
func (d *Decision) substitute(spec Spec, view View, fallback *Decision, live int, dests []lvs.Dest) []lvs.Dest {
	var sorry *Judged
	if spec.Sorry != nil {
		j := sorryServer(spec, view, d.checks).judged()
		sorry, d.Sorry = &j, &j
	}
	lost := fmt.Sprintf("quorum lost (weight %d of %d)", live, spec.Quorum)
	out := dests
	switch {
	case !d.QuorumLost:
	case fallback != nil && !fallback.QuorumLost:
		d.Instead = TheFallback
		out = fallback.Want.Pool.Dests
	case sorry != nil && sorry.State != Failed:
		d.Instead = TheSorry
		sorry.State, sorry.Reason = Serving, lost
		out = []lvs.Dest{{Addr: spec.Sorry.Addr, Weight: uint32(sorry.Weight), Forward: spec.Sorry.Forward, Tunnel: spec.Tunnel}}
		d.except(spec.Sorry.Addr, "sorry server: "+lost)
	}
	if d.Instead != ThePool {
		answers := map[Instead]string{TheFallback: "the fallback pool answers", TheSorry: "the sorry server answers"}[d.Instead]
		for _, dest := range dests {
			d.except(dest.Addr, lost+", "+answers)
		}
		for i := range d.Memory.Servers {
			d.Memory.Servers[i].Live = false // whoever is there when quorum is regained begins then
		}
	}
	if fallback != nil {
		d.takeFallback(fallback, lost)
	}
	return out
}

// takeFallback takes over what the fallback pool's decision says.
func (d *Decision) takeFallback(f *Decision, lost string) {
	used := d.Instead == TheFallback
	for i := range f.Servers {
		s := &f.Servers[i]
		switch {
		case used:
			d.except(s.Addr, "fallback: "+lost+"; "+s.Reason)
		case s.State == Serving || s.State == Kept:
			s.State, s.Reason = Standby, "stands by while the "+map[bool]string{true: "pool", false: "sorry server"}[d.Instead == ThePool]+" answers; "+s.Reason
		}
	}
	if used {
		for addr := range f.Want.AtOnce {
			d.goesAtOnce(addr)
		}
	}
	d.Fallback, d.alsoChecks = f.Servers, f.checks
	d.Waiting = append(d.Waiting, f.Waiting...)
	d.Warnings = append(d.Warnings, f.Warnings...)
	d.Memory.Fallback = &f.Memory
}

func (d *Decision) except(addr netip.AddrPort, reason string) {
	if d.exceptions == nil {
		d.exceptions = lvs.ReasonMap{}
	}
	d.exceptions[addr] = reason
}

// reasons finds why a real server is as it is: in what status shows of it, unless
// there is more to say.
type reasons struct {
	servers, fallback []Judged
	exceptions        lvs.ReasonMap
}

// Of implements lvs.Reasons.
func (r reasons) Of(addr netip.AddrPort) string {
	if why, ok := r.exceptions[addr]; ok {
		return why
	}
	for _, list := range [][]Judged{r.servers, r.fallback} {
		if i, ok := slices.BinarySearchFunc(list, addr, byAddress); ok {
			return list[i].Reason
		}
	}
	return ""
}

// sorryServer says whether the sorry server could serve. Without checks nobody
// asks.
func sorryServer(spec Spec, view View, checks definitions) *server {
	s := &server{addr: spec.Sorry.Addr, target: spec.Sorry.Addr, origin: FromConfig, config: spec.Sorry, instance: &nobody, query: &nowhere, weight: max(spec.Sorry.Weight, 1), weightFrom: "config"}
	s.state, s.reason, s.effective = Standby, "stands by; not checked", s.weight
	if spec.SorryChecked {
		s.checks = checks.of(&spec, s.target, s.config, nil)
	}
	switch o := nativeOpinion(s.checks, view); o.kind {
	case bad:
		s.state, s.reason, s.effective = Failed, o.reason, 0
	case good, pending: // before its first verdict it is better than nothing
		s.reason = "stands by; " + o.reason
	case silent:
	}
	return s
}

// quorumLost is keepalived's rule: the pool comes up at quorum + hysteresis and
// goes down below quorum - hysteresis, or at no weight at all.
func quorumLost(spec Spec, lost bool, live int) bool {
	switch {
	case live == 0 || live < spec.Quorum-spec.Hysteresis:
		return true
	case live >= spec.Quorum+spec.Hysteresis:
		return false
	}
	return lost
}
