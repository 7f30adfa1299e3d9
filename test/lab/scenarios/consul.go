package scenarios

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/catalog"
	"github.com/edgekeeper/edgekeeper/test/lab/director"
	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
	"github.com/edgekeeper/edgekeeper/test/lab/traffic"
)

func init() {
	needs := []scenario.Need{scenario.Edgekeeper, scenario.Consul}
	scenario.Register(scenario.Scenario{
		Name: "consul-states", Doc: "critical, maintenance, deregistered, back: the pool follows a real Consul",
		Needs: needs, Limit: 3 * time.Minute, Run: consulStates,
	})
	scenario.Register(scenario.Scenario{
		Name: "consul-outage", Doc: "Consul is killed during traffic and comes back (LAB_OUTAGE, default 60s): no lost request, no flap",
		Needs: needs, Limit: 5 * time.Minute, Run: consulOutage,
	})
	scenario.Register(scenario.Scenario{
		Name: "kv", Doc: "consul kv put: weight 0 drains, a priority moves the address, banana changes nothing and is reported",
		Needs: needs, Limit: 3 * time.Minute, Run: kv,
	})
	scenario.Register(scenario.Scenario{
		Name: "consul-alone", Doc: "the lab's own Consul: registration, check, maintenance, KV, data kept over SIGKILL",
		Needs: []scenario.Need{scenario.Consul}, Extra: true, Run: consulAlone,
	})
}

// slow is what a change may take from Consul to the IPVS table: Consul's check
// interval, its anti-entropy and a blocking query, on emulated hardware.
const slow = 15 * time.Second

// consul starts Consul with the site's web servers in it: web-1 on w1, web-2 on w2.
func consul(t *scenario.T, s *scenario.Site) *catalog.Consul {
	c, err := catalog.NewConsul(s.Site, t.Binary(scenario.Consul), filepath.Join(s.Temp(), "consul"))
	t.OK(err)
	startConsul(t, c)
	for _, h := range s.Site.Webs() {
		t.OK(c.Register(service(s, h)))
	}
	return c
}

func startConsul(t *scenario.T, c *catalog.Consul) {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	t.OK(c.Start(ctx))
}

// service describes the web server of a host; w1 is web-1.
func service(s *scenario.Site, h *site.Host) catalog.Service {
	return catalog.Service{
		ID: "web-" + h.Name[1:], Name: "web", Addr: s.Real(h.Name), Weight: 1,
		CheckURL: "http://" + h.Mgmt.Addr().String() + ":80/health",
	}
}

// fromConsul makes a director take its pool from Consul, and its overrides from KV.
func fromConsul(c *catalog.Consul) func(*director.Config) {
	return func(d *director.Config) {
		d.Extra = "consul {\n  address   = \"" + c.Address() + "\"\n  kv_prefix = \"edgekeeper\"\n}\n"
		d.ExtraPool = "service \"web\" {}"
		d.NoRealHCL = true
	}
}

// consulSite is a running site whose pool comes from Consul, with traffic.
func consulSite(t *scenario.T) (s *scenario.Site, c *catalog.Consul, d1, d2 *scenario.Director) {
	s = t.Site(site.Options{})
	s.StartWebs(false)
	c = consul(t, s)
	d1, d2 = s.Director("d1", driver(t, scenario.Edgekeeper), fromConsul(c)), s.Director("d2", driver(t, scenario.Edgekeeper), fromConsul(c))
	d1.Start()
	d2.Start()
	s.Holder(master, "d1")
	for _, d := range []string{"d1", "d2"} {
		s.WaitWeight(slow, d, "w1", 1)
		s.WaitWeight(slow, d, "w2", 1)
	}
	s.StartLoad(0)
	s.Served(slow, "w1", "w2")
	return s, c, d1, d2
}

