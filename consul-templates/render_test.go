//go:build consul

package consultemplates

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/test/binaries"
	"github.com/edgekeeper/edgekeeper/test/consultest"
)

var update = flag.Bool("update", false, "write testdata/*.golden")

// site is what README.md describes, with one of everything.
var site = map[string]string{
	"edge/vrrp/VI_1/virtual_router_id":      "51",
	"edge/vrrp/VI_1/virtual_address":        "192.0.2.1/24, 192.0.2.2/24",
	"edge/vrrp/VI_1/label":                  "0",
	"edge/vrrp/VI_1/secret":                 "5525",
	"edge/vrrp/VI_1/preempt":                "false",
	"edge/vrrp/VI_6/virtual_router_id":      "51",
	"edge/vrrp/VI_6/virtual_address":        "2001:db8::1/64",
	"edge/vrrp/VI_6/version":                "3",
	"edge/vrrp/VI_6/advert_interval":        "2",
	"edge/virtual_server/web/address":       "192.0.2.1:80",
	"edge/virtual_server/web/scheduler":     "wrr",
	"edge/virtual_server/web6/address":      "[2001:db8::1]:80",
	"edge/virtual_server/dns/address":       "192.0.2.2:53",
	"edge/virtual_server/dns/protocol":      "udp",
	"edge/virtual_server/dns/service":       "resolver",
	"edge/virtual_server/dns/tag":           "prod",
	"edge/virtual_server/api/address":       "192.0.2.1:443",
	"edge/virtual_server/api/forward":       "nat",
	"edge/virtual_server/api/check":         "http",
	"edge/virtual_server/api/path":          "/health",
	"edge/virtual_server/api/persistence":   "50",
	"edge/virtual_server/nobody/address":    "192.0.2.1:81",
	"edge/virtual_server/wrongport/address": "192.0.2.1:82",
	"edge/virtual_server/wrongport/service": "api",
	"edge/proxy/web/service":                "web",
	"edge/proxy/nobody/service":             "nobody",

	"edgekeeper/drain/node/w7":             "new disk",
	"edgekeeper/drain/web/web-8":           "by hand",
	"edgekeeper/weight/web/w9":             "5",
	"edgekeeper/weight/web/web-9":          "6",
	"edgekeeper/weight/web/192.0.2.19:80":  "7",
	"edgekeeper/weight/web/w10":            "banana",
	"edgekeeper/weight/web/w12":            " 300\n",
	"edgekeeper/weight/api/w1":             "99",
	"edgekeeper/weight/web6/2001:db8::11":  "8",
	"edgekeeper/scheduler/dns":             "sh",
	"edgekeeper/priority/VI_1/lvs1":        "90",
	"edgekeeper-other/weight/web/web-1":    "11",
	"edge-other/virtual_server/x/address":  "192.0.2.1:99",
	"edgekeeper/priority/VI_1/other-lvs":   "33",
	"edgekeeper/weight/dns/not-an-address": "12",
}

type instance struct {
	node, id, service, address string
	port                       int
	status                     string // passing if empty
	meta                       string
	weights                    api.AgentWeights
	tags                       []string
}

var instances = []instance{
	{node: "w1", id: "web-1", service: "web", address: "192.0.2.11", port: 80},
	{node: "w2", id: "web-2", service: "web", address: "192.0.2.12", port: 80, meta: "20"},
	{node: "w3", id: "web-3", service: "web", address: "192.0.2.13", port: 80, status: "warning", weights: api.AgentWeights{Passing: 10, Warning: 3}},
	{node: "w4", id: "web-4", service: "web", address: "192.0.2.14", port: 80, status: "critical"},
	{node: "w5", id: "web-5", service: "web", address: "192.0.2.15", port: 80, status: "maintenance"},
	{node: "w6", id: "web-6", service: "web", address: "192.0.2.16", port: 8080},
	{node: "w7", id: "web-7", service: "web", address: "192.0.2.17", port: 80},
	{node: "w8", id: "web-8", service: "web", address: "192.0.2.18", port: 80, meta: "9"},
	{node: "w9", id: "web-9", service: "web", address: "192.0.2.19", port: 80},
	{node: "w10", id: "web-10", service: "web", address: "192.0.2.20", port: 80, weights: api.AgentWeights{Passing: 4, Warning: 1}},
	{node: "w11", id: "web-11", service: "web", address: "192.0.2.21", port: 80, meta: "70000"},
	{node: "w12", id: "web-12", service: "web", address: "192.0.2.22", port: 80},
	{node: "w12", id: "web-12-again", service: "web", address: "192.0.2.22", port: 80},
	{node: "w1", id: "web6-1", service: "web6", address: "2001:db8::11", port: 80},
	{node: "w1", id: "dns-1", service: "resolver", address: "192.0.2.11", port: 53, tags: []string{"prod"}},
	{node: "w2", id: "dns-2", service: "resolver", address: "192.0.2.12", port: 53, tags: []string{"test"}},
	{node: "w1", id: "api-1", service: "api", address: "192.0.2.11", port: 8443},
}

