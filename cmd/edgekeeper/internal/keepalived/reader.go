package keepalived

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// line is one line on its way from a file to a statement: a text without
// comment, or a brace by itself.
type line struct {
	text string
	at   Position
	// made says that the text is not what is written there, so that places within
	// it are none of the file's.
	made bool
}

// source gives lines; the reader holds a stack of them.
type source interface {
	// next gives the next line, as it is written.
	next(r *reader) (line, bool)
}

// reader gives the lines of a configuration after everything that is done to
// lines: comments, conditions, definitions, replication, included files, and
// braces split off.
type reader struct {
	fsys     fs.FS
	opts     Options
	stack    []source
	files    []string // paths of the open files
	count    int      // of lines so far
	made     int      // bytes of them that are in no file
	problems []Problem

	definitions map[string]definition
}

func newReader(fsys fs.FS, opts Options) *reader {
	if opts.Env == nil {
		opts.Env = func(string) string { return "" }
	}
	return &reader{fsys: fsys, opts: opts, definitions: map[string]definition{}}
}

// stop leaves the rest unread.
func (r *reader) stop() { r.stack = nil }

// file is an open file.
type file struct {
	path string // in the fs.FS
	name string // in positions
	rest string
	line int
	done bool
}

func (f *file) next(r *reader) (line, bool) {
	if f.rest == "" {
		if !f.done {
			f.done = true
			r.files = r.files[:len(r.files)-1]
		}
		return line{}, false
	}
	text, rest, _ := strings.Cut(f.rest, "\n")
	f.rest = rest
	f.line++
	return line{text: strings.TrimRight(text, "\r"), at: Position{f.name, f.line, 1}}, true
}

// open puts a file on the stack.
func (r *reader) open(path, name string, from Position) {
	if len(r.files) == maxDepth || slices.Contains(r.files, path) {
		r.problemf(from, "include: %s includes itself", name)
		return
	}
	text, err := fs.ReadFile(r.fsys, path)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		r.problemf(from, "read %s: %v", name, err)
		return
	}
	if i := strings.IndexByte(string(text), 0); i >= 0 {
		r.problemf(Position{name, 1 + strings.Count(string(text[:i]), "\n"), 1}, "the file holds a NUL byte: it is no text")
		return
	}
	r.files = append(r.files, path)
	r.stack = append(r.stack, &file{path: path, name: name, rest: string(text)})
}

// current is the innermost open file.
func (r *reader) current() *file {
	for i := len(r.stack) - 1; i >= 0; i-- {
		if f, ok := r.stack[i].(*file); ok {
			return f
		}
	}
	return &file{}
}

// raw gives the next line of the sources, without comment and white space
// around it; empty lines too.
func (r *reader) raw() (line, bool) {
	for len(r.stack) > 0 {
		at := len(r.stack) - 1
		top := r.stack[at]
		l, ok := top.next(r)
		if !ok {
			if at < len(r.stack) && r.stack[at] == top { // unless it stopped the reader
				r.stack = slices.Delete(r.stack, at, at+1) // it may have put others on top of it
			}
			continue
		}
		if r.count++; r.count > maxLines {
			r.problemf(l.at, "more than %d lines", maxLines)
			r.stop()
			return line{}, false
		}
		if len(l.text) > maxLine {
			r.problemf(l.at, "the line has %d bytes, at most %d are read", len(l.text), maxLine)
			continue
		}
		if _, isFile := top.(*file); isFile {
			trimmed := strings.TrimLeft(l.text, " \t")
			l.at.Column += len(l.text) - len(trimmed)
			text, closed := uncomment(trimmed)
			if !closed {
				r.problemf(l.at, "a quotation mark without its partner")
			}
			l.text = text
		}
		return l, true
	}
	return line{}, false
}

// making counts what is in no file, and stops where that is too much.
func (r *reader) making(at Position, n int) (stopped bool) {
	if r.made += n; r.made <= maxMade {
		return false
	}
	r.problemf(at, "definitions and replicated lines make more than %d bytes", maxMade)
	r.stop()
	return true
}

