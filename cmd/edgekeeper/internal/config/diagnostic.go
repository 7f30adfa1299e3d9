package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Diagnostic is one mistake in a configuration, and where it is. Line and
// Column count from 1; the column counts characters, not bytes.
type Diagnostic struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"` // one sentence, without a full stop
}

// String gives file:line:column: message, the form that editors jump to.
func (d Diagnostic) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", d.File, d.Line, d.Column, d.Message)
}

// Error is every mistake of a configuration, in the order of its files and
// lines. It is never empty where Load returns it.
type Error []Diagnostic

// Error prints one mistake per line.
func (e Error) Error() string {
	lines := make([]string, len(e))
	for i, d := range e {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// report collects mistakes.
type report struct {
	list Error
	// partial says that a file did not parse, so that what is missing may stand
	// in the part that was not understood.
	partial bool
}

// addf notes a mistake at the start of a range.
func (r *report) addf(at hcl.Range, format string, args ...any) {
	r.list = append(r.list, Diagnostic{
		File: at.Filename, Line: max(at.Start.Line, 1), Column: max(at.Start.Column, 1),
		Message: fmt.Sprintf(format, args...),
	})
}

// sentence makes one line of an HCL diagnostic: its summary and the first
// sentence of its detail.
func sentence(d *hcl.Diagnostic) string {
	detail := strings.Join(strings.Fields(d.Detail), " ")
	if end := sentenceEnd.FindStringIndex(detail); end != nil {
		detail = detail[:end[0]]
	}
	detail = strings.TrimSuffix(detail, ".")
	summary := strings.TrimSuffix(d.Summary, ".")
	switch {
	case detail == "":
		return lowerFirst(summary)
	case summary == "":
		return lowerFirst(detail)
	}
	return lowerFirst(summary) + ": " + lowerFirst(detail)
}

// sentenceEnd is where a sentence ends and another begins.
var sentenceEnd = regexp.MustCompile(`\. [A-Z]`)

func lowerFirst(s string) string {
	if len(s) < 2 || s[1] >= 'A' && s[1] <= 'Z' {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// err gives the mistakes sorted by place, each once; nil when there are none.
func (r *report) err() error {
	if len(r.list) == 0 {
		return nil
	}
	slices.SortStableFunc(r.list, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(r.list)
}

// place names a position for use within a message about another one.
func place(at hcl.Range) string {
	return fmt.Sprintf("%s:%d:%d", at.Filename, at.Start.Line, at.Start.Column)
}
