package check

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// TestTwentyThousand: attempts of many checks are spread, each keeps its pace,
// and a fifth of the targets that never answer does not delay the others.
func TestTwentyThousand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 20000
		c := spec
		c.Retries = 0
		checks := make(map[discovery.Check]Seed, n)
		var mu sync.Mutex
		began := time.Now()
		last := make(map[discovery.Check]time.Duration, n)
		var starts [300]int // in each tenth of a second
		uneven, most, flying := 0, 0, 0
		s := NewScheduler(Config{New: func(c discovery.Check) (Probe, error) {
			silent := c.Target.Addr().As4()[3]%5 == 0
			return bare(func(ctx context.Context) error {
				mu.Lock()
				now := time.Since(began)
				if before, ok := last[c]; ok && before > spec.Interval && now-before != spec.Interval {
					uneven++
				}
				last[c] = now
				starts[min(int(now/(100*time.Millisecond)), len(starts)-1)]++
				flying++
				most = max(most, flying)
				mu.Unlock()
				defer func() {
					mu.Lock()
					flying--
					mu.Unlock()
				}()
				if !silent {
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			}), nil
		}})
		for i := range n {
			checks[c.For(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 80))] = discovery.Up
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Run(ctx, func(*discovery.Said) {}); err != nil {
				t.Error(err)
			}
		})
		s.Set(checks)
		time.Sleep(18500 * time.Millisecond)
		cancel()
		wg.Wait()
		mu.Lock()
		defer mu.Unlock()
		if uneven > 0 {
			t.Errorf("%d attempts left their pace", uneven)
		}
		// 60 tenths of a second in an interval.
		steady := starts[130:180]
		if low, high := slices.Min(steady), slices.Max(steady); low < n/60*6/10 || high > n/60*14/10 {
			t.Errorf("from %d to %d attempts in a tenth of a second, %d would be even", low, high, n/60)
		}
		if most > 4096 {
			t.Errorf("%d attempts at once", most)
		}
		if st := s.Stats(); st.Checks != n || st.MaxLate != 0 {
			t.Errorf("stats %+v", st)
		}
	})
}

// sinkVariable makes the test's own binary a server that takes connections and
// closes them, so that its cost does not count as that of the checks.
const sinkVariable = "EDGEKEEPER_CHECK_SINK"

func sink() {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				c.Read(make([]byte, 1))
				c.Close()
			}()
		}
	}()
	os.Stdin.Read(make([]byte, 1)) // until the benchmark ends
}

// startSink runs a sink until the benchmark ends, and gives its port.
func startSink(b *testing.B) (port uint16) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), sinkVariable+"=1")
	cmd.Stderr = os.Stderr
	stop, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stop.Close()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Sscan(line, &port); err != nil {
		b.Fatal(err)
	}
	return port
}

// BenchmarkPacedTCPChecks makes TCP checks at their pace: processor time of this
// process for each, with all that it costs to be woken for a few at a time.
func BenchmarkPacedTCPChecks(b *testing.B) {
	port := startSink(b)
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			paced := spec
			paced.Interval, paced.Timeout = 5*time.Second, 5*time.Second
			checks := make(map[discovery.Check]Seed, n)
			for i := range n {
				checks[paced.For(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), port))] = discovery.Up
			}
			s := NewScheduler(Config{})
			ctx, cancel := context.WithCancel(b.Context())
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := s.Run(ctx, func(*discovery.Said) {}); err != nil {
					b.Error(err)
				}
			})
			s.Set(checks)
			time.Sleep(paced.Interval) // the first round
			busy, made := processTime(b), s.Stats().Attempts
			for b.Loop() {
				time.Sleep(paced.Interval)
			}
			each := float64((processTime(b) - busy).Microseconds()) / float64(s.Stats().Attempts-made)
			cancel()
			wg.Wait()
			b.ReportMetric(each, "cpu-µs/check")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkTCPChecks is one round of TCP checks of different targets through the
// scheduler: processor time of this process for each, how many one core does in
// a second, and the memory that each takes while none is under way.
func BenchmarkTCPChecks(b *testing.B) {
	port := startSink(b)
	for _, n := range []int{1000, 10000, 20000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			patient := spec
			patient.Timeout = time.Minute // nothing is to fail on a busy machine
			checks := make(map[discovery.Check]Seed, n)
			for i := range n {
				checks[patient.For(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), port))] = discovery.Up
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			s := NewScheduler(Config{MaxInFlight: 64})
			r, err := s.newRunner(b.Context(), func(*discovery.Said) {})
			if err != nil {
				b.Fatal(err)
			}
			defer r.close()
			s.Set(checks)
			r.apply()
			pass := func() {
				for _, e := range r.heap {
					e.due, e.delayed = 0, true
				}
				for until := s.Stats().Attempts + uint64(n); s.Stats().Attempts < until; {
					r.start(time.Now())
					r.settle()
					if r.flying > 0 {
						r.connected(<-r.connector.ready)
					}
				}
			}
			pass()
			runtime.GC()
			runtime.ReadMemStats(&after)
			runtime.KeepAlive(checks) // the set is its caller's, and counts neither before nor after
			busy := processTime(b)
			for b.Loop() {
				pass()
			}
			each := (processTime(b) - busy) / time.Duration(b.N) / time.Duration(n)
			if failed := s.Stats().Failures + s.Stats().Void; failed > 0 {
				b.Errorf("%d attempts failed", failed)
			}
			b.ReportMetric(float64(each.Nanoseconds())/1000, "cpu-µs/check")
			b.ReportMetric(float64(time.Second)/float64(each), "checks/s/core")
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/check")
			runtime.KeepAlive(r)
		})
	}
}

// processTime is what this process has used of processors, in user and kernel.
func processTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
