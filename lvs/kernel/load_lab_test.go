//go:build linux && lab

package kernel_test

import (
	"fmt"
	"net/netip"
	"os/exec"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/kernel"
)

// BenchmarkLabLoad takes an empty kernel to 10,000 real servers, in three
// shapes, reads them back, changes every weight, and removes them:
//
//	./kernel.test -test.run ^$ -test.bench LabLoad -test.benchtime 1x
func BenchmarkLabLoad(b *testing.B) {
	d, err := kernel.Open(b.Context(), kernel.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		b.Fatalf("ip: %v: %s", err, out)
	}
	for _, shape := range []struct{ services, dests int }{{1000, 10}, {100, 100}, {10, 1000}} {
		b.Run(fmt.Sprintf("%dx%d", shape.services, shape.dests), func(b *testing.B) {
			want := func(weight uint32) lvs.Desired {
				out := lvs.Desired{Pools: map[lvs.Key]lvs.Want{}, Owned: map[lvs.Key]bool{}}
				for i := range shape.services {
					s := lvs.Service{Key: lvs.Key{Protocol: lvs.TCP, Addr: netip.AddrFrom4([4]byte{10, 99, byte(i >> 8), 1 + byte(i)}), Port: 80}, Scheduler: "wrr"}
					dests := make([]lvs.Dest, shape.dests)
					for j := range dests {
						dests[j] = lvs.Dest{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 77, byte(j >> 8), 1 + byte(j)}), 80), Weight: weight}
					}
					out.Owned[s.Key] = true
					out.Pools[s.Key] = lvs.Want{Pool: lvs.NewPool(s, dests...)}
				}
				return out
			}
			took := map[string]time.Duration{}
			n := 0
			for b.Loop() {
				n++
				var have lvs.Table
				step := func(name string, want lvs.Desired) {
					ops := lvs.Diff(have, want)
					start := time.Now()
					for _, err := range d.Apply(b.Context(), ops) {
						if err != nil {
							b.Fatal(err)
						}
					}
					took[name] += time.Since(start)
					start = time.Now()
					o, err := d.Table(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					if name == "add" {
						took["read"] += time.Since(start)
					}
					if left := lvs.Diff(o.Table, want); len(left) > 0 {
						b.Fatalf("%d ops left", len(left))
					}
					have = o.Table
				}
				full := want(1)
				step("add", full)
				step("set", want(2))
				step("remove", lvs.Desired{Owned: full.Owned})
			}
			for name, t := range took {
				b.ReportMetric(t.Seconds()*1000/float64(n), name+"-ms")
			}
		})
	}
}
