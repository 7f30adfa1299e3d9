package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "rewrite what the tests compare with")

// examples are the files that ship.
const examples = "../../../../docs/examples"

// wantPrefix begins the comments that say what is wrong with a file.
const wantPrefix = "# want: "

// environment is what the tests' files may refer to.
func environment(name string) string {
	return map[string]string{
		"VRRP_SECRET": "5525", "LONG_SECRET": "nine bytes", "HOOK_SECRET": "Bearer abc", "MAIL_PASSWORD": "pw", "TWO_LINES": "a\nb", "HMAC_KEY": "thirty-two bytes of any characters",
	}[name]
}

func glob(t *testing.T, pattern string, least int) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < least {
		t.Fatalf("%s matches %d files, want at least %d", pattern, len(names), least)
	}
	return names
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestBadFiles loads files that are wrong. Each says in comments at its end, one
// per mistake, what Load must report: every mistake, nothing else, in order.
func TestBadFiles(t *testing.T) {
	for _, name := range glob(t, "testdata/bad/*.hcl", 30) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text := read(t, name)
			cfg, err := Load(name, environment)
			var got Error
			if !errors.As(err, &got) || cfg != nil {
				t.Fatalf("Load gave %v, %v, want an Error", cfg, err)
			}
			var lines []string
			for _, d := range got {
				if d.File != name {
					t.Errorf("mistake in %q, want it in %q", d.File, name)
				}
				lines = append(lines, fmt.Sprintf("%s%d:%d: %s", wantPrefix, d.Line, d.Column, d.Message))
			}
			// A message may name a second place in the same file.
			for i := range lines {
				lines[i] = strings.ReplaceAll(lines[i], name, filepath.Base(name))
			}
			if *update {
				rest, _, _ := bytes.Cut(text, []byte("\n"+wantPrefix))
				rest = append(bytes.TrimRight(rest, "\n"), '\n', '\n')
				write(t, name, append(rest, strings.Join(lines, "\n")+"\n"...))
				return
			}
			var want []string
			for line := range strings.Lines(string(text)) {
				if strings.HasPrefix(line, wantPrefix) {
					want = append(want, strings.TrimSuffix(line, "\n"))
				}
			}
			if diff := cmp.Diff(want, lines); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
		})
	}
}

func write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestGoodFiles loads what ships and what must be expressible.
func TestGoodFiles(t *testing.T) {
	names := append(glob(t, "testdata/good/*.hcl", 5), glob(t, examples+"/*.hcl", 3)...)
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			cfg, err := Load(name, environment)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Load(name, environment)
			if err != nil || !reflect.DeepEqual(cfg, again) {
				t.Errorf("loaded twice, the configuration differs (%v):\n%s", err, cmp.Diff(cfg, again, opts))
			}
			for _, v := range cfg.Instances {
				if err := v.Router.Validate(); err != nil {
					t.Errorf("%s: %v", v.Router.Name, err)
				}
			}
		})
	}
}

var opts = cmp.Options{cmpopts.EquateComparable()}

