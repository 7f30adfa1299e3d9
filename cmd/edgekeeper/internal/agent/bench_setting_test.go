package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkSettingChange is the time from the order of another weight to the
// operation in the kernel (a fake one), in tables of several shapes.
func BenchmarkSettingChange(b *testing.B) {
	for _, shape := range []struct{ services, servers int }{{100, 100}, {1000, 10}, {100, 1000}, {10, 10000}} {
		b.Run(fmt.Sprintf("%dx%d", shape.services, shape.servers), func(b *testing.B) {
			s := loaded(b, shape.services, shape.servers)
			client, key := s.client(), fmt.Sprintf("weight/v%d/10.0.0.1:%d", shape.services/2, 1000+shape.services/2)
			weight := 5
			s.reactions(b, func() {
				weight = 11 - weight
				if err := client.Put(context.Background(), key, fmt.Sprint(weight)); err != nil {
					b.Fatal(err)
				}
			})
			s.stop()
		})
	}
}

// loaded is a director with such a table.
func loaded(b *testing.B, services, servers int) *site {
	s := newSite(b)
	s.level = slog.LevelError
	var text strings.Builder
	fmt.Fprintf(&text, "router_id = \"lvs1\"\nstate_dir = %q\ncontrol { socket = %q }\nlog_level = \"error\"\nipvs { manage_sysctls = false }\n", s.dir+"/state", s.dir+"/sock")
	for n := range services {
		fmt.Fprintf(&text, "virtual_server \"v%d\" {\n  address = \"127.0.0.1:%d\"\n  scheduler = \"wrr\"\n", n, 1000+n)
		for i := range servers {
			fmt.Fprintf(&text, "  real_server \"10.0.%d.%d:%d\" {}\n", i/250, 1+i%250, 1000+n)
		}
		text.WriteString("}\n")
	}
	s.write("director.hcl", text.String())
	s.start()
	want := services * (servers + 1)
	for deadline := time.Now().Add(time.Minute); want > 0; time.Sleep(5 * time.Millisecond) {
		want -= len(s.kernel.Ops())
		if time.Now().After(deadline) {
			b.Fatalf("%d operations are missing", want)
		}
	}
	return s
}

// BenchmarkReload is the time from a reload to the operation in the kernel (a fake
// one) when one weight has changed in the configuration, and to the next reading
// of the table when nothing has.
func BenchmarkReload(b *testing.B) {
	for _, shape := range []struct{ services, servers int }{{1000, 10}, {100, 1000}} {
		name := fmt.Sprintf("%dx%d", shape.services, shape.servers)
		b.Run(name+"/change", func(b *testing.B) {
			s := loaded(b, shape.services, shape.servers)
			old, next := "10.0.0.1:1000\" {}", "10.0.0.1:1000\" { weight = 2 }"
			s.reactions(b, func() {
				s.rewrite("director.hcl", old, next)
				old, next = next, old
				s.hup <- syscall.SIGHUP
			})
			s.stop()
		})
		b.Run(name+"/no-change", func(b *testing.B) {
			s := loaded(b, shape.services, shape.servers)
			for b.Loop() {
				before := s.kernel.Reads()
				s.hup <- syscall.SIGHUP
				for s.kernel.Reads() == before {
					time.Sleep(100 * time.Microsecond)
				}
			}
			s.stop()
		})
	}
}
