package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// outline lists everything in a body with the place where it stands.
func outline(b *hclsyntax.Body, depth string) string {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(b.Attributes)) {
		a := b.Attributes[name]
		fmt.Fprintf(&out, "%s%s %v %v\n", depth, name, a.NameRange, a.Expr.Range())
	}
	for _, x := range b.Blocks {
		fmt.Fprintf(&out, "%s%s %q %v %v %v\n%s", depth, x.Type, x.Labels, x.TypeRange, x.LabelRanges, x.CloseBraceRange, outline(x.Body, depth+"  "))
	}
	return out.String()
}

// sameAsWhole fails when parsing in parts succeeds and gives something else than
// parsing it whole. It reports whether it succeeded.
func sameAsWhole(t *testing.T, text []byte) bool {
	t.Helper()
	body, ok := inParts(source{name: "a.hcl", text: text}, 1)
	if !ok {
		return false
	}
	file, diags := hclsyntax.ParseConfig(text, "a.hcl", hcl.InitialPos)
	if len(diags) > 0 {
		t.Fatalf("parts parse, the whole does not: %v", diags)
	}
	whole := file.Body.(*hclsyntax.Body)
	if a, b := outline(whole, ""), outline(body, ""); a != b {
		t.Fatalf("whole:\n%s\nin parts:\n%s", a, b)
	}
	return true
}

func TestParts(t *testing.T) {
	files, err := filepath.Glob("../../../../docs/examples/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	n := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if sameAsWhole(t, text) {
			n++
		}
	}
	if n == 0 {
		t.Error("no example was parsed in parts")
	}
}

func TestNoParts(t *testing.T) {
	for name, text := range map[string]string{
		"heredoc":         "a = <<EOT\n}\nEOT\n",
		"comment":         "/* {\n}\n*/\na = 1\n",
		"not indented":    "x {\ny {\n}\n}\n",
		"set twice":       "a = 1\nx {\n}\na = 2\n",
		"a mistake":       "x {\n}\na = = 1\n",
		"brace too many":  "x {\n}\n}\n",
		"open at the end": "x {\n}\ny {\n",
	} {
		if body, ok := inParts(source{name: "a.hcl", text: []byte(text)}, 1); ok {
			t.Errorf("%s: parsed in parts: %s", name, outline(body, ""))
		}
	}
}

func FuzzParts(f *testing.F) {
	f.Add([]byte("a = 1\nx \"l\" {\n  b = \"}\"\n}\ny {\n}\n"))
	f.Add([]byte("x {\n  a = <<E\n}\nE\n}\n"))
	f.Add([]byte("# }\n\n}\n/*\n}\n*/ x {\n}\n"))
	f.Fuzz(func(t *testing.T, text []byte) { sameAsWhole(t, text) })
}
