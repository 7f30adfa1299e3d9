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
}

// nomad starts Nomad on the site and waits for its clients.
func nomad(t *scenario.T, s *scenario.Site, consul string, path ...string) *catalog.Nomad {
	n := catalog.NewNomad(s.Site, t.Binary(scenario.Nomad), filepath.Join(s.Temp(), "nomad"), consul, path...)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	began := time.Now()
	t.OK(n.Start(ctx))
	t.Measure("Nomad's clients ready after", "%s", ms(time.Since(began)))
	return n
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
	n := nomad(t, s, "")
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
