package agent_test

import (
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// BenchmarkMemory is what a director keeps for each real server once it has nothing
// more to do, with a TCP check of each and without, beside a fake kernel, whose own
// copy of the table counts too. The targets are addresses of this host.
func BenchmarkMemory(b *testing.B) {
	web, err := net.Listen("tcp", ":0")
	if err != nil {
		b.Fatal(err)
	}
	defer web.Close()
	go func() {
		for {
			conn, err := web.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	port := web.Addr().(*net.TCPAddr).Port
	const pool = 100
	for _, servers := range []int{1000, 10000} {
		for what, check := range map[string]string{"without": "", "checked": `check "tcp" { interval = "1m" }`} {
			b.Run(fmt.Sprintf("%s/%d", what, servers), func(b *testing.B) {
				before := living()
				s := newSite(b)
				s.level = slog.LevelError
				var text strings.Builder
				fmt.Fprintf(&text, "router_id = \"lvs1\"\nstate_dir = %q\ncontrol { socket = %q }\nlog_level = \"error\"\nipvs { manage_sysctls = false }\n", s.dir+"/state", s.dir+"/sock")
				for n := range servers / pool {
					fmt.Fprintf(&text, "virtual_server \"v%d\" {\n  address = \"10.99.0.%d:%d\"\n  scheduler = \"wrr\"\n  %s\n", n, 1+n, port, check)
					for i := range pool {
						fmt.Fprintf(&text, "  real_server \"127.1.%d.%d:%d\" {}\n", n, 1+i, port)
					}
					text.WriteString("}\n")
				}
				s.write("director.hcl", text.String())
				s.start()
				want := servers/pool + servers
				for deadline := time.Now().Add(time.Minute); want > 0; time.Sleep(20 * time.Millisecond) {
					want -= len(s.kernel.Ops())
					if time.Now().After(deadline) {
						b.Fatalf("%d operations are missing", want)
					}
				}
				time.Sleep(2 * time.Second) // what was decided last is told, and read back
				for b.Loop() {
					b.ReportMetric(float64(living()-before)/float64(servers), "B/server")
				}
				b.ReportMetric(0, "ns/op")
				s.stop()
			})
		}
	}
}

// living is what is on the heap and not garbage.
func living() int64 {
	runtime.GC()
	runtime.GC() // what was in a pool is gone after the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
