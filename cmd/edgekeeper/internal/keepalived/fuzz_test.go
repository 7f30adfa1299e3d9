package keepalived

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// FuzzParse: whatever the text, parsing ends, in bounds, and what it gives is in
// the file.
func FuzzParse(f *testing.F) {
	names, err := filepath.Glob("../migrate/testdata/*.conf")
	if err != nil || len(names) < 5 {
		f.Fatalf("only %d seeds (%v)", len(names), err)
	}
	for _, n := range names {
		text, err := os.ReadFile(n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := 1 + strings.Count(text, "\n")
		list, problems := Parse(fstest.MapFS{"a.conf": {Data: []byte(text)}}, "a.conf", Options{ID: "a"})
		count := 0
		var walk func([]Statement, int)
		walk = func(list []Statement, depth int) {
			if depth > maxDepth+2 {
				t.Fatal("too deep")
			}
			for _, s := range list {
				if count++; len(s.Words) == 0 || s.At.Line < 1 || s.At.Line > lines || s.At.Column < 1 || s.At.File != "a.conf" {
					t.Errorf("statement %+v in a file of %d lines", s, lines)
				}
				if !s.Open && len(s.Block) > 0 {
					t.Errorf("%s has a block that is not open", s.At)
				}
				_, _ = Escaped(s.Raw)
				walk(s.Block, depth+1)
			}
		}
		walk(list, 0)
		// A line gives at most as many statements as it has bytes, and there are
		// bounds on both.
		if len(problems) > maxProblems+1 {
			t.Errorf("%d problems", len(problems))
		}
		for _, p := range problems {
			if p.At.Line < 1 || p.At.Line > lines {
				t.Errorf("problem %s in a file of %d lines", p, lines)
			}
		}
	})
}
