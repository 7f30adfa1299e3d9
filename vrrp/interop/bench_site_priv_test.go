//go:build priv

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/netns"
)

// benchSite are two hosts with the same program, and a client.
type benchSite struct {
	b        *testing.B
	lan      *netns.LAN
	client   *netns.Host
	sides    [2]*side
	path     string
	kd       bool
	n        int
	interval time.Duration
}

// side is one director.
type side struct {
	host *netns.Host
	dir  string
	proc *netns.Process
}

const benchVIP = "10.9.1.1"

func newBench(b *testing.B, path string, kd bool, n int, interval time.Duration) *benchSite {
	lan := netns.NewLAN(b)
	s := &benchSite{b: b, lan: lan, client: lan.Host(b, "client", "10.9.0.3/16"), path: path, kd: kd, n: n, interval: interval}
	for i := range s.sides {
		dir, err := os.MkdirTemp("", "ek")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = os.RemoveAll(dir) })
		s.sides[i] = &side{host: lan.Host(b, string(rune('a'+i)), fmt.Sprintf("10.9.0.%d/16", 1+i)), dir: dir}
	}
	s.start(s.sides[0])
	netns.Wait(b, 60*time.Second, "master", func() bool { return len(s.holders()) == 1 })
	s.start(s.sides[1])
	s.quiet()
	return s
}

// quiet waits until a backup that was just started knows its master, and the
// announcements of the master are over.
func (s *benchSite) quiet() { time.Sleep(time.Second + 3*s.interval/2) }

func (s *benchSite) start(x *side) {
	var c strings.Builder
	file := filepath.Join(x.dir, "director.hcl")
	args := netns.Command{Path: s.path, Args: []string{"director", "-config", file}}
	if s.kd {
		file = filepath.Join(x.dir, "keepalived.conf")
		args = netns.Tool("keepalived", "-n", "-l", "-P", "-f", file, "-p", x.dir+"/pid", "-r", x.dir+"/vrrp.pid")
		c.WriteString("global_defs {\n router_id x\n vrrp_version 3\n}\n")
	} else {
		fmt.Fprintf(&c, "router_id = %q\nstate_dir = %q\ncontrol { socket = %q }\nipvs { manage_sysctls = false }\n", x.host.Name, x.dir+"/state", x.dir+"/sock")
	}
	for i := 1; i <= s.n; i++ {
		if s.kd {
			fmt.Fprintf(&c, "vrrp_instance V%d {\n state BACKUP\n nopreempt\n interface eth0\n virtual_router_id %d\n priority 100\n advert_int %g\n virtual_ipaddress {\n  10.9.1.%d/32\n }\n}\n", i, i, s.interval.Seconds(), i)
			continue
		}
		fmt.Fprintf(&c, "vrrp \"V%d\" {\n interface = \"eth0\"\n virtual_router_id = %d\n version = 3\n preempt = false\n priority = 100\n advert_interval = %q\n virtual_address \"10.9.1.%d/32\" {}\n}\n", i, i, s.interval.String(), i)
	}
	if err := os.WriteFile(file, []byte(c.String()), 0o600); err != nil {
		s.b.Fatal(err)
	}
	x.proc = x.host.Start(s.b, args)
}

// holders are the hosts that have the first address. A netns.Ledger would know,
// but makes each notification of the kernel dearer, on the whole machine.
func (s *benchSite) holders() (out []string) {
	for _, x := range s.sides {
		if x.host.Has(s.b, benchVIP) {
			out = append(out, x.host.Name)
		}
	}
	return out
}

// stop ends both, so that they do not disturb what is measured next.
func (s *benchSite) stop() {
	for _, x := range s.sides {
		x.proc.Signal(s.b, syscall.SIGTERM)
	}
	for _, x := range s.sides {
		select {
		case <-x.proc.Done():
		case <-time.After(20 * time.Second):
			s.b.Errorf("%s does not stop", x.host.Name)
			x.proc.Kill(s.b)
		}
	}
}

// master and the other.
func (s *benchSite) master() (master, backup *side) {
	netns.Wait(s.b, 10*time.Second, "one master", func() bool { return len(s.holders()) == 1 })
	if s.holders()[0] == "a" {
		return s.sides[0], s.sides[1]
	}
	return s.sides[1], s.sides[0]
}