// weights of the pool web, as section "Live settings" of README.md has it.
var weights = map[string]string{
	"192.0.2.11:80": "1", "192.0.2.12:80": "20", "192.0.2.13:80": "3", "192.0.2.14:80": "0", "192.0.2.15:80": "0", "192.0.2.17:80": "0",
	"192.0.2.18:80": "0", "192.0.2.19:80": "7", "192.0.2.20:80": "4", "192.0.2.21:80": "1", "192.0.2.22:80": "300",
}

func start(t *testing.T) *consultest.Agent {
	t.Helper()
	a := consultest.Start(t, consultest.Options{})
	for key, value := range site {
		put(t, a, key, value)
	}
	for _, i := range instances {
		check := &api.AgentCheck{Node: i.node, CheckID: "check:" + i.id, ServiceID: i.id, Status: i.status}
		switch i.status {
		case "":
			check.Status = api.HealthPassing
		case api.HealthMaint:
			check.CheckID, check.Status = "_service_maintenance:"+i.id, api.HealthCritical
		}
		s := &api.AgentService{ID: i.id, Service: i.service, Address: i.address, Port: i.port, Weights: i.weights, Tags: i.tags}
		if i.weights == (api.AgentWeights{}) {
			s.Weights = api.AgentWeights{Passing: 1, Warning: 1} // as agents write it
		}
		if i.meta != "" {
			s.Meta = map[string]string{"edgekeeper_weight": i.meta}
		}
		reg := &api.CatalogRegistration{Node: i.node, Address: "192.0.2.100", SkipNodeUpdate: false, Service: s, Check: check}
		if _, err := a.Client.Catalog().Register(reg, nil); err != nil {
			t.Fatalf("register %s: %v", i.id, err)
		}
	}
	return a
}

func put(t *testing.T, a *consultest.Agent, key, value string) {
	t.Helper()
	if _, err := a.Client.KV().Put(&api.KVPair{Key: key, Value: []byte(value)}, nil); err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

// host is the environment of a director host.
var host = []string{"EDGE_ROUTER_ID=lvs1", "EDGE_INTERFACE=eth0", "EDGE_PRIORITY=150"}

// consulTemplate is the command that renders a template once into file.
func consulTemplate(ctx context.Context, t *testing.T, a *consultest.Agent, name, file string, env ...string) *exec.Cmd {
	t.Helper()
	program, err := binaries.ConsulTemplate(ctx, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, program, "-once", "-consul-addr", a.Addr, "-template", name+".ctmpl:"+file)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	return cmd
}

// render gives the file that template name makes, and its text.
func render(t *testing.T, a *consultest.Agent, name string, env ...string) (file, text string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), name)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if out, err := consulTemplate(ctx, t, a, name, file, env...).CombinedOutput(); err != nil {
		t.Fatalf("consul-template %s: %v\n%s", name, err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return file, string(data)
}

func TestRender(t *testing.T) {
	a := start(t)
	before := map[string]string{}
	t.Run("golden", func(t *testing.T) {
		for name := range templates(t) {
			_, before[name] = render(t, a, name, host...)
			golden(t, name, before[name])
		}
	})
	t.Run("pools written out or followed", func(t *testing.T) {
		file, text := render(t, a, "director.hcl", append(host, "EDGE_DISCOVERY=director")...)
		golden(t, "director-follow.hcl", text)
		validate(t, file)
	})
	t.Run("accepted by edgekeeper", func(t *testing.T) {
		file, _ := render(t, a, "director.hcl", host...)
		validate(t, file)
	})
	t.Run("accepted by keepalived", func(t *testing.T) {
		file, _ := render(t, a, "keepalived.conf", append(host, "EDGE_INTERFACE="+multicastInterface(t))...)
		accept(t, "keepalived", "-t", "-f", file)
	})
	t.Run("accepted by HAProxy", func(t *testing.T) {
		file, _ := render(t, a, "haproxy.cfg")
		main := write(t, "main.cfg", "defaults\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\nfrontend web\n  mode http\n  bind 127.0.0.1:65530\n  default_backend web\n")
		accept(t, "haproxy", "-c", "-f", main, "-f", file)
	})
	t.Run("accepted by nginx", func(t *testing.T) {
		file, _ := render(t, a, "nginx.conf")
		dir := t.TempDir()
		main := write(t, "main.conf", "pid "+dir+"/pid;\nerror_log stderr;\nevents {}\nhttp {\n  access_log off;\n  include "+file+";\n"+
			"  server {\n    listen 127.0.0.1:65531;\n    location / { proxy_pass http://web; }\n    location /n { proxy_pass http://nobody; }\n  }\n}\n")
		accept(t, "nginx", "-t", "-p", dir, "-c", main)
	})
	t.Run("known to the real-server agent", func(t *testing.T) {
		agentKnows(t, before["realserver.env"])
	})
	t.Run("weights", func(t *testing.T) {
		checkWeights(t, before)
	})
	t.Run("a changed weight is seen", func(t *testing.T) {
		put(t, a, "edgekeeper/weight/web/web-1", "42")
		for name, want := range map[string][2]string{
			"director.hcl":    {"    weight = 1", "    weight = 42"},
			"keepalived.conf": {"    weight 1", "    weight 42"},
			"haproxy.cfg":     {"  server w1:web-1 192.0.2.11:80 weight 1", "  server w1:web-1 192.0.2.11:80 weight 42"},
			"nginx.conf":      {"  server 192.0.2.11:80 weight=1 max_fails=3 fail_timeout=5s; # web-1 on w1, passing", "  server 192.0.2.11:80 weight=42 max_fails=3 fail_timeout=5s; # web-1 on w1, passing"},
		} {
			_, after := render(t, a, name, host...)
			if got := changed(t, before[name], after); !cmp.Equal(got, [][2]string{want}) {
				t.Errorf("%s: changed lines: %q, want %q", name, got, want)
			}
		}
	})
	t.Run("nothing is rendered without a site", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		file := filepath.Join(t.TempDir(), "director.hcl")
		out, err := consulTemplate(ctx, t, a, "director.hcl", file, append(host, "EDGE_SITE=nowhere")...).CombinedOutput()
		if err == nil || ctx.Err() == nil {
			t.Errorf("consul-template ended without a site: %v\n%s", err, out)
		}
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a file was rendered without a site: %v", err)
		}
	})
}

