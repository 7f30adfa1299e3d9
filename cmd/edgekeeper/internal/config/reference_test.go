package config

import (
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

const referenceFile = "../../../../docs/config.md"

func TestReference(t *testing.T) {
	if *update {
		write(t, referenceFile, []byte(Reference()))
	}
	if diff := cmp.Diff(string(read(t, referenceFile)), Reference()); diff != "" {
		t.Errorf("docs/config.md is not what the table says; run with -update (-file +table):\n%s", diff)
	}
}

// walk visits a block type and those within.
func walk(b *blockType, path string, visit func(path string, b *blockType)) {
	path = strings.TrimPrefix(path+"."+b.name, ".")
	visit(path, b)
	for _, child := range b.blocks {
		walk(child, path, visit)
	}
}

// TestTable checks the table itself.
func TestTable(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	walk(root, "", func(path string, b *blockType) {
		if b.doc == "" || !strings.HasSuffix(b.doc, ".") {
			t.Errorf("%s has no sentence for the reference", path)
		}
		names := append(b.argNames(), b.blockNames()...)
		slices.Sort(names)
		if len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Errorf("%s has a name twice: %v", path, names)
		}
		for i := range b.args {
			a := &b.args[i]
			where := path + "." + a.name
			if !snake.MatchString(a.name) || !strings.HasSuffix(a.doc, ".") || strings.Contains(a.doc, "|") {
				t.Errorf("%s: name or sentence is malformed", where)
			}
			if a.required && (a.def != "" || a.defText != "") {
				t.Errorf("%s is required and has a default", where)
			}
			if a.kind == number && a.hi == 0 || a.kind == duration && a.hi == 0 {
				t.Errorf("%s has no bounds", where)
			}
			if a.choices != nil && a.def != "" && !slices.Contains(a.choices, a.def) {
				t.Errorf("%s: default %q is no choice", where, a.def)
			}
			if a.required || a.defText != "" {
				continue // its zero value may be out of range
			}
			switch v := a.zero().(type) {
			case int64:
				if v < a.lo || v > a.hi {
					t.Errorf("%s: default %d is out of range", where, v)
				}
			case time.Duration:
				if int64(v) < a.lo || int64(v) > a.hi || v.String() == "0s" && a.def != "0s" {
					t.Errorf("%s: default %q is out of range or does not parse", where, a.def)
				}
			}
		}
	})
}

// TestSamples loads the reference's examples as one configuration.
func TestSamples(t *testing.T) {
	var all []string
	walk(root, "", func(_ string, b *blockType) { all = append(all, b.sample) })
	text := strings.Join(all, "\n\n")
	if _, err := parse([]source{{name: "samples.hcl", text: []byte(text)}}, environment, "lvs1"); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestProtocolDefaults keeps the table's defaults at those of package vrrp.
func TestProtocolDefaults(t *testing.T) {
	cfg, err := parse([]source{{name: "x.hcl", text: []byte(`
vrrp "x" {
  interface         = "eth0"
  virtual_router_id = 1
  virtual_address "192.0.2.1/24" {}
}
vrrp "y" {
  interface         = "eth0"
  virtual_router_id = 1
  virtual_address "2001:db8::1/64" {}
}`)}}, environment, "lvs1")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range cfg.Instances {
		want := vrrp.Config{Name: v.Router.Name, VRID: 1, Addresses: v.Router.Addresses}.WithDefaults()
		if !reflect.DeepEqual(v.Router, want) {
			t.Errorf("got  %+v\nwant %+v", v.Router, want)
		}
	}
}

// TestEveryArgumentCounts takes each argument out of the good files, one at a
// time: the configuration must change or be refused. An argument that no file
// shows to count is parsed and ignored, or not tested.
func TestEveryArgumentCounts(t *testing.T) {
	counts := map[string]bool{}
	for _, name := range append(glob(t, "testdata/good/*.hcl", 5), glob(t, examples+"/*.hcl", 3)...) {
		text := read(t, name)
		whole, err := parse([]source{{name: name, text: text}}, environment, "lvs1")
		if err != nil {
			t.Fatal(err)
		}
		file, diags := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		attributes(file.Body.(*hclsyntax.Body), "", func(path string, attr *hclsyntax.Attribute) {
			r := attr.SrcRange
			without := slices.Concat(text[:r.Start.Byte], text[r.End.Byte:])
			cfg, err := parse([]source{{name: name, text: without}}, environment, "lvs1")
			if err != nil || !reflect.DeepEqual(cfg, whole) {
				counts[path] = true
			}
		})
	}
	// A block type that stands in several places counts where it first does; what
	// reads it is the same.
	first := map[*blockType]bool{}
	walk(root, "", func(path string, b *blockType) {
		if first[b] {
			return
		}
		first[b] = true
		for _, a := range b.argNames() {
			if full := strings.TrimPrefix(path+"."+a, "."); !counts[full] {
				t.Errorf("no file in %s shows that %s counts", filepath.Dir("testdata/good/x"), full)
			}
		}
	})
}

func attributes(body *hclsyntax.Body, path string, visit func(path string, attr *hclsyntax.Attribute)) {
	for name, attr := range body.Attributes {
		visit(strings.TrimPrefix(path+"."+name, "."), attr)
	}
	for _, b := range body.Blocks {
		attributes(b.Body, strings.TrimPrefix(path+"."+b.Type, "."), visit)
	}
}
