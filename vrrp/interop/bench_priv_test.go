//go:build priv

package interop

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/binaries"
	"github.com/edgekeeper/edgekeeper/test/netns"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/socket"
)

// BenchmarkSideBySide measures edgekeeper and keepalived in one run, in turns,
// on the same pair of hosts, and prints a table of medians and ratios.
//
//	make bench-vrrp
func BenchmarkSideBySide(b *testing.B) {
	path, err := binaries.Edgekeeper(context.Background(), nil)
	if err != nil {
		b.Fatal(err)
	}
	part := func(name string, measure func(*testing.B, *table)) {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				t := &table{}
				measure(b, t)
				load, _ := os.ReadFile("/proc/loadavg")
				fmt.Printf("\n%s\nload average at the end: %s\n", t, load)
			}
		})
	}
	part("Takeover", func(b *testing.B, t *table) {
		for _, interval := range []time.Duration{time.Second, 100 * time.Millisecond, 10 * time.Millisecond} {
			for _, all := range []bool{false, true} {
				what := "the process that speaks VRRP"
				if all {
					what = "all its processes"
				}
				for _, kd := range []bool{false, true} {
					t.add(fmt.Sprintf("takeover after kill -9 of %s, adverts every %s", what, interval), kd, kills(b, path, kd, interval, all))
				}
			}
		}
	})
	part("Stop", func(b *testing.B, t *table) {
		for _, interval := range []time.Duration{time.Second, 100 * time.Millisecond} {
			for _, kd := range []bool{false, true} {
				t.add(fmt.Sprintf("gap that a client sees at a clean stop, adverts every %s", interval), kd, stops(b, path, kd, interval))
			}
		}
	})
	part("Scale", func(b *testing.B, t *table) {
		for _, interval := range []time.Duration{time.Second, 100 * time.Millisecond} {
			for _, n := range []int{1, 50, 255} {
				for _, kd := range []bool{false, true} {
					scale(b, t, path, kd, n, interval)
				}
			}
		}
	})
	part("Receive", func(b *testing.B, t *table) {
		for _, kd := range []bool{false, true} {
			t.add("processor time per advert received, 2,000 a second", kd, receive(b, path, kd))
		}
	})
}

// repetitions of each takeover.
const repetitions = 5

// table is the result.
type table struct {
	rows   []string
	values map[string][2]string
	median map[string][2]float64
}

// measure is a median with its unit.
type measure struct {
	values []float64
	unit   string
	note   string
}

func (t *table) add(what string, kd bool, m measure) {
	if t.values == nil {
		t.values, t.median = map[string][2]string{}, map[string][2]float64{}
	}
	if !slices.Contains(t.rows, what) {
		t.rows = append(t.rows, what)
	}
	slices.Sort(m.values)
	i := 0
	if kd {
		i = 1
	}
	text, mid, v, md := "none", 0.0, t.values[what], t.median[what]
	if n := len(m.values); n > 0 {
		mid = m.values[n/2]
		text = fmt.Sprintf("%.4g %s", mid, m.unit)
	}
	v[i], md[i] = text+m.note, mid
	t.values[what], t.median[what] = v, md
	fmt.Printf("%s, %s: %s%s\n", what, map[bool]string{true: "keepalived", false: "edgekeeper"}[kd], text, m.note)
}

// String is the table in Markdown.
func (t *table) String() string {
	var b strings.Builder
	b.WriteString("| what | edgekeeper | keepalived | ratio |\n| --- | --- | --- | --- |\n")
	for _, r := range t.rows {
		ratio := ""
		if m := t.median[r]; m[1] > 0 {
			ratio = fmt.Sprintf("%.2f", m[0]/m[1])
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r, t.values[r][0], t.values[r][1], ratio)
	}
	return b.String()
}

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

