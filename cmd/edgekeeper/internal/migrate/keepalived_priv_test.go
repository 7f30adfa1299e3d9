//go:build priv

package migrate

import (
	"errors"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// later are keywords that keepalived 2.2 does not know yet, or not in that place.
var later = []string{"nb_get_retry", "v3_checksum_as_v2"}

var unknown = regexp.MustCompile(`Unknown keyword '([^']*)'`)

// TestKeepalivedReadsTheSamples gives every sample to keepalived's own check. Its
// exit code is 0, or 4 or 5 for what it puts right or warns of, such as an
// interface that this host does not have; and it knows every keyword.
func TestKeepalivedReadsTheSamples(t *testing.T) {
	keepalived, err := exec.LookPath("keepalived")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range inputs(t, "testdata/*.conf", 8) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), keepalived, "--config-test", "--use-file", name, "--config-id", host.ID).CombinedOutput()
			var exit *exec.ExitError
			if err != nil && (!errors.As(err, &exit) || !slices.Contains([]int{4, 5}, exit.ExitCode())) {
				t.Fatalf("%v:\n%s", err, out)
			}
			for _, m := range unknown.FindAllStringSubmatch(string(out), -1) {
				if !slices.Contains(later, m[1]) {
					t.Errorf("keepalived does not know %q:\n%s", m[1], out)
				}
			}
		})
	}
}
