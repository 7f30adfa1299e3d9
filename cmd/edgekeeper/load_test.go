package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/inputs"
)

// TestWhatAConfigurationIsMadeOf: everything that can make another configuration
// of the same path is seen without making it.
func TestWhatAConfigurationIsMadeOf(t *testing.T) {
	const server = "virtual_server \"%s\" {\n  address = \"192.0.2.1:%d\"\n  forward = \"nat\"\n  real_server \"10.0.0.1:80\" {}\n}\n"
	secrets := `vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  authentication {
    type = "pass"
    %s
  }
  virtual_address "192.0.2.1/24" {}
}
`
	const conf = "vrrp_instance VI_1 {\n  interface eth0\n  virtual_router_id 51\n  priority %s\n  virtual_ipaddress {\n    192.0.2.1/24\n  }\n}\n"
	for _, c := range []struct {
		name  string
		path  string
		files map[string]string
		env   map[string]string
		// what changes, of the files ("" goes) and of the environment
		then    map[string]string
		thenEnv map[string]string
		same    bool
	}{
		{name: "a file", path: "a.hcl", files: map[string]string{"a.hcl": fmt.Sprintf(server, "a", 80)}, then: map[string]string{"a.hcl": fmt.Sprintf(server, "a", 81)}},
		{name: "a file beside it", path: "a.hcl", files: map[string]string{"a.hcl": fmt.Sprintf(server, "a", 80)}, then: map[string]string{"b.hcl": fmt.Sprintf(server, "b", 81)}, same: true},
		{name: "the same bytes again", path: "a.hcl", files: map[string]string{"a.hcl": fmt.Sprintf(server, "a", 80)}, then: map[string]string{"a.hcl": fmt.Sprintf(server, "a", 80)}, same: true},
		{name: "a file more in a folder", path: "d", files: map[string]string{"d/a.hcl": fmt.Sprintf(server, "a", 80)}, then: map[string]string{"d/b.hcl": fmt.Sprintf(server, "b", 81)}},
		{name: "a file less in a folder", path: "d", files: map[string]string{"d/a.hcl": fmt.Sprintf(server, "a", 80), "d/b.hcl": fmt.Sprintf(server, "b", 81)}, then: map[string]string{"d/b.hcl": ""}},
		{name: "a file of a folder", path: "d", files: map[string]string{"d/a.hcl": fmt.Sprintf(server, "a", 80), "d/b.hcl": fmt.Sprintf(server, "b", 81)}, then: map[string]string{"d/b.hcl": fmt.Sprintf(server, "b", 82)}},
		{name: "an editor's leftover in a folder", path: "d", files: map[string]string{"d/a.hcl": fmt.Sprintf(server, "a", 80)}, then: map[string]string{"d/.a.hcl.swp": "x"}, same: true},
		{name: "a secret's file", path: "a.hcl", files: map[string]string{"a.hcl": fmt.Sprintf(secrets, `secret_file = "DIR/key"`), "key": "one"}, then: map[string]string{"key": "two"}},
		{name: "a secret's file that goes", path: "a.hcl", files: map[string]string{"a.hcl": fmt.Sprintf(secrets, `secret_file = "DIR/key"`), "key": "one"}, then: map[string]string{"key": ""}},
		{name: "a secret's variable", path: "a.hcl", files: map[string]string{"a.hcl": fmt.Sprintf(secrets, `secret_env = "KEY"`)}, env: map[string]string{"KEY": "one"}, thenEnv: map[string]string{"KEY": "two"}},
		{name: "Consul's variable", path: "a.hcl", files: map[string]string{"a.hcl": fmt.Sprintf(server, "a", 80)}, thenEnv: map[string]string{"CONSUL_HTTP_ADDR": "192.0.2.9:8500"}},
		{name: "Nomad's variable", path: "a.hcl", files: map[string]string{"a.hcl": fmt.Sprintf(server, "a", 80)}, thenEnv: map[string]string{"NOMAD_ADDR": "http://192.0.2.9:4646"}},
		{name: "a keepalived.conf", path: "a.conf", files: map[string]string{"a.conf": fmt.Sprintf(conf, "100")}, then: map[string]string{"a.conf": fmt.Sprintf(conf, "101")}},
		{name: "a file that it includes", path: "a.conf", files: map[string]string{"a.conf": "include b.conf\n", "b.conf": fmt.Sprintf(conf, "100")}, then: map[string]string{"b.conf": fmt.Sprintf(conf, "101")}},
		{name: "one more that its pattern finds", path: "a.conf", files: map[string]string{"a.conf": "include d/*.conf\n", "d/a.conf": fmt.Sprintf(conf, "100")}, then: map[string]string{"d/b.conf": "global_defs {\n}\n"}},
		{name: "one less that its pattern finds", path: "a.conf", files: map[string]string{"a.conf": "include d/*.conf\n", "d/a.conf": fmt.Sprintf(conf, "100"), "d/b.conf": "global_defs {\n}\n"}, then: map[string]string{"d/b.conf": ""}},
		{name: "a variable in it", path: "a.conf", files: map[string]string{"a.conf": fmt.Sprintf(conf, "${_ENV PRIORITY}")}, env: map[string]string{"PRIORITY": "100"}, thenEnv: map[string]string{"PRIORITY": "101"}},
		{name: "a keepalived.conf as it was", path: "a.conf", files: map[string]string{"a.conf": "include d/*.conf\n", "d/a.conf": fmt.Sprintf(conf, "100")}, then: map[string]string{"d/a.txt": "x"}, same: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(files map[string]string) {
				t.Helper()
				for name, text := range files {
					name = filepath.Join(dir, name)
					err := os.MkdirAll(filepath.Dir(name), 0o700)
					if err == nil && text == "" {
						err = os.Remove(name)
					} else if err == nil {
						err = os.WriteFile(name, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			setenv := func(env map[string]string) {
				for name, value := range env {
					t.Setenv(name, value)
				}
			}
			for _, name := range []string{"CONSUL_HTTP_ADDR", "NOMAD_ADDR"} {
				t.Setenv(name, "")
			}
			write(c.files)
			setenv(c.env)
			in := inputs.New(os.Getenv)
			if _, _, err := loadOn(filepath.Join(dir, c.path), "", in, nil); err != nil {
				t.Fatal(err)
			}
			if !in.Same() {
				t.Error("not the same although nothing has changed")
			}
			write(c.then)
			setenv(c.thenEnv)
			if in.Same() != c.same {
				t.Errorf("the same: %t", !c.same)
			}
		})
	}
}
