package keepalived

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// dump prints statements, one per line, blocks indented, and then the problems.
func dump(list []Statement, problems []Problem) string {
	var b strings.Builder
	var walk func([]Statement, string)
	walk = func(list []Statement, indent string) {
		for _, s := range list {
			fmt.Fprintf(&b, "%s%d:%d %q", indent, s.At.Line, s.At.Column, s.Words)
			if s.Unbalanced {
				b.WriteString(" unbalanced")
			}
			if s.Open {
				b.WriteString(" {")
			}
			b.WriteString("\n")
			walk(s.Block, indent+"  ")
		}
	}
	walk(list, "")
	for _, p := range problems {
		fmt.Fprintf(&b, "%d:%d %s\n", p.At.Line, p.At.Column, p.Message)
	}
	return b.String()
}

func TestParse(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"words and comments", "a b\tc # d\n! e\nf \"g  # h\" i!j\n", `
1:1 ["a" "b" "c"]
3:1 ["f" "g  # h" "i"]`},
		{"an escaped comment", `a b\#c \!d`, `
1:1 ["a" "b#c" "!d"]`},
		{"blocks however they are written", "a {\n b\n}\nc\n{\n d }\ne { f { g } }\n", `
1:1 ["a"] {
  2:2 ["b"]
4:1 ["c"] {
  6:2 ["d"]
7:1 ["e"] {
  7:5 ["f"] {
    7:9 ["g"]`},
		{"braces in quotation marks", `a "{ b }" { c }`, `
1:1 ["a" "{ b }"] {
  1:13 ["c"]`},
		{"Windows line ends", "a {\r\n b\r\n}\r\n", `
1:1 ["a"] {
  2:2 ["b"]`},
		{"a definition", "$A=10.0.0.1\n$B = c\na $A $Ab ${A}b ${B} $B\n", `
2:1 ["$B" "=" "c"]
3:1 ["a" "10.0.0.1" "$Ab" "10.0.0.1b" "$"] {
  3:1 ["B"]
3:1 ["$B"]`},
		{"definitions in each other, the last one counts", "$A=1\n$B=x${A}\n$A=2\na $B\n", `
4:1 ["a" "x2"]`},
		{"a definition of several lines", "$A=\\\n a { \\\n b $N \\\n }\n$N=7\n$A\nc\n", `
6:1 ["a"] {
  6:1 ["b" "7"]
7:1 ["c"]`},
		{"conditions", "@one a\n@two b\n@^one c\n@^two\td\ne\n", `
1:6 ["a"]
4:7 ["d"]
5:1 ["e"]`},
		{"standard definitions", "a ${_PWD} ${_INSTANCE} ${_ENV HOME} ${_HASH}${_BANG}\n", `
1:1 ["a" "/etc" "blue" "/root" "#!"]`},
		{"sequences", "~SEQ(N, 2) a $N\n~SEQ(N, 3, 1) b $N\n~SEQx(N, 8, 4, 16) c ${N}0\n", `
1:1 ["a" "1"]
1:1 ["a" "2"]
2:1 ["b" "3"]
2:1 ["b" "2"]
2:1 ["b" "1"]
3:1 ["c" "80"]
3:1 ["c" "c0"]
3:1 ["c" "100"]`},
		{"a sequence of a definition's length", "$L=2\n~SEQ(N, 1, $L) a $N\n", `
2:1 ["a" "1"]
2:1 ["a" "2"]`},
		{"lists", "~LST(A, x, y) a $A\n~LST({A, B}, {1, 2}, {3}) b $A <${B}>\n", `
1:1 ["a" "x"]
1:1 ["a" "y"]
2:1 ["b" "1" "<2>"]
2:1 ["b" "3" "<>"]`},
		{"included files", "a\ninclude more/*.conf\nb\n", `
1:1 ["a"]
1:1 ["one"]
1:1 ["deep"]
1:1 ["two"]
3:1 ["b"]`},
		{"a choice of files", "include more/{two,one}.conf\n", `
1:1 ["two"]
1:1 ["one"]
1:1 ["deep"]`},
		{"a file that is not there", "include more/none.conf\nb\n", `
2:1 ["b"]
1:1 include more/none.conf: there is no such file`},
		{"a file that includes itself", "include self.conf\n", `
1:1 include: etc/self.conf includes itself`},
		{"braces without partners", "a {\n b {\n }\n", `
1:1 ["a"] {
  2:2 ["b"] {
1:1 the block that begins here has no closing brace`},
		{"too many closing braces", "a { }\n}\nb\n", `
1:1 ["a"] {
3:1 ["b"]
2:1 a closing brace without a block`},
		{"a quotation mark without partner", "a \"b c\n", `
1:1 ["a"] unbalanced
1:1 a quotation mark without its partner`},
		{"definitions that contain each other", "$A=${B}\n$B=${A}\na $A\n", `
3:1 definitions contain themselves, or the line becomes too long`},
		{"a wrong sequence", "~SEQ(N, 1, 0, 5) a\n~SEQ(N, 5, 1, 1) a\n~LST(A) a\n~SEQ a\n", `
1:1 ~SEQ: from 1 in steps of 0 there is no way to 5
2:1 ~SEQ: from 5 in steps of 1 there is no way to 1
3:1 ~LST takes names and at least one set of values: ({a, b}, {1, 2}, {3, 4})
4:1 ~SEQ needs its parameters in parentheses`},
		{"a sequence without end", "~SEQ(N, 1, 2000000000) a\n", `
1:1 ~SEQ makes 2000000000 lines, more than 200000`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			fsys := fstest.MapFS{
				"etc/keepalived.conf":    {Data: []byte(c.in)},
				"etc/self.conf":          {Data: []byte("include self.conf\n")},
				"etc/more/one.conf":      {Data: []byte("one\ninclude ../deep/deep.conf\n")},
				"etc/more/two.conf":      {Data: []byte("two\n")},
				"etc/deep/deep.conf":     {Data: []byte("deep\n")},
				"etc/more/unrelated.txt": {Data: []byte("unrelated\n")},
			}
			got := dump(Parse(fsys, "etc/keepalived.conf", Options{ID: "one", Instance: "blue", Env: func(n string) string {
				return map[string]string{"HOME": "/root"}[n]
			}}))
			if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), strings.TrimSuffix(got, "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestPositionsNameTheFile: included files have names beside the first one's.
func TestPositionsNameTheFile(t *testing.T) {
	fsys := fstest.MapFS{
		"srv/site/keepalived.conf": {Data: []byte("include sub/a.conf\ninclude /other/b.conf\ninclude gone.conf\n")},
		"srv/site/sub/a.conf":      {Data: []byte("a\n")},
		"other/b.conf":             {Data: []byte("b\n")},
	}
	list, problems := Parse(fsys, "srv/site/keepalived.conf", Options{Name: "site/keepalived.conf"})
	var got []string
	for _, s := range list {
		got = append(got, s.At.String())
	}
	for _, p := range problems {
		got = append(got, p.At.String())
	}
	want := []string{"site/sub/a.conf:1:1", "/other/b.conf:1:1", "site/keepalived.conf:3:1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMissingFile(t *testing.T) {
	list, problems := Parse(fstest.MapFS{}, "none.conf", Options{})
	if len(list) != 0 || len(problems) != 1 {
		t.Errorf("got %v, %v", list, problems)
	}
}

func TestEscaped(t *testing.T) {
	cases := []struct {
		in   string
		want []string
		err  error
	}{
		{`a  b`, []string{"a", "b"}, nil},
		{`"/bin/x y" 'z "w"'`, []string{"/bin/x y", `z "w"`}, nil},
		{`a"b c"d`, []string{"ab cd"}, nil},
		{`"sh -c \"exit 1\""`, []string{`sh -c "exit 1"`}, nil},
		{`\x41\101\n\q \cA`, []string{"AA\nq", "\x01"}, nil},
		{`""`, []string{""}, nil},
		{`a "b`, []string{"a"}, ErrQuote},
		{`a \`, []string{"a"}, ErrEscape},
	}
	for _, c := range cases {
		got, err := Escaped(c.in)
		if !slices.Equal(got, c.want) || !errors.Is(err, c.err) {
			t.Errorf("Escaped(%q) = %q, %v, want %q, %v", c.in, got, err, c.want, c.err)
		}
	}
}
