package discovery

import (
	"hash/maphash"
	"time"
)

// Said is what one check said last. There is one for each check for as long as the
// director runs, shared by all who go by it, so it is kept small and never changes.
type Said struct {
	check  Check
	reason string
	took   time.Duration
	more   *remarks // nil: nothing
	health Health
}

// remarks are what few verdicts have.
type remarks struct {
	warning, blocked string
	weight           WeightAdvice
}

// Say makes a verdict what a check says.
func Say(c Check, v Verdict) *Said {
	s := &Said{check: c, health: v.Health, reason: v.Reason, took: v.Took}
	if m := (remarks{v.Warning, v.Blocked, v.Weight}); m != (remarks{}) {
		s.more = &m
	}
	return s
}

// Check is who says it.
func (s *Said) Check() Check { return s.check }

// Verdict is what it says. Of a nil Said it is the zero one: nothing was said yet.
func (s *Said) Verdict() Verdict {
	if s == nil {
		return Verdict{}
	}
	v := Verdict{Health: s.health, Reason: s.reason, Took: s.took}
	if m := s.more; m != nil {
		v.Warning, v.Blocked, v.Weight = m.warning, m.blocked, m.weight
	}
	return v
}

// Verdicts are what checks have said, by check. The zero value is none. It is no map
// with checks as its keys, which would be most of what a check takes: each value
// knows its check.
type Verdicts struct {
	hash func(Check) uint64
	said map[uint64]*Said // by hash, or the first free number after it
}

// Put takes what a check says from now on, and returns what it said before; nil:
// nothing.
func (v *Verdicts) Put(s *Said) (before *Said) {
	if v.said == nil {
		v.said = map[uint64]*Said{}
	}
	if v.hash == nil {
		seed := maphash.MakeSeed()
		v.hash = func(c Check) uint64 { return maphash.Comparable(seed, c) }
	}
	at, before := v.find(s.check)
	v.said[at] = s
	return before
}

// Of gives what a check says.
func (v *Verdicts) Of(c Check) Verdict {
	if v == nil || len(v.said) == 0 {
		return Verdict{}
	}
	_, s := v.find(c)
	return s.Verdict()
}

// find gives the place of a check, and what is there; nil: it is free.
func (v *Verdicts) find(c Check) (at uint64, s *Said) {
	for at = v.hash(c); ; at++ {
		if s = v.said[at]; s == nil || s.check == c {
			return at, s
		}
	}
}

// Keep forgets all checks but those that are wanted.
func (v *Verdicts) Keep(wanted func(Check) bool) {
	kept := make([]*Said, 0, len(v.said))
	for _, s := range v.said {
		if wanted(s.check) {
			kept = append(kept, s)
		}
	}
	if len(kept) == len(v.said) {
		return
	}
	v.said = make(map[uint64]*Said, len(kept)) // anew: a place that becomes free would hide those behind it
	for _, s := range kept {
		v.Put(s)
	}
}
