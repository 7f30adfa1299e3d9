package discovery

import (
	"fmt"
	"strings"
	"time"
)

// Health is the verdict of a native check.
type Health uint8

// The verdicts. Pending means that no attempt has ended yet.
const (
	Pending Health = iota
	Up
	Down
)

var healthNames = []string{"pending", "up", "down"}

// String gives pending, up or down.
func (h Health) String() string { return enumName(healthNames, h) }

// MarshalText gives the same word.
func (h Health) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText takes the same word.
func (h *Health) UnmarshalText(b []byte) error { return enumUnmarshal(healthNames, h, b) }

// Verdict is what a native check says at the moment.
type Verdict struct {
	Health Health
	Reason string        // "connection refused", "timeout after 3s", "status 503", …
	Took   time.Duration // of the attempt that made it so

	Warning string // of a healthy target: "certificate expires 2026-12-01T00:00:00Z"
	Blocked string // why attempts cannot be made at the moment; the rest is from the last that could
	Weight  WeightAdvice
}

// WeightAdvice is what a check says about the weight of its target. The zero
// value says nothing.
type WeightAdvice struct {
	Replace bool // the weight is Value; else Value is added to it
	Value   int
}

// advised applies what the checks of a real server say to its weight: the
// smallest weight that one of them names replaces it, then what others say is
// added. from is empty when none says anything.
func advised(checks []made, view View, weight int) (advice int, from string) {
	var by []string
	replaced, add := false, 0
	for _, c := range checks {
		v := view.verdict(c.Check)
		if v.Health != Up || v.Weight == (WeightAdvice{}) {
			continue
		}
		by = append(by, c.kind.String()+" check")
		switch {
		case !v.Weight.Replace:
			add += v.Weight.Value
		case !replaced || v.Weight.Value < weight:
			weight, replaced = v.Weight.Value, true
		}
	}
	return min(max(weight+add, 0), maxWeight), strings.Join(by, ", ")
}

// heed lets the checks change the weight that the catalog or the configuration
// gives. A weight of 0 is a failure: the check's word, which the guard weighs
// against the catalog's.
func (s *server) heed(spec *Spec, view View) {
	if spec.Health == ConsulOnly {
		return
	}
	weight, from := advised(s.checks, view, s.weight)
	if from == "" {
		return
	}
	s.weightFrom = fmt.Sprintf("%s (%d from %s)", from, s.weight, s.weightFrom)
	s.weight = weight
	if weight == 0 && s.state == Serving {
		s.native = opinion{kind: bad, reason: from + ": weight 0"}
		s.state, s.reason = Failed, s.native.reason
	}
}
