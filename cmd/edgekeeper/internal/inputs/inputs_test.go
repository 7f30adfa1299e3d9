package inputs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

// TestSame: whatever was read, another answer to it is told, and the same one is
// not, however it came about.
func TestSame(t *testing.T) {
	dir := t.TempDir()
	a, absent := filepath.Join(dir, "a"), filepath.Join(dir, "absent")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env, text, fails := map[string]string{}, "", error(nil)
	tree := fstest.MapFS{}
	for _, c := range []struct {
		name   string
		read   func(r *Reader)
		change func() // to another answer
		back   func() // to the first one
	}{
		{"file", func(r *Reader) { _, _ = r.File(a) }, func() { write(a, "two") }, func() { write(a, "one") }},
		{"file that goes", func(r *Reader) { _, _ = r.File(a) }, func() { _ = os.Remove(a) }, func() { write(a, "one") }},
		{"file that comes", func(r *Reader) { _, _ = r.File(absent) }, func() { write(absent, "") }, func() { _ = os.Remove(absent) }},
		{"file that becomes a folder", func(r *Reader) { _, _ = r.File(a) },
			func() { _ = os.Remove(a); _ = os.Mkdir(a, 0o700) }, func() { _ = os.Remove(a); write(a, "one") }},
		{"variable", func(r *Reader) { _ = r.Env("A") }, func() { env["A"] = "x" }, func() { delete(env, "A") }},
		{"text", func(r *Reader) { _, _ = r.Text("t", func() (string, error) { return text, fails }) },
			func() { text = "x" }, func() { text = "" }},
		{"text that fails", func(r *Reader) { _, _ = r.Text("t", func() (string, error) { return text, fails }) },
			func() { fails = errors.New("no") }, func() { fails = nil }},
		{"file of a file system", func(r *Reader) { _, _ = fs.ReadFile(r.FS(tree), "a") },
			func() { tree["a"] = &fstest.MapFile{Data: []byte("two")} }, func() { tree["a"] = &fstest.MapFile{Data: []byte("one")} }},
		{"pattern", func(r *Reader) { _, _ = fs.Glob(r.FS(tree), "*.conf") },
			func() { tree["x.conf"] = &fstest.MapFile{} }, func() { delete(tree, "x.conf") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			write(a, "one")
			tree["a"] = &fstest.MapFile{Data: []byte("one")}
			r := New(func(name string) string { return env[name] })
			_, _ = r.File(filepath.Join(dir)) // something else that stays as it is
			c.read(r)
			c.read(r)
			for range 2 {
				if !r.Same() {
					t.Error("not the same although nothing has changed")
				}
				c.change()
				if r.Same() {
					t.Error("the same although it has changed")
				}
				c.back()
			}
			if !r.Same() {
				t.Error("not the same although it is as it was")
			}
		})
	}
}

// TestNobodyKnows: where something may have been read that is not remembered, or
// in two ways, nothing is the same.
func TestNobodyKnows(t *testing.T) {
	tree := fstest.MapFS{"a": &fstest.MapFile{}}
	for name, read := range map[string]func(r *Reader){
		"nothing was read": func(*Reader) {},
		"opened by a stat": func(r *Reader) { _ = r.Env("A"); _, _ = fs.Stat(r.FS(tree), "a") },
		"opened by a walk": func(r *Reader) { _ = r.Env("A"); _, _ = fs.ReadDir(r.FS(tree), ".") },
		"changed meanwhile": func(r *Reader) {
			for _, text := range []string{"one", "two"} {
				_, _ = r.Text("t", func() (string, error) { return text, nil })
			}
		},
		"changed and back meanwhile": func(r *Reader) {
			for _, text := range []string{"one", "two", "one"} {
				_, _ = r.Text("t", func() (string, error) { return text, nil })
			}
		},
	} {
		r := New(nil)
		if read(r); r.Same() {
			t.Errorf("%s: the same", name)
		}
	}
	var none *Reader
	if none.Same() {
		t.Error("nil is the same")
	}
}
