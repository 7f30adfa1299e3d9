package jobs

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Values are values for the variables of a job, in the forms that `nomad job
// run` takes. Later ones win: Environ, then Files, then Flags.
type Values struct {
	Environ []string // "NOMAD_VAR_name=value" of a process environment; other entries do not count
	Files   []string // paths of variable files, HCL or JSON
	Flags   []string // "name=value"
}

const environPrefix = "NOMAD_VAR_"

// variable is a declaration in a job file.
type variable struct {
	kind        cty.Type
	required    bool
	description string
}

// Variables renders values as the text of a variables file, which is the form
// in which Nomad's API takes them (api.JobsParseRequest). Every mistake is an
// error: a name that the job does not declare, a value of the wrong type, a
// variable without a value.
func (f File) Variables(v Values) (string, error) {
	declared, err := f.declared()
	if err != nil {
		return "", err
	}
	values := map[string]cty.Value{}
	var errs []error
	take := func(from, name string, value cty.Value) {
		d, ok := declared[name]
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %s has no variable %q%s", from, f.Name, name, nearest(name, declared)))
			return
		}
		converted, err := convert.Convert(value, d.kind)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: the variable %s cannot be %s: %w", from, name, source(value), err))
			return
		}
		values[name] = converted
	}
	text := func(from, name, text string) {
		value := cty.StringVal(text)
		if d, ok := declared[name]; ok && d.kind != cty.String {
			var err error
			if value, err = expression(text); err != nil {
				errs = append(errs, fmt.Errorf("%s: the variable %s takes a %s, not %q", from, name, d.kind.FriendlyName(), text))
				return
			}
		}
		take(from, name, value)
	}
	for _, entry := range v.Environ {
		rest, ok := strings.CutPrefix(entry, environPrefix)
		name, value, _ := strings.Cut(rest, "=")
		if _, known := declared[name]; ok && known { // others are for other jobs
			text(environPrefix+name, name, value)
		}
	}
	for _, path := range v.Files {
		attributes, err := readValues(path)
		if err != nil {
			errs = append(errs, err)
		}
		for _, name := range slices.Sorted(maps.Keys(attributes)) {
			take(path, name, attributes[name])
		}
	}
	for _, flag := range v.Flags {
		name, value, ok := strings.Cut(flag, "=")
		if !ok {
			errs = append(errs, fmt.Errorf("-var %q: must be name=value", flag))
			continue
		}
		text("-var "+name, name, value)
	}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		if d := declared[name]; d.required && values[name] == cty.NilVal {
			errs = append(errs, fmt.Errorf("the variable %s of %s has no value: give -var %s=...%s", name, f.Name, name, about(d)))
		}
	}
	if len(errs) > 0 {
		return "", errors.Join(errs...)
	}
	out := hclwrite.NewEmptyFile()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out.Body().SetAttributeValue(name, values[name])
	}
	return string(out.Bytes()), nil
}

func about(d variable) string {
	if d.description == "" {
		return ""
	}
	return " (" + strings.TrimSuffix(d.description, ".") + ")"
}

// declared reads the variable blocks of the file; the rest of it is Nomad's.
func (f File) declared() (map[string]variable, error) {
	file, diags := hclsyntax.ParseConfig([]byte(f.Text), f.Name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, fmt.Errorf("parse job: %w", diags)
	}
	out := map[string]variable{}
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok {
		return nil, fmt.Errorf("parse job %s: not HCL's native syntax", f.Name)
	}
	for _, b := range body.Blocks {
		if b.Type != "variable" || len(b.Labels) != 1 {
			continue
		}
		d := variable{kind: cty.DynamicPseudoType, required: b.Body.Attributes["default"] == nil}
		if a := b.Body.Attributes["type"]; a != nil {
			kind, diags := typeexpr.TypeConstraint(a.Expr)
			if diags.HasErrors() {
				return nil, fmt.Errorf("parse job: %w", diags)
			}
			d.kind = kind
		}
		if a := b.Body.Attributes["description"]; a != nil {
			if v, diags := a.Expr.Value(nil); !diags.HasErrors() && v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
				d.description = v.AsString()
			}
		}
		out[b.Labels[0]] = d
	}
	return out, nil
}

// expression evaluates a value written on the command line.
func expression(text string) (cty.Value, error) {
	e, diags := hclsyntax.ParseExpression([]byte(text), "value", hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	v, diags := e.Value(nil)
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	return v, nil
}

// readValues reads a variables file.
func readValues(path string) (map[string]cty.Value, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read variables: %w", err)
	}
	p := hclparse.NewParser()
	parse := p.ParseHCL
	if strings.HasSuffix(path, ".json") {
		parse = p.ParseJSON
	}
	file, diags := parse(text, path)
	if diags.HasErrors() {
		return nil, fmt.Errorf("read variables: %w", diags)
	}
	attributes, diags := file.Body.JustAttributes()
	if diags.HasErrors() {
		return nil, fmt.Errorf("read variables: %w", diags)
	}
	out := map[string]cty.Value{}
	for name, a := range attributes {
		v, diags := a.Expr.Value(nil)
		if diags.HasErrors() {
			return nil, fmt.Errorf("read variables: %w", diags)
		}
		out[name] = v
	}
	return out, nil
}

// source is a value as HCL writes it.
func source(v cty.Value) string { return string(hclwrite.TokensForValue(v).Bytes()) }

// nearest suggests a declared name.
func nearest(name string, declared map[string]variable) string {
	best, at := "", 3
	for _, d := range slices.Sorted(maps.Keys(declared)) {
		if n := levenshtein.Distance(name, d, nil); n < at {
			best, at = d, n
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}
