package scenarios

import (
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/catalog"
	"github.com/edgekeeper/edgekeeper/test/lab/director"
	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "demo", Doc: "the site's test plan with traffic all the time, faults, and a catalog of files",
		Needs: []scenario.Need{scenario.Edgekeeper, scenario.Keepalived}, Limit: 4 * time.Minute, Extra: true,
		Run: func(t *scenario.T) { demo(t, filesDemo) },
	})
	scenario.Register(scenario.Scenario{
		Name: "demo-consul", Doc: "the site's test plan with traffic all the time, faults, and Consul as the catalog",
		Needs: []scenario.Need{scenario.Edgekeeper, scenario.Keepalived, scenario.Consul}, Limit: 5 * time.Minute, Extra: true,
		Run: func(t *scenario.T) { demo(t, consulDemo) },
	})
}

// source is the catalog of a demonstration.
type source struct {
	register   func(catalog.Service) error
	deregister func(id string) error
	config     func(*director.Config)
	// weight changes a service instance's weight at run time.
	weight func(id string, weight int, directors ...*scenario.Director)
	how    string // what weight does, in the user's words
}

func filesDemo(t *scenario.T, s *scenario.Site) source {
	files := catalog.Files{Dir: filepath.Join(s.Temp(), "catalog")}
	return source{
		register: files.Register, deregister: files.Deregister, config: fromFiles(files),
		weight: func(id string, weight int, directors ...*scenario.Director) {
			for _, d := range directors {
				d.CLI("weight", "web", id, fmt.Sprint(weight))
			}
		},
		how: "edgekeeper weight web web-1 3",
	}
}

// fromFiles makes a director take its pool from a folder of service definitions.
func fromFiles(f catalog.Files) func(*director.Config) {
	return func(c *director.Config) {
		c.Extra = fmt.Sprintf("file_catalog {\n  path = %q\n}\n", f.Dir)
		c.ExtraPool = "service \"web\" {}"
		c.NoRealHCL = true
	}
}

func consulDemo(t *scenario.T, s *scenario.Site) source {
	c := consul(t, s)
	return source{
		register: c.Register, deregister: c.Deregister, config: fromConsul(c),
		weight: func(id string, weight int, _ ...*scenario.Director) {
			t.OK(c.PutKey("edgekeeper/weight/web/"+id, fmt.Sprint(weight)))
		},
		how: "consul kv put edgekeeper/weight/web/web-1 3",
	}
}

func demo(t *scenario.T, from func(*scenario.T, *scenario.Site) source) {
	edgekeeperDemo(t, from)
	killed(t, "keepalived under the same kill -9", scenario.Keepalived, true, false)
}

func edgekeeperDemo(t *scenario.T, from func(*scenario.T, *scenario.Site) source) {
	t.Part("edgekeeper", func() {
		s := t.Site(site.Options{})
		s.StartWebs(true)
		src := from(t, s)
		for _, h := range s.Site.Webs() {
			t.OK(src.register(service(s, h)))
		}
		d1 := s.Director("d1", driver(t, scenario.Edgekeeper), src.config)
		d2 := s.Director("d2", driver(t, scenario.Edgekeeper), src.config)
		d1.Start()
		d2.Start()
		s.Holder(master, "d1")
		s.WaitWeight(slow, "d1", "w1", 1)
		s.WaitWeight(slow, "d1", "w2", 1)
		s.StartLoad(0)
		s.Served(slow, "w1", "w2")

		t.Phase("director 1 serves, client reaches both web servers", func() { t.Sleep(2 * time.Second) })
		demoStops(t, s, d1, d2)
		demoKill(t, s, d1)
		demoPool(t, s, src, d1, d2)
		s.StopLoad()
		judgeOverlap(t, s, true)
	})
}

