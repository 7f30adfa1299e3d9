package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/discovery"
)

func TestConsulFromEnvironment(t *testing.T) {
	all := map[string]string{
		"CONSUL_HTTP_ADDR":       "consul.example.com:8500",
		"CONSUL_HTTP_TOKEN":      "token from environment",
		"CONSUL_CACERT":          "ca.pem",
		"CONSUL_CLIENT_CERT":     "cert.pem",
		"CONSUL_CLIENT_KEY":      "key.pem",
		"CONSUL_TLS_SERVER_NAME": "server.dc1.consul",
		"CONSUL_NAMESPACE":       "ns",
		"CONSUL_PARTITION":       "part",
	}
	for _, c := range []struct {
		name string
		text string
		env  map[string]string
		want *Consul
	}{
		{name: "neither block nor address", env: map[string]string{"CONSUL_HTTP_TOKEN": "x"}},
		{
			name: "block alone", text: `consul {}`,
			want: &Consul{Address: "127.0.0.1:8500", KVPrefix: "edgekeeper", MaxStale: 10 * time.Second, MaxStaleStart: 168 * time.Hour},
		},
		{
			name: "environment alone", env: all,
			want: &Consul{
				Address: "consul.example.com:8500", Token: NewSecret("token from environment"), CACert: "ca.pem", ClientCert: "cert.pem", ClientKey: "key.pem",
				TLSServerName: "server.dc1.consul", Namespace: "ns", Partition: "part", KVPrefix: "edgekeeper", MaxStale: 10 * time.Second, MaxStaleStart: 168 * time.Hour,
			},
		},
		{
			name: "the block wins", env: all,
			text: `consul {
  address    = "127.0.0.1:8501"
  token_file = "/secrets/token"
  namespace  = "other"
}`,
			want: &Consul{
				Address: "127.0.0.1:8501", TokenFile: "/secrets/token", CACert: "ca.pem", ClientCert: "cert.pem", ClientKey: "key.pem",
				TLSServerName: "server.dc1.consul", Namespace: "other", Partition: "part", KVPrefix: "edgekeeper", MaxStale: 10 * time.Second, MaxStaleStart: 168 * time.Hour,
			},
		},
		{
			name: "a token file goes before a token", text: `consul {}`,
			env:  map[string]string{"CONSUL_HTTP_TOKEN": "x", "CONSUL_HTTP_TOKEN_FILE": "/secrets/token"},
			want: &Consul{Address: "127.0.0.1:8500", TokenFile: "/secrets/token", KVPrefix: "edgekeeper", MaxStale: 10 * time.Second, MaxStaleStart: 168 * time.Hour},
		},
		{
			name: "TLS asked for apart from the address",
			env:  map[string]string{"CONSUL_HTTP_ADDR": "consul.example.com:8501", "CONSUL_HTTP_SSL": "true"},
			want: &Consul{Address: "https://consul.example.com:8501", KVPrefix: "edgekeeper", MaxStale: 10 * time.Second, MaxStaleStart: 168 * time.Hour},
		},
		{
			name: "socket, prefix with slashes",
			env:  map[string]string{"CONSUL_HTTP_ADDR": "unix:///run/consul.sock"},
			text: `consul {
  kv_prefix = "/edge/west/"
}`,
			want: &Consul{Address: "unix:///run/consul.sock", KVPrefix: "edge/west", MaxStale: 10 * time.Second, MaxStaleStart: 168 * time.Hour},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, err := parse([]source{{name: "x.hcl", text: []byte(c.text)}}, func(n string) string { return c.env[n] }, "lvs1")
			if err != nil {
				t.Fatal(err)
			}
			// go-cmp prints what it compares; a test's tokens may be seen.
			if diff := cmp.Diff(c.want, cfg.Consul); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestConsulAddressFromEnvironmentIsChecked(t *testing.T) {
	env := func(n string) string { return map[string]string{"CONSUL_HTTP_ADDR": "nowhere"}[n] }
	_, err := parse([]source{{name: "x.hcl"}}, env, "lvs1")
	want := `x.hcl:1:1: CONSUL_HTTP_ADDR: "nowhere" lacks its port, write "nowhere:8500"`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestSourceOfServices(t *testing.T) {
	const server = `
virtual_server "web" {
  address = "192.0.2.1:80"
  service "web" {}
}`
	for _, c := range []struct {
		name, text, addr string
		want             discovery.Source
	}{
		{"consul block", `consul {}`, "", discovery.Consul},
		{"consul in the environment", ``, "127.0.0.1:8500", discovery.Consul},
		{"files only", `file_catalog { path = "x" }`, "", discovery.File},
		{"both", `consul {}` + "\n" + `file_catalog { path = "x" }`, "", discovery.Consul},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := func(n string) string { return map[string]string{"CONSUL_HTTP_ADDR": c.addr}[n] }
			cfg, err := parse([]source{{name: "x.hcl", text: []byte(c.text + server)}}, env, "lvs1")
			if err != nil {
				t.Fatal(err)
			}
			if got := cfg.VirtualServers[0].Selectors[0].Query.Source; got != c.want {
				t.Errorf("source is %s, want %s", got, c.want)
			}
		})
	}
}

func TestRouterIDFromHostName(t *testing.T) {
	for host, want := range map[string]string{"lvs1": "lvs1", "lvs1.example.com": "lvs1"} {
		cfg, err := parse([]source{{name: "x.hcl"}}, environment, host)
		if err != nil || cfg.RouterID != want {
			t.Errorf("host %q gives %q, %v, want %q", host, cfg.RouterID, err, want)
		}
	}
}
