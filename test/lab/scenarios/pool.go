package scenarios

import (
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/director"
	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	needs := []scenario.Need{scenario.Edgekeeper}
	scenario.Register(scenario.Scenario{
		Name: "web-death", Doc: "a web server dies: weight 0 after the configured retries, its own weight when it is back",
		Needs: needs, Run: func(t *scenario.T) { webDeath(t, scenario.Edgekeeper) },
	})
	scenario.Register(scenario.Scenario{
		Name: "web-death-keepalived", Doc: "the same on keepalived",
		Needs: []scenario.Need{scenario.Keepalived}, Extra: true, Run: func(t *scenario.T) { webDeath(t, scenario.Keepalived) },
	})
	scenario.Register(scenario.Scenario{
		Name: "keep-restart", Doc: "on_stop = keep: an open connection survives a restart of the director, the table is adopted",
		Needs: needs, Run: keepRestart,
	})
}

// webDeath uses weights 1 and 3, so that a weight that comes back wrong shows.
func webDeath(t *scenario.T, n scenario.Need) {
	s := t.Site(site.Options{})
	s.StartWebs(false)
	weights := func(c *director.Config) { c.Real[1].Weight = 3 }
	d1, d2 := s.Director("d1", driver(t, n), weights), s.Director("d2", driver(t, n), weights)
	d1.Start()
	d2.Start()
	s.Holder(master, "d1")
	s.WaitWeight(slow, "d1", "w2", 3)
	s.StartLoad(0)
	s.Served(slow, "w1", "w2")

	check := d1.Config.Check
	// keepalived counts the retries after the first failure; a refused connection fails at once.
	earliest := time.Duration(check.Retries-1) * check.RetryDelay
	latest := check.Interval + time.Duration(check.Retries+1)*(check.RetryDelay+check.Timeout)
	t.Phase("web 2 dies", func() {
		at := time.Now() // before: a check can fail before we hear that the web server is gone
		t.OK(s.StopWeb("w2"))
		s.WaitWeight(latest+2*time.Second, "d1", "w2", 0)
		took := time.Since(at)
		t.Measure("dead web server at weight 0 after", "%s (checks every %s, %d retries %s apart)", ms(took), check.Interval, check.Retries, check.RetryDelay)
		if took < earliest {
			t.Errorf("out after %s, before the retries could be over (%s)", ms(took), earliest)
		}
		s.WaitWeight(latest, "d2", "w2", 0)
		only(t, s, "w1")
	})
	t.Phase("web 2 is back", func() {
		s.StartWeb("w2")
		t.Measure("back at weight 3 after", "%s", ms(s.WaitWeight(latest+2*time.Second, "d1", "w2", 3)))
		s.WaitWeight(latest, "d2", "w2", 3)
		s.Served(slow, "w1", "w2")
		only(t, s, "w1", "w2")
	})
	s.StopLoad()
	judgeOverlap(t, s, n == scenario.Edgekeeper)
}

func keepRestart(t *scenario.T) {
	s := t.Site(site.Options{})
	s.StartWebs(false)
	d1 := s.Director("d1", driver(t, scenario.Edgekeeper), func(c *director.Config) { c.OnStop = "keep" })
	d1.Start()
	s.Holder(master, "d1")
	s.WaitWeight(slow, "d1", "w1", 1)
	s.WaitWeight(slow, "d1", "w2", 1)
	long := s.Hold(25 * time.Second)
	count := func() int { return len(long.Window(time.Time{}, time.Time{})) }
	before, err := d1.Host.IPVS()
	t.OK(err)

	var last int
	t.Phase("the director is restarted", func() {
		d1.Stop()
		kept, err := d1.Host.IPVS()
		t.OK(err)
		if len(kept) != len(before) || len(kept[0].Dests) != len(before[0].Dests) {
			t.Fatalf("the table after the stop is %v, was %v", kept, before)
		}
		last = count()
		d1.Start()
		s.Holder(master, "d1")
	})
	t.Phase("the connection goes on", func() {
		t.Within(slow, "the open connection carries data again", func() bool { return count() > last+5 })
		adopted := d1.Status().IPVS.Adopted
		t.Measure("adopted", "%d services, %d servers, %d ops", adopted.Services, adopted.Servers, adopted.Ops)
		if adopted.Services != 1 || adopted.Servers != 2 || adopted.Ops != 0 {
			t.Errorf("adopted %+v, want 1 service, 2 servers, 0 ops", adopted)
		}
		if got := s.Weight("d1", "w1") + s.Weight("d1", "w2"); got != 2 {
			t.Errorf("weights are not 1 and 1 after the restart: their sum is %d", got)
		}
		active := 0
		after, err := d1.Host.IPVS()
		t.OK(err)
		for _, d := range after[0].Dests {
			active += d.Active
		}
		if active != 1 {
			t.Errorf("the table knows %d active connections after the restart, want 1", active)
		}
	})
	t.Phase("the connection ends as it should", func() {
		t.Within(40*time.Second, "the long connection ends", func() bool {
			w := long.Window(time.Time{}, time.Time{})
			for _, r := range w {
				if r.Latency > 0 { // the result of the whole connection
					t.Measure("long connection", "%s after %s", r.Outcome, ms(r.Latency))
					if w.Lost() > 0 {
						t.Errorf("the open connection broke: %s", r.Outcome)
					}
					return true
				}
			}
			return false
		})
	})
}
