//go:build consul

package jobs

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgekeeper/edgekeeper/test/binaries"
)

// template gives the one template of the task director, as Nomad has parsed it.
func template(t *testing.T, v map[string]string) string {
	t.Helper()
	out, err := nomad(t, slices.Concat([]string{"job", "run", "-output"}, flags(v), []string{"director.nomad.hcl"})...)
	if err != nil {
		t.Fatalf("nomad job run -output: %v\n%s", err, out)
	}
	type job struct {
		TaskGroups []struct {
			Tasks []struct {
				Name      string
				Templates []struct{ EmbeddedTmpl, ChangeMode, ChangeSignal string }
			}
		}
	}
	var parsed struct{ Job job }
	if err := json.Unmarshal([]byte(out), &parsed); err != nil {
		t.Fatalf("nomad job run -output: %v\n%s", err, out)
	}
	for _, g := range parsed.Job.TaskGroups {
		for _, task := range g.Tasks {
			if task.Name == "director" && len(task.Templates) == 1 {
				return task.Templates[0].EmbeddedTmpl
			}
		}
	}
	t.Fatalf("the job has no task director with one template:\n%s", out)
	return ""
}

// TestGeneratedConfiguration renders what the job generates as a Nomad client
// does, with the node's attributes in the environment.
func TestGeneratedConfiguration(t *testing.T) {
	consulTemplate, err := binaries.ConsulTemplate(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	edgekeeper, err := binaries.Edgekeeper(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	site := map[string]string{"vip": "192.0.2.1/24", "secret": "5525"}
	own := maps.Clone(site)
	own["config"] = "router_id = \"{{ env \"node.unique.name\" }}-own\"\nvrrp \"A\" {\n  interface = \"eth0\"\n  virtual_router_id = 1\n  virtual_address \"192.0.2.1/24\" {}\n}\n"
	for _, c := range []struct {
		name string
		vars map[string]string
		env  []string
		want []string
	}{
		{
			"node with meta", site, []string{"meta.router_id=lvs1", "meta.priority=90", "node.unique.name=node-1"},
			[]string{`router_id = "lvs1"`, `priority          = 90`, `secret = "5525"`, `virtual_address "192.0.2.1/24" {}`, `address   = "192.0.2.1:80"`},
		},
		{
			"node without meta", site, []string{"node.unique.name=node-1"},
			[]string{`router_id = "node-1"`, `priority          = 100`},
		},
		{
			"every variable", vars["director.nomad.hcl"], []string{"node.unique.name=node-1"},
			[]string{
				`state_dir = "/srv/edgekeeper"`, `socket = "/srv/edgekeeper.sock"`, `address = "127.0.0.1:8501"`, `interface         = "ens32"`, `virtual_router_id = 52`,
				`virtual_address "2001:db8::1/64" {}`, `virtual_server "api" {`, `address   = "[2001:db8::1]:443"`, `scheduler = "sh"`, `service "api" {}`,
			},
		},
		{"own configuration", own, []string{"node.unique.name=node-1"}, []string{`router_id = "node-1-own"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			in, file := filepath.Join(dir, "director.tpl"), filepath.Join(dir, "director.hcl")
			if err := os.WriteFile(in, []byte(template(t, c.vars)), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), consulTemplate, "-once", "-template", in+":"+file)
			cmd.Env = append([]string{"HOME=" + dir}, c.env...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("consul-template: %v\n%s", err, out)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range c.want {
				if !strings.Contains(string(text), w) {
					t.Errorf("the configuration has no %s:\n%s", w, text)
				}
			}
			if out, err := exec.CommandContext(t.Context(), edgekeeper, "validate", file).CombinedOutput(); err != nil {
				t.Errorf("edgekeeper validate: %v\n%s\n%s", err, out, text)
			}
		})
	}
}
