//go:build consul

package jobs

import (
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/edgekeeper/edgekeeper/test/binaries"
)

// nomad runs the program away from any agent and gives its streams together.
func nomad(t *testing.T, args ...string) (string, error) {
	t.Helper()
	program, err := binaries.Nomad(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NOMAD_ADDR=http://127.0.0.1:1", "NO_COLOR=1"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func flags(v map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		out = append(out, "-var="+name+"="+v[name])
	}
	return out
}

func TestFormat(t *testing.T) {
	for _, file := range files(t) {
		if out, err := nomad(t, "fmt", "-check", file); err != nil || out != "" {
			t.Errorf("nomad fmt would change %s: %v\n%s", file, err, out)
		}
	}
}

func TestValidate(t *testing.T) {
	required := map[string]map[string]string{
		"director.nomad.hcl":   {"vip": "192.0.2.1/24"},
		"realserver.nomad.hcl": {"vip": "192.0.2.1"},
		"web.nomad.hcl":        {},
	}
	for _, file := range files(t) {
		for name, v := range map[string]map[string]string{"required": required[file], "every": vars[file]} {
			t.Run(file+", "+name+" variable set", func(t *testing.T) {
				out, err := nomad(t, slices.Concat([]string{"job", "validate"}, flags(v), []string{file})...)
				if err != nil || !strings.Contains(out, "Job validation successful") || strings.Contains(out, "Warning") {
					t.Errorf("nomad job validate: %v\n%s", err, out)
				}
			})
		}
	}
}

func TestWrongVariable(t *testing.T) {
	for _, c := range []struct {
		name, file string
		vars       map[string]string
		want       string
	}{
		{"director without vip", "director.nomad.hcl", nil, `Unset variable "vip"; A used variable must be set or have a default value`},
		{"real server without vip", "realserver.nomad.hcl", nil, `Unset variable "vip"; A used variable must be set or have a default value`},
		{"vip without its prefix", "director.nomad.hcl", map[string]string{"vip": "192.0.2.1"}, "The variable vip must be an address with its prefix length, such as 192.0.2.1/24."},
		{"vip with a prefix", "realserver.nomad.hcl", map[string]string{"vip": "192.0.2.1/24"}, "The variable vip must be an address without a prefix length, such as 192.0.2.1."},
		{"virtual router 256", "director.nomad.hcl", map[string]string{"vip": "192.0.2.1/24", "virtual_router_id": "256"}, "The variable virtual_router_id must be from 1 to 255."},
		{"long secret", "director.nomad.hcl", map[string]string{"vip": "192.0.2.1/24", "secret": "123456789"}, "The variable secret must have at most 8 bytes."},
		{"another driver", "director.nomad.hcl", map[string]string{"vip": "192.0.2.1/24", "driver": "docker"}, "The variable driver must be raw_exec or exec."},
		{"text for a number", "web.nomad.hcl", map[string]string{"count": "two"}, "The received arg value for count is not compatible with the variable's type constraint: a number is required."},
		{"unknown variable", "web.nomad.hcl", map[string]string{"cuont": "2"}, `A "cuont" variable was passed in the command line but was not found in known variables.`},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := nomad(t, slices.Concat([]string{"job", "validate"}, flags(c.vars), []string{c.file})...)
			if err == nil {
				t.Errorf("nomad job validate took it:\n%s", out)
			}
			// One complaint: the first line names the file, the second what is wrong;
			// Nomad may add where the rule stands.
			lines := slices.DeleteFunc(strings.Split(out, "\n"), func(l string) bool {
				return l == "" || strings.HasPrefix(l, "Error getting job struct:") || strings.HasPrefix(l, "This was checked by the validation rule at ")
			})
			if len(lines) != 1 || !strings.Contains(lines[0], c.want) {
				t.Errorf("nomad job validate says\n%s\nwant one line with %q", strings.Join(lines, "\n"), c.want)
			}
		})
	}
}
