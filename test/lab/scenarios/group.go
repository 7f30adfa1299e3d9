package scenarios

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "group", Doc: "a group of addresses and ports is one virtual server and serves, also after nft flush ruleset; both directors agree on its mark",
		Needs: []scenario.Need{scenario.Edgekeeper}, Run: group,
	})
	scenario.Register(scenario.Scenario{
		Name: "tunnels", Doc: "each tunnel type and checksum carries TCP and UDP, IPv4 and IPv6, and the questions of vip checks",
		Needs: []scenario.Need{scenario.Edgekeeper}, Run: tunnelTraffic,
	})
}

// fwmarkTable is what edgekeeper calls its nftables table.
const fwmarkTable = "edgekeeper_fwmark"

const groupHCL = `router_id = "%[1]s"
state_dir = "%[2]s"
control {
  socket = "%[2]s.sock"
}
virtual_server "media" {
  addresses   = ["10.50.0.1-4:8000-8009", "10.50.0.9:443"]
  scheduler   = "rr"
  persistence = "%[3]s"
  real_server "61.139.2.4" {}
  real_server "61.139.2.5" {}
}
`

func group(t *scenario.T) {
	s := t.Site(site.Options{})
	for _, h := range []string{"d1", "d2", "w1", "w2"} {
		command(t, s, h, "ip route add local 10.50.0.0/24 dev lo")
	}
	command(t, s, "client", "ip route add 10.50.0.0/24 via 61.139.2.2")
	for _, w := range []string{"w1", "w2"} {
		for _, port := range []int{443, 8003, 8009, 8010} {
			answering(t, s.Host(w), "tcp", fmt.Sprintf("0.0.0.0:%d", port))
		}
	}
	start := func(host, persistence string) (*site.Proc, string) {
		state := filepath.Join(s.Temp(), host)
		path := t.File(host+".hcl", fmt.Sprintf(groupHCL, host, state, persistence))
		p, err := s.Start(s.Host(host), site.Command{Name: "edgekeeper", Args: []string{t.Binary(scenario.Edgekeeper), "director", "-config", path}})
		t.OK(err)
		return p, path
	}
	services := func(host string) (out []string) {
		for _, l := range strings.Split(command(t, s, host, "ipvsadm -Sn"), "\n") {
			if strings.HasPrefix(l, "-A") {
				out = append(out, strings.TrimSpace(l))
			}
		}
		return out
	}
	client := s.Host("client")
	served := func() {
		for _, addr := range []string{"10.50.0.1:8003", "10.50.0.4:8009", "10.50.0.9:443"} {
			seen := map[string]bool{}
			t.Within(slow, addr+" is served by both", func() bool {
				seen[ask(client, "tcp", addr)] = true
				return seen["w1"] && seen["w2"]
			})
		}
	}
	d1, path := start("d1", "0s")
	d2, _ := start("d2", "0s")
	t.Phase("the group serves", func() {
		served()
		for _, addr := range []string{"10.50.0.1:8010", "10.50.0.5:8003", "10.50.0.1:443"} {
			if who := ask(client, "tcp", addr); who != "" {
				t.Errorf("%s is not in the group, and %s answered", addr, who)
			}
		}
		t.Within(slow, "director 2 has its virtual server", func() bool { return len(services("d2")) > 0 })
		one, two := services("d1"), services("d2")
		if len(one) != 1 || strings.Join(one, "\n") != strings.Join(two, "\n") {
			t.Errorf("virtual servers %q on director 1, %q on director 2, want the same one", one, two)
		}
	})
	socket := filepath.Join(s.Temp(), "d1") + ".sock"
	status := func() (st scenario.Status) {
		out, err := s.Run(s.Host("d1"), t.Binary(scenario.Edgekeeper), "status", "-json", "-socket", socket)
		t.OK(err)
		t.OK(json.Unmarshal([]byte(out), &st))
		return st
	}
	t.Phase("nft flush ruleset", func() {
		command(t, s, "d1", "nft flush ruleset")
		at := time.Now()
		t.Within(time.Minute, "the table is back", func() bool { // a busy machine reads its tables less often
			return strings.Contains(command(t, s, "d1", "nft list tables"), fwmarkTable)
		})
		t.Measure("marks restored after", "%s", ms(time.Since(at)))
		served()
		var st scenario.Status
		t.Within(slow, "the status names the table", func() bool {
			st = status()
			return strings.Contains(st.IPVS.LastDrift, fwmarkTable)
		})
		t.Measure("drift reported", "%d, the last: %s", st.IPVS.Drift, st.IPVS.LastDrift)
	})
	t.Phase("persistence is for the group as a whole", func() {
		start := strings.Replace(groupHCL, "%[3]s", "1m", 1)
		t.File("d1.hcl", fmt.Sprintf(start, "d1", filepath.Join(s.Temp(), "d1")))
		t.OK(d1.Signal(syscall.SIGHUP))
		t.Within(slow, "the reload is in the kernel", func() bool {
			list := services("d1")
			return len(list) == 1 && strings.Contains(list[0], "-p 60")
		})
		first := answered(t, client, "tcp", "10.50.0.1:8003")
		for _, addr := range []string{"10.50.0.1:8003", "10.50.0.4:8009", "10.50.0.9:443", "10.50.0.2:8003"} {
			if who := answered(t, client, "tcp", addr); who != first {
				t.Errorf("%s went to %s, the first request to %s", addr, who, first)
			}
		}
		out, err := s.Run(s.Host("d1"), t.Binary(scenario.Edgekeeper), "connections", "-socket", socket, "-virtual", "media")
		t.OK(err)
		t.Logf("connections of the group:\n%s", out)
		for _, want := range []string{"10.50.0.1:8003", "10.50.0.4:8009", "10.50.0.9:443", "fwmark "} {
			if !strings.Contains(out, want) {
				t.Errorf("connections -virtual media does not show %s", want)
			}
		}
	})
	t.Phase("nothing is left", func() {
		t.OK(d2.Stop(scenario.StopLimit))
		t.OK(d1.Signal(syscall.SIGKILL))
		<-d1.Done()
		if !strings.Contains(command(t, s, "d1", "nft list tables"), fwmarkTable) {
			t.Errorf("after kill -9 the marks are gone: there is nothing for cleanup to show")
		}
		command(t, s, "d1", t.Binary(scenario.Edgekeeper)+" cleanup -config "+path)
		for _, h := range []string{"d1", "d2"} {
			if left := command(t, s, h, "nft list tables") + strings.Join(services(h), "\n"); left != "" {
				t.Errorf("left on %s: %s", h, left)
			}
		}
	})
}

