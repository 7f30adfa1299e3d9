package scenarios

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "ipvs-load", Doc: "large tables beside ipvsadm -R and keepalived in one run: from nothing, one change, no change, memory; recorded and not judged",
		Needs: []scenario.Need{scenario.Edgekeeper, scenario.Keepalived}, Limit: 40 * time.Minute, Extra: true, Run: ipvsLoad,
	})
}

// shape is the form of a table: so many virtual servers with so many real servers
// each, and a virtual server "probe" with two, of which one changes its weight.
type shape struct{ services, servers int }

func (s shape) String() string { return fmt.Sprintf("%dx%d", s.services, s.servers) }
func (s shape) total() int     { return s.services*s.servers + 2 }

// contender is one who loads tables.
type contender struct {
	name string
	host string // a table that was emptied is slow to fill (the kernel searches those that it removed), so each has its own
	// start begins to load the table, and returns the process.
	start func() *site.Proc
	// change gives the first real server of "probe" a weight; nil after.
	change func(weight int)
	// same looks at the whole table again, which is as it should be.
	same func()
	// daemon is whether the process stays.
	daemon bool
	// version prints the program's version: its file is in memory then, and not
	// read through the guest's slow disk by the start that is measured.
	version []string
}

func ipvsLoad(t *scenario.T) {
	for _, text := range strings.Fields(t.Parameter("LAB_SHAPES", "1000x10 100x1000 10x10000")) {
		var sh shape
		if _, err := fmt.Sscanf(text, "%dx%d", &sh.services, &sh.servers); err != nil || sh.services > 62000 || sh.servers > 62000 {
			t.Fatalf("LAB_SHAPES: %q is not SERVICESxSERVERS", text)
		}
		t.Part(text, func() { loadShape(t, sh) })
	}
}

func loadShape(t *scenario.T, sh shape) {
	// A short load is a matter of luck with the emulation: the median of some counts.
	rounds, usual := 0, "3"
	if sh.total() > 20_000 {
		usual = "1"
	}
	if _, err := fmt.Sscan(t.Parameter("LAB_ROUNDS", usual), &rounds); err != nil || rounds < 1 {
		t.Fatalf("LAB_ROUNDS: a number of at least 1: %v", err)
	}
	var all []loaded
	for i := range rounds {
		t.Part(fmt.Sprintf("round %d of %d", i+1, rounds), func() { all = append(all, loadRound(t, sh, i, i == rounds-1)...) })
	}
	median := func(name string) loaded {
		var first, full []time.Duration
		var r loaded
		for _, one := range all {
			if one.name == name {
				r, first, full = one, append(first, one.first), append(full, one.full)
			}
		}
		slices.Sort(first)
		slices.Sort(full)
		r.first, r.full = first[len(first)/2], full[len(full)/2]
		return r
	}
	us := median("edgekeeper")
	for _, r := range []loaded{us, median("ipvsadm"), median("keepalived")} {
		t.Measure(fmt.Sprintf("%s %s", sh, r.name), "full table %s, first real server %s; one weight %s; no change %s of processor; memory %d KiB (PSS), of it %d KiB its own",
			ms(r.full), ms(r.first), ms(r.change), ms(r.same), r.pss, r.own)
	}
	for _, r := range []loaded{median("ipvsadm"), median("keepalived")} {
		t.Measure(fmt.Sprintf("%s edgekeeper / %s", sh, r.name), "full table %.2f; one weight %.3f; no change %.2f; memory %.2f",
			ratio(us.full, r.full), ratio(us.change, r.change), ratio(us.same, r.same), float64(us.pss)/max(float64(r.pss), 1))
	}
	t.Measure(fmt.Sprintf("%s edgekeeper, one weight / full table", sh), "%.4f", ratio(us.change, us.full))
}

// loadRound has each contender fill a table of its own, another one first in each
// round. All else is measured in the last round only.
func loadRound(t *scenario.T, sh shape, round int, last bool) (all []loaded) {
	s := t.Site(site.Options{})
	t.OK(s.Sampler.Stop()) // nobody has an address here, and to look for it takes a third of a processor
	// A module that has to be loaded first would count for whoever is first.
	_, err := s.Run(s.Mgmt(), "sh", "-c", "ipvsadm -A -t 192.0.2.1:80 -s wrr && ipvsadm -C")
	t.OK(err)
	contenders := []contender{loadEdgekeeper(t, s, sh), loadIpvsadm(t, s, sh), loadKeepalived(t, s, sh)}
	for i := range contenders {
		c := contenders[(i+round)%len(contenders)]
		_, err := s.Run(s.Mgmt(), c.version...)
		t.OK(err)
		r := measure(t, s, sh, c, last)
		// /proc/net/ip_vs of a host leaves entries out while another host has some
		// (ip_vs_info_seq_next goes on to a virtual server of any of them).
		_, err = s.Run(s.Host(c.host), "ipvsadm", "-C")
		t.OK(err)
		t.Logf("%s %s: full table %s, first real server %s", sh, c.name, ms(r.full), ms(r.first))
		all = append(all, r)
	}
	return all
}

