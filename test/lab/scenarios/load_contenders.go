package scenarios

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/cloudflare/ipvs"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func loadEdgekeeper(t *scenario.T, s *scenario.Site, sh shape) contender {
	h, socket := s.Host("d1"), s.Temp()+"/load.sock"
	var b strings.Builder
	// A line per real server, as by default, would go to the results folder one by
	// one: milliseconds each from within a guest.
	fmt.Fprintf(&b, "router_id = \"lvs1\"\nlog_level = \"warn\"\non_stop = \"keep\"\ncontrol { socket = %q }\nipvs { manage_sysctls = false }\n", socket)
	sh.each(func(name, vip string, reals []string) {
		fmt.Fprintf(&b, "virtual_server %q {\n  address   = \"%s:80\"\n  scheduler = \"wrr\"\n", name, vip)
		for _, r := range reals {
			fmt.Fprintf(&b, "  real_server \"%s:80\" {}\n", r)
		}
		b.WriteString("}\n")
	})
	file := t.File("load.hcl", b.String())
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	put := func(key, value string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://director/v1/kv/"+key, strings.NewReader(value))
		t.OK(err)
		resp, err := client.Do(req)
		t.OK(err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("PUT %s: %s", key, resp.Status)
		}
	}
	var p *site.Proc
	return contender{
		name: "edgekeeper", host: h.Name, daemon: true, version: []string{t.Binary(scenario.Edgekeeper), "version"},
		start: func() *site.Proc {
			var err error
			p, err = s.Start(h, site.Command{Name: "edgekeeper", Args: []string{t.Binary(scenario.Edgekeeper), "director", "-config", file}})
			t.OK(err)
			return p
		},
		change: func(weight int) { put("weight/probe/"+probeReal.String(), fmt.Sprint(weight)) },
		same:   func() { t.OK(p.Signal(syscall.SIGHUP)) },
	}
}

func loadIpvsadm(t *scenario.T, s *scenario.Site, sh shape) contender {
	h := s.Host("w1")
	var b strings.Builder
	sh.each(func(_, vip string, reals []string) {
		fmt.Fprintf(&b, "-A -t %s:80 -s wrr\n", vip)
		for _, r := range reals {
			fmt.Fprintf(&b, "-a -t %s:80 -r %s:80 -g -w 1\n", vip, r)
		}
	})
	file := t.File("load.ipvsadm", b.String())
	return contender{
		name: "ipvsadm", host: h.Name, version: []string{"ipvsadm", "--version"},
		start: func() *site.Proc {
			p, err := s.Start(h, site.Command{Name: "ipvsadm", Args: []string{"sh", "-c", "exec ipvsadm -R < " + file}})
			t.OK(err)
			return p
		},
		change: func(weight int) {
			_, err := s.Run(h, "ipvsadm", "-e", "-t", probeVIP.String(), "-r", probeReal.String(), "-g", "-w", fmt.Sprint(weight))
			t.OK(err)
		},
		same: func() {
			_, err := s.Run(h, "sh", "-c", "ipvsadm -Sn > /dev/null")
			t.OK(err)
		},
	}
}

func loadKeepalived(t *scenario.T, s *scenario.Site, sh shape) contender {
	h := s.Host("d2")
	conf := func(weight int) string {
		var b strings.Builder
		sh.each(func(name, vip string, reals []string) {
			fmt.Fprintf(&b, "virtual_server %s 80 {\n  lb_algo wrr\n  lb_kind DR\n  protocol TCP\n", vip)
			for i, r := range reals {
				w := 1
				if name == "probe" && i == 0 {
					w = weight
				}
				fmt.Fprintf(&b, "  real_server %s 80 {\n    weight %d\n  }\n", r, w)
			}
			b.WriteString("}\n")
		})
		return b.String()
	}
	file := t.File("load.conf", conf(1))
	ready := map[int]string{2: conf(2), 3: conf(3)} // making it is no part of a change
	var p *site.Proc
	return contender{
		name: "keepalived", host: h.Name, daemon: true, version: []string{t.Binary(scenario.Keepalived), "--version"},
		start: func() *site.Proc {
			var err error
			p, err = s.Start(h, site.Command{Name: "keepalived", Args: []string{t.Binary(scenario.Keepalived), "-n", "-l", "-C", "-f", file,
				"-p", s.Temp() + "/keepalived.pid", "-c", s.Temp() + "/checkers.pid"}})
			t.OK(err)
			return p
		},
		change: func(weight int) {
			t.File("load.conf", ready[weight])
			t.OK(p.Signal(syscall.SIGHUP))
		},
		same: func() { t.OK(p.Signal(syscall.SIGHUP)) },
	}
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

// probeWeight reads the weight of one real server, without reading the table, on
// a socket that stays open.
func probeWeight(t *scenario.T, h *site.Host) (weight func() int, done func()) {
	var c ipvs.Client
	t.OK(h.Do(func() (err error) {
		c, err = ipvs.New() // it stays in the network of the host
		return err
	}))
	weight = func() int {
		list, err := c.Destinations(ipvs.Service{Address: probeVIP.Addr(), Port: probeVIP.Port(), Protocol: ipvs.TCP, Family: ipvs.INET})
		t.OK(err)
		for _, d := range list {
			if d.Address == probeReal.Addr() {
				return int(d.Weight)
			}
		}
		return 0
	}
	return weight, func() {
		if closer, ok := c.(interface{ Close() error }); ok {
			closer.Close()
		}
	}
}

// quiet waits until a process has had no more than a twentieth of a processor for
// two seconds.
func quiet(t *scenario.T, busy func() time.Duration) {
	const span = 2 * time.Second
	t.Within(5*time.Minute, "the process is quiet", func() bool {
		before := busy()
		t.Sleep(span)
		return busy()-before <= span/20
	})
}
