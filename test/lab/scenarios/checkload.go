package scenarios

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	for _, size := range []struct {
		checks   int
		interval time.Duration // the rate is what a guest without hardware virtualization can bear
	}{{1000, 10 * time.Second}, {10000, 100 * time.Second}, {20000, 200 * time.Second}} {
		scenario.Register(scenario.Scenario{
			Name: fmt.Sprintf("check-load-%d", size.checks), Doc: fmt.Sprintf("%d TCP checks: processor time and memory per check of edgekeeper and keepalived in one run, recorded and not judged", size.checks),
			Needs: []scenario.Need{scenario.Edgekeeper, scenario.Keepalived}, Limit: 15 * time.Minute, Extra: true,
			Run: func(t *scenario.T) { checkLoad(t, size.checks, size.interval) },
		})
	}
}

// checkWindow is for how long the processor time of checks is counted.
const checkWindow = 30 * time.Second

// checkSettle is how long a program may rest after all its real servers are
// there: the first round is over, what follows is spread over the interval, and
// edgekeeper has given back what only its start has needed, which it does when it
// has decided nothing for ten to twenty seconds.
const checkSettle = 25 * time.Second

// perPool is how many real servers a virtual server of check-load has.
const perPool = 100

// checkLoad makes both directors check as many targets as often, one after the
// other, and each hold the same table without checks before. The targets are
// addresses of the director itself, so that the network between does not count as
// their cost.
func checkLoad(t *scenario.T, checks int, interval time.Duration) {
	s := t.Site(site.Options{})
	d1 := s.Host("d1")
	command(t, s, "d1", "ip route add local 10.60.0.0/15 dev lo")
	seen := &connections{}
	seen.serve(t, d1)
	type cost struct{ each, memory, check float64 } // check: KiB of its own memory for each
	costs := map[string]cost{}
	begin := func(name string, args ...string) (*site.Proc, []int) {
		p, err := s.Start(d1, site.Command{Name: name, Args: args})
		t.OK(err)
		t.Within(5*time.Minute, fmt.Sprintf("%s has its %d real servers", name, checks), func() bool {
			begun := time.Now()
			if destinations(t, d1) == checks {
				return true
			}
			t.Sleep(2 * time.Since(begun))
			return false
		})
		t.Sleep(checkSettle)
		tree, err := p.Tree()
		t.OK(err)
		return p, tree
	}
	memory := func(tree []int) (all, own float64) {
		return float64(rollup(t, tree, "Pss")) / 1024, float64(rollup(t, tree, "Anonymous")) / 1024
	}
	end := func(p *site.Proc) {
		t.OK(p.Stop(time.Minute))
		_, err := s.Run(d1, "ipvsadm", "-C")
		t.OK(err)
	}
	// with says how the program is started, with checks or with the same table
	// without any.
	measure := func(name string, with func(checked bool) []string) {
		p, tree := begin(name, with(false)...)
		t.Sleep(checkWindow) // as old as the other one will be
		bareAll, bareOwn := memory(tree)
		end(p)
		p, tree = begin(name, with(true)...)
		busy, made := processorTime(t, tree), seen.n.Load()
		t.Sleep(checkWindow)
		busy, made = processorTime(t, tree)-busy, seen.n.Load()-made
		all, own := memory(tree)
		c := cost{float64(busy.Microseconds()) / float64(max(made, 1)), all, (own - bareOwn) * 1024 / float64(checks)}
		costs[name] = c
		t.Measure(name, "%.0f µs of processor time per check (%d in %s, %d were due), %.1f MiB of memory (PSS; %.1f of it the process's own; %.1f and %.1f without checks), so %.2f KiB of its own per check",
			c.each, made, checkWindow, int64(checks)*int64(checkWindow)/int64(interval), all, own, bareAll, bareOwn, c.check)
		end(p)
	}
	every := func(checked bool) time.Duration { return map[bool]time.Duration{true: interval}[checked] }
	measure("edgekeeper", func(checked bool) []string {
		return []string{t.Binary(scenario.Edgekeeper), "director", "-config", t.File("checks.hcl", checksHCL(checks, every(checked)))}
	})
	measure("keepalived", func(checked bool) []string {
		return []string{t.Binary(scenario.Keepalived), "-n", "-l", "-C", "-f", t.File("checks.conf", checksConf(checks, every(checked))),
			"-p", s.Temp() + "/keepalived.pid", "-c", s.Temp() + "/checkers.pid"}
	})
	e, k := costs["edgekeeper"], costs["keepalived"]
	t.Measure("edgekeeper / keepalived", "%.2f of the processor time per check, %.2f of the memory, %.2f of its own memory per check", e.each/k.each, e.memory/k.memory, e.check/k.check)
}

// connections counts what a web server takes.
type connections struct{ n atomic.Int64 }

func (c *connections) serve(t *scenario.T, h *site.Host) {
	t.OK(h.Do(func() error {
		l, err := net.Listen("tcp", ":80")
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				c.n.Add(1)
				_ = conn.Close()
			}
		}()
		return nil
	}))
}

// processorTime is what processes have used, in the kernel and outside of it.
func processorTime(t *scenario.T, tree []int) (sum time.Duration) {
	for _, pid := range tree {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		t.OK(err)
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		var user, system int64
		_, err = fmt.Sscan(f[11]+" "+f[12], &user, &system)
		t.OK(err)
		sum += time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
	}
	return sum
}

// rollup adds up one figure of the memory of processes, in KiB: Pss (with the
// pages that they share by their share of them), Anonymous (of no file), …
func rollup(t *scenario.T, tree []int, figure string) (kib int) {
	for _, pid := range tree {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		t.OK(err)
		_, rest, _ := strings.Cut(string(b), "\n"+figure+":")
		n := 0
		_, err = fmt.Sscan(rest, &n)
		t.OK(err)
		kib += n
	}
	return kib
}

func checkTarget(i int) string { return fmt.Sprintf("10.%d.%d.%d", 60+i/62500, i/250%250, 1+i%250) }

// checksHCL configures n real servers in pools of perPool, without checks when
// interval is 0; checksConf is the same for keepalived.
func checksHCL(n int, interval time.Duration) string {
	var b strings.Builder
	b.WriteString("router_id = \"lvs1\"\nlog_level = \"warn\"\nipvs {\n  manage_sysctls = false\n}\n")
	for i := range n / perPool {
		fmt.Fprintf(&b, "virtual_server \"v%d\" {\n  address   = \"%s:80\"\n  scheduler = \"wrr\"\n", i, loadVIP(i))
		if interval > 0 {
			fmt.Fprintf(&b, "  check \"tcp\" {\n    interval = %q\n    timeout  = \"5s\"\n  }\n", interval)
		}
		for j := range perPool {
			fmt.Fprintf(&b, "  real_server \"%s:80\" {}\n", checkTarget(i*perPool+j))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func checksConf(n int, interval time.Duration) string {
	var b strings.Builder
	loop := ""
	if interval > 0 {
		loop = fmt.Sprintf("  delay_loop %g\n", interval.Seconds())
	}
	for i := range n / perPool {
		fmt.Fprintf(&b, "virtual_server %s 80 {\n%s  lb_algo wrr\n  lb_kind DR\n  protocol TCP\n", loadVIP(i), loop)
		for j := range perPool {
			fmt.Fprintf(&b, "  real_server %s 80 {\n    weight 1\n", checkTarget(i*perPool+j))
			if interval > 0 {
				b.WriteString("    TCP_CHECK {\n      connect_timeout 5\n    }\n")
			}
			b.WriteString("  }\n")
		}
		b.WriteString("}\n")
	}
	return b.String()
}
