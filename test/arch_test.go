// Package test holds what is tested across packages: that they import only what
// their place allows, and that no file outgrows its theme.
package test

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/edgekeeper/edgekeeper"

// pure is what a pure package may import of the standard library's I/O side: nothing.
var impure = []string{"net", "net/http", "os", "os/exec", "os/signal", "context", "sync", "sync/atomic", "log", "log/slog", "syscall", "io/ioutil"}

// rule forbids imports to a package (without its sub-packages, unless it ends in /...).
type rule struct {
	pkg    string
	forbid []string // import path prefixes; those of this module without its name
	reason string
}

var rules = []rule{
	{"vrrp", impure, "the protocol is a value: what it does can be simulated and replayed"},
	{"lvs", impure, "diff and drain are values: plan, replay and tests use the same code as the director"},
	{"discovery", impure, "merge is a pure function: every decision can be tabled and explained"},
	{"vrrp", []string{"./lvs", "./discovery", "./cmd"}, "the protocol knows nobody"},
	{"lvs", []string{"./vrrp", "./discovery", "./cmd"}, "the table knows neither roles nor catalogs"},
	{"discovery", []string{"./vrrp", "./cmd", "github.com/hashicorp"}, "decisions do not depend on where facts come from"},
	{"discovery/consul", []string{"./lvs", "./vrrp", "./cmd", "./discovery/file", "./discovery/check"}, "a source turns answers into values, nothing else"},
	{"discovery/nomad", []string{"./lvs", "./vrrp", "./cmd", "./discovery/file", "./discovery/consul", "./discovery/check", "./jobs"}, "a source turns answers into values, nothing else"},
	{"discovery/file", []string{"./lvs", "./vrrp", "./cmd", "./discovery/consul", "./discovery/check"}, "a source turns files into values, nothing else"},
	{"discovery/check", []string{"./lvs", "./vrrp", "./cmd", "./discovery/consul", "./discovery/file"}, "a check gives verdicts; it does not know what they are for"},
	{"lvs/reconcile", []string{"./discovery", "./vrrp", "./cmd", "./lvs/kernel", "github.com/cloudflare", "github.com/vishvananda", "github.com/mdlayher"}, "the reconciler drives any kernel, also a fake one"},
	{"lvs/kernel", []string{"./discovery", "./vrrp", "./cmd", "./lvs/reconcile"}, "the kernel driver only speaks netlink"},
	{"lvs/fwmark", []string{"./discovery", "./vrrp", "./cmd", "./lvs/reconcile", "./lvs/kernel"}, "marking packets is nftables only; it does not know the IPVS table"},
	{"lvs/sysctl", []string{"./discovery", "./vrrp", "./cmd", "./lvs/kernel"}, "kernel settings are files, nothing else"},
	{"vrrp/instance", []string{"./discovery", "./lvs", "./cmd", "./vrrp/socket", "./vrrp/vip", "github.com"}, "the runner drives any socket and any host, also simulated ones"},
	{"vrrp/socket", []string{"./discovery", "./lvs", "./cmd", "./vrrp/vip"}, "the socket carries packets, it has no opinion"},
	{"vrrp/frame", []string{"./discovery", "./lvs", "./vrrp", "./cmd", "os", "context", "sync", "time"}, "a frame is bytes made of addresses"},
	{"vrrp/conflict", []string{"./discovery", "./lvs", "./cmd", "./vrrp/vip"}, "looking for other holders moves no address"},
	{"vrrp/guardian", []string{"./discovery", "./lvs", "./cmd", "./vrrp/instance", "github.com/vishvananda", "github.com/mdlayher"}, "the guardian does what it was told, by nothing but the socket and the addresses"},
	{"vrrp/track", []string{"./discovery", "./lvs", "./cmd", "./vrrp/instance", "./vrrp/socket", "./vrrp/vip"}, "a tracker says what it sees; it does not know who elects by it"},
	{"internal/program", []string{"./discovery", "./lvs", "./vrrp", "./cmd"}, "a program is run in one way, whoever wants its exit code"},
	{"internal/numberfile", []string{"./discovery", "./lvs", "./vrrp", "./cmd"}, "a number is read in one way, whoever lets it decide"},
	{"vrrp/vip", []string{"./discovery", "./lvs", "./cmd", "./vrrp/socket"}, "addresses do not depend on the wire"},
	{"cmd/edgekeeper/internal/config", []string{"./discovery/", "./lvs/", "./vrrp/", "./cmd/edgekeeper/internal/agent", "github.com/hashicorp/consul"}, "a configuration can be checked anywhere, without a kernel or Consul"},
	{"cmd/edgekeeper/internal/inputs", []string{"./discovery", "./lvs", "./vrrp", "./cmd"}, "it knows what was read, not what for"},
	{"cmd/edgekeeper/internal/control", []string{"./cmd/edgekeeper/internal/agent", "./lvs/", "./vrrp/", "./discovery/", "github.com/urfave"}, "the API is types and HTTP"},
	{"cmd/edgekeeper/internal/show", []string{"./cmd/edgekeeper/internal/agent", "./lvs/", "./vrrp/", "./discovery/"}, "text is made of a snapshot only"},
	{"cmd/edgekeeper/internal/plan", []string{"./cmd/edgekeeper/internal/agent", "./lvs/", "./vrrp/", "./discovery/", "os", "net", "context", "sync", "log/slog"}, "a plan is made of values: the same for a running director and for none"},
	{"cmd/edgekeeper/internal/why", []string{"./cmd/edgekeeper/internal/agent", "./lvs/", "./vrrp/", "./discovery/", "os", "net", "log/slog"}, "an explanation is made of a snapshot and events only"},
	{"cmd/edgekeeper/internal/metrics", []string{"./cmd/edgekeeper/internal/agent", "./lvs/", "./vrrp/", "./discovery/"}, "metrics are made of a snapshot only"},
	{"cmd/edgekeeper/internal/notify", []string{"./cmd", "./lvs", "./vrrp", "./discovery"}, "whoever is told what happens gets words, and decides nothing"},
	{"cmd/edgekeeper/internal/keepalived", append([]string{"./cmd", "./vrrp", "./lvs", "./discovery", "github.com"}, impure...), "a keepalived.conf is text: it can be read anywhere, and be fuzzed"},
	{"cmd/edgekeeper/internal/migrate", append([]string{"./cmd/edgekeeper/internal/agent", "./cmd/edgekeeper/internal/config", "./discovery/", "./lvs/", "./vrrp/"}, "os", "os/exec", "context", "sync", "log/slog"), "a translation needs no kernel and no host"},
	{"cmd/edgekeeper/internal/agent", []string{"github.com/urfave"}, "the director does not know its command line"},
	{"jobs", []string{"./discovery", "./lvs", "./vrrp", "./cmd"}, "jobs are submitted from anywhere; what a director does is asked of it, through Nomad"},
	{"cmd/edgekeeper", []string{"github.com/hashicorp/consul", "github.com/cloudflare/ipvs", "github.com/vishvananda", "github.com/mdlayher"}, "commands parse and wire; they do not speak to kernel or Consul themselves"},
}

