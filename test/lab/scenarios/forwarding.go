package scenarios

import (
	"fmt"
	"maps"
	"strings"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "forwarding", Doc: "direct routing, NAT with two networks and NAT with one, and tunnels between the families carry TCP, UDP and SCTP over IPv4 and IPv6; the kernel's settings for it are set and undone",
		Needs: []scenario.Need{scenario.Edgekeeper}, Run: forwarding,
	})
}

// forwardSettings are what the configuration below makes director 1 set.
var forwardSettings = map[string]int{
	"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1, "net.ipv4.vs.conntrack": 1, "net.ipv4.conf.all.send_redirects": 0,
}

// forwarding has a network of virtual addresses per method:
//
//	10.51, 2001:db8:51   NAT with two networks: the client is on eth1 of the director, and
//	                     the real servers' way back to it leads through the director
//	10.52, 2001:db8:52   direct routing on eth0
//	10.53, 2001:db8:53   NAT on eth0 alone: nftables masquerades the client, for which IPVS
//	                     has to enter its connections in the connection tracking
//	10.54, 2001:db8:54   tunnels whose real server is of the other family
func forwarding(t *scenario.T) {
	s := t.Site(site.Options{})
	d1, client := s.Host("d1"), s.Host("client")
	webs := []string{"w1", "w2"}
	setup := map[string][]string{
		"d1": {
			"ip -6 addr add 2001:db8:5::1/64 dev eth0 nodad", "ip -6 addr add 2001:db8:77::1/64 dev eth1 nodad",
			"ip route add 10.60.0.0/24 via 10.77.0.6", "ip -6 route add 2001:db8:60::/64 via 2001:db8:77::3",
			"nft add table inet lab", "nft 'add chain inet lab after { type nat hook postrouting priority 100 ; }'",
			"nft 'add rule inet lab after meta l4proto { tcp, udp, sctp } th dport 7003 masquerade'",
		},
		"client": {
			"ip -6 addr add 2001:db8:5::3/64 dev eth0 nodad", "ip -6 addr add 2001:db8:77::3/64 dev eth1 nodad",
			"ip addr add 10.60.0.6/32 dev lo", "ip -6 addr add 2001:db8:60::6/128 dev lo nodad",
			"ip route add 10.51.0.0/24 via 10.77.0.2 src 10.60.0.6",
			"ip -6 route add 2001:db8:51::/64 via 2001:db8:77::1 src 2001:db8:60::6",
		},
	}
	for i, w := range webs {
		setup[w] = []string{
			fmt.Sprintf("ip -6 addr add 2001:db8:5::%d/64 dev eth0 nodad", 2+2*i),
			"ip route add 10.60.0.0/24 via 61.139.2.2", "ip -6 route add 2001:db8:60::/64 via 2001:db8:5::1",
			"ip link set sit0 up",
			fmt.Sprintf("ip link add tnl46 type ip6tnl mode ipip6 local 2001:db8:5::%d remote 2001:db8:5::1", 2+2*i), "ip link set tnl46 up",
		}
	}
	for _, n := range []int{51, 52, 53, 54} {
		add := func(host, format string) { setup[host] = append(setup[host], fmt.Sprintf(format, n)) }
		add("d1", "ip route add local 10.%d.0.0/24 dev lo")
		add("d1", "ip -6 route add local 2001:db8:%d::/64 dev lo")
		if n != 51 {
			add("client", "ip route add 10.%d.0.0/24 via 61.139.2.2")
			add("client", "ip -6 route add 2001:db8:%d::/64 via 2001:db8:5::1")
		}
		for _, w := range webs {
			if n == 52 || n == 54 {
				add(w, "ip addr add 10.%d.0.1/32 dev lo")
				add(w, "ip -6 addr add 2001:db8:%d::1/128 dev lo nodad")
			}
		}
	}
	for host, lines := range setup {
		script(t, s, host, lines)
	}
	for _, w := range webs {
		for _, l := range []string{"all", "sit0", "tnl46"} {
			t.OK(s.Host(w).Sysctl("net.ipv4.conf."+l+".rp_filter", 0)) // packets come from clients that are elsewhere
		}
	}
	v4 := map[string]string{"w1": "61.139.2.4", "w2": "61.139.2.5"}
	v6 := map[string]string{"w1": "[2001:db8:5::2]", "w2": "[2001:db8:5::4]"}
	kinds := []struct {
		name, forward, vip string
		real               map[string]string
		port               int // of the real servers
	}{
		{"nat, two networks, IPv4", "nat", "10.51.0.1", v4, 7001},
		{"nat, two networks, IPv6", "nat", "[2001:db8:51::1]", v6, 7001},
		{"direct routing, IPv4", "dr", "10.52.0.1", v4, 7000},
		{"direct routing, IPv6", "dr", "[2001:db8:52::1]", v6, 7000},
		{"nat, one network, IPv4", "nat", "10.53.0.1", v4, 7003},
		{"nat, one network, IPv6", "nat", "[2001:db8:53::1]", v6, 7003},
		{"tunnel, IPv4 in IPv6", "tun", "10.54.0.1", v6, 7000},
		{"tunnel, IPv6 in IPv4", "tun", "[2001:db8:54::1]", v4, 7000},
	}
	type target struct{ name, network, addr string }
	var targets []target
	var hcl strings.Builder
	fmt.Fprintf(&hcl, "router_id = \"d1\"\nstate_dir = %q\ncontrol {\n  socket = %q\n}\nipvs {\n  conntrack = true\n}\n", s.Temp()+"/d1", s.Temp()+"/d1.sock")
	for _, k := range kinds {
		for _, network := range []string{"tcp", "udp", "sctp"} {
			x := target{k.name + ", " + network, network, k.vip + ":7000"}
			targets = append(targets, x)
			fmt.Fprintf(&hcl, "virtual_server %q {\n  address = %q\n  protocol = %q\n  forward = %q\n  scheduler = \"rr\"\n",
				strings.NewReplacer(" ", "-", ",", "").Replace(x.name), x.addr, network, k.forward)
			for _, w := range webs {
				fmt.Fprintf(&hcl, "  real_server \"%s:%d\" {}\n", k.real[w], k.port)
				listen := fmt.Sprintf("%s:%d", k.real[w], k.port)
				if k.forward != "nat" {
					listen = x.addr
				}
				answering(t, s.Host(w), network, listen)
			}
			hcl.WriteString("}\n")
		}
	}
	read := func() map[string]int {
		got := map[string]int{}
		for name := range forwardSettings {
			v, err := d1.Setting(name)
			t.OK(err)
			got[name] = v
		}
		return got
	}
	before := read()
	p, err := s.Start(d1, site.Command{Name: "edgekeeper", Args: []string{
		t.Binary(scenario.Edgekeeper), "director", "-config", t.File("forwarding.hcl", hcl.String())}})
	t.OK(err)
	t.Within(slow, "the table is complete", func() bool {
		list, err := d1.IPVS()
		t.OK(err)
		n := 0
		for _, v := range list {
			n += len(v.Dests)
		}
		return n == len(webs)*len(targets)
	})
	if got := read(); !maps.Equal(got, forwardSettings) {
		t.Errorf("settings %v, want %v", got, forwardSettings)
	}
	reached := 0
	for _, x := range targets {
		seen := map[string]int{}
		for range 10 { // a datagram may be lost, and a busy machine be slow
			seen[ask(client, x.network, x.addr)]++
			if seen["w1"] > 0 && seen["w2"] > 0 {
				break
			}
		}
		if seen["w1"] == 0 || seen["w2"] == 0 {
			t.Errorf("%s: answers at %s are %v, want both web servers", x.name, x.addr, seen)
			continue
		}
		reached++
	}
	t.Measure("ways that carry traffic to both real servers", "%d of %d", reached, len(targets))
	t.OK(p.Stop(scenario.StopLimit))
	if got := read(); !maps.Equal(got, before) {
		t.Errorf("settings after the stop %v, were %v", got, before)
	}
}
