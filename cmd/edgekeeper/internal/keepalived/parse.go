package keepalived

import (
	"fmt"
	"io/fs"
	"strings"
)

// Parse reads the configuration in the file name of fsys, and the files that it
// includes; an absolute path in an include is taken from the root of fsys. The
// problems are in the order of reading; a file that is not there is one of them.
func Parse(fsys fs.FS, name string, opts Options) ([]Statement, []Problem) {
	r := newReader(fsys, opts)
	r.open(name, orElse(opts.Name, name), Position{File: orElse(opts.Name, name), Line: 1, Column: 1})
	p := parser{reader: r}
	out := p.block(Position{}, 0)
	return out, r.problems
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// parser makes blocks of lines.
type parser struct {
	*reader
}

// block reads statements up to the closing brace, or to the end of the files at
// the top.
func (p *parser) block(opened Position, depth int) []Statement {
	out := []Statement{}
	takes := false // a brace may open a block of the last statement
	for {
		l, ok := p.next()
		switch {
		case !ok:
			if depth > 0 {
				p.problemf(opened, "the block that begins here has no closing brace")
			}
			return out
		case l.text == "}" && depth > 0:
			return out
		case l.text == "}":
			p.problemf(l.at, "a closing brace without a block")
		case l.text == "{" && takes:
			last := &out[len(out)-1]
			last.Open, takes = true, false
			if depth == maxDepth {
				p.problemf(l.at, "more than %d blocks in each other", maxDepth)
				p.stop()
				return out
			}
			last.Block = p.block(last.At, depth+1)
		case l.text == "{":
			p.problemf(l.at, "a block without a keyword before its opening brace")
			p.block(l.at, depth+1)
		default:
			words, balanced := Split(l.text)
			takes = len(words) > 0
			if takes {
				out = append(out, Statement{At: l.at, Words: words, Raw: l.text, Unbalanced: !balanced})
			}
		}
	}
}

func (r *reader) problemf(at Position, format string, args ...any) {
	switch n := len(r.problems); {
	case n < maxProblems:
		r.problems = append(r.problems, Problem{at, fmt.Sprintf(format, args...)})
	case n == maxProblems:
		r.problems = append(r.problems, Problem{at, "and more; only the first problems are told"})
	}
}

// Split makes words of a line: separated by white space, or between quotation
// marks, within which nothing is special. It reports whether every mark has its
// partner; the text after one that has none is left out.
func Split(line string) (words []string, balanced bool) {
	for {
		line = strings.TrimLeft(line, white)
		switch {
		case line == "":
			return words, true
		case line[0] == '"':
			text, rest, ok := strings.Cut(line[1:], `"`)
			if !ok {
				return words, false
			}
			words, line = append(words, text), rest
		default:
			end := strings.IndexAny(line, white+`"`)
			if end < 0 {
				end = len(line)
			}
			words, line = append(words, line[:end]), line[end:]
		}
	}
}

// white is what separates words.
const white = " \t\f\n\r\v"