// kills measures the time from kill -9 to the first advert of the next master.
func kills(b *testing.B, path string, kd bool, interval time.Duration, all bool) measure {
	m := measure{unit: "ms"}
	both, none := 0, 0
	for range repetitions {
		s := newBench(b, path, kd, 1, interval)
		master, backup := s.master()
		capture := s.lan.Capture(b, master.host, backup.host)
		victims := []int{master.proc.PID()}
		if pids := tree(master.proc.PID()); all {
			victims = pids
		} else if kd {
			victims = pids[len(pids)-1:]
		}
		if all { // whoever is killed last must not see the others go
			for _, pid := range victims {
				_ = syscall.Kill(pid, syscall.SIGSTOP)
			}
		}
		begin := time.Now()
		for _, pid := range victims {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		var took time.Duration
		for deadline := begin.Add(8*time.Second + 10*interval); took == 0 && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			for _, a := range adverts(capture.Frames()) {
				if a.Host == backup.host.Name && a.priority > 0 && a.At.After(begin) {
					took = a.At.Sub(begin)
					break
				}
			}
		}
		time.Sleep(200 * time.Millisecond)
		if took == 0 {
			none++
		} else {
			m.values = append(m.values, took.Seconds()*1000)
		}
		if len(s.holders()) > 1 {
			both++
		}
		s.stop()
	}
	if both > 0 {
		m.note = fmt.Sprintf(", the address stays on both hosts (%d of %d)", both, repetitions)
	}
	if none > 0 {
		m.note += fmt.Sprintf(", no takeover in %d of %d", none, repetitions)
	}
	return m
}

// tree are a process and its descendants, the oldest first.
func tree(pid int) []int {
	out := []int{pid}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if f := stat(child); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			out = append(out, tree(child)...)
		}
	}
	return out
}

// stat are the fields of /proc/PID/stat after the name, the state first.
func stat(pid int) []string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	return strings.Fields(rest)
}

// stops measures the longest gap that a client sees, which asks every
// millisecond, when the master stops cleanly.
func stops(b *testing.B, path string, kd bool, interval time.Duration) measure {
	m := measure{unit: "ms"}
	for range repetitions {
		s := newBench(b, path, kd, 1, interval)
		for _, x := range s.sides {
			echo(b, x.host)
		}
		master, _ := s.master()
		e := s.ask()
		time.Sleep(200 * time.Millisecond)
		begin := time.Now()
		master.proc.Signal(b, syscall.SIGTERM)
		<-master.proc.Done()
		time.Sleep(3 * time.Second)
		m.values = append(m.values, e.gap(begin).Seconds()*1000)
		s.stop()
	}
	return m
}

// echo answers datagrams on a host.
func echo(b *testing.B, h *netns.Host) {
	var c net.PacketConn
	h.Do(b, func() (err error) {
		c, err = net.ListenPacket("udp4", ":7")
		return err
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(buf[:n], from)
		}
	}()
	b.Cleanup(func() { _ = c.Close(); <-done })
}

// asking is a client that sends a datagram to the address every millisecond.
type asking struct {
	conn    net.PacketConn
	answers chan time.Time
	stopped chan struct{}
}

func (s *benchSite) ask() *asking {
	a := &asking{answers: make(chan time.Time, 1<<16), stopped: make(chan struct{})}
	s.client.Do(s.b, func() (err error) {
		a.conn, err = net.ListenPacket("udp4", ":0")
		return err
	})
	go func() {
		defer close(a.stopped)
		to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(benchVIP + ":7"))
		for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
			if _, err := a.conn.WriteTo([]byte("?"), to); err != nil && strings.Contains(err.Error(), "closed") {
				tick.Stop()
				return
			}
		}
	}()
	go func() {
		defer close(a.answers)
		buf := make([]byte, 64)
		for {
			if _, _, err := a.conn.ReadFrom(buf); err != nil {
				return
			}
			a.answers <- time.Now()
		}
	}()
	return a
}

