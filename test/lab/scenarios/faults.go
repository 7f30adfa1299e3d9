package scenarios

import (
	"syscall"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/director"
	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	both := []scenario.Need{scenario.Edgekeeper, scenario.Keepalived}
	scenario.Register(scenario.Scenario{
		Name: "kill9", Doc: "kill -9 of the master: never two holders, served again within 4.5 s; keepalived beside it",
		Needs: both, Limit: 4 * time.Minute, Run: kill9,
	})
	scenario.Register(scenario.Scenario{
		Name: "freeze", Doc: "SIGSTOP of the master for 10 s: never two holders, the woken one disturbs nobody; keepalived beside it",
		Needs: both, Limit: 4 * time.Minute, Run: freeze,
	})
	scenario.Register(scenario.Scenario{
		Name: "keepalived-faults", Doc: "what keepalived does under kill -9 and SIGSTOP, recorded and not judged",
		Needs: []scenario.Need{scenario.Keepalived}, Limit: 3 * time.Minute, Extra: true,
		Run: func(t *scenario.T) {
			killed(t, "keepalived, all its processes killed", scenario.Keepalived, true, false)
			frozen(t, "keepalived, all its processes frozen", scenario.Keepalived, true, false)
		},
	})
	scenario.Register(scenario.Scenario{
		Name: "clean-stop", Doc: "SIGTERM of the master: the client waits less than a second",
		Needs: []scenario.Need{scenario.Edgekeeper}, Run: cleanStop,
	})
}

// served is the promise for a dead master with adverts every second: 3.6 s of
// silence, and the time to announce the address.
const served = 4500 * time.Millisecond

func kill9(t *scenario.T) {
	killed(t, "edgekeeper, the director killed", scenario.Edgekeeper, false, true)
	killed(t, "edgekeeper, the director and its guardian killed", scenario.Edgekeeper, true, true)
	killed(t, "keepalived, all its processes killed", scenario.Keepalived, true, false)
}

func freeze(t *scenario.T) {
	frozen(t, "edgekeeper, the director frozen", scenario.Edgekeeper, false, true)
	frozen(t, "edgekeeper, the director and its guardian frozen", scenario.Edgekeeper, true, true)
	frozen(t, "keepalived, all its processes frozen", scenario.Keepalived, true, false)
}

// pair starts two directors of one kind and traffic, and waits until director 1 serves.
func pair(t *scenario.T, n scenario.Need, mods ...func(*director.Config)) (s *scenario.Site, d1, d2 *scenario.Director) {
	s = t.Site(site.Options{})
	s.StartWebs(false)
	d1, d2 = s.Director("d1", driver(t, n), mods...), s.Director("d2", driver(t, n), mods...)
	d1.Start()
	d2.Start()
	s.Holder(master, "d1")
	s.StartLoad(0)
	s.Served(10*time.Second, "w1", "w2")
	t.Sleep(time.Second)
	return s, d1, d2
}

// signal sends sig to the director, with tree to all its processes.
func signal(t *scenario.T, d *scenario.Director, sig syscall.Signal, tree bool) {
	if tree {
		t.OK(d.SignalTree(sig))
	} else {
		t.OK(d.Signal(sig))
	}
}

// taken reports when director 2 had the address and what the client saw since at.
func taken(t *scenario.T, s *scenario.Site, what string, at time.Time, judge bool) {
	t.Within(15*time.Second, "director 2 takes over", func() bool { _, ok := s.Sampler.Acquired("d2", at); return ok })
	took, _ := s.Sampler.Acquired("d2", at)
	t.Measure(what+": address on director 2 after", "%s", ms(took.Sub(at)))
	if judge {
		s.Served(5*time.Second, "w1", "w2")
	} else {
		t.Sleep(time.Second)
	}
	gap := s.Load.Gap(at, time.Now())
	t.Measure(what+": longest wait of the client", "%s", ms(gap))
	if judge && gap > served {
		t.Errorf("%s: the client was without service for %s, promised are %s", what, ms(gap), served)
	}
}

// overlap reports for how long two directors held the address since at. What is
// judged is judged from the beginning, the first election included.
func overlap(t *scenario.T, s *scenario.Site, what string, at time.Time, judge bool) {
	d := s.Sampler.Overlap(at)
	t.Measure(what+": two holders for", "%s of %s watched", ms(d), time.Since(at).Round(time.Second))
	if judge {
		d = s.Sampler.Overlap(time.Time{})
	}
	if judge && d > 0 {
		t.Errorf("%s: both directors held the virtual address, for %s:\n%s", what, ms(d), s.Holders())
	}
}

func killed(t *scenario.T, what string, n scenario.Need, tree, judge bool) {
	t.Part(what, func() {
		s, d1, _ := pair(t, n)
		at := time.Now()
		t.Phase(what, func() {
			signal(t, d1, syscall.SIGKILL, tree)
			taken(t, s, what, at, judge)
			t.Sleep(5 * time.Second) // long enough to see whether the address stays
		})
		overlap(t, s, what, at, judge)
		s.StopLoad()
	})
}

func frozen(t *scenario.T, what string, n scenario.Need, tree, judge bool) {
	t.Part(what, func() {
		s, d1, _ := pair(t, n)
		at := time.Now()
		t.Phase(what, func() {
			signal(t, d1, syscall.SIGSTOP, tree)
			taken(t, s, what, at, judge)
			t.Sleep(10*time.Second - time.Since(at))
		})
		t.Phase(what+", then woken", func() {
			woken := time.Now()
			signal(t, d1, syscall.SIGCONT, tree)
			t.Sleep(6 * time.Second)
			gap := s.Load.Gap(woken, time.Now())
			t.Measure(what+": longest wait of the client after the wake-up", "%s", ms(gap))
			if judge && gap > time.Second {
				t.Errorf("%s: the woken director cost the client %s", what, ms(gap))
			}
		})
		overlap(t, s, what, at, judge)
		s.StopLoad()
	})
}

func cleanStop(t *scenario.T) {
	s, d1, _ := pair(t, scenario.Edgekeeper)
	at := time.Now()
	t.Phase("director 1 is stopped", func() {
		d1.Stop()
		t.Measure("director 1 ended after", "%s", ms(time.Since(at)))
		s.Holder(5*time.Second, "d2")
		s.Served(5*time.Second, "w1", "w2")
		t.Sleep(time.Second)
	})
	gap := s.Load.Gap(at, time.Now())
	t.Measure("longest wait of the client", "%s", ms(gap))
	if gap >= time.Second {
		t.Errorf("the client waited %s, promised is less than 1 s", ms(gap))
	}
	s.StopLoad()
	judgeOverlap(t, s, true)
}
