package check

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// BenchmarkSchedulerPass is one round of all checks with probes that cost
// nothing: what scheduling itself costs, for each check, and its memory.
func BenchmarkSchedulerPass(b *testing.B) {
	for _, n := range []int{1000, 10000, 20000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			s := NewScheduler(Config{New: func(discovery.Check) (Probe, error) {
				return func(context.Context) (Note, error) { return Note{}, nil }, nil
			}})
			r, err := s.newRunner(b.Context(), func(*discovery.Said) {})
			if err != nil {
				b.Fatal(err)
			}
			s.Set(pendings(n))
			pass := func() {
				for _, e := range r.heap {
					e.due = 0 // all are due: the order of the heap holds
					e.delayed = true
				}
				for done := 0; done < n; done++ {
					r.start(time.Now())
					r.finish(<-r.results)
				}
			}
			r.apply()
			pass()
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportAllocs()
			for b.Loop() {
				pass()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/check")
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/check")
			runtime.KeepAlive(r)
		})
	}
}

// BenchmarkProbe is one attempt against a server on loopback.
func BenchmarkProbe(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if n, _ := c.Read(buf); n > 0 {
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
			c.Close()
		}
	}()
	defer func() {
		l.Close()
		<-done
	}()
	target := l.Addr().(*net.TCPAddr).AddrPort()
	for _, spec := range []discovery.CheckSpec{
		{Type: discovery.TCP},
		{Type: discovery.HTTP, HTTP: discovery.HTTPSpec{Method: "GET", Path: "/", Status: success}},
	} {
		b.Run(spec.Type.String(), func(b *testing.B) {
			p, err := New(spec.For(target))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