// uncomment cuts off a comment and white space at the end. A backslash that ends
// the line stays, without white space before it. closed is false when a
// quotation mark has no partner.
func uncomment(s string) (text string, closed bool) {
	quoted, continued := false, false
	var out strings.Builder
scan:
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && i+1 == len(s):
			continued = true
			break scan
		case c == '\\':
			i++
			if quoted || s[i] != '#' && s[i] != '!' {
				out.WriteByte(c)
			}
			out.WriteByte(s[i])
			continue
		case !quoted && (c == '#' || c == '!'):
			break scan
		}
		out.WriteByte(s[i])
	}
	text = strings.TrimRight(out.String(), " \t")
	if continued {
		text += `\`
	}
	return text, !quoted
}

// next gives the next statement's text, or a brace.
func (r *reader) next() (line, bool) {
	for {
		l, ok := r.raw()
		if !ok {
			return l, false
		}
		if l, ok = r.prepare(l, 0); !ok || r.include(l) {
			continue
		}
		return r.brace(l), true
	}
}

// prepare applies conditions, definitions and replication. It reports false when
// nothing of the line is left.
func (r *reader) prepare(l line, depth int) (line, bool) {
	switch {
	case l.text == "":
		return l, false
	case depth > maxDepth:
		r.problemf(l.at, "definitions contain themselves, or are too deep in each other")
		return l, false
	case l.text[0] == '@':
		text, ok := r.condition(l.text)
		if !ok {
			return l, false
		}
		l.at.Column += len(l.text) - len(text)
		return r.prepare(line{text, l.at, l.made}, depth+1)
	case l.text[0] == '$' && r.define(l):
		return l, false
	case strings.HasPrefix(l.text, "~SEQ"), strings.HasPrefix(l.text, "~LST"):
		if s, err := r.replicate(l); err != nil {
			r.problemf(l.at, "%v", err)
		} else {
			r.stack = append(r.stack, s)
		}
		return l, false
	}
	text, changed := r.fill(l)
	if !changed {
		return l, true
	}
	if r.making(l.at, len(text)) {
		return l, false
	}
	text, _ = uncomment(strings.TrimLeft(text, " \t"))
	if text == "" || text[0] != '@' && text[0] != '~' && text[0] != '$' {
		return line{text, l.at, true}, text != ""
	}
	if text == l.text {
		return l, true
	}
	return r.prepare(line{text, l.at, true}, depth+1)
}

// condition takes "@ID rest" and "@^ID rest".
func (r *reader) condition(s string) (string, bool) {
	id, not := strings.CutPrefix(s[1:], "^")
	id, rest, ok := strings.Cut(strings.ReplaceAll(id, "\t", " "), " ")
	if !ok {
		return "", false
	}
	if match := r.opts.ID != "" && id == r.opts.ID; match == not {
		return "", false
	}
	// The tabs of the rest are its own.
	rest = s[len(s)-len(rest):]
	return strings.TrimLeft(rest, " \t"), true
}

// brace cuts a line at its first brace outside quotation marks, and puts the
// rest back.
func (r *reader) brace(l line) line {
	end := len(l.text)
	if l.text[0] == '{' || l.text[0] == '}' {
		end = 1
	} else {
		quoted := false
		for i := range len(l.text) {
			c := l.text[i]
			if c == '"' {
				quoted = !quoted
			}
			if !quoted && (c == '{' || c == '}') {
				end = i
				break
			}
		}
	}
	if rest := strings.TrimLeft(l.text[end:], " \t"); rest != "" {
		at := l.at
		if !l.made {
			at.Column += len(l.text) - len(rest)
		}
		r.stack = append(r.stack, &single{line: line{rest, at, l.made}})
	}
	return line{strings.TrimRight(l.text[:end], " \t"), l.at, l.made}
}

// single is a source of one line.
type single struct {
	line  line
	given bool
}

func (s *single) next(*reader) (line, bool) {
	given := s.given
	s.given = true
	return s.line, !given
}

// includes are the words that begin an include, and what is said when no file
// matches. include by itself takes that, as keepalived does unless include_check
// is set; but a configuration that is not whole is not translated.
var includes = []string{"include", "includer", "includem", "includew", "includeb", "includea"}

// include opens the files that an include names.
func (r *reader) include(l line) bool {
	word, pattern, _ := strings.Cut(strings.ReplaceAll(l.text, "\t", " "), " ")
	if !slices.Contains(includes, word) {
		return false
	}
	pattern = strings.Trim(strings.TrimSpace(pattern), `"`)
	if pattern == "" {
		r.problemf(l.at, "%s needs a file", word)
		return true
	}
	from := r.current()
	var names []string
	for _, p := range braces(pattern) {
		full, absolute := strings.CutPrefix(p, "/")
		if !absolute {
			full = path.Join(path.Dir(from.path), p)
		}
		found, err := fs.Glob(r.fsys, path.Clean(full))
		if err != nil {
			r.problemf(l.at, "%s %s: %v", word, pattern, err)
			return true
		}
		names = append(names, found...)
	}
	if len(names) == 0 {
		r.problemf(l.at, "%s %s: there is no such file", word, pattern)
	}
	folder := strings.TrimPrefix(path.Dir(from.path)+"/", "./")
	for _, name := range slices.Backward(names) { // the last one opened is read first
		shown := "/" + name
		if rest, ok := strings.CutPrefix(name, folder); ok && !strings.HasPrefix(pattern, "/") {
			shown = path.Join(path.Dir(from.name), rest)
		}
		r.open(name, shown, l.at)
	}
	return true
}

// braces expands {a,b} in a pattern.
func braces(pattern string) []string {
	from := strings.IndexByte(pattern, '{')
	to := strings.IndexByte(pattern, '}')
	if from < 0 || to < from || len(pattern) > 4096 {
		return []string{pattern}
	}
	var out []string
	for choice := range strings.SplitSeq(pattern[from+1:to], ",") {
		for _, rest := range braces(pattern[to+1:]) {
			if len(out) == 1000 {
				return out
			}
			out = append(out, pattern[:from]+choice+rest)
		}
	}
	return out
}
