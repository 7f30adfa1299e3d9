package file

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/parser"
	"github.com/hashicorp/hcl/hcl/token"
)

// parseHCL reads HCL 1, which is what Consul's files are: HCL 2 refuses two
// attributes on one line and takes ${ } for an expression.
func parseHCL(name string, data []byte) (n *node, err error) {
	at := pos{name, 1, 1}
	if tooDeep(data) {
		return nil, at.errorf("nested too deeply")
	}
	// The parser and Token.Value panic on some malformed literals.
	defer func() {
		if r := recover(); r != nil {
			n, err = nil, at.errorf("%v", r)
		}
	}()
	f, err := parser.Parse(data)
	if err != nil {
		var placed *parser.PosError
		if errors.As(err, &placed) {
			return nil, pos{name, max(placed.Pos.Line, 1), max(placed.Pos.Column, 1)}.errorf("%v", placed.Err)
		}
		return nil, at.errorf("%v", err)
	}
	items, ok := f.Node.(*ast.ObjectList)
	if !ok {
		return nil, at.errorf("expected keys and blocks")
	}
	c := hclConverter{name: name, at: &at}
	return c.object(items, at, 0)
}

// tooDeep looks for brackets that would take the recursive parser to the end of
// its stack, which no recover can catch. Brackets in strings count too, so the
// bound is far above what a file needs.
func tooDeep(data []byte) bool {
	depth := 0
	for _, b := range data {
		switch b {
		case '[', '{':
			if depth++; depth > 1000 {
				return true
			}
		case ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return false
}

type hclConverter struct {
	name string
	at   *pos // of what is being looked at: where a panic comes from
}

func (c hclConverter) pos(p token.Pos) pos {
	if p.IsValid() {
		*c.at = pos{c.name, p.Line, p.Column}
	}
	return *c.at
}

func (c hclConverter) object(items *ast.ObjectList, at pos, depth int) (*node, error) {
	n := &node{at: at, kind: object}
	if depth > maxDepth {
		return nil, at.errorf("nested too deeply")
	}
	for _, it := range items.Items {
		at := c.pos(it.Pos())
		if len(it.Keys) == 0 {
			return nil, at.errorf("block without a key")
		}
		if len(it.Keys) > 1 {
			second := it.Keys[1].Token
			return nil, c.pos(second.Pos).errorf("unexpected label %s", second.Text)
		}
		key, ok := it.Keys[0].Token.Value().(string)
		if !ok {
			return nil, at.errorf("key %s is not a name", it.Keys[0].Token.Text)
		}
		val, err := c.value(it.Val, at, depth+1)
		if err != nil {
			return nil, err
		}
		n.members = append(n.members, member{at, key, val})
	}
	return n, nil
}

func (c hclConverter) value(v ast.Node, at pos, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, at.errorf("nested too deeply")
	}
	switch v := v.(type) {
	case *ast.ObjectType:
		return c.object(v.List, c.pos(v.Lbrace), depth)
	case *ast.ListType:
		n := &node{at: c.pos(v.Lbrack), kind: list}
		for _, e := range v.List {
			item, err := c.value(e, n.at, depth+1)
			if err != nil {
				return nil, err
			}
			n.list = append(n.list, item)
		}
		return n, nil
	case *ast.LiteralType:
		n := &node{at: c.pos(v.Token.Pos)}
		switch val := v.Token.Value().(type) {
		case bool:
			n.kind, n.bool = boolean, val
		case string:
			n.kind, n.text = text, val
		case int64, float64:
			n.kind, n.text = number, fmt.Sprint(val)
		}
		return n, nil
	}
	return nil, at.errorf("unexpected value")
}
