package scenarios

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/director"
	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "unprivileged", Doc: "a director as nobody with net_admin and net_raw and a read-only /proc/sys, as Nomad's exec driver starts it, serves and leaves nothing",
		Needs: []scenario.Need{scenario.Edgekeeper}, Extra: true, Run: unprivileged,
	})
}

// asNobody is what an exec task of the director's job is given.
const asNobody = `mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all,+net_admin,+net_raw --inh-caps=-all,+net_admin,+net_raw --ambient-caps=-all,+net_admin,+net_raw "$@"`

func unprivileged(t *scenario.T) {
	s := t.Site(site.Options{})
	s.StartWebs(true)
	dir, err := os.MkdirTemp("/run", "edgekeeper-lab-nobody-")
	t.OK(err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.OK(os.Chmod(dir, 0o777))
	d := s.Director("d1", driver(t, scenario.Edgekeeper), func(c *director.Config) {
		c.StateDir, c.Socket = filepath.Join(dir, "state"), filepath.Join(dir, "director.sock")
	})
	text, err := os.ReadFile(d.Config.ConfigPath)
	t.OK(err)
	config := filepath.Join(dir, "director.hcl")
	t.OK(os.WriteFile(config, text, 0o644))
	before, err := s.Host("d1").Setting("net.ipv4.conf.all.send_redirects")
	t.OK(err)

	args := []string{"unshare", "--mount", "/bin/sh", "-c", asNobody, "sh"}
	args = append(args, t.Binary(scenario.Edgekeeper), "director", "-config", config)
	var p *site.Proc
	t.Phase("it serves", func() {
		p, err = s.Start(s.Host("d1"), site.Command{Name: "edgekeeper", Args: args})
		t.OK(err)
		s.Holder(time.Minute, "d1")
		s.WaitWeight(time.Minute, "d1", "w1", 1)
		s.WaitWeight(time.Minute, "d1", "w2", 1)
		s.StartLoad(20)
		s.Served(30*time.Second, "w1", "w2")
		s.StopLoad()
	})
	t.Phase("what it cannot set is told", func() {
		if out := d.CLI("status"); !strings.Contains(out, "read-only file system") {
			t.Errorf("status does not tell that settings could not be made:\n%s", out)
		}
		if now, err := s.Host("d1").Setting("net.ipv4.conf.all.send_redirects"); err != nil || now != before {
			t.Errorf("send_redirects is %d, was %d (%v)", now, before, err)
		}
	})
	t.Phase("it stops, and nothing is left", func() {
		t.OK(p.Stop(scenario.StopLimit))
		s.Nobody(5 * time.Second)
		if table, err := s.Host("d1").IPVS(); err != nil || len(table) != 0 {
			t.Errorf("the IPVS table is %+v (%v)", table, err)
		}
	})
}