// demoStops is the plan itself: stop one, stop both, start again.
func demoStops(t *scenario.T, s *scenario.Site, d1, d2 *scenario.Director) {
	t.Phase("director 1 stopped, director 2 takes over", func() {
		at := time.Now()
		d1.Stop()
		s.Holder(stopsWithin, "d2")
		took, _ := s.Sampler.Acquired("d2", at)
		s.Served(5*time.Second, "w1", "w2")
		t.Sleep(time.Second)
		t.Measure("clean stop: address moved after", "%s", ms(took.Sub(at)))
		t.Measure("clean stop: longest wait of the client", "%s", ms(s.Load.Gap(at, time.Now())))
	})
	t.Phase("both stopped, nothing answers", func() {
		d2.Stop()
		s.Nobody(2 * time.Second)
		silent := time.Now()
		t.Sleep(2 * time.Second)
		if n := s.Load.Window(silent, time.Time{}).OK(); n > 0 {
			t.Errorf("%d requests were answered with no director", n)
		}
	})
	t.Phase("director 1 started, service is back", func() {
		d1.Start()
		s.Holder(master, "d1")
		s.Served(5*time.Second, "w1", "w2")
		d2.Start()
		t.Sleep(2 * time.Second)
	})
}

// stopsWithin is how long a hand-over may take.
const stopsWithin = 5 * time.Second

func demoKill(t *scenario.T, s *scenario.Site, d1 *scenario.Director) {
	t.Phase("kill -9 of director 1 and its guardian", func() {
		at := time.Now()
		t.OK(d1.SignalTree(syscall.SIGKILL))
		taken(t, s, "kill -9", at, true)
		overlap(t, s, "kill -9", at, true)
	})
	t.Phase("director 1 started again, takes the address back", func() {
		at := time.Now()
		d1.Start()
		s.Holder(master, "d1")
		s.WaitWeight(slow, "d1", "w1", 1)
		s.Served(5*time.Second, "w1", "w2")
		t.Sleep(time.Second)
		t.Measure("preemption: longest wait of the client", "%s", ms(s.Load.Gap(at, time.Now())))
	})
}

func demoPool(t *scenario.T, s *scenario.Site, src source, d1, d2 *scenario.Director) {
	t.Phase("web server 2 dies", func() {
		at := time.Now()
		t.OK(s.StopWeb("w2"))
		t.Measure("dead web server: weight 0 after", "%s", ms(s.WaitWeight(slow, "d1", "w2", 0)))
		t.Measure("dead web server: requests lost", "%d", s.Load.Window(at, time.Now()).Lost())
		only(t, s, "w1")
	})
	t.Phase("web server 2 is back", func() {
		s.StartWeb("w2")
		t.Measure("repaired web server: its weight back after", "%s", ms(s.WaitWeight(slow, "d1", "w2", 1)))
		s.Served(slow, "w1", "w2")
	})
	t.Phase(src.how, func() {
		since := time.Now()
		t.Sleep(2 * time.Second)
		before := s.Load.Window(since, time.Now())
		at := time.Now()
		w1, w2 := s.Weight("d1", "w1"), s.Weight("d1", "w2")
		src.weight("web-1", 3, d1, d2)
		s.WaitWeight(slow, "d1", "w1", 3)
		t.Measure("weight change: in the IPVS table after", "%s", ms(time.Since(at)))
		since = time.Now()
		t.Sleep(3 * time.Second)
		after := s.Load.Window(since, time.Now())
		t.Measure("weights before, and the client's shares", "w1 %d, w2 %d; %s", w1, w2, shares(before))
		t.Measure("weights after, and the client's shares", "w1 %d, w2 %d; %s", s.Weight("d1", "w1"), s.Weight("d1", "w2"), shares(after))
		n := after.Shares()
		if ratio := float64(n["w1"]) / float64(max(n["w2"], 1)); ratio < 2 || ratio > 4 {
			t.Errorf("with weights 3 and 1 the shares are %s", shares(after))
		}
	})
	t.Phase("web-2 leaves the catalog", func() {
		at := time.Now()
		t.OK(src.deregister("web-2"))
		outOfService(t, s, "w2")
		t.Measure("catalog change: IPVS entry changed after", "%s", ms(time.Since(at)))
		only(t, s, "w1")
	})
	t.Phase("web-2 is in the catalog again", func() {
		at := time.Now()
		t.OK(src.register(service(s, s.Host("w2"))))
		s.WaitWeight(slow, "d1", "w2", 1)
		t.Measure("catalog change back: IPVS entry changed after", "%s", ms(time.Since(at)))
		s.Served(slow, "w1", "w2")
	})
}

func shares(w interface{ Shares() map[string]int }) string {
	n := w.Shares()
	all := max(n["w1"]+n["w2"], 1)
	return fmt.Sprintf("w1 %d %%, w2 %d %%", (100*n["w1"]+all/2)/all, (100*n["w2"]+all/2)/all)
}
