package process

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"runtime/metrics"
)

// Bounds are the upper bounds of the buckets in Stats, in seconds.
var Bounds = [...]float64{10e-6, 50e-6, 100e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3}

// Stats are what can make a loop late.
type Stats struct {
	// Buckets count the pauses of the whole program for the garbage collector,
	// since the start; the last is everything above Bounds. The runtime keeps
	// pauses in ranges: each counts as the upper end of its range.
	Buckets [len(Bounds) + 1]uint64
	Count   uint64
	Sum     float64 // seconds
	Max     float64 // seconds
	Cycles  uint64  // of the garbage collector
	GOGC    uint64  // percent; all ones: off
	Limit   uint64  // GOMEMLIMIT, bytes; the largest int64: none
	Locked  uint64  // bytes of memory that is kept in RAM
}

// Read measures.
func Read() Stats {
	samples := []metrics.Sample{
		{Name: "/sched/pauses/total/gc:seconds"}, {Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/gc/gogc:percent"}, {Name: "/gc/gomemlimit:bytes"},
	}
	metrics.Read(samples)
	var s Stats
	if v := samples[0].Value; v.Kind() == metrics.KindFloat64Histogram {
		s.pauses(v.Float64Histogram())
	}
	for i, to := range []*uint64{&s.Cycles, &s.GOGC, &s.Limit} {
		if v := samples[i+1].Value; v.Kind() == metrics.KindUint64 {
			*to = v.Uint64()
		}
	}
	s.Locked = locked()
	return s
}

// pauses takes over a histogram of the runtime.
func (s *Stats) pauses(h *metrics.Float64Histogram) {
	for i, n := range h.Counts {
		if n == 0 {
			continue
		}
		upper := h.Buckets[i+1]
		if math.IsInf(upper, 1) {
			upper = h.Buckets[i]
		}
		at := 0
		for at < len(Bounds) && upper > Bounds[at] {
			at++
		}
		s.Buckets[at] += n
		s.Count += n
		s.Sum += float64(n) * upper
		s.Max = max(s.Max, upper)
	}
}

// locked reads VmLck of proc(5).
func locked() uint64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		var kib uint64
		if n, _ := fmt.Sscanf(lines.Text(), "VmLck: %d kB", &kib); n == 1 {
			return kib * 1024
		}
	}
	return 0
}
