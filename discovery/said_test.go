package discovery

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
	"unsafe"
)

// TestVerdicts compares them with a map, where many checks have one hash, too.
func TestVerdicts(t *testing.T) {
	spec := CheckSpec{Type: TCP}
	check := func(i int) Check {
		return spec.For(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 80))
	}
	for name, hash := range map[string]func(Check) uint64{
		"own hash": nil,
		"clashes":  func(c Check) uint64 { return ^uint64(0) - uint64(c.Target.Addr().As4()[3]%3) },
	} {
		t.Run(name, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 0))
			got, want := Verdicts{hash: hash}, map[Check]Verdict{}
			for range 2000 {
				c := check(rng.IntN(40))
				if rng.IntN(20) == 0 {
					some := func(o Check) bool { return o.Target.Addr().As4()[3]%7 != c.Target.Addr().As4()[3]%7 }
					got.Keep(some)
					maps.DeleteFunc(want, func(o Check, _ Verdict) bool { return !some(o) })
				} else {
					v := Verdict{Health: Health(1 + rng.IntN(2)), Reason: "r", Took: time.Duration(rng.IntN(9))}
					if rng.IntN(3) == 0 {
						v.Warning, v.Blocked, v.Weight = "w", "b", WeightAdvice{Replace: true, Value: rng.IntN(3)}
					}
					if before := got.Put(Say(c, v)).Verdict(); before != want[c] {
						t.Fatalf("Put of %s gave %+v, want %+v", c.Target, before, want[c])
					}
					want[c] = v
				}
				for i := range 40 {
					if c := check(i); got.Of(c) != want[c] {
						t.Fatalf("%s: %+v, want %+v", c.Target, got.Of(c), want[c])
					}
				}
			}
		})
	}
	if v := (*Verdicts)(nil).Of(check(1)); v != (Verdict{}) {
		t.Errorf("nobody has said %+v", v)
	}
}

// TestSaidIsSmall: the allocator has no size between 80 and 96.
func TestSaidIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Said{}); n > 80 {
		t.Errorf("%d bytes", n)
	}
}

// TestSays: the sentence is the same, whether it is there already or made.
func TestSays(t *testing.T) {
	for kind := range CheckType(len(checkTypeNames)) {
		for _, reason := range []string{"ok", "timeout after 3s", ""} {
			if got, want := says(kind, reason), kind.String()+" check: "+reason; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
	}
}