// gap ends the client and returns the longest time between two answers.
func (a *asking) gap(from time.Time) (longest time.Duration) {
	_ = a.conn.Close()
	<-a.stopped
	last := from
	for at := range a.answers {
		if at.After(from) {
			longest = max(longest, at.Sub(last))
			last = at
		}
	}
	return longest
}

// window is how long processor time is measured; samples are how often.
const (
	window  = 4 * time.Second
	samples = 3
)

// usage is the processor time in seconds and the memory in bytes (PSS) of a
// program with its children.
func usage(pid int) (cpu, memory float64) {
	for _, p := range tree(pid) {
		if f := stat(p); len(f) > 12 {
			u, _ := strconv.ParseFloat(f[11], 64)
			k, _ := strconv.ParseFloat(f[12], 64)
			cpu += (u + k) / 100 // USER_HZ
		}
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p))
		for _, line := range strings.Split(string(b), "\n") {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
				kb, _ := strconv.ParseFloat(f[1], 64)
				memory += kb * 1024
			}
		}
	}
	return cpu, memory
}

// scale measures what n virtual routers cost the master and the backup.
func scale(b *testing.B, t *table, path string, kd bool, n int, interval time.Duration) {
	s := newBench(b, path, kd, n, interval)
	time.Sleep(6 * time.Second) // the second announcements are over
	roles := []string{"master", "backup"}
	var cpu, memory [2]measure
	for range samples {
		var before [2]float64
		for i, x := range s.sides {
			before[i], _ = usage(x.proc.PID())
		}
		begin := time.Now()
		time.Sleep(window)
		for i, x := range s.sides {
			c, mem := usage(x.proc.PID())
			cpu[i].values = append(cpu[i].values, (c-before[i])/time.Since(begin).Seconds()*100)
			memory[i].values = append(memory[i].values, mem/1e6)
		}
	}
	for i, role := range roles {
		cpu[i].unit, memory[i].unit = "% of a processor", "MB"
		what := fmt.Sprintf("%d virtual routers at %s, %s", n, interval, role)
		if h := s.holders(); len(h) != 1 || h[0] != "a" {
			cpu[i].note = ", the master changed"
		}
		t.add(what+": processor", kd, cpu[i])
		t.add(what+": memory", kd, memory[i])
	}
	s.stop()
}

// receive measures the processor time that one advert costs a backup.
func receive(b *testing.B, path string, kd bool) measure {
	const perSecond, seconds = 2000, 5
	s := newBench(b, path, kd, 1, time.Second)
	master, backup := s.master()
	cfg := vrrp.Config{Name: "V1", VRID: 1, Priority: 100, Version: vrrp.V3, Interval: time.Second, Addresses: []vrrp.Address{{Prefix: netip.MustParsePrefix(benchVIP + "/32")}}}.WithDefaults()
	codec, err := vrrp.NewCodec(cfg)
	if err != nil {
		b.Fatal(err)
	}
	source := netip.MustParseAddr(map[string]string{"a": "10.9.0.1", "b": "10.9.0.2"}[master.host.Name])
	var sender *socket.Sender
	master.host.Do(b, func() (err error) {
		sender, err = socket.OpenSender(netns.Interface, source, 0)
		return err
	})
	defer sender.Close()
	var m measure
	m.unit = "µs"
	for range samples {
		before, _ := usage(backup.proc.PID())
		sent := 0
		for begin := time.Now(); time.Since(begin) < seconds*time.Second; time.Sleep(time.Millisecond) {
			for ; sent < int(time.Since(begin).Seconds()*perSecond); sent++ {
				if err := sender.Send(codec.Encode(time.Now(), source, cfg.Group(), 100), cfg.Group()); err != nil {
					b.Fatal(err)
				}
			}
		}
		after, _ := usage(backup.proc.PID())
		m.values = append(m.values, (after-before)/float64(sent)*1e6)
	}
	s.stop()
	return m
}