// only fails the scenario when a server other than the named ones answers
// requests sent in the next two seconds, or a request is lost.
func only(t *scenario.T, s *scenario.Site, webs ...string) {
	since := time.Now()
	t.Sleep(2 * time.Second)
	w := s.Load.Window(since, time.Now())
	for server, n := range w.Shares() {
		if !contains(webs, server) {
			t.Errorf("%s answered %d requests, expected is only %s", server, n, strings.Join(webs, ", "))
		}
	}
	if w.Lost() > 0 {
		t.Errorf("%d requests lost: %s", w.Lost(), w)
	}
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

func consulStates(t *scenario.T) {
	s, c, _, _ := consulSite(t)
	w2 := s.Host("w2")
	back := func() {
		t.Measure("back in service after", "%s", ms(s.WaitWeight(slow, "d1", "w2", 1)))
		s.WaitWeight(slow, "d2", "w2", 1)
		s.Served(slow, "w1", "w2")
	}
	status := func(code string) {
		res, err := s.Mgmt().HTTP(5*time.Second).Post("http://"+w2.Mgmt.Addr().String()+"/health?status="+code, "", nil)
		t.OK(err)
		t.OK(res.Body.Close())
	}
	t.Phase("critical: weight 0, as on_failure says", func() {
		status("503")
		t.Measure("critical to weight 0", "%s", ms(s.WaitWeight(slow, "d1", "w2", 0)))
		only(t, s, "w1")
	})
	t.Phase("passing again", func() {
		status("200")
		back()
	})
	t.Phase("maintenance: drained", func() {
		t.OK(c.Maintenance("web-2", true))
		t.Measure("maintenance to out of service", "%s", ms(outOfService(t, s, "w2")))
		only(t, s, "w1")
	})
	t.Phase("maintenance over", func() {
		t.OK(c.Maintenance("web-2", false))
		back()
	})
	t.Phase("deregistered: drained, then removed", func() {
		t.OK(c.Deregister("web-2"))
		t.Measure("deregistered to out of service", "%s", ms(outOfService(t, s, "w2")))
		only(t, s, "w1")
	})
	t.Phase("registered again", func() {
		t.OK(c.Register(service(s, w2)))
		back()
	})
	s.StopLoad()
	t.Phase("deregistered with an open connection: it may finish, then the server is removed", func() {
		// With no other traffic, two connections go to two servers.
		first, second := s.Hold(8*time.Second), s.Hold(8*time.Second)
		t.Within(slow, "an open connection to w2", func() bool { return active(t, s, "w2") == 1 })
		t.OK(c.Deregister("web-2"))
		s.WaitWeight(slow, "d1", "w2", 0)
		t.Holds(2*time.Second, "w2 stays at weight 0 while its connection is open", func() bool {
			return s.Weight("d1", "w2") == 0 || active(t, s, "w2") == 0
		})
		t.Measure("removed after the deregistration", "%s", ms(s.WaitWeight(2*slow, "d1", "w2", -1)))
		for _, long := range []*traffic.Load{first, second} {
			if w := long.Window(time.Time{}, time.Time{}); w.Lost() > 0 {
				t.Errorf("an open connection broke: %s", w)
			}
		}
	})
	judgeOverlap(t, s, true)
}

// active counts the open connections of a web server in director 1's table.
func active(t *scenario.T, s *scenario.Site, web string) int {
	services, err := s.Host("d1").IPVS()
	t.OK(err)
	n := 0
	for _, service := range services {
		for _, d := range service.Dests {
			if d.Addr == s.Real(web) {
				n += d.Active
			}
		}
	}
	return n
}

// outOfService waits until a server gets no new connections: weight 0 or gone.
func outOfService(t *scenario.T, s *scenario.Site, web string) time.Duration {
	return t.Within(slow, web+" gets no new connections", func() bool { return s.Weight("d1", web) <= 0 })
}

func consulOutage(t *scenario.T) {
	s, c, _, _ := consulSite(t)
	outage := t.DurationParameter("LAB_OUTAGE", 60*time.Second)
	steady := func() bool { return s.Weight("d1", "w1") == 1 && s.Weight("d1", "w2") == 1 }
	began := time.Now()
	t.Phase("Consul is dead", func() {
		t.OK(c.Kill())
		t.Holds(outage/2, "both web servers at weight 1", steady)
	})
	var lost int
	t.Phase("a web server dies meanwhile: native checks still act", func() {
		lost = s.Load.Window(began, time.Now().Add(-time.Second)).Lost()
		t.OK(s.StopWeb("w2"))
		t.Measure("dead web server out of service", "%s", ms(outOfService(t, s, "w2")))
		only(t, s, "w1")
		s.StartWeb("w2")
		s.WaitWeight(slow, "d1", "w2", 1)
	})
	if rest := outage - time.Since(began); rest > 0 {
		t.Phase("Consul is still dead", func() { t.Holds(rest, "both web servers at weight 1", steady) })
	}
	quiet := time.Now()
	t.Phase("Consul is back", func() {
		startConsul(t, c)
		t.Holds(10*time.Second, "both web servers at weight 1", steady)
	})
	lost += s.Load.Window(quiet, time.Now().Add(-time.Second)).Lost()
	t.Measure("requests lost on Consul's account", "%d", lost)
	if lost > 0 {
		t.Errorf("%d requests were lost while only Consul was out", lost)
	}
	t.Phase("the pool follows Consul again", func() {
		t.OK(c.Maintenance("web-2", true))
		outOfService(t, s, "w2")
		t.OK(c.Maintenance("web-2", false))
		s.WaitWeight(slow, "d1", "w2", 1)
	})
	s.StopLoad()
	judgeOverlap(t, s, true)
}

func kv(t *scenario.T) {
	s, c, d1, d2 := consulSite(t)
	t.Phase("consul kv put edgekeeper/weight/web/web-1 0", func() {
		t.OK(c.PutKey("edgekeeper/weight/web/web-1", "0")) // the API call that the command makes
		t.Measure("KV weight to IPVS", "%s", ms(s.WaitWeight(slow, "d1", "w1", 0)))
		s.WaitWeight(slow, "d2", "w1", 0)
		only(t, s, "w2")
	})
	t.Phase("… banana", func() {
		_, err := c.CLI("kv", "put", "edgekeeper/weight/web/web-1", "banana")
		t.OK(err)
		t.Within(slow, "banana is reported", func() bool {
			return rejected(d1, "weight/web/web-1") && rejected(d2, "weight/web/web-1")
		})
		t.Holds(2*time.Second, "weight of w1 stays 0", func() bool { return s.Weight("d1", "w1") == 0 })
	})
	t.Phase("the key is deleted", func() {
		t.OK(c.DeleteKey("edgekeeper/weight/web/web-1"))
		s.WaitWeight(slow, "d1", "w1", 1)
		s.Served(slow, "w1", "w2")
	})
	t.Phase("… priority/VI_1/lvs2 200", func() {
		at := time.Now()
		t.OK(c.PutKey("edgekeeper/priority/VI_1/lvs2", "200"))
		t.Measure("KV priority to moved address", "%s", ms(s.Holder(slow, "d2")))
		s.Served(slow, "w1", "w2")
		t.Measure("longest wait of the client", "%s", ms(s.Load.Gap(at, time.Now())))
	})
	t.Phase("the priority is deleted", func() {
		t.OK(c.DeleteKey("edgekeeper/priority/VI_1/lvs2"))
		s.Holder(slow, "d1")
		s.Served(slow, "w1", "w2")
	})
	s.StopLoad()
	judgeOverlap(t, s, true)
}

// rejected reports whether a director's status names a key that it does not take.
func rejected(d *scenario.Director, key string) bool {
	for _, r := range d.Status().KV.Rejected {
		if strings.Contains(r, key) {
			return true
		}
	}
	return false
}

func consulAlone(t *scenario.T) {
	s := t.Site(site.Options{})
	s.StartWebs(false)
	began := time.Now()
	c := consul(t, s)
	t.Measure("Consul serves after", "%s", ms(time.Since(began)))
	health := func(want string) {
		t.Within(slow, "web-2 is "+want, func() bool {
			got, err := c.Health("web", "web-2")
			t.OK(err)
			return got == want
		})
	}
	health("passing")
	t.OK(s.StopWeb("w2"))
	health("critical")
	s.StartWeb("w2")
	health("passing")
	t.OK(c.Maintenance("web-2", true))
	health("critical")
	t.OK(c.Maintenance("web-2", false))
	health("passing")
	_, err := c.CLI("kv", "put", "edgekeeper/weight/web/web-1", "0")
	t.OK(err)
	t.OK(c.Kill())
	startConsul(t, c)
	health("passing")
	out, err := c.CLI("kv", "get", "edgekeeper/weight/web/web-1")
	t.OK(err)
	if strings.TrimSpace(out) != "0" {
		t.Errorf("the key holds %q after Consul's restart, want 0", out)
	}
}
