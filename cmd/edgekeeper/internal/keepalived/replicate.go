package keepalived

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// replica is a source that gives one text for each of several values of some
// names: ~SEQ(name, start, step, end) text, and ~LST({a, b}, {1, 2}, {3, 4}) text.
type replica struct {
	text  string
	at    Position
	names []string
	count int
	value func(turn int) []string // of the names
	turn  int
}

func (s *replica) next(r *reader) (line, bool) {
	if s.turn == s.count {
		return line{}, false
	}
	for i, v := range s.value(s.turn) {
		r.definitions[s.names[i]] = definition{lines: []string{v}}
	}
	s.turn++
	if r.making(s.at, len(s.text)) {
		return line{}, false
	}
	return line{s.text, s.at, true}, true
}

// replicate takes a line that begins with ~SEQ, ~SEQx or ~LST.
func (r *reader) replicate(l line) (source, error) {
	kind := l.text[:4]
	rest := l.text[4:]
	hexadecimal := false
	if kind == "~SEQ" {
		rest, hexadecimal = strings.CutPrefix(rest, "x")
	}
	inner, ok := strings.CutPrefix(strings.TrimLeft(rest, " \t"), "(")
	if !ok {
		return nil, fmt.Errorf("%s needs its parameters in parentheses", kind)
	}
	inner, text, ok := strings.Cut(inner, ")")
	if !ok {
		return nil, fmt.Errorf("%s: the closing parenthesis is missing", kind)
	}
	s := &replica{text: strings.TrimLeft(text, " \t"), at: l.at}
	if kind == "~LST" {
		return s, s.list(inner)
	}
	variable, numbers, _ := strings.Cut(inner, ",")
	numbers, _ = r.fill(line{strings.TrimSpace(numbers), l.at, true})
	s.names = []string{strings.TrimSpace(variable)}
	return s, s.sequence(numbers, hexadecimal)
}

// sequence takes "end", "start, end" or "start, step, end".
func (s *replica) sequence(numbers string, hexadecimal bool) error {
	var n []int64
	for part := range strings.SplitSeq(numbers, ",") {
		v, err := strconv.ParseInt(strings.TrimSpace(part), 0, 64)
		if err != nil || v > maxSequence || v < -maxSequence {
			return fmt.Errorf("~SEQ: %q is not a number", strings.TrimSpace(part))
		}
		n = append(n, v)
	}
	var start, step, end int64
	switch len(n) {
	case 1:
		start, step, end = 1, 1, n[0]
		if end < 1 {
			step = -1
		}
		if end < 0 {
			start = -1
		}
	case 2:
		start, step, end = n[0], 1, n[1]
		if end < start {
			step = -1
		}
	case 3:
		start, step, end = n[0], n[1], n[2]
	default:
		return errors.New("~SEQ takes a name and one to three numbers: (name, start, step, end)")
	}
	if !isName(s.names[0]) {
		return fmt.Errorf("~SEQ: %q is not a name", s.names[0])
	}
	if step == 0 || start < end && step < 0 || start > end && step > 0 {
		return fmt.Errorf("~SEQ: from %d in steps of %d there is no way to %d", start, step, end)
	}
	if hexadecimal && (start < 0 || end < 0) {
		return errors.New("~SEQx is for positive numbers only")
	}
	count := (end-start)/step + 1
	if count > maxLines {
		return fmt.Errorf("~SEQ makes %d lines, more than %d", count, maxLines)
	}
	s.count = int(count)
	s.value = func(turn int) []string {
		v := start + int64(turn)*step
		if hexadecimal {
			return []string{strconv.FormatInt(v, 16)}
		}
		return []string{strconv.FormatInt(v, 10)}
	}
	return nil
}

// list takes "name, value, value" or "{name, name}, {value, value}, {…}".
func (s *replica) list(inner string) error {
	groups, err := groups(inner)
	if err != nil {
		return err
	}
	if len(groups) < 2 {
		return errors.New("~LST takes names and at least one set of values: ({a, b}, {1, 2}, {3, 4})")
	}
	s.names = groups[0]
	for _, n := range s.names {
		if !isName(n) {
			return fmt.Errorf("~LST: %q is not a name", n)
		}
	}
	sets := groups[1:]
	for i, set := range sets {
		if len(set) > len(s.names) {
			return fmt.Errorf("~LST: %q are more values than there are names", set)
		}
		for len(sets[i]) < len(s.names) {
			sets[i] = append(sets[i], "") // what is missing is empty
		}
	}
	s.count = len(sets)
	s.value = func(turn int) []string { return sets[turn] }
	return nil
}

// groups splits "a, {b, c}" into [[a] [b c]].
func groups(s string) ([][]string, error) {
	var out [][]string
	for {
		s = strings.TrimLeft(s, " \t")
		var item string
		if inner, ok := strings.CutPrefix(s, "{"); ok {
			if item, s, ok = strings.Cut(inner, "}"); !ok {
				return nil, errors.New("~LST: a closing brace is missing")
			}
			var set []string
			for v := range strings.SplitSeq(item, ",") {
				set = append(set, strings.TrimSpace(v))
			}
			out = append(out, set)
			s = strings.TrimLeft(s, " \t")
		} else {
			end := strings.IndexByte(s, ',')
			if end < 0 {
				end = len(s)
			}
			item, s = s[:end], s[end:]
			out = append(out, []string{strings.TrimSpace(item)})
		}
		if s == "" {
			return out, nil
		}
		rest, ok := strings.CutPrefix(s, ",")
		if !ok {
			return nil, fmt.Errorf("~LST: a comma is missing before %q", s)
		}
		s = rest
	}
}

func isName(s string) bool { return s != "" && name(s) == s }
