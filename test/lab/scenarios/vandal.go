package scenarios

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/director"
	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
	"github.com/edgekeeper/edgekeeper/test/lab/traffic"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "vandal", Doc: "somebody runs ipvsadm, once and then every 100 ms under load (LAB_SEED): repaired, reported as drift, and no request is lost that the vandal did not cost",
		Needs: []scenario.Need{scenario.Edgekeeper}, Run: vandal,
	})
}

func vandal(t *scenario.T) {
	// The server that the vandal adds answers nobody, so what was sent to it never
	// ends by itself, and it leaves at the end of its drain.
	s, d1, _ := pair(t, scenario.Edgekeeper, func(c *director.Config) { c.ExtraPool = `drain_timeout = "5s"` })
	t.Phase("ipvsadm -C on director 1", func() {
		_, err := s.Run(s.Host("d1"), "ipvsadm", "-C")
		t.OK(err)
		at := time.Now()
		s.WaitWeight(slow, "d1", "w1", 1)
		s.WaitWeight(slow, "d1", "w2", 1)
		t.Measure("table repaired after", "%s", ms(time.Since(at)))
		s.Served(slow, "w1", "w2")
		t.Measure("longest wait of the client", "%s", ms(s.Load.Gap(at, time.Now())))
	})
	st := d1.Status()
	t.Measure("drift reported", "%d ops, the last: %s", st.IPVS.Drift, st.IPVS.LastDrift)
	if st.IPVS.Drift == 0 {
		t.Errorf("the status reports no drift")
	}
	w := &watchman{h: s.Host("d1")}
	began := time.Now()
	t.Phase("ipvsadm every 100 ms", func() { vandalize(t, s, w) })
	t.Phase("all is repaired", func() {
		t.Within(slow, "the table is right", func() bool { return w.right(t) })
		s.Served(slow, "w1", "w2")
	})
	ended := time.Now()
	s.StopLoad()
	w.judge(t, s.Load.Window(began, ended))
	log := d1.CLI("events")
	// What the next act changes again may never be seen; these are.
	for _, alien := range []string{
		"somebody else added real server " + vandalServer + " (weight 5, forward dr)", "weight 1 -> 9", "persistence 0 s -> 300 s",
	} {
		if !strings.Contains(log, alien) {
			t.Errorf("no event names %q", alien)
		}
	}
	if out := command(t, s, "d1", "ipvsadm -Sn"); !strings.Contains(out, "-a -t "+foreignVIP+" -r "+foreignServer) {
		t.Errorf("the virtual server that the vandal made for himself is gone:\n%s", out)
	}
	judgeOverlap(t, s, true)
}

// vandalServer is an address at which nobody answers.
const vandalServer = "61.139.2.6:80"

// damages are changes of a table with web 1 and web 2, as ipvsadm takes them. The
// harmless ones leave a real server that serves, and the connections alone. The
// costly ones can cost requests: those on the way, or those that come until it is
// repaired. (Another scheduler is one: the kernel takes the old one off, waits
// until nobody uses it, and only then puts the new one on, ip_vs_edit_service.)
func damages(s *scenario.Site) (harmless, costly []string) {
	vs, w1, w2 := s.VS().String(), s.Real("w1").String(), s.Real("w2").String()
	harmless = []string{
		"-e -t " + vs + " -r " + w1 + " -g -w 0",
		"-e -t " + vs + " -r " + w2 + " -g -w 9",
		"-e -t " + vs + " -r " + w1 + " -g -w 1 -x 1 -y 1",
		"-E -t " + vs + " -s wrr -p 300",
	}
	costly = []string{
		"-C",
		"-D -t " + vs,
		"-d -t " + vs + " -r " + w1,
		"-a -t " + vs + " -r " + vandalServer + " -g -w 5",
		"-e -t " + vs + " -r " + w2 + " -m -w 1",
		"-E -t " + vs + " -s rr",
	}
	return harmless, costly
}

// vandalTime is how long the vandal goes on.
const vandalTime = 15 * time.Second

