package process

import (
	"math"
	"runtime"
	"runtime/debug"
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

// TestSettled: what a start has used is given back, and the collector is careful from
// then on.
func TestSettled(t *testing.T) {
	t.Setenv("GOGC", "") // as if nobody has set it
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	held := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapSys - m.HeapReleased
	}
	const size = 64 << 20
	for _, again := range []bool{false, true} { // also when it was not Start that used it
		if !again {
			Start()
		}
		use(size)
		before := held()
		Settled()
		if after := held(); after+size > before+size/8 {
			t.Errorf("%d bytes held before, %d after", before, after)
		}
		if s := Read(); s.GOGC != runPercent {
			t.Errorf("GOGC %d", s.GOGC)
		}
	}
	cycles := Read().Cycles
	if Settled(); Read().Cycles != cycles {
		t.Error("collected although nothing is to be had")
	}
}

// use has memory of that size, and needs it no more when it returns.
//
//go:noinline
func use(size int) {
	b := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		b[i] = 1
	}
	runtime.KeepAlive(b)
}
