// Package consultemplates tests the templates of this folder: what they render
// is accepted by the programs it is for, and has the weights that a director
// would find itself.
package consultemplates

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func templates(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.ctmpl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	out := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(f, ".ctmpl")] = string(text)
	}
	return out
}

// consul-template cannot include one file in another, so the rule for weights
// stands in each template that lists a pool.
func TestSameWeightRule(t *testing.T) {
	block := regexp.MustCompile(`(?s)\{\{- define "weight" \}\}.*?\n\{\{- end \}\}\n`)
	rules := map[string][]string{}
	for name, text := range templates(t) {
		if name == "realserver.env" {
			continue
		}
		b := block.FindString(text)
		rules[b] = append(rules[b], name)
	}
	if len(rules) != 1 || rules[""] != nil {
		for _, names := range rules {
			slices.Sort(names)
			t.Errorf("the same weight block (or none): %v", names)
		}
	}
}

func TestReadmeNamesEveryInput(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	said := func(s string) bool { return strings.Contains(string(readme), s) }
	variable, field := regexp.MustCompile(`EDGE_[A-Z_]+`), regexp.MustCompile(`\$v\.([a-z_]+)`)
	for name, text := range templates(t) {
		if !said("`" + name + ".ctmpl`") {
			t.Errorf("README.md does not name %s.ctmpl", name)
		}
		for _, v := range variable.FindAllString(text, -1) {
			if !said("`" + v + "`") {
				t.Errorf("%s: README.md does not name the variable %s", name, v)
			}
		}
		for _, m := range field.FindAllStringSubmatch(text, -1) {
			if !said(">/" + m[1] + "`") {
				t.Errorf("%s: README.md does not name the key …/%s", name, m[1])
			}
		}
	}
}
