package config

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// located is an element of a list, and where it stands.
type located struct {
	text string
	at   hcl.Range
}

// block is one block (or the root of the files) after its names and the types
// and ranges of its values were checked against its blockType.
type block struct {
	*report
	kind   *blockType
	label  string
	second string               // the second label
	header hcl.Range            // of the block's name
	at     map[string]hcl.Range // where each written value stands, bad ones too
	values map[string]any       // of good values; string, int64, float64, bool, time.Duration, []located
	blocks []*block
}

// open checks a body against its type: unknown and missing names, wrong types,
// values out of range, blocks written twice. What it finds wrong is reported and
// left out, so that later checks need not see it.
func open(r *report, t *blockType, labels labels, header hcl.Range, body *hclsyntax.Body) *block {
	b := &block{report: r, kind: t, label: labels.first, second: labels.second, header: header}
	if len(body.Attributes) > 0 { // most real servers have none
		b.at, b.values = make(map[string]hcl.Range, len(body.Attributes)), make(map[string]any, len(body.Attributes))
	}
	for name, attr := range body.Attributes {
		b.attribute(name, attr)
	}
	for i := range t.args {
		if a := &t.args[i]; a.required && b.takes(a) && body.Attributes[a.name] == nil && !r.partial {
			r.addf(header, "%s needs %s", b.name(), a.name)
		}
	}
	first := map[string]hcl.Range{}
	for _, raw := range body.Blocks {
		b.child(raw, first)
	}
	return b
}

// name is what messages call the block.
func (b *block) name() string {
	if b.label == "" {
		return b.kind.name
	}
	if b.second != "" {
		return fmt.Sprintf("%s %q %q", b.kind.name, b.label, b.second)
	}
	return fmt.Sprintf("%s %q", b.kind.name, b.label)
}

// takes reports whether the argument is for blocks with this label.
func (b *block) takes(a *argument) bool {
	return a.only == nil || slices.Contains(a.only, b.label)
}

func (b *block) attribute(name string, attr *hclsyntax.Attribute) {
	a := b.kind.arg(name)
	switch {
	case a == nil && b.kind.block(name) != nil:
		b.addf(attr.NameRange, "%s is a block: write it without the equals sign", name)
		return
	case a == nil:
		b.addf(attr.NameRange, "%s has no argument %q%s", b.owner(), name, suggest(name, b.kind.argNames()))
		return
	case b.label != "" && !b.takes(a):
		b.addf(attr.NameRange, "%s is for %s %s, this one is %q", name, oneOf(a.only), cmp.Or(b.kind.many, b.kind.name+"s"), b.label)
		return
	}
	b.at[name] = attr.Expr.Range()
	if v, ok := b.evaluate(a, attr.Expr); ok {
		if got, ok := b.convert(a, v, attr.Expr); ok {
			b.values[name] = got
		}
	}
}

// owner is what holds an argument or block: the block's type, or the root.
func (b *block) owner() string {
	if b.kind.name == "" {
		return "the configuration"
	}
	return b.kind.name
}

func (b *block) child(raw *hclsyntax.Block, first map[string]hcl.Range) {
	t := b.kind.block(raw.Type)
	if t == nil {
		if b.kind.arg(raw.Type) != nil {
			b.addf(raw.TypeRange, "%s is an argument: write %s = …", raw.Type, raw.Type)
			return
		}
		if root.block(raw.Type) != nil {
			b.addf(raw.TypeRange, "%s belongs at the top of the file, this is within %s; a closing brace may be missing above", raw.Type, b.name())
			return
		}
		b.addf(raw.TypeRange, "%s has no block %q%s", b.owner(), raw.Type, suggest(raw.Type, b.kind.blockNames()))
		return
	}
	label, at, ok := b.labelOf(t, raw)
	if !ok {
		open(b.report, t, labels{}, raw.TypeRange, raw.Body) // for the mistakes within
		return
	}
	if t.single || t.unique {
		key := t.name
		if t.unique {
			key += "\x00" + label.first + "\x00" + label.second
		}
		if before, dup := first[key]; dup {
			what := fmt.Sprintf("%s %q is already defined", t.name, label.first)
			if label.second != "" {
				what = fmt.Sprintf("%s %q %q is already defined", t.name, label.first, label.second)
			}
			if t.single {
				what = fmt.Sprintf("only one %s block is allowed, there is one", t.name)
			}
			b.addf(at, "%s at %s", what, place(before))
		} else {
			first[key] = at
		}
	}
	b.blocks = append(b.blocks, open(b.report, t, label, at, raw.Body))
}

// labels are the labels of a block: none, one, or two.
type labels struct{ first, second string }

// labelOf gives the labels of a block and the place that messages about the
// block point at: its last label where it has one, else its name.
func (b *block) labelOf(t *blockType, raw *hclsyntax.Block) (labels, hcl.Range, bool) {
	if t.label == "" {
		if len(raw.Labels) > 0 {
			b.addf(raw.LabelRanges[0], "%s takes no label", t.name)
			return labels{}, raw.TypeRange, false
		}
		return labels{}, raw.TypeRange, true
	}
	most, words := 1, "one label only"
	if t.second != "" {
		most, words = 2, "two labels only"
	}
	switch {
	case len(raw.Labels) == 0:
		b.addf(raw.TypeRange, "%s needs a label: %s", t.name, t.label)
		return labels{}, raw.TypeRange, false
	case len(raw.Labels) > most:
		b.addf(raw.LabelRanges[most], "%s takes %s", t.name, words)
		return labels{}, raw.TypeRange, false
	}
	l, at := labels{first: raw.Labels[0]}, raw.LabelRanges[0]
	if l.first == "" {
		b.addf(at, "the label of %s is empty; it is %s", t.name, t.label)
		return labels{}, at, false
	}
	if t.labels != nil && !slices.Contains(t.labels, l.first) {
		b.addf(at, "%s %q is unknown, must be %s%s", t.name, l.first, oneOf(t.labels), suggest(l.first, t.labels))
		return labels{}, at, false
	}
	if t.second == "" {
		return l, at, true
	}
	if len(raw.Labels) < most {
		b.addf(at, "%s %q needs a second label: %s", t.name, l.first, t.second)
		return l, at, false
	}
	if l.second, at = raw.Labels[1], raw.LabelRanges[1]; l.second == "" {
		b.addf(at, "the second label of %s is empty; it is %s", t.name, t.second)
		return l, at, false
	}
	return l, at, true
}

// evaluate gives an expression's value. There are no variables and no
// functions, so the commonest fault is text without quotes.
func (b *block) evaluate(a *argument, expr hclsyntax.Expression) (cty.Value, bool) {
	name := a.name
	if t, ok := expr.(*hclsyntax.ScopeTraversalExpr); ok {
		if len(t.Traversal) == 1 && a.kind != secret {
			b.addf(expr.Range(), "%s: %s is not a value; text stands in quotes: %q", name, t.Traversal.RootName(), t.Traversal.RootName())
		} else {
			b.addf(expr.Range(), "%s: there are no variables here; text stands in quotes", name)
		}
		return cty.NilVal, false
	}
	v, diags := expr.Value(nil)
	if diags.HasErrors() {
		for _, d := range diags {
			at := expr.Range()
			if d.Subject != nil {
				at = *d.Subject
			}
			b.addf(at, "%s: %s", name, sentence(d))
		}
		return cty.NilVal, false
	}
	if !v.IsWhollyKnown() {
		b.addf(expr.Range(), "%s has no value", name)
		return cty.NilVal, false
	}
	return v, true
}
