package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds nesting; definitions need six levels.
const maxDepth = 64

// parseJSON reads one JSON object with the places of its parts.
func parseJSON(name string, data []byte) (*node, error) {
	p := &jsonParser{name: name, data: data, dec: json.NewDecoder(bytes.NewReader(data)), line: 1}
	p.dec.UseNumber()
	n, err := p.value(0)
	if err != nil {
		return nil, p.place(err)
	}
	if n.kind != object {
		return nil, n.at.errorf("expected an object, found %s", n.kind)
	}
	end := p.next()
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, end.errorf("unexpected content after the object")
	}
	return n, nil
}

type jsonParser struct {
	name string
	data []byte
	dec  *json.Decoder

	// The place reached so far; offsets only grow.
	off, line, bol int
}

// at gives the place of an offset.
func (p *jsonParser) at(off int64) pos {
	to := min(int(off), len(p.data))
	if to < p.off {
		p.off, p.line, p.bol = 0, 1, 0
	}
	for ; p.off < to; p.off++ {
		if p.data[p.off] == '\n' {
			p.line++
			p.bol = p.off + 1
		}
	}
	return pos{p.name, p.line, to - p.bol + 1}
}

// next gives the place of the token that comes next.
func (p *jsonParser) next() pos { return p.at(p.skip(" \t\r\n,:")) }

// skip gives the offset of the next byte that is none of those.
func (p *jsonParser) skip(set string) int64 {
	off := p.dec.InputOffset()
	for off < int64(len(p.data)) && strings.IndexByte(set, p.data[off]) >= 0 {
		off++
	}
	return off
}

func (p *jsonParser) place(err error) error {
	var (
		placed *placedError
		syntax *json.SyntaxError
	)
	switch {
	case errors.As(err, &placed):
		return err
	case errors.As(err, &syntax):
		// SyntaxError.Offset counts from different beginnings; the decoder's own
		// offset is where the wrong token begins.
		return p.at(p.skip(" \t\r\n")).errorf("%s", syntax.Error())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return p.at(int64(len(p.data))).errorf("unexpected end of file")
	}
	return p.at(p.dec.InputOffset()).errorf("%s", err.Error())
}

func (p *jsonParser) value(depth int) (*node, error) {
	n := &node{at: p.next()}
	if depth > maxDepth {
		return nil, n.at.errorf("nested too deeply")
	}
	tok, err := p.dec.Token()
	if err != nil {
		return nil, err
	}
	switch v := tok.(type) {
	case nil:
		n.kind = null
	case bool:
		n.kind, n.bool = boolean, v
	case json.Number:
		n.kind, n.text = number, v.String()
	case string:
		if !utf8.ValidString(v) {
			return nil, n.at.errorf("string is not UTF-8")
		}
		n.kind, n.text = text, v
	case json.Delim:
		if v == '[' {
			n.kind = list
			for p.dec.More() {
				e, err := p.value(depth + 1)
				if err != nil {
					return nil, err
				}
				n.list = append(n.list, e)
			}
		} else {
			n.kind = object
			if err := p.members(n, depth); err != nil {
				return nil, err
			}
		}
		if _, err := p.dec.Token(); err != nil { // the closing one
			return nil, err
		}
	}
	return n, nil
}

func (p *jsonParser) members(n *node, depth int) error {
	seen := make(map[string]pos)
	for p.dec.More() {
		at := p.next()
		tok, err := p.dec.Token()
		if err != nil {
			return err
		}
		key, ok := tok.(string)
		if !ok {
			return at.errorf("expected a key, found %s", fmt.Sprint(tok))
		}
		if first, ok := seen[key]; ok {
			return at.errorf("key %q stands in line %d already", key, first.line)
		}
		seen[key] = at
		val, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		n.members = append(n.members, member{at, key, val})
	}
	return nil
}