func checkWeights(t *testing.T, text map[string]string) {
	pool := func(name, from, to string) string {
		_, rest, ok := strings.Cut(text[name], from)
		if !ok {
			t.Fatalf("%s has no %q", name, from)
		}
		rest, _, _ = strings.Cut(rest, to)
		return rest
	}
	find := func(text, pattern string) map[string]string {
		out := map[string]string{}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			out[strings.Replace(m[1], " ", ":", 1)] = m[2]
		}
		return out
	}
	// A proxy can use the instance whose port direct routing cannot reach.
	proxy := map[string]string{"192.0.2.16:8080": "1"}
	haproxy, nginx := map[string]string{}, map[string]string{}
	for k, v := range weights {
		haproxy[k], nginx[k] = v, "weight="+v
		if v == "300" {
			haproxy[k] = "256"
		}
		if v == "0" {
			nginx[k] = "down"
		}
	}
	for k, v := range proxy {
		haproxy[k], nginx[k] = v, "weight="+v
	}
	for _, c := range []struct {
		name, from, to, pattern string
		want                    map[string]string
	}{
		{"director.hcl", `virtual_server "web" {`, "\n}", `real_server "(\S+)" \{\s+weight = (\d+)\n`, weights},
		{"keepalived.conf", `virtual_server 192.0.2.1 80 {`, "\n}", `real_server (\S+ \d+) \{\s+weight (\d+)\n`, weights},
		{"haproxy.cfg", "backend web\n", "\n\n", `server \S+ (\S+) weight (\d+)\n?`, haproxy},
		{"nginx.conf", "upstream web {", "\n}", `server (\S+) (\S+) max_fails`, nginx},
	} {
		if diff := cmp.Diff(c.want, find(pool(c.name, c.from, c.to), c.pattern)); diff != "" {
			t.Errorf("%s: weights (-want +got):\n%s", c.name, diff)
		}
	}
}

// agentKnows: each variable is one of the command's, and each address is one.
func agentKnows(t *testing.T, text string) {
	program, err := binaries.Edgekeeper(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	help, err := exec.CommandContext(t.Context(), program, "realserver", "-help").Output()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = value
		if !bytes.Contains(help, []byte("$"+name+"]")) {
			t.Errorf("edgekeeper realserver knows no variable %s:\n%s", name, help)
		}
	}
	for a := range strings.SplitSeq(values["EDGEKEEPER_VIP"], ",") {
		if _, err := netip.ParseAddr(a); err != nil {
			t.Errorf("EDGEKEEPER_VIP: %v", err)
		}
	}
}
