package config

import (
	"fmt"
	"slices"
	"strconv"
	"time"

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
	header hcl.Range            // of the block's name
	at     map[string]hcl.Range // where each written value stands, bad ones too
	values map[string]any       // of good values; string, int64, float64, bool, time.Duration, []located
	blocks []*block
}

// open checks a body against its type: unknown and missing names, wrong types,
// values out of range, blocks written twice. What it finds wrong is reported and
// left out, so that later checks need not see it.
func open(r *report, t *blockType, label string, header hcl.Range, body *hclsyntax.Body) *block {
	b := &block{report: r, kind: t, label: label, header: header, at: map[string]hcl.Range{}, values: map[string]any{}}
	for name, attr := range body.Attributes {
		b.attribute(name, attr)
	}
	for i := range t.args {
		if a := &t.args[i]; a.required && body.Attributes[a.name] == nil {
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
	if b.kind.label == "" {
		return b.kind.name
	}
	return fmt.Sprintf("%s %q", b.kind.name, b.label)
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
	case a.only != nil && !slices.Contains(a.only, b.label):
		b.addf(attr.NameRange, "%s is for %s checks, this one is %q", name, oneOf(a.only), b.label)
		return
	}
	b.at[name] = attr.Expr.Range()
	if v, ok := b.evaluate(name, attr.Expr); ok {
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
		b.addf(raw.TypeRange, "%s has no block %q%s", b.owner(), raw.Type, suggest(raw.Type, b.kind.blockNames()))
		return
	}
	label, at, ok := b.labelOf(t, raw)
	if !ok {
		return
	}
	key := t.name + "\x00" + label
	if t.single {
		key = t.name
	}
	if t.single || t.unique {
		if before, dup := first[key]; dup {
			what := fmt.Sprintf("%s %q is already defined", t.name, label)
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

// labelOf gives the label of a block and the place that messages about the
// block point at: its label where it has one, else its name.
func (b *block) labelOf(t *blockType, raw *hclsyntax.Block) (string, hcl.Range, bool) {
	if t.label == "" {
		if len(raw.Labels) > 0 {
			b.addf(raw.LabelRanges[0], "%s takes no label", t.name)
			return "", raw.TypeRange, false
		}
		return "", raw.TypeRange, true
	}
	if len(raw.Labels) == 0 {
		b.addf(raw.TypeRange, "%s needs a label: %s", t.name, t.label)
		return "", raw.TypeRange, false
	}
	if len(raw.Labels) > 1 {
		b.addf(raw.LabelRanges[1], "%s takes one label only", t.name)
		return "", raw.TypeRange, false
	}
	label, at := raw.Labels[0], raw.LabelRanges[0]
	if label == "" {
		b.addf(at, "the label of %s is empty; it is %s", t.name, t.label)
		return "", at, false
	}
	if t.labels != nil && !slices.Contains(t.labels, label) {
		b.addf(at, "%s %q is unknown, must be %s%s", t.name, label, oneOf(t.labels), suggest(label, t.labels))
		return "", at, false
	}
	return label, at, true
}

// evaluate gives an expression's value. There are no variables and no
// functions, so the commonest fault is text without quotes.
func (b *block) evaluate(name string, expr hclsyntax.Expression) (cty.Value, bool) {
	if t, ok := expr.(*hclsyntax.ScopeTraversalExpr); ok {
		if len(t.Traversal) == 1 {
			b.addf(expr.Range(), "%s: %s is not a value; text stands in quotes: %q", name, t.Traversal.RootName(), t.Traversal.RootName())
		} else {
			b.addf(expr.Range(), "%s: there are no variables here; text stands in quotes", name)
		}
		return cty.NilVal, false
	}
	v, diags := expr.Value(nil)
	if diags.HasErrors() {
		b.hcl(diags, expr.Range())
		return cty.NilVal, false
	}
	if !v.IsWhollyKnown() {
		b.addf(expr.Range(), "%s has no known value", name)
		return cty.NilVal, false
	}
	return v, true
}

// convert makes a Go value of the argument's type. A null counts as not written.
func (b *block) convert(a *argument, v cty.Value, expr hclsyntax.Expression) (any, bool) {
	v, _ = v.Unmark()
	at := expr.Range()
	if v.IsNull() {
		delete(b.at, a.name)
		if a.required {
			b.addf(at, "%s must have a value", a.name)
		}
		return nil, false
	}
	switch a.kind {
	case text, secret:
		return b.text(a, v, at)
	case number:
		return b.number(a, v, at)
	case ratio:
		if v.Type() != cty.Number {
			b.addf(at, "%s must be a number from 0 to 1%s", a.name, unquoted(v))
			return nil, false
		}
		f, _ := v.AsBigFloat().Float64()
		if f < 0 || f > 1 {
			b.addf(at, "%s is %s, must be from 0 to 1", a.name, v.AsBigFloat().Text('g', 10))
			return nil, false
		}
		return f, true
	case boolean:
		if v.Type() != cty.Bool {
			b.addf(at, "%s must be true or false%s", a.name, unquoted(v))
			return nil, false
		}
		return v.True(), true
	case duration:
		return b.duration(a, v, at)
	case texts:
		return b.texts(a, v, expr)
	}
	return nil, false
}

// unquoted hints at quotes around something that takes none.
func unquoted(v cty.Value) string {
	if v.Type() == cty.String {
		return ", without quotes"
	}
	return ""
}

func (b *block) text(a *argument, v cty.Value, at hcl.Range) (any, bool) {
	if v.Type() != cty.String {
		b.addf(at, "%s must be a string, in quotes", a.name)
		return nil, false
	}
	s := v.AsString()
	switch {
	case a.choices != nil && !slices.Contains(a.choices, s):
		b.addf(at, "%s is %q, must be %s%s", a.name, s, oneOf(a.choices), suggest(s, a.choices))
		return nil, false
	case s == "" && a.def == "" && a.kind == text:
		b.addf(at, "%s is empty; leave it out instead", a.name)
		return nil, false
	case s == "":
		b.addf(at, "%s must not be empty", a.name)
		return nil, false
	}
	for _, c := range s {
		if c < ' ' && a.kind == text {
			b.addf(at, "%s holds a control character", a.name)
			return nil, false
		}
	}
	return s, true
}

func (b *block) number(a *argument, v cty.Value, at hcl.Range) (any, bool) {
	if v.Type() != cty.Number {
		b.addf(at, "%s must be a number%s", a.name, unquoted(v))
		return nil, false
	}
	f := v.AsBigFloat()
	if !f.IsInt() {
		b.addf(at, "%s is %s, must be a whole number", a.name, f.Text('g', 10))
		return nil, false
	}
	n, exact := f.Int64()
	if exact != 0 || n < a.lo || n > a.hi {
		b.addf(at, "%s is %s, must be from %d to %d", a.name, f.Text('g', 20), a.lo, a.hi)
		return nil, false
	}
	return n, true
}

func (b *block) duration(a *argument, v cty.Value, at hcl.Range) (any, bool) {
	if v.Type() == cty.Number {
		n := v.AsBigFloat().Text('g', 10)
		b.addf(at, "%s must be a duration in quotes and with its unit; for seconds write \"%ss\"", a.name, n)
		return nil, false
	}
	if v.Type() != cty.String {
		b.addf(at, "%s must be a duration, such as \"6s\" or \"250ms\"", a.name)
		return nil, false
	}
	s := v.AsString()
	d, err := time.ParseDuration(s)
	if err != nil {
		if _, bare := strconv.ParseFloat(s, 64); bare == nil {
			b.addf(at, "%s is %q, which lacks its unit; for seconds write \"%ss\"", a.name, s, s)
		} else {
			b.addf(at, "%s is %q, which is no duration; write one as \"6s\", \"250ms\" or \"1m30s\"", a.name, s)
		}
		return nil, false
	}
	if d < 0 || int64(d) < a.lo || int64(d) > a.hi {
		b.addf(at, "%s is %q, must be from %s to %s", a.name, s, short(time.Duration(a.lo)), short(time.Duration(a.hi)))
		return nil, false
	}
	if a.unit > 0 && int64(d)%a.unit != 0 {
		b.addf(at, "%s is %q, must be whole seconds", a.name, s)
		return nil, false
	}
	return d, true
}

// texts takes a list of strings; elements that are written out have places of
// their own.
func (b *block) texts(a *argument, v cty.Value, expr hclsyntax.Expression) (any, bool) {
	if !v.Type().IsTupleType() && !v.Type().IsListType() && !v.Type().IsSetType() {
		b.addf(expr.Range(), "%s must be a list of strings, such as [\"a\", \"b\"]", a.name)
		return nil, false
	}
	tuple, _ := expr.(*hclsyntax.TupleConsExpr)
	list, good := []located{}, true
	for i, e := range v.AsValueSlice() {
		at := expr.Range()
		if tuple != nil && i < len(tuple.Exprs) {
			at = tuple.Exprs[i].Range()
		}
		if e.IsNull() || e.Type() != cty.String {
			b.addf(at, "%s must be a list of strings, this is none", a.name)
			good = false
			continue
		}
		s := e.AsString()
		if s == "" {
			b.addf(at, "%s holds an empty string", a.name)
			good = false
			continue
		}
		if a.choices != nil && !slices.Contains(a.choices, s) {
			b.addf(at, "%s: %q is unknown, must be %s%s", a.name, s, oneOf(a.choices), suggest(s, a.choices))
			good = false
			continue
		}
		list = append(list, located{text: s, at: at})
	}
	return list, good
}

// short prints a duration without its zero parts: 1m, not 1m0s.
func short(d time.Duration) string {
	switch {
	case d != 0 && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d != 0 && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}
