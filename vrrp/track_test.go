package vrrp

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTrackEffect(t *testing.T) {
	up, down := TrackResult{State: TrackUp}, TrackResult{State: TrackDown}
	number := func(v int) TrackResult { return TrackResult{State: TrackUp, Numeric: true, Value: v} }
	for _, c := range []struct {
		name   string
		use    TrackUse
		result TrackResult
		want   TrackEffect
	}{
		{"no weight, up", TrackUse{}, up, TrackEffect{}},
		{"no weight, down is a fault", TrackUse{}, down, TrackEffect{Fault: true}},
		{"no weight, reverse, up is a fault", TrackUse{Reverse: true}, up, TrackEffect{Fault: true}},
		{"no weight, reverse, down", TrackUse{Reverse: true}, down, TrackEffect{}},
		{"positive weight counts while up", TrackUse{Weight: 20}, up, TrackEffect{Shift: 20}},
		{"positive weight, down", TrackUse{Weight: 20}, down, TrackEffect{}},
		{"negative weight, up", TrackUse{Weight: -20}, up, TrackEffect{}},
		{"negative weight counts while down", TrackUse{Weight: -20}, down, TrackEffect{Shift: -20}},
		{"positive weight, reverse, takes off while up", TrackUse{Weight: 20, Reverse: true}, up, TrackEffect{Shift: -20}},
		{"positive weight, reverse, down", TrackUse{Weight: 20, Reverse: true}, down, TrackEffect{}},
		{"negative weight, reverse, up", TrackUse{Weight: -20, Reverse: true}, up, TrackEffect{}},
		{"negative weight, reverse, adds while down", TrackUse{Weight: -20, Reverse: true}, down, TrackEffect{Shift: 20}},
		{"unknown does nothing", TrackUse{}, TrackResult{}, TrackEffect{}},
		{"unknown does nothing with a weight", TrackUse{Weight: 20}, TrackResult{}, TrackEffect{}},
		{"pending holds a router that would be at fault", TrackUse{}, TrackResult{State: TrackPending}, TrackEffect{Fault: true}},
		{"pending holds it in reverse too", TrackUse{Reverse: true}, TrackResult{State: TrackPending}, TrackEffect{Fault: true}},
		{"pending shifts nothing", TrackUse{Weight: -20}, TrackResult{State: TrackPending}, TrackEffect{}},
		{"number times weight", TrackUse{Weight: 2}, number(-7), TrackEffect{Shift: -14}},
		{"number times weight, reverse", TrackUse{Weight: 2, Reverse: true}, number(-7), TrackEffect{Shift: 14}},
		{"number zero", TrackUse{Weight: 2}, number(0), TrackEffect{}},
		{"number zero, no weight", TrackUse{}, number(0), TrackEffect{}},
		{"any other number, no weight, is a fault", TrackUse{}, number(-1), TrackEffect{Fault: true}},
		{"number zero, no weight, reverse, is a fault", TrackUse{Reverse: true}, number(0), TrackEffect{Fault: true}},
		{"other number, no weight, reverse", TrackUse{Reverse: true}, number(3), TrackEffect{}},
		{"the least shift", TrackUse{Weight: 1}, number(-253), TrackEffect{Shift: -253}},
		{"below the least shift is a fault", TrackUse{Weight: 1}, number(-254), TrackEffect{Fault: true}},
		{"below it by the product", TrackUse{Weight: -2}, number(127), TrackEffect{Fault: true}},
		{"above the most counts as the most", TrackUse{Weight: 2}, number(200), TrackEffect{Shift: 253}},
		{"a number that would overflow", TrackUse{Weight: 253}, number(math.MaxInt), TrackEffect{Shift: 253}},
		{"and one the other way", TrackUse{Weight: 253}, number(math.MinInt), TrackEffect{Fault: true}},
		{"and one the other way, reverse", TrackUse{Weight: 253, Reverse: true}, number(math.MinInt), TrackEffect{Shift: 253}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.use.Effect(c.result); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestEffectivePriority(t *testing.T) {
	for _, c := range []struct {
		name   string
		base   uint8
		shifts []int
		want   uint8
	}{
		{"no shift", 100, nil, 100},
		{"shifts add up", 100, []int{-30, 10}, 80},
		{"clamped below", 10, []int{-50}, 1},
		{"clamped above", 200, []int{100}, 254},
		{"clamped after the sum, not between", 200, []int{100, -100}, 200},
		{"the owner is not shifted", 255, []int{-200}, 255},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := EffectivePriority(c.base, c.shifts...); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

// TestTrackProperties: whatever the trackers say, a router has a priority that
// may be sent, reverse mirrors a shift, and order does not matter.
func TestTrackProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.Uint8Range(1, 255).Draw(t, "base")
		uses := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) TrackUse {
			return TrackUse{Weight: rapid.IntRange(-TrackWeightMax, TrackWeightMax).Draw(t, "weight"), Reverse: rapid.Bool().Draw(t, "reverse")}
		}), 0, 8).Draw(t, "uses")
		var shifts, backward []int
		for _, u := range uses {
			r := TrackResult{State: TrackState(rapid.IntRange(0, 3).Draw(t, "state")), Numeric: rapid.Bool().Draw(t, "numeric"), Value: rapid.Int().Draw(t, "value")}
			e := u.Effect(r)
			if e.Fault && e.Shift != 0 || e.Shift < -TrackWeightMax || e.Shift > TrackWeightMax {
				t.Fatalf("%+v of %+v: %+v", u, r, e)
			}
			if u.Weight == 0 && e.Shift != 0 {
				t.Fatalf("shift without a weight: %+v", e)
			}
			mirror := TrackUse{Weight: u.Weight, Reverse: !u.Reverse}.Effect(r)
			if !r.Numeric && u.Weight != 0 && mirror.Shift != -e.Shift {
				t.Fatalf("%+v of %+v: shift %d, reverse %d", u, r, e.Shift, mirror.Shift)
			}
			if known := r.State == TrackUp || r.State == TrackDown; known && u.Weight == 0 && mirror.Fault == e.Fault {
				t.Fatalf("%+v of %+v: reverse makes no difference", u, r)
			}
			shifts, backward = append(shifts, e.Shift), append([]int{e.Shift}, backward...)
		}
		p := EffectivePriority(base, shifts...)
		if p == PriorityResign || (p == PriorityOwner) != (base == PriorityOwner) || p != EffectivePriority(base, backward...) {
			t.Fatalf("base %d with %v: %d", base, shifts, p)
		}
	})
}

