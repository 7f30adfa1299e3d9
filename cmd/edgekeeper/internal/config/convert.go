package config

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

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
		return b.fraction(a, v, at, 0, 1)
	case factor:
		return b.fraction(a, v, at, minFactor, maxFactor)
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
		if c < ' ' && a.kind == text && !a.raw {
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
		b.addf(at, "%s is %s, must be a whole number", a.name, digits(f))
		return nil, false
	}
	n, exact := f.Int64()
	if exact != 0 || n < a.lo || n > a.hi {
		to := "to"
		if a.hi == a.lo+1 {
			to = "or"
		}
		b.addf(at, "%s is %s, must be %d %s %d", a.name, digits(f), a.lo, to, a.hi)
		return nil, false
	}
	return n, true
}

func (b *block) fraction(a *argument, v cty.Value, at hcl.Range, lo, hi float64) (any, bool) {
	if v.Type() != cty.Number {
		b.addf(at, "%s must be a number from %g to %g%s", a.name, lo, hi, unquoted(v))
		return nil, false
	}
	f, _ := v.AsBigFloat().Float64()
	if f < lo || f > hi {
		b.addf(at, "%s is %s, must be from %g to %g", a.name, digits(v.AsBigFloat()), lo, hi)
		return nil, false
	}
	return f, true
}

func (b *block) duration(a *argument, v cty.Value, at hcl.Range) (any, bool) {
	if v.Type() == cty.Number {
		n := digits(v.AsBigFloat())
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
// their own. Of a list with mistakes the good elements remain.
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
	return list, good || len(list) > 0
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

// digits prints a number for a message. One with thousands of digits would take
// long to print, and longer to read.
func digits(f *big.Float) string {
	if e := f.MantExp(nil); e > 128 || e < -128 {
		return "far out of range"
	}
	return f.Text('g', 20)
}
