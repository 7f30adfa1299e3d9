//go:build priv

package interop

import (
	"context"
	"fmt"
	"net/netip"
	"os"
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
