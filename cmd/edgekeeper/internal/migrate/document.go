package migrate

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/keepalived"
)

// Document is a configuration in edgekeeper's terms. It can be written as HCL,
// or checked as it is, with each thing at its place in the keepalived.conf.
type Document struct{ root node }

// node is a block, or the top of the document.
type node struct {
	kind    string
	labels  []string
	at      keepalived.Position
	comment []string // lines above it
	attrs   []attr
	blocks  []*node
}

// attr is an argument. Its value is a string, int, bool, time.Duration or []string.
type attr struct {
	name    string
	value   any
	at      keepalived.Position
	comment string // line above it
}

// set adds an argument, or replaces it.
func (n *node) set(at keepalived.Position, name string, value any) {
	for i := range n.attrs {
		if n.attrs[i].name == name {
			n.attrs[i].value, n.attrs[i].at = value, at
			return
		}
	}
	n.attrs = append(n.attrs, attr{name: name, value: value, at: at})
}

// why says above an argument what it is for.
func (n *node) why(name, comment string) {
	for i := range n.attrs {
		if n.attrs[i].name == name {
			n.attrs[i].comment = comment
		}
	}
}

// unset takes an argument away, and reports whether it was there.
func (n *node) unset(name string) bool {
	for i := range n.attrs {
		if n.attrs[i].name == name {
			n.attrs = append(n.attrs[:i], n.attrs[i+1:]...)
			return true
		}
	}
	return false
}

// has gives the value of an argument, nil when it is not set.
func (n *node) has(name string) any {
	for _, a := range n.attrs {
		if a.name == name {
			return a.value
		}
	}
	return nil
}

// add adds a block.
func (n *node) add(at keepalived.Position, kind string, labels ...string) *node {
	b := &node{kind: kind, labels: labels, at: at}
	n.blocks = append(n.blocks, b)
	return b
}

// all lists the blocks of a kind.
func (n *node) all(kind string) []*node {
	var out []*node
	for _, b := range n.blocks {
		if b.kind == kind {
			out = append(out, b)
		}
	}
	return out
}

// HCL writes the document as a file of its own.
func (d *Document) HCL() []byte {
	f := hclwrite.NewEmptyFile()
	d.root.write(f.Body(), true)
	// The formatter's own pass does what it likes with blank lines at the ends.
	return append(bytes.TrimSpace(hclwrite.Format(f.Bytes())), '\n')
}

func (n *node) write(b *hclwrite.Body, top bool) {
	comment(b, n.comment...)
	for _, a := range n.attrs {
		if a.comment != "" {
			comment(b, a.comment)
		}
		b.SetAttributeValue(a.name, a.cty())
	}
	for i, child := range n.blocks {
		if top || i == 0 && len(n.attrs) > 0 {
			b.AppendNewline()
		}
		if top {
			comment(b, child.comment...)
		}
		child.writeInto(b.AppendNewBlock(child.kind, child.labels).Body())
	}
}

func (n *node) writeInto(b *hclwrite.Body) {
	saved := n.comment
	n.comment = nil
	n.write(b, false)
	n.comment = saved
}

func comment(b *hclwrite.Body, lines ...string) {
	for _, l := range lines {
		b.AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte("# " + l + "\n")}})
	}
}

// cty gives an argument's value as HCL has it.
func (a attr) cty() cty.Value {
	switch v := a.value.(type) {
	case string:
		return cty.StringVal(v)
	case int:
		return cty.NumberIntVal(int64(v))
	case bool:
		return cty.BoolVal(v)
	case time.Duration:
		return cty.StringVal(span(v))
	case []string:
		list := make([]cty.Value, len(v))
		for i, s := range v {
			list[i] = cty.StringVal(s)
		}
		return cty.TupleVal(list)
	}
	panic(fmt.Sprintf("migrate: argument %s has a value of type %T", a.name, a.value))
}

// span prints a duration without its zero parts.
func span(d time.Duration) string {
	switch {
	case d >= time.Second && d%time.Second == 0 && d < 2*time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s"
	case d != 0 && d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	case d != 0 && d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	}
	return d.String()
}

// Body gives the document as the HCL parser would, with places in the
// keepalived.conf.
func (d *Document) Body() *hclsyntax.Body { return d.root.body() }

func (n *node) body() *hclsyntax.Body {
	out := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: place(n.at)}
	for _, a := range n.attrs {
		at := place(a.at)
		out.Attributes[a.name] = &hclsyntax.Attribute{Name: a.name, Expr: expression(a.cty(), at), SrcRange: at, NameRange: at, EqualsRange: at}
	}
	for _, b := range n.blocks {
		at := place(b.at)
		labels := make([]hcl.Range, len(b.labels))
		for i := range labels {
			labels[i] = at
		}
		out.Blocks = append(out.Blocks, &hclsyntax.Block{
			Type: b.kind, Labels: b.labels, Body: b.body(),
			TypeRange: at, LabelRanges: labels, OpenBraceRange: at, CloseBraceRange: at,
		})
	}
	return out
}

func expression(v cty.Value, at hcl.Range) hclsyntax.Expression {
	if !v.Type().IsTupleType() {
		return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: at}
	}
	list := &hclsyntax.TupleConsExpr{SrcRange: at, OpenRange: at}
	for _, e := range v.AsValueSlice() {
		list.Exprs = append(list.Exprs, expression(e, at))
	}
	return list
}

func place(p keepalived.Position) hcl.Range {
	pos := hcl.Pos{Line: max(p.Line, 1), Column: max(p.Column, 1)}
	return hcl.Range{Filename: p.File, Start: pos, End: pos}
}