func TestFolder(t *testing.T) {
	write := func(t *testing.T, files map[string]string) string {
		dir := t.TempDir()
		for name, text := range files {
			write(t, filepath.Join(dir, name), []byte(text))
		}
		return dir
	}
	const server = `{
  address = "192.0.2.1:%d"
  real_server "192.0.2.2" {}
}
`
	t.Run("files are read in lexical order, leftovers are not", func(t *testing.T) {
		dir := write(t, map[string]string{
			"20.hcl":      `virtual_server "b" ` + fmt.Sprintf(server, 81),
			"10.hcl":      `virtual_server "a" ` + fmt.Sprintf(server, 80),
			"05-base.hcl": `router_id = "one"`,
			"30.hcl.bak":  `nonsense`,
			".40.hcl":     `nonsense`,
		})
		if err := os.Mkdir(filepath.Join(dir, "50.hcl"), 0o755); err != nil {
			t.Fatal(err)
		}
		cfg, err := Load(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range cfg.VirtualServers {
			names = append(names, s.Name)
		}
		if !slices.Equal(names, []string{"a", "b"}) || cfg.RouterID != "one" {
			t.Errorf("got virtual servers %v of %q", names, cfg.RouterID)
		}
	})
	t.Run("what is defined twice is named with both places", func(t *testing.T) {
		dir := write(t, map[string]string{
			"a.hcl": "router_id = \"one\"\ncontrol {}\nvirtual_server \"web\" " + fmt.Sprintf(server, 80),
			"b.hcl": "control {}\nrouter_id = \"one\"\n\nvirtual_server \"web\" " + fmt.Sprintf(server, 81),
		})
		_, err := Load(dir, nil)
		want := strings.ReplaceAll(`DIR/b.hcl:1:1: only one control block is allowed, there is one at DIR/a.hcl:2:1
DIR/b.hcl:2:1: router_id is already set at DIR/a.hcl:1:1
DIR/b.hcl:4:16: virtual_server "web" is already defined at DIR/a.hcl:3:16`, "DIR", dir)
		if err == nil || err.Error() != want {
			t.Errorf("got\n%v\nwant\n%s", err, want)
		}
	})
	t.Run("a file that does not parse hides no mistake of another", func(t *testing.T) {
		dir := write(t, map[string]string{
			"a.hcl": "vrrp \"VI_1\" {\n",
			"b.hcl": "routerid = \"one\"\nconsul {\n  address = 5\n}\n",
		})
		_, err := Load(dir, nil)
		want := strings.ReplaceAll(`DIR/a.hcl:1:13: unclosed configuration block: there is no closing brace for this block before the end of the file
DIR/b.hcl:1:1: the configuration has no argument "routerid", did you mean "router_id"?
DIR/b.hcl:3:13: address must be a string, in quotes`, "DIR", dir)
		if err == nil || err.Error() != want {
			t.Errorf("got\n%v\nwant\n%s", err, want)
		}
	})
	t.Run("a folder without files", func(t *testing.T) {
		if _, err := Load(t.TempDir(), nil); !errors.Is(err, ErrNoFiles) {
			t.Errorf("got %v, want ErrNoFiles", err)
		}
	})
	t.Run("a path that is not there", func(t *testing.T) {
		if _, err := Load(filepath.Join(t.TempDir(), "no.hcl"), nil); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want fs.ErrNotExist", err)
		}
	})
}

// TestRewritten shows that a configuration that means the same is equal, and
// one that does not is not: what a reload asks.
func TestRewritten(t *testing.T) {
	load := func(text string) *Config {
		cfg, err := parse([]source{{name: "x.hcl", text: []byte(text)}}, environment, "lvs1")
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	one := load(string(read(t, "testdata/good/design.hcl")))
	spaced := load("# comment\n\n" + strings.ReplaceAll(string(read(t, "testdata/good/design.hcl")), `"6s"`, `"6000ms"`))
	if !reflect.DeepEqual(one, spaced) {
		t.Errorf("the same configuration differs:\n%s", cmp.Diff(one, spaced, opts))
	}
	if other := load(strings.ReplaceAll(string(read(t, "testdata/good/design.hcl")), `"5525"`, `"5526"`)); reflect.DeepEqual(one, other) {
		t.Error("another secret makes no difference")
	}
}

// FuzzParse: nothing panics, and every mistake has a place and a sentence.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.hcl", "testdata/bad/*.hcl", examples + "/*.hcl"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			f.Fatalf("no seeds in %s: %v", pattern, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		cfg, err := parse([]source{{name: "fuzz.hcl", text: text}}, environment, "lvs1")
		if err == nil {
			for _, v := range cfg.Instances {
				if err := v.Router.Validate(); err != nil {
					t.Errorf("accepted %s, which vrrp refuses: %v", v.Router.Name, err)
				}
			}
			return
		}
		var list Error
		if !errors.As(err, &list) || len(list) == 0 || cfg != nil {
			t.Fatalf("got %v, %#v, want mistakes only", cfg, err)
		}
		for _, d := range list {
			if d.File != "fuzz.hcl" || d.Line < 1 || d.Column < 1 || d.Message == "" || strings.Contains(d.Message, "\n") {
				t.Errorf("mistake without place or sentence: %#v", d)
			}
		}
	})
}
