package jobs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const declarations = `
variable "vip" {
  type        = string
  description = "Virtual address."
}
variable "count" {
  type    = number
  default = 2
}
variable "args" {
  type    = list(string)
  default = []
}
variable "anything" {
  default = ""
}
job "x" {}
`

func TestVariables(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	hcl := file("a.hcl", "vip = \"192.0.2.9\"\ncount = 3\n")
	json := file("a.json", `{"vip": "192.0.2.8", "args": ["x"]}`)
	for _, tt := range []struct {
		name   string
		values Values
		want   string
		err    string
	}{
		{"a string is text, whatever it looks like", Values{Flags: []string{`vip=["${meta.x}"]`}}, `vip = "[\"$${meta.x}\"]"` + "\n", ""},
		{"others are expressions", Values{Flags: []string{"vip=a", `args=["-n","$${x}"]`, "count=7"}}, "args  = [\"-n\", \"$${x}\"]\ncount = 7\nvip   = \"a\"\n", ""},
		{"no type takes any", Values{Flags: []string{"vip=a", `anything={a=1}`}}, "anything = {\n  a = 1\n}\nvip = \"a\"\n", ""},
		{"environment, then files, then flags", Values{Environ: []string{"NOMAD_VAR_vip=env", "NOMAD_VAR_count=9", "NOMAD_VAR_other=1", "vip=no"}, Files: []string{hcl, json}, Flags: []string{"count=4"}},
			"args  = [\"x\"]\ncount = 4\nvip   = \"192.0.2.8\"\n", ""},
		{"missing", Values{}, "", "the variable vip of x.nomad.hcl has no value: give -var vip=... (Virtual address)"},
		{"unknown", Values{Flags: []string{"vip=a", "cuont=1"}}, "", `-var cuont: x.nomad.hcl has no variable "cuont", did you mean "count"?`},
		{"wrong type", Values{Flags: []string{"vip=a", "count=two"}}, "", `-var count: the variable count takes a number, not "two"`},
		{"wrong type of an expression", Values{Flags: []string{"vip=a", "args=7"}}, "", "-var args: the variable args cannot be 7: list of string required, but have number"},
		{"no equals sign", Values{Flags: []string{"vip=a", "count"}}, "", `-var "count": must be name=value`},
		{"every mistake", Values{Flags: []string{"a=1", "b=1"}}, "", "-var a: x.nomad.hcl has no variable \"a\"\n-var b: x.nomad.hcl has no variable \"b\"\nthe variable vip of x.nomad.hcl has no value: give -var vip=... (Virtual address)"},
		{"a file that is none", Values{Flags: []string{"vip=a"}, Files: []string{file("b.hcl", "count = ")}}, "", "read variables: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := File{Name: "x.nomad.hcl", Text: declarations}.Variables(tt.values)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err && !(strings.HasSuffix(tt.err, ": ") && strings.HasPrefix(err.Error(), tt.err)) {
					t.Fatalf("error %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	for _, name := range Names() {
		f, err := Open(name)
		disk, err2 := os.ReadFile(name + suffix)
		if err != nil || err2 != nil || f.Text != string(disk) {
			t.Errorf("%s: %v, %v, or not the file of this folder", name, err, err2)
		}
	}
	if _, err := Open("nonsuch"); !errors.Is(err, ErrNoJob) {
		t.Errorf("nonsuch: %v", err)
	}
	if _, err := Open("./nonsuch.hcl"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("./nonsuch.hcl: %v", err)
	}
}
