package keepalived

import (
	"math"
	"path"
	"strings"
)

// definition is what $NAME=TEXT says. One of several lines is put in place of a
// name that ends its line.
type definition struct {
	lines []string // at least one
	multi bool     // it was continued with a backslash
}

// define takes a line $NAME=TEXT, and the lines that continue it.
func (r *reader) define(l line) bool {
	n := name(l.text[1:])
	rest := l.text[1+len(n):]
	if n == "" || !strings.HasPrefix(rest, "=") {
		return false
	}
	text := strings.TrimLeft(rest[1:], " \t")
	d := definition{}
	for {
		more, continued := strings.CutSuffix(text, `\`)
		text = strings.TrimRight(more, " \t")
		d.multi = d.multi || continued
		if text != "" || !continued {
			d.lines = append(d.lines, text)
		}
		if !continued {
			break
		}
		next, ok := r.raw()
		if !ok || next.text == "" {
			break
		}
		text = next.text
	}
	if len(d.lines) == 0 {
		d.lines = []string{""}
	}
	r.definitions[n] = d
	return true
}

// name cuts the name of a definition from the front of a text; "" is none.
func name(s string) string {
	i := 0
	for i < len(s) && (letter(s[i]) || i > 0 && s[i] >= '0' && s[i] <= '9') {
		i++
	}
	return s[:i]
}

func letter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }

// fill puts definitions in place of their names. Names without definition stay.
// What a definition holds is looked through again. Of a definition of several
// lines the others are put back, to be read next.
func (r *reader) fill(l line) (text string, changed bool) {
	s := l.text
	var later []string
	for from, times := 0, 0; ; {
		i := strings.IndexByte(s[from:], '$')
		if i < 0 {
			break
		}
		i += from
		d, length, ok := r.use(s[i:])
		if !ok {
			from = i + 1
			continue
		}
		if times++; times > 1000 || len(s)+len(d.lines[0]) > maxLine {
			r.problemf(l.at, "definitions contain themselves, or the line becomes too long")
			return "", true
		}
		if r.making(l.at, len(d.lines[0])) {
			return "", true
		}
		s = s[:i] + d.lines[0] + s[i+length:]
		later = append(append([]string{}, d.lines[1:]...), later...)
		changed = true
		if strings.HasPrefix(strings.TrimLeft(d.lines[0], " \t"), "~") {
			break // its own names are filled in for each line that it makes
		}
	}
	if len(later) > 0 {
		r.stack = append(r.stack, &several{later, l.at})
	}
	return s, changed
}

// use finds what a text that begins with $ refers to, and how long the reference is.
func (r *reader) use(s string) (d definition, length int, ok bool) {
	n := name(s[1:])
	length = 1 + len(n)
	parameter := ""
	if inner, found := strings.CutPrefix(s, "${"); found {
		n = name(inner)
		rest, _, closed := strings.Cut(inner[len(n):], "}")
		if !closed {
			return d, 0, false
		}
		parameter = strings.Trim(rest, " \t")
		length = 3 + len(n) + len(rest)
	} else if length < len(s) && !strings.ContainsRune(" \t,)", rune(s[length])) {
		return d, 0, false
	}
	if d, ok = r.definitions[n]; ok && parameter == "" {
		return d, length, !d.multi || length == len(s)
	}
	if n == "" {
		return d, 0, false
	}
	value, ok := r.standard(n, parameter)
	return definition{lines: []string{value}}, length, ok
}

// standard gives the definitions that keepalived has of its own. _RANDOM is not
// among them: what it stands for cannot be told.
func (r *reader) standard(name, parameter string) (string, bool) {
	switch {
	case name == "_ENV" && parameter != "":
		return r.opts.Env(parameter), true
	case parameter != "":
		return "", false
	case name == "_PWD":
		return path.Join("/", path.Dir(r.current().path)), true
	case name == "_INSTANCE":
		return r.opts.Instance, true
	case name == "_HASH":
		return `\#`, true // as the line is read once more
	case name == "_BANG":
		return `\!`, true
	}
	return "", false
}

// several is a source of the later lines of a definition.
type several struct {
	lines []string
	at    Position
}

func (s *several) next(r *reader) (line, bool) {
	if len(s.lines) == 0 {
		return line{}, false
	}
	l := line{s.lines[0], s.at, true}
	s.lines = s.lines[1:]
	if r.making(s.at, len(l.text)) {
		return line{}, false
	}
	return l, true
}

// maxSequence is more than any sequence needs.
const maxSequence = math.MaxInt32