func TestRiseFall(t *testing.T) {
	for _, c := range []struct {
		name       string
		rise, fall int
		initial    TrackState
		results    string // + success, - failure
		want       string // the state after each: u, d
	}{
		{"the first success decides", 3, 3, TrackPending, "+", "u"},
		{"the first failure decides", 3, 3, TrackUnknown, "-", "d"},
		{"rise and fall of one", 1, 1, TrackUp, "-+-", "dud"},
		{"fall of three", 1, 3, TrackUp, "---", "uud"},
		{"a success forgives", 1, 3, TrackUp, "--+--+---", "uuuuuuuud"},
		{"rise of two", 2, 1, TrackDown, "++", "du"},
		{"a failure forgives nothing", 2, 1, TrackDown, "+-++", "dddu"},
	} {
		t.Run(c.name, func(t *testing.T) {
			count, got := RiseFall{Rise: c.rise, Fall: c.fall, State: c.initial}, ""
			for _, r := range c.results {
				got += strings.ToLower(count.Count(r == '+').String()[:1])
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestTrackStateNames(t *testing.T) {
	for s := TrackUnknown; s <= TrackDown; s++ {
		if s.String() == "invalid" {
			t.Errorf("TrackState(%d) has no name", s)
		}
	}
	if (TrackDown + 1).String() != "invalid" {
		t.Error("a state was added that this test does not know")
	}
}