// vandalize has one ipvsadm -R change the table every 100 ms. Every eighth time it
// does what can cost requests, so that there is time enough in which none may be
// lost. The weight of the real server in the vandal's own virtual server is the
// number of the last act that is done.
func vandalize(t *scenario.T, s *scenario.Site, w *watchman) {
	seed, err := strconv.ParseUint(t.Parameter("LAB_SEED", strconv.FormatInt(time.Now().UnixNano(), 10)), 10, 64)
	t.OK(err)
	t.Measure("seed", "%d (LAB_SEED)", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	harmless, costly := damages(s)
	fifo := filepath.Join(s.Temp(), "vandal")
	t.OK(syscall.Mkfifo(fifo, 0o600))
	// What it refuses (of what an earlier act has taken away, or put there) it says
	// on stderr, and goes on.
	_, err = s.Start(s.Host("d1"), site.Command{Name: "ipvsadm", Args: []string{"sh", "-c", "exec ipvsadm -R < " + fifo + " 2> /dev/null"}})
	t.OK(err)
	in, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	t.OK(err)
	defer func() { _ = in.Close() }()
	var watching sync.WaitGroup
	stop := make(chan struct{})
	watching.Go(func() { w.watch(stop) })
	defer func() {
		close(stop)
		watching.Wait()
		t.OK(w.err)
	}()
	acts := 0
	act := func(line string, costs bool) {
		acts++
		w.begin(acts, costs)
		_, err := fmt.Fprintf(in, "%[1]s\n-A -t %[2]s -s rr\n-a -t %[2]s -r %[3]s -g -w %[4]d\n-e -t %[2]s -r %[3]s -g -w %[4]d\n", line, foreignVIP, foreignServer, acts)
		t.OK(err)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(vandalTime); time.Now().Before(end); <-tick.C {
		if acts%8 == 7 {
			n := acts / 8
			if n >= len(costly) { // each of them once, and then by chance
				n = r.IntN(len(costly))
			}
			act(costly[n], true)
		} else {
			act(harmless[r.IntN(len(harmless))], false)
		}
	}
	t.Within(slow, "ipvsadm has done all", func() bool { return w.done() == acts })
	t.Measure("acts of the vandal", "%d", acts)
}

// foreignServer is in the virtual server that no director has made.
const foreignServer = "10.98.0.1:80"

// watchman notes when the table of a host was not as it should be.
type watchman struct {
	h   *site.Host
	err error

	mu     sync.Mutex
	costly int    // the last act that can cost requests
	acked  int    // the last act that was seen to be done
	spans  []span // in which requests could be lost by the vandal's doing
	wrong  []span // in which the table was not right, whether that costs or not
	looks  int
}

// span is a time; end zero while it lasts.
type span struct{ begin, end time.Time }

// note opens a span when something begins, and closes it when it is over.
func note(list []span, on bool, now time.Time) []span {
	n := len(list)
	switch open := n > 0 && list[n-1].end.IsZero(); {
	case on && !open:
		return append(list, span{begin: now})
	case !on && open:
		list[n-1].end = now
	}
	return list
}

// begin notes that an act of the vandal begins.
func (w *watchman) begin(number int, costs bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if costs {
		w.costly = number
		w.spans = note(w.spans, true, time.Now())
	}
}

// done gives the last act that was seen to be done.
func (w *watchman) done() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.acked
}

// watch looks at the table every few milliseconds. What an act costs is over with
// the first look that finds it done, and both web servers as they should be.
func (w *watchman) watch(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(5 * time.Millisecond):
		}
		// What is done is read before what has come of it.
		before, err := w.look()
		var l view
		if err == nil {
			l, err = w.look()
		}
		w.mu.Lock()
		now := time.Now()
		w.looks++
		w.err = err
		w.acked = max(w.acked, before.done)
		if l.harmless && w.acked >= w.costly {
			w.spans = note(w.spans, false, now)
		}
		w.wrong = note(w.wrong, !l.right, now)
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// view is one look at the table: the act that was the last, whether both web
// servers are there with direct routing, and nobody else, and whether all of it is
// as wanted.
type view struct {
	done            int
	harmless, right bool
}

func (w *watchman) look() (v view, err error) {
	list, err := w.h.IPVS()
	if err != nil {
		return v, err
	}
	for _, x := range list {
		if x.Addr.String() == foreignVIP {
			for _, d := range x.Dests {
				v.done = d.Weight
			}
			continue
		}
		v.harmless = x.Scheduler == "wrr" && len(x.Dests) == 2
		v.right = v.harmless
		for _, d := range x.Dests {
			v.harmless = v.harmless && d.Forward == "Route" && d.Addr.String() != vandalServer
			v.right = v.right && v.harmless && d.Weight == 1
		}
	}
	return v, nil
}

func (w *watchman) right(t *scenario.T) bool {
	v, err := w.look()
	t.OK(err)
	return v.right
}

// judge accounts for the lost requests. One that the vandal cost was on its way
// while his doing was in the kernel: between its sending and the time in which
// any request is answered that he does not disturb.
func (w *watchman) judge(t *scenario.T, all traffic.Window) {
	during := func(from, to time.Time) bool {
		return slices.ContainsFunc(w.spans, func(x span) bool {
			return x.begin.Before(to) && (x.end.IsZero() || from.Before(x.end))
		})
	}
	var usual time.Duration // the longest that an undisturbed request took
	for _, r := range all {
		if done := r.Sent.Add(r.Latency); r.Outcome == traffic.OK && !during(r.Sent, done) {
			usual = max(usual, r.Latency)
		}
	}
	undisturbed, cost, ours := 0, 0, 0
	for _, r := range all {
		his := during(r.Sent, r.Sent.Add(min(r.Latency, usual)))
		switch {
		case r.Outcome == traffic.OK && !his:
			undisturbed++
		case r.Outcome == traffic.OK:
		case his:
			cost++
		default:
			ours++
			t.Errorf("a request sent at %s was lost (%s after %s), and no doing of the vandal was in the kernel", r.Sent.Format("15:04:05.000"), r.Outcome, ms(r.Latency))
		}
	}
	var in, damaged time.Duration
	for _, x := range w.spans {
		if !x.end.IsZero() {
			in += x.end.Sub(x.begin)
		}
	}
	for _, x := range w.wrong {
		if !x.end.IsZero() {
			damaged += x.end.Sub(x.begin)
		}
	}
	t.Measure("requests", "%d, of which %d were sent while nothing costly was in the kernel; lost: %d to the vandal, %d to us", len(all), undisturbed+ours, cost, ours)
	t.Measure("the table", "%s costly in %d times, %s not as wanted in %d times, of %s; %d looks", ms(in), len(w.spans), ms(damaged), len(w.wrong), ms(vandalTime), w.looks)
	if undisturbed < len(all)/10 {
		t.Errorf("only %d of %d requests were sent while nothing costly was in the kernel: that shows little", undisturbed, len(all))
	}
	if len(w.wrong) == 0 {
		t.Errorf("the table was never seen to be wrong")
	}
}