func ratio(a, b time.Duration) float64 { return a.Seconds() / max(b.Seconds(), 1e-9) }

// loaded is what was measured of a contender.
type loaded struct {
	name                      string
	first, full, change, same time.Duration
	pss, own                  int // KiB
}

// loadSettle is how long a director has before its memory is looked at: it tidies up
// when it sees, every ten seconds, that there was no work since it looked before.
const loadSettle = 25 * time.Second

// A director looks at its whole table again so many times, for what it does now
// and then anyhow can fall into one of them, and begins within so long.
const (
	sameRounds = 3
	sameSettle = 5 * time.Second
)

// One weight is changed so often: the emulator has not seen the code for it before,
// and takes twice as long for the first few as for those that come after.
const (
	leastChanges, mostChanges = 7, 21
	changesFor                = time.Minute
)

// measure has a contender load the table; whole: and measures all else, too.
func measure(t *scenario.T, s *scenario.Site, sh shape, c contender, whole bool) loaded {
	h := s.Host(c.host)
	r := loaded{name: c.name}
	at := time.Now()
	p := c.start()
	r.first = t.Within(10*time.Minute, c.name+" begins", func() bool { return destinations(t, h) > 0 })
	t.Within(20*time.Minute, c.name+" has loaded all", func() bool {
		begun := time.Now()
		n := destinations(t, h)
		if n == sh.total() {
			return true
		}
		if !p.Running() && destinations(t, h) == n {
			t.Fatalf("%s ended (%d) with %d real servers of %d", c.name, p.ExitCode(), n, sh.total())
		}
		t.Sleep(2 * time.Since(begun)) // looking must not take much of the machine
		return false
	})
	r.full = time.Since(at)
	if !whole {
		if c.daemon {
			t.OK(p.Stop(5 * time.Minute))
		}
		return r
	}
	var busy func() time.Duration
	if c.daemon {
		tree, err := p.Tree()
		t.OK(err)
		busy = func() time.Duration { return processorTime(t, tree) }
		t.Sleep(loadSettle) // what a start leaves behind has been given back
		quiet(t, busy)
		r.pss, r.own = rollup(t, tree, "Pss"), rollup(t, tree, "Anonymous")
	} else {
		t.Within(10*time.Minute, c.name+" ends", func() bool { return !p.Running() })
	}
	weightNow, done := probeWeight(t, h)
	defer done()
	var changes []time.Duration
	for i, at := 0, time.Now(); i < leastChanges || i < mostChanges && time.Since(at) < changesFor; i++ {
		weight := 2 + i%2
		begun := time.Now()
		c.change(weight)
		for weightNow() != weight { // more often than Within looks: a change takes no longer than its pause
			if time.Since(begun) > 10*time.Minute {
				t.Fatalf("%s has not changed a weight", c.name)
			}
			t.Sleep(time.Millisecond)
		}
		changes = append(changes, time.Since(begun))
		if busy != nil {
			quiet(t, busy)
		}
	}
	t.Logf("%s %s: one weight %v", sh, c.name, changes)
	slices.Sort(changes)
	r.change = changes[len(changes)/2]
	if busy == nil {
		begun := time.Now()
		c.same()
		r.same = time.Since(begun)
		return r
	}
	var sames []time.Duration
	for range sameRounds {
		before := busy()
		c.same()
		t.Sleep(sameSettle)
		quiet(t, busy)
		sames = append(sames, busy()-before)
	}
	slices.Sort(sames)
	t.Logf("%s %s: no change %v of processor", sh, c.name, sames)
	r.same = sames[len(sames)/2]
	t.OK(p.Stop(5 * time.Minute))
	return r
}

var (
	probeVIP  = netip.MustParseAddrPort("10.97.0.1:80")
	probeReal = netip.MustParseAddrPort("10.96.0.1:80")
)

func loadVIP(i int) string  { return fmt.Sprintf("10.99.%d.%d", i/250, 1+i%250) }
func loadReal(i int) string { return fmt.Sprintf("10.98.%d.%d", i/250, 1+i%250) }

// each calls f with each virtual server and its real servers.
func (s shape) each(f func(name, vip string, reals []string)) {
	reals := make([]string, s.servers)
	for j := range reals {
		reals[j] = loadReal(j)
	}
	for i := range s.services {
		f(fmt.Sprintf("v%d", i), loadVIP(i), reals)
	}
	f("probe", probeVIP.Addr().String(), []string{probeReal.Addr().String(), "10.96.0.2"})
}
