package scenarios

import (
	"fmt"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/director"
	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "vip-check", Doc: "a web server whose lo lacks the virtual address is out on the master and on the backup, though its own address answers",
		Needs: []scenario.Need{scenario.Edgekeeper}, Run: vipCheck,
	})
}

// vipCheckHCL asks as often as the site's tcp check.
const vipCheckHCL = `check "vip" {
  interval    = "1s"
  timeout     = "500ms"
  retries     = 1
  retry_delay = "200ms"
}`

// vipCheck takes the virtual address off a web server's lo. The site's tcp check
// goes to the web server's own address and knows nothing of it.
func vipCheck(t *scenario.T) {
	s := t.Site(site.Options{})
	s.StartWebs(false)
	extra := func(c *director.Config) { c.ExtraPool = vipCheckHCL }
	d1, d2 := s.Director("d1", driver(t, scenario.Edgekeeper), extra), s.Director("d2", driver(t, scenario.Edgekeeper), extra)
	d1.Start()
	d2.Start()
	s.Holder(master, "d1")
	s.StartLoad(0)
	s.Served(slow, "w1", "w2")
	for _, d := range []string{"d1", "d2"} {
		s.WaitWeight(slow, d, "w2", 1)
	}
	lo := func(verb string) { command(t, s, "w2", fmt.Sprintf("ip addr %s %s/32 dev lo", verb, s.VIP.Addr())) }
	says := func(d *scenario.Director, want string) {
		t.Within(slow, fmt.Sprintf("why says %q", want), func() bool {
			return strings.Contains(d.CLI("why", s.Real("w2").Addr().String()), want)
		})
	}
	t.Phase("web 2 lacks the address", func() {
		at := time.Now()
		lo("del")
		s.WaitWeight(slow, "d1", "w2", 0)
		t.Measure("out on the master after", "%s", ms(time.Since(at)))
		s.WaitWeight(slow, "d2", "w2", 0)
		t.Measure("out on the backup after", "%s", ms(time.Since(at)))
		for _, d := range []*scenario.Director{d1, d2} {
			says(d, fmt.Sprintf("vip check: no answer from %s within 500ms", s.VIP.Addr()))
		}
		only(t, s, "w1")
	})
	t.Phase("web 2 would pass its packets on to whoever has the address", func() {
		t.OK(s.Host("w2").Sysctl("net.ipv4.ip_forward", 1))
		for _, d := range []*scenario.Director{d1, d2} {
			t.Within(slow, "the reason is named", func() bool {
				return strings.Contains(d.CLI("why", s.Real("w2").Addr().String()), "it would pass the packet on")
			})
		}
		t.OK(s.Host("w2").Sysctl("net.ipv4.ip_forward", 0))
	})
	t.Phase("web 2 has it again", func() {
		lo("add")
		for _, d := range []string{"d1", "d2"} {
			s.WaitWeight(slow, d, "w2", 1)
		}
		s.Served(slow, "w1", "w2")
	})
	t.Phase("the backup becomes master and goes on checking", func() {
		d1.Stop()
		s.Holder(5*time.Second, "d2")
		s.Served(slow, "w1", "w2")
		lo("del")
		s.WaitWeight(slow, "d2", "w2", 0)
		lo("add")
		s.WaitWeight(slow, "d2", "w2", 1)
	})
	s.StopLoad()
	judgeOverlap(t, s, true)
}
