package scenarios

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "ipvs-load", Doc: "from nothing to 10,000 real servers: edgekeeper, ipvsadm -R and keepalived in one run, recorded and not judged",
		Needs: []scenario.Need{scenario.Edgekeeper, scenario.Keepalived}, Limit: 6 * time.Minute, Extra: true, Run: ipvsLoad,
	})
}

// The table of ipvs-load.
const (
	loadServices = 100
	loadServers  = 100
)

func ipvsLoad(t *scenario.T) {
	s := t.Site(site.Options{})
	d1 := s.Host("d1")
	clear := func() {
		_, err := s.Run(d1, "ipvsadm", "-C")
		t.OK(err)
	}
	// A module that has to be loaded first would count for whoever is first.
	_, err := s.Run(d1, "sh", "-c", "ipvsadm -A -t 192.0.2.1:80 -s wrr && ipvsadm -C")
	t.OK(err)
	took, filled := map[string]time.Duration{}, map[string]time.Duration{} // from the start, from the first real server
	daemon := func(name string, args ...string) {
		at := time.Now()
		p, err := s.Start(d1, site.Command{Name: name, Args: args})
		t.OK(err)
		first := t.Within(time.Minute, name+" begins", func() bool { return destinations(t, d1) > 0 })
		t.Within(2*time.Minute, name+" has loaded all", func() bool {
			begun := time.Now()
			if destinations(t, d1) == loadServices*loadServers {
				return true
			}
			t.Sleep(2 * time.Since(begun)) // looking must not take much of the machine
			return false
		})
		took[name] = time.Since(at)
		filled[name] = took[name] - first
		t.Measure(name, "%s from its start to the last of %d real servers; the first after %s", ms(took[name]), loadServices*loadServers, ms(first))
		if rss := resident(p.Pid()); rss > 0 {
			t.Measure(name+": resident memory of the process", "%d KiB", rss)
		}
		t.OK(p.Stop(time.Minute))
		clear()
	}
	daemon("edgekeeper", t.Binary(scenario.Edgekeeper), "director", "-config", t.File("load.hcl", loadHCL()))
	list := t.File("load.ipvsadm", loadRules())
	at := time.Now()
	_, err = s.Run(d1, "sh", "-c", "ipvsadm -R < "+list)
	t.OK(err)
	took["ipvsadm -R"] = time.Since(at)
	if n := destinations(t, d1); n != loadServices*loadServers {
		t.Errorf("ipvsadm -R made %d real servers", n)
	}
	t.Measure("ipvsadm -R", "%s", ms(took["ipvsadm -R"]))
	clear()
	daemon("keepalived", t.Binary(scenario.Keepalived), "-n", "-l", "-C", "-f", t.File("load.conf", loadConf()),
		"-p", s.Temp()+"/keepalived.pid", "-c", s.Temp()+"/checkers.pid")
	for _, other := range []string{"ipvsadm -R", "keepalived"} {
		t.Measure("edgekeeper / "+other, "%.2f", took["edgekeeper"].Seconds()/took[other].Seconds())
	}
	t.Measure("edgekeeper / keepalived, from the first real server on", "%.2f", filled["edgekeeper"].Seconds()/filled["keepalived"].Seconds())
}

// destinations counts the real servers in a host's table.
func destinations(t *scenario.T, h *site.Host) int {
	var b []byte
	t.OK(h.Do(func() (err error) {
		b, err = os.ReadFile("/proc/thread-self/net/ip_vs")
		return err
	}))
	return max(bytes.Count(b, []byte("\n  ->"))-1, 0) // one is the heading
}

// resident is a process's memory in KiB, 0 when it is not known.
func resident(pid int) (kib int) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	if _, rest, ok := strings.Cut(string(b), "VmRSS:"); ok {
		_, _ = fmt.Sscan(rest, &kib) // 0 is as good
	}
	return kib
}

func loadVIP(i int) string  { return fmt.Sprintf("10.99.%d.%d", i/250, 1+i%250) }
func loadReal(i int) string { return fmt.Sprintf("10.98.%d.%d", i/250, 1+i%250) }

func loadHCL() string {
	var b strings.Builder
	// A line per real server, as by default, would go to the results folder one by
	// one: milliseconds each from within a guest.
	b.WriteString("router_id = \"lvs1\"\nlog_level = \"warn\"\nipvs {\n  manage_sysctls = false\n}\n")
	for i := range loadServices {
		fmt.Fprintf(&b, "virtual_server \"v%d\" {\n  address   = \"%s:80\"\n  scheduler = \"wrr\"\n", i, loadVIP(i))
		for j := range loadServers {
			fmt.Fprintf(&b, "  real_server \"%s:80\" {}\n", loadReal(j))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func loadRules() string {
	var b strings.Builder
	for i := range loadServices {
		fmt.Fprintf(&b, "-A -t %s:80 -s wrr\n", loadVIP(i))
		for j := range loadServers {
			fmt.Fprintf(&b, "-a -t %s:80 -r %s:80 -g -w 1\n", loadVIP(i), loadReal(j))
		}
	}
	return b.String()
}

func loadConf() string {
	var b strings.Builder
	for i := range loadServices {
		fmt.Fprintf(&b, "virtual_server %s 80 {\n  lb_algo wrr\n  lb_kind DR\n  protocol TCP\n", loadVIP(i))
		for j := range loadServers {
			fmt.Fprintf(&b, "  real_server %s 80 {\n    weight 1\n  }\n", loadReal(j))
		}
		b.WriteString("}\n")
	}
	return b.String()
}