// testOnly are packages that nothing but tests may import.
var testOnly = []string{"./test/", "./lvs/lvstest", "./vrrp/vrrptest", "pgregory.net/rapid", "go.uber.org/goleak", "testing"}

func TestImports(t *testing.T) {
	packages := sourcePackages(t)
	for _, r := range rules {
		imports, ok := packages[r.pkg]
		if !ok {
			t.Errorf("rule for %s: there is no such package", r.pkg)
		}
		for _, i := range imports {
			if f := forbidden(i, r.forbid); f != "" {
				t.Errorf("%s imports %s: %s", r.pkg, i, r.reason)
			}
		}
	}
	for pkg, imports := range packages {
		if strings.HasPrefix(pkg, "test") || forbidden(module+"/"+pkg, testOnly) != "" {
			continue
		}
		for _, i := range imports {
			if f := forbidden(i, testOnly); f != "" {
				t.Errorf("%s imports %s, which is for tests only", pkg, i)
			}
		}
	}
}

// forbidden returns the entry of list that bars the import, "" when none does.
// Standard library entries match exactly, the others by prefix.
func forbidden(path string, list []string) string {
	for _, f := range list {
		switch full, ours := strings.CutPrefix(f, "./"); {
		case ours && (path == module+"/"+strings.TrimSuffix(full, "/") && !strings.HasSuffix(full, "/") || strings.HasPrefix(path, module+"/"+strings.TrimSuffix(full, "/")+"/")):
			return f
		case !ours && !strings.HasPrefix(path, module) && (path == f || strings.Contains(f, ".") && strings.HasPrefix(path, f+"/")):
			return f
		}
	}
	return ""
}

// sourcePackages maps each folder with Go code to what its non-test files import.
func sourcePackages(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	walk(t, func(path string) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", path), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		for _, i := range f.Imports {
			p, _ := strconv.Unquote(i.Path.Value)
			if !slices.Contains(out[dir], p) {
				out[dir] = append(out[dir], p)
			}
		}
		if out[dir] == nil {
			out[dir] = []string{}
		}
	})
	if len(out) < 10 {
		t.Fatalf("only %d packages found: the walk looks in the wrong place", len(out))
	}
	return out
}

// walk visits every Go file of the module, with paths from its root.
func walk(t *testing.T, visit func(path string)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(".."), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "tools" || d.Name() == "out"):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(path, ".go"):
			visit(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPureTime keeps clocks and timers out of the pure packages, which may use
// time's values only.
func TestPureTime(t *testing.T) {
	allowed := []string{"Time", "Duration", "Nanosecond", "Microsecond", "Millisecond", "Second", "Minute", "Hour", "RFC3339"}
	for _, dir := range []string{"vrrp", "lvs", "discovery"} {
		p, err := build.ImportDir(filepath.Join("..", dir), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && !slices.Contains(allowed, sel.Sel.Name) {
						t.Errorf("%s/%s uses time.%s: a pure package is told what time it is", dir, name, sel.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// TestFileSize asks to split a file that has outgrown its theme.
func TestFileSize(t *testing.T) {
	const most = 400
	walk(t, func(path string) {
		if strings.HasSuffix(path, "_test.go") {
			return // tables of cases may be long
		}
		b, err := os.ReadFile(filepath.Join("..", path))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(b), "\n"); n > most {
			t.Errorf("%s has %d lines, more than %d: split it", path, n, most)
		}
	})
}
