package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/consulstub"
)

// BenchmarkCatalogChange is the time from a change in Consul to the operation in
// the kernel (a fake one), over a socket, beside other services that are watched.
// Changes come so far apart that no request waits for the spacing of two.
func BenchmarkCatalogChange(b *testing.B) {
	for _, services := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("services=%d", services), func(b *testing.B) {
			stub, _, address := newConsul(b)
			s := newSite(b)
			s.level = slog.LevelError
			set := func(n, weight int) {
				e := consulstub.Entry(fmt.Sprintf("web-%d", n), "web-1", "n1", "10.0.0.1", 80)
				e.Service.Weights.Passing = weight
				stub.SetService(fmt.Sprintf("web-%d", n), e)
			}
			var text strings.Builder
			fmt.Fprintf(&text, "router_id = \"lvs1\"\nstate_dir = %q\ncontrol { socket = %q }\nlog_level = \"error\"\nipvs { manage_sysctls = false }\nconsul { address = %q }\n", s.dir+"/state", s.dir+"/sock", address)
			for n := range services {
				set(n, 5)
				fmt.Fprintf(&text, "virtual_server \"web-%[1]d\" {\n  address = \"127.0.0.1:%[2]d\"\n  forward = \"nat\"\n  service \"web-%[1]d\" {}\n}\n", n, 1000+n)
			}
			s.write("director.hcl", text.String())
			s.start()
			weight := func(n int) uint32 {
				have, err := s.kernel.Table(context.Background())
				if err != nil {
					b.Fatal(err)
				}
				for key, p := range have.Table {
					if int(key.Port) == 1000+n && len(p.Dests) == 1 {
						return p.Dests[0].Weight
					}
				}
				return 0
			}
			for n := range services {
				for deadline := time.Now().Add(time.Minute); weight(n) != 5; time.Sleep(5 * time.Millisecond) {
					if time.Now().After(deadline) {
						b.Fatalf("service %d of %d is not in the kernel", n, services)
					}
				}
			}
			s.kernel.Ops()
			w := 5
			s.reactions(b, func() {
				w = 11 - w
				set(services/2, w)
			})
			s.stop()
		})
	}
}

// reactions reports the time from each change to the next operation in the kernel.
func (s *site) reactions(b *testing.B, change func()) {
	var took []time.Duration
	for b.Loop() {
		time.Sleep(300 * time.Millisecond)
		begin := time.Now()
		change()
		for len(s.kernel.Ops()) == 0 {
			if time.Since(begin) > 10*time.Second {
				b.Fatal("no operation in ten seconds")
			}
			time.Sleep(100 * time.Microsecond)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(took[len(took)/2]), "ms-median")
	b.ReportMetric(ms(took[len(took)*99/100]), "ms-p99")
	b.ReportMetric(0, "ns/op")
}
