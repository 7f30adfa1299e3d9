// Package migrate translates a keepalived.conf into edgekeeper's configuration.
//
// The contract:
//
//   - What keepalived does with the file, edgekeeper does with the translation.
//     A default of keepalived's that is not edgekeeper's is written out.
//   - Where that is not possible, or where keepalived itself would do something
//     else than the file says, there is a Difference, at the file's line, that
//     says what is done instead. Nothing is left out in silence.
//   - A word that keepalived does not know, a value that it would not take and
//     text that does not parse are Errors. The rest is translated all the same.
//   - What is wrong with a value that keepalived would take as well, such as the
//     name of an interface, is left to package config, which refuses it at the
//     place in the keepalived.conf (Document.Body).
//
// Translate is a function of the files and options that it is given: it neither
// asks the kernel which interfaces there are, nor looks for scripts.
package migrate

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/keepalived"
)

// Severity says what a Finding means for the translation.
type Severity uint8

// The severities.
const (
	Difference Severity = iota // edgekeeper does something else, as told
	Error                      // it was not understood
)

// String gives difference or error.
func (s Severity) String() string {
	switch s {
	case Difference:
		return "difference"
	case Error:
		return "error"
	}
	return "unknown"
}

// MarshalText gives the same word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is something about a keepalived.conf that its user should know.
type Finding struct {
	At       keepalived.Position `json:"at"`
	Severity Severity            `json:"severity"`
	Message  string              `json:"message"` // what, and what edgekeeper does instead; without a full stop
}

// String gives file:line:column: message; the message of an error is marked.
func (f Finding) String() string {
	if f.Severity == Error {
		return fmt.Sprintf("%s: error: %s", f.At, f.Message)
	}
	return fmt.Sprintf("%s: %s", f.At, f.Message)
}

// Translate translates the keepalived.conf at name in fsys, with all that it
// includes. The findings are in the order of the files' lines.
func Translate(fsys fs.FS, name string, opts keepalived.Options) (*Document, []Finding) {
	statements, problems := keepalived.Parse(fsys, name, opts)
	t := newTranslator()
	for _, p := range problems {
		t.errorf(p.At, "%s", p.Message)
	}
	t.first = keepalived.Position{File: cmp.Or(opts.Name, name), Line: 1, Column: 1}
	t.file(statements)
	document := &Document{t.assemble()}
	files := []string{t.first.File}
	for _, f := range t.findings {
		if !slices.Contains(files, f.At.File) {
			files = append(files, f.At.File)
		}
	}
	slices.SortStableFunc(t.findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(slices.Index(files, a.At.File), slices.Index(files, b.At.File)),
			cmp.Compare(a.At.Line, b.At.Line), cmp.Compare(a.At.Column, b.At.Column),
		)
	})
	return document, slices.Compact(t.findings)
}

// Failed reports whether a finding is an Error.
func Failed(list []Finding) bool {
	return slices.ContainsFunc(list, func(f Finding) bool { return f.Severity == Error })
}

// translator holds what was read so far. Keepalived applies its global settings
// and defaults when the whole file is read, whatever the order; so blocks are
// translated kind by kind.
type translator struct {
	root         node
	processBlock *node
	first        keepalived.Position // of the file
	findings     []Finding
	told         map[string]bool // what is told once

	global  globals
	scripts map[string]*script
	files   map[string]*trackFile
	procs   map[string]*node
	delays  map[string]delays  // of interfaces
	pace    map[string]pace    // of interfaces
	groups  map[string][]entry // virtual_server_group

	instances                    []*instance
	syncGroups, servers, targets []*node
	ipvs                         *node
	addresses                    map[string]keepalived.Position // of all instances
	routes, rules                map[string]keepalived.Position
	names                        map[string]bool // of virtual servers
	mailVRRP, mailGroups         []string
	serverMail, serverQuiet      bool // of some real servers mails are sent, of some not
	procWeights                  map[string]procUse
	procsUsed                    map[string]bool
}

func newTranslator() *translator {
	return &translator{
		told: map[string]bool{}, global: newGlobals(),
		scripts: map[string]*script{}, files: map[string]*trackFile{}, procs: map[string]*node{},
		delays: map[string]delays{}, pace: map[string]pace{}, groups: map[string][]entry{},
		addresses: map[string]keepalived.Position{}, routes: map[string]keepalived.Position{}, rules: map[string]keepalived.Position{},
		names: map[string]bool{},
	}
}

func (t *translator) differ(at keepalived.Position, format string, args ...any) {
	t.findings = append(t.findings, Finding{at, Difference, fmt.Sprintf(format, args...)})
}

func (t *translator) errorf(at keepalived.Position, format string, args ...any) {
	t.findings = append(t.findings, Finding{at, Error, fmt.Sprintf(format, args...)})
}

// once tells a difference that holds for many lines at the first of them.
func (t *translator) once(at keepalived.Position, what, format string, args ...any) {
	if !t.told[what] {
		t.told[what] = true
		t.differ(at, format, args...)
	}
}

// clean makes a name that can be part of a KV key.
func (t *translator) clean(at keepalived.Position, what, name string) string {
	out := strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' || r == 0x7f {
			return '-'
		}
		return r
	}, name)
	if out != name {
		t.differ(at, "%s %q: names are parts of KV keys and hold no slash and no space; it is called %q", what, name, out)
	}
	return out
}
