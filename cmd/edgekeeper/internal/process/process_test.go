package process

import (
	"math"
	"runtime"
	"runtime/metrics"
	"testing"
)

// TestPauses: each range of the runtime counts as its upper end.
func TestPauses(t *testing.T) {
	var s Stats
	s.pauses(&metrics.Float64Histogram{
		Counts:  []uint64{2, 0, 3, 1},
		Buckets: []float64{0, 10e-6, 40e-6, 60e-6, math.Inf(1)},
	})
	want := Stats{Count: 6, Sum: 2*10e-6 + 3*60e-6 + 60e-6, Max: 60e-6}
	want.Buckets[0], want.Buckets[2] = 2, 4
	if d := s.Sum - want.Sum; math.Abs(d) < 1e-12 {
		s.Sum = want.Sum
	}
	if s != want {
		t.Errorf("%+v, want %+v", s, want)
	}
}

// TestRead: the runtime knows all that is asked.
func TestRead(t *testing.T) {
	before := Read()
	runtime.GC()
	s := Read()
	if s.Cycles <= before.Cycles || s.Count <= before.Count || s.Max <= 0 || s.GOGC == 0 || s.Limit == 0 {
		t.Errorf("%+v", s)
	}
}
