package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// BenchmarkSettingChange is the time from the order of another weight to the
// operation in the kernel (a fake one), in tables of several shapes.
func BenchmarkSettingChange(b *testing.B) {
	for _, shape := range []struct{ services, servers int }{{100, 100}, {1000, 10}, {100, 1000}, {10, 10000}} {
		b.Run(fmt.Sprintf("%dx%d", shape.services, shape.servers), func(b *testing.B) {
			s := newSite(b)
			s.level = slog.LevelError
			var text strings.Builder
			fmt.Fprintf(&text, "router_id = \"lvs1\"\nstate_dir = %q\ncontrol { socket = %q }\nlog_level = \"error\"\nipvs { manage_sysctls = false }\n", s.dir+"/state", s.dir+"/sock")
			for n := range shape.services {
				fmt.Fprintf(&text, "virtual_server \"v%d\" {\n  address = \"127.0.0.1:%d\"\n  scheduler = \"wrr\"\n", n, 1000+n)
				for i := range shape.servers {
					fmt.Fprintf(&text, "  real_server \"10.0.%d.%d:%d\" {}\n", i/250, 1+i%250, 1000+n)
				}
				text.WriteString("}\n")
			}
			s.write("director.hcl", text.String())
			s.start()
			want := shape.services * (shape.servers + 1)
			for deadline := time.Now().Add(time.Minute); want > 0; time.Sleep(5 * time.Millisecond) {
				want -= len(s.kernel.Ops())
				if time.Now().After(deadline) {
					b.Fatalf("%d operations are missing", want)
				}
			}
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
