package scenarios

import (
	"context"
	"path/filepath"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/catalog"
	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "nomad-alone", Doc: "the lab's own Nomad: a server, four clients, a raw_exec job on the two web hosts",
		Needs: []scenario.Need{scenario.Nomad}, Limit: 5 * time.Minute, Extra: true, Run: nomadAlone,
	})
	scenario.Register(scenario.Scenario{
		Name: "nomad", Doc: "the three job files bring up a serving site on real Nomad and Consul; a stopped director job hands over",
		Needs: []scenario.Need{scenario.Edgekeeper, scenario.Nomad, scenario.Consul}, Limit: 8 * time.Minute, Run: nomadJobs,
	})
}

// nomad starts Nomad on the site, with clients on the named hosts or on all, and
// waits for them.
func nomad(t *scenario.T, s *scenario.Site, consul bool, change func(*catalog.Nomad), clients ...*site.Host) *catalog.Nomad {
	n := catalog.NewNomad(s.Site, t.Binary(scenario.Nomad), filepath.Join(s.Temp(), "nomad"), consul)
	if change != nil {
		change(n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	t.Cleanup(func() {
		if err := n.KeepLogs(); err != nil {
			t.Errorf("%v", err)
		}
	})
	began := time.Now()
	t.OK(n.Start(ctx, clients...))
	t.Measure("Nomad's clients ready after", "%s", ms(time.Since(began)))
	return n
}

// withNomad is a site with Consul and Nomad.
func withNomad(t *scenario.T) (*scenario.Site, *catalog.Consul, *catalog.Nomad) {
	s := t.Site(site.Options{})
	c, err := catalog.NewConsul(s.Site, t.Binary(scenario.Consul), filepath.Join(s.Temp(), "consul"))
	t.OK(err)
	startConsul(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	t.OK(c.StartAgents(ctx, s.Site.Webs()...))
	return s, c, nomad(t, s, true, nil)
}

func nomadJobs(t *scenario.T) {
	s, c, n := withNomad(t)
	edgekeeper := t.Binary(scenario.Edgekeeper)
	running := func(job string, want int) {
		took := t.Within(2*time.Minute, job+" runs", func() bool {
			got, err := n.Running(job)
			return err == nil && got == want
		})
		t.Measure("job "+job, "%d allocations after %s", want, ms(took))
	}
	t.Phase("nomad job run: web, realserver, director", func() {
		t.OK(n.RunJob("jobs/web.nomad.hcl", "command="+t.Lab(), `args=["web","-name","$${node.unique.name}"]`,
			"address=${meta.site_address}", "shutdown_delay=2s"))
		t.OK(n.RunJob("jobs/realserver.nomad.hcl", "binary="+edgekeeper, "vip="+s.VIP.Addr().String()))
		t.OK(n.RunJob("jobs/director.nomad.hcl", "binary="+edgekeeper, "vip="+s.VIP.String(), "secret=5525", "consul="+c.Address()))
		running("web", 2)
		running("edgekeeper-realserver", 2)
		running("edgekeeper-director", 2)
		s.Holder(time.Minute, "d1")
		s.WaitWeight(time.Minute, "d1", "w1", 1)
		s.WaitWeight(time.Minute, "d1", "w2", 1)
	})
	s.StartLoad(20)
	t.Phase("the site serves", func() {
		s.Served(30*time.Second, "w1", "w2")
		t.Sleep(2 * time.Second)
	})
	t.Phase("the director's job is stopped on director 1", func() {
		at := time.Now()
		t.OK(n.StopOn("edgekeeper-director", "d1"))
		s.Holder(time.Minute, "d2")
		s.Served(30*time.Second, "w1", "w2")
		t.Measure("longest wait of the client", "%s", ms(s.Load.Gap(at, time.Now())))
		t.Within(30*time.Second, "the poststop task cleanup ended with exit code 0", func() bool {
			ended, err := n.Logged("d1", `task=cleanup type=Terminated msg="Exit Code: 0"`)
			t.OK(err)
			return ended
		})
	})
	t.Phase("nomad job stop: nobody holds the address", func() {
		t.OK(n.StopJob("edgekeeper-director"))
		s.Nobody(time.Minute)
	})
	s.StopLoad()
	judgeOverlap(t, s, true)
}

const sleepJob = `
job "sleep" {
  type = "system"
  constraint {
    attribute = "${meta.role}"
    value     = "web"
  }
  group "sleep" {
    task "sleep" {
      driver = "raw_exec"
      config {
        command = "/bin/sleep"
        args    = ["1000"]
      }
      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
`

func nomadAlone(t *scenario.T) {
	s := t.Site(site.Options{})
	n := nomad(t, s, false, nil)
	t.OK(n.RunJob(t.File("sleep.nomad.hcl", sleepJob)))
	t.Measure("job runs after", "%s", ms(t.Within(time.Minute, "two allocations run", func() bool {
		running, err := n.Running("sleep")
		return err == nil && running == 2
	})))
	t.OK(n.StopJob("sleep"))
	t.Within(time.Minute, "no allocation runs", func() bool {
		running, err := n.Running("sleep")
		return err == nil && running == 0
	})
}
