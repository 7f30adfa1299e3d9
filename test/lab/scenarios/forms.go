package scenarios

import (
	"slices"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "forms", Doc: "every form of a virtual server, given to keepalived and to edgekeeper, ends in the same ipvsadm -Sn",
		Needs: []scenario.Need{scenario.Edgekeeper, scenario.Keepalived}, Run: forms,
	})
}

// forms gives one table of virtual servers to keepalived on director 1 and to
// edgekeeper on director 2, each in its own language, and compares what
// `ipvsadm -Sn` says of the kernels.
//
// A group is one virtual server of a firewall mark with both: keepalived runs
// with nftables_ipvs, and edgekeeper is told the marks that keepalived counts to.
// Without nftables_ipvs keepalived makes a virtual server of each address, which
// is not compared.
func forms(t *scenario.T) {
	s := t.Site(site.Options{})
	list := formTable()
	conf := []string{"global_defs {\n  router_id lvs1\n  nftables_ipvs\n}\n"}
	hcl := []string{"router_id = \"lvs2\"\nlog_level = \"warn\"\nipvs {\n  manage_sysctls = false\n}\n"}
	for i, f := range list {
		conf, hcl = append(conf, f.conf(i+1)), append(hcl, f.hcl(i+1))
	}
	d1, d2 := s.Host("d1"), s.Host("d2")
	for _, h := range []*site.Host{d1, d2} {
		// The kernel takes no address as a real server that it has no route to.
		for _, args := range [][]string{{"-4", "10.0.0.0/8"}, {"-6", "2001:db8::/32"}} {
			_, err := s.Run(h, "ip", args[0], "route", "replace", args[1], "dev", "eth0")
			t.OK(err)
		}
	}
	began := time.Now()
	_, err := s.Start(d1, site.Command{Name: "keepalived", Args: []string{
		t.Binary(scenario.Keepalived), "-n", "-l", "-D", "-C", "-f", t.File("forms.conf", strings.Join(conf, "\n")),
		"-p", s.Temp() + "/keepalived.pid", "-c", s.Temp() + "/checkers.pid"}})
	t.OK(err)
	_, err = s.Start(d2, site.Command{Name: "edgekeeper", Args: []string{
		t.Binary(scenario.Edgekeeper), "director", "-config", t.File("forms.hcl", strings.Join(hcl, "\n"))}})
	t.OK(err)
	want := len(list)
	for _, f := range list {
		want += len(f.servers)
	}
	keepalived, edgekeeper := settled(t, s, d1, want), settled(t, s, d2, want)
	t.File("keepalived.rules", strings.Join(keepalived, "\n")+"\n")
	t.File("edgekeeper.rules", strings.Join(edgekeeper, "\n")+"\n")
	t.Measure("forms compared", "%d virtual servers, %d lines of ipvsadm -Sn, in %s", len(list), len(edgekeeper), ms(time.Since(began)))
	for _, l := range keepalived {
		if !slices.Contains(edgekeeper, l) {
			t.Errorf("only keepalived: %s", l)
		}
	}
	for _, l := range edgekeeper {
		if !slices.Contains(keepalived, l) {
			t.Errorf("only edgekeeper: %s", l)
		}
	}
	if len(edgekeeper) != want {
		t.Errorf("edgekeeper made %d lines of %d", len(edgekeeper), want)
	}
}

// settled returns the sorted lines of ipvsadm -Sn when they have not changed for
// a while, and for a longer one when they are not as many as wanted.
func settled(t *scenario.T, s *scenario.Site, h *site.Host, want int) []string {
	var lines []string
	still := 0
	t.Within(time.Minute, "the table of "+h.Name+" is complete", func() bool {
		out, err := s.Run(h, "ipvsadm", "-Sn")
		t.OK(err)
		now := strings.Split(strings.TrimSpace(out), "\n")
		slices.Sort(now)
		if still++; len(now) <= 1 || !slices.Equal(now, lines) {
			still = 0
		}
		lines = now
		if still > 5 || still > 0 && len(now) == want {
			return true
		}
		t.Sleep(2 * time.Second)
		return false
	})
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return lines
}