// tunnelTraffic sends requests through a director whose real server is behind a
// tunnel of each kind, and checks that there is no way but the tunnel.
func tunnelTraffic(t *scenario.T) {
	s := t.Site(site.Options{})
	for i, h := range []string{"d1", "w1", "client", "w2"} {
		command(t, s, h, fmt.Sprintf("ip -6 addr add 2001:db8:5::%d/64 dev eth0 nodad", i+1))
	}
	command(t, s, "d1", "ip route add local 10.51.0.0/24 dev lo")
	command(t, s, "d1", "ip -6 route add local 2001:db8:51::/64 dev lo")
	command(t, s, "client", "ip route add 10.51.0.0/24 via 61.139.2.2")
	command(t, s, "client", "ip -6 route add 2001:db8:51::/64 via 2001:db8:5::1")
	// Linux takes GRE with checksums on a device that wants them only, so these
	// have a web server of their own.
	kinds := []struct{ name, tunnel, web string }{
		{"ipip", "", "w1"},
		{"gue", "type = \"gue\"\n    port = 6080", "w1"},
		{"gue-csum", "type = \"gue\"\n    port = 6080\n    checksum = \"csum\"", "w1"},
		{"gue-remcsum", "type = \"gue\"\n    port = 6080\n    checksum = \"remcsum\"", "w1"},
		{"gre", "type = \"gre\"", "w1"},
		{"gre-csum", "type = \"gre\"\n    checksum = \"csum\"", "w2"},
	}
	reals := map[string]map[string]string{
		"IPv4": {"w1": "61.139.2.4:7000", "w2": "61.139.2.5:7000"},
		"IPv6": {"w1": "[2001:db8:5::2]:7000", "w2": "[2001:db8:5::4]:7000"},
	}
	type target struct{ name, network, addr string }
	var targets []target
	var hcl strings.Builder
	fmt.Fprintf(&hcl, "router_id = \"d1\"\nstate_dir = %q\ncontrol {\n  socket = %q\n}\n", s.Temp()+"/d1", s.Temp()+"/d1.sock")
	for i, k := range kinds {
		for _, f := range []struct{ family, addr string }{
			{"IPv4", fmt.Sprintf("10.51.0.%d:7000", i+1)}, {"IPv6", fmt.Sprintf("[2001:db8:51::%d]:7000", i+1)},
		} {
			vip, _, err := net.SplitHostPort(f.addr)
			t.OK(err)
			command(t, s, k.web, "ip addr add "+vip+" dev lo")
			for _, network := range []string{"tcp", "udp"} {
				name := k.name + "-" + f.family + "-" + network
				targets = append(targets, target{name, network, f.addr})
				answering(t, s.Host(k.web), network, f.addr)
				fmt.Fprintf(&hcl, "virtual_server %q {\n  address = %q\n  protocol = %q\n  forward = \"tun\"\n", name, f.addr, network)
				if k.tunnel != "" {
					fmt.Fprintf(&hcl, "  tunnel {\n    %s\n  }\n", k.tunnel)
				}
				fmt.Fprintf(&hcl, "  real_server %q {}\n  check \"vip\" {\n    interval = \"1s\"\n    timeout = \"500ms\"\n    retries = 0\n  }\n}\n", reals[f.family][k.web])
			}
		}
	}
	_, err := s.Start(s.Host("d1"), site.Command{Name: "edgekeeper", Args: []string{
		t.Binary(scenario.Edgekeeper), "director", "-config", t.File("tunnels.hcl", hcl.String())}})
	t.OK(err)
	with := func(weight int) func() bool {
		return func() bool {
			list, err := s.Host("d1").IPVS()
			t.OK(err)
			n := 0
			for _, v := range list {
				for _, d := range v.Dests {
					if d.Weight == weight {
						n++
					}
				}
			}
			return n == len(targets)
		}
	}
	t.Within(slow, "the table is complete, and the vip checks have failed", with(0))
	client := s.Host("client")
	for _, x := range []int{0, len(targets) - 1} {
		if who := ask(client, targets[x].network, targets[x].addr); who != "" {
			t.Errorf("%s: %s answered before its end of the tunnel was there", targets[x].name, who)
		}
	}
	for _, line := range []string{
		"ip link set tunl0 up", "ip link set ip6tnl0 up", "ip link set gre0 up", "ip link set ip6gre0 up",
		"ip fou add port 6080 gue", "ip -6 fou add port 6080 gue",
	} {
		command(t, s, "w1", line)
	}
	for _, line := range []string{
		"ip link add gre4 type gre local 61.139.2.5 icsum", "ip link set gre4 up",
		"ip link add gre6 type ip6gre local 2001:db8:5::4 icsum", "ip link set gre6 up",
	} {
		command(t, s, "w2", line)
	}
	for web, links := range map[string][]string{"w1": {"all", "tunl0", "gre0"}, "w2": {"all", "gre4"}} {
		for _, l := range links {
			t.OK(s.Host(web).Sysctl("net.ipv4.conf."+l+".rp_filter", 0)) // packets come from clients that are elsewhere
		}
	}
	t.Within(slow, "the vip checks succeed", with(1))
	reached := 0
	for _, x := range targets {
		who := ""
		for range 5 { // a datagram may be lost, and a busy machine be slow
			if who = ask(client, x.network, x.addr); who != "" {
				reached++
				break
			}
		}
		if who == "" {
			t.Errorf("%s: nobody answered at %s", x.name, x.addr)
		}
	}
	t.Measure("tunnels that carry traffic", "%d of %d (ipip, gue, gre, with each checksum; TCP and UDP, IPv4 and IPv6)", reached, len(targets))
}
