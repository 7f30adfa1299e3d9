// Package jobs tests the Nomad jobs of this folder with the real nomad: they
// validate, wrong variables are refused in one sentence, and the configuration
// that director.nomad.hcl generates is one that edgekeeper takes.
package jobs

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vars gives every variable of each job a value other than its default.
var vars = map[string]map[string]string{
	"director.nomad.hcl": {
		"datacenters": `["dc1","dc2"]`, "node_pool": "edge", "role": "lvs", "driver": "exec", "binary": "local/edgekeeper", "artifact": "https://example.com/edgekeeper.tar.gz",
		"vip": "2001:db8::1/64", "instance": "edge", "consul_identity": "true", "interface": "ens32", "virtual_router_id": "52", "secret": "", "nomad": "https://nomad.example.com:4646", "nomad_identity": "true", "port": "443", "service": "api", "scheduler": "sh",
		"consul": "127.0.0.1:8501", "state_dir": "/srv/edgekeeper", "socket": "/srv/edgekeeper.sock", "config": "",
	},
	"realserver.nomad.hcl": {
		"datacenters": `["dc1"]`, "node_pool": "web", "role": "api", "binary": "local/edgekeeper", "artifact": "https://example.com/edgekeeper.tar.gz",
		"vip": "2001:db8::1", "state_dir": "/srv/edgekeeper",
	},
	"web.nomad.hcl": {
		"datacenters": `["dc1"]`, "node_pool": "web", "role": "api", "count": "6", "service": "api", "port": "443", "address": "192.0.2.7", "health": "/health",
		"weight": "20", "drain_timeout": "25s", "kill_timeout": "29s", "binary": "local/edgekeeper", "shutdown_delay": "2s", "command": "/usr/bin/api", "args": `["-listen","$${NOMAD_PORT_http}"]`,
	},
}

func files(t *testing.T) []string {
	t.Helper()
	out, err := filepath.Glob("*.nomad.hcl")
	if err != nil || len(out) == 0 {
		t.Fatalf("no jobs: %v", err)
	}
	return out
}

// TestEveryVariable: the table above is whole, so the tests against nomad are.
func TestEveryVariable(t *testing.T) {
	variable := regexp.MustCompile(`(?ms)^variable "(\w+)" \{\n(.*?)^\}`)
	typed := regexp.MustCompile(`(?m)^  type +=`)
	for _, file := range files(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range variable.FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
			if !typed.MatchString(m[2]) {
				t.Errorf("%s: variable %s has no type", file, m[1])
			}
		}
		slices.Sort(names)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(vars[file])), names); diff != "" {
			t.Errorf("%s: variables of this test and of the job:\n%s", file, diff)
		}
	}
}
