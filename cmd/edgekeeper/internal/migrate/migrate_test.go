package migrate

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/keepalived"
)

var update = flag.Bool("update", false, "rewrite what the tests compare with")

// host is what the files' conditions see.
var host = keepalived.Options{ID: "lvs1"}

func inputs(t testing.TB, pattern string, least int) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) < least {
		t.Fatalf("%s matches %d files, want at least %d (%v)", pattern, len(names), least, err)
	}
	return names
}

// translate translates a file of testdata.
func translate(t *testing.T, name string) (*Document, []Finding) {
	t.Helper()
	return Translate(os.DirFS("testdata"), strings.TrimPrefix(filepath.ToSlash(name), "testdata/"), host)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; go test -update rewrites it):\n%s", name, diff)
	}
}

func lines(list []Finding) string {
	var b strings.Builder
	for _, f := range list {
		b.WriteString(f.String() + "\n")
	}
	return b.String()
}

// TestGoldens translates whole files, and compares the HCL and the findings. The
// HCL is a configuration, and the same one that the keepalived.conf is when it is
// loaded as it is.
func TestGoldens(t *testing.T) {
	for _, name := range inputs(t, "testdata/*.conf", 7) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			doc, findings := translate(t, name)
			base := strings.TrimSuffix(name, ".conf")
			golden(t, base+".hcl", string(doc.HCL()))
			golden(t, base+".txt", lines(findings))
			if Failed(findings) {
				t.Error("there are errors in a file that has none")
			}
			direct, err := config.Check(doc.Body(), nil)
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			hcl := filepath.Join(t.TempDir(), "out.hcl")
			if err := os.WriteFile(hcl, doc.HCL(), 0o600); err != nil {
				t.Fatal(err)
			}
			loaded, err := config.Load(hcl, nil)
			if err != nil {
				t.Fatalf("the HCL is refused: %v", err)
			}
			if !reflect.DeepEqual(direct, loaded) {
				t.Error("the HCL and the translation it was written from are two configurations")
			}
		})
	}
}

// TestErrors translates files that are wrong: everything is told, at its line.
func TestErrors(t *testing.T) {
	for _, name := range inputs(t, "testdata/bad/*.conf", 2) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			doc, findings := translate(t, name)
			if !Failed(findings) {
				t.Error("no error is told")
			}
			golden(t, strings.TrimSuffix(name, ".conf")+".txt", lines(findings))
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range findings {
				if n := strings.Count(string(text), "\n"); f.At.Line < 1 || f.At.Line > n {
					t.Errorf("%s is in no line of the file", f)
				}
			}
			_ = doc.HCL() // what could be understood is still written
		})
	}
}

// TestRefusalsPointAtTheKeepalivedFile: what config refuses, it refuses at the
// line of the keepalived.conf, also where it names a second place.
func TestRefusalsPointAtTheKeepalivedFile(t *testing.T) {
	doc, _ := translate(t, "testdata/bad/unknown.conf")
	_, err := config.Check(doc.Body(), nil)
	if err == nil || !regexp.MustCompile(`bad/unknown\.conf:23:5: interface: "an-interface-with-a-long-name"`).MatchString(err.Error()) {
		t.Errorf("got %v", err)
	}
}
