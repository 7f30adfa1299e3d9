package file

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/discovery"
)

var web = discovery.Query{Source: discovery.File, Service: "web"}

// stream is what a source has emitted and the test has not looked at.
type stream[T any] struct {
	t  *testing.T
	ch chan T
}

func start[T any](t *testing.T, run func(context.Context, func(T)) error) *stream[T] {
	ctx, cancel := context.WithCancel(context.Background())
	s := &stream[T]{t, make(chan T, 1000)}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := run(ctx, func(v T) { s.ch <- v }); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return s
}

// next gives what comes next.
func (s *stream[T]) next() T {
	s.t.Helper()
	select {
	case v := <-s.ch:
		return v
	case <-time.After(20 * time.Second):
		s.t.Fatal("nothing was emitted")
		panic("unreachable")
	}
}

func (s *stream[T]) nothing() {
	s.t.Helper()
	select {
	case v := <-s.ch:
		s.t.Fatalf("emitted %+v", v)
	default:
	}
}

// answer renders an answer for comparison.
func answer(a discovery.Answer) string {
	if a.Err != "" {
		return "error " + a.Err
	}
	var ids []string
	for _, in := range a.Instances {
		ids = append(ids, in.Node+"/"+in.ID+" "+in.State.String())
	}
	out := strings.Join(ids, ", ")
	if a.Warnings != nil {
		out += " | " + strings.Join(a.Warnings, " | ")
	}
	return out
}

// put makes a file all at once: a look at it in between would find it empty.
func put(t *testing.T, path, data string) {
	t.Helper()
	part := path + ".part"
	if err := os.WriteFile(part, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(part, path); err != nil {
		t.Fatal(err)
	}
}

func TestCatalogFollowsTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "catalog")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	one, two := filepath.Join(dir, "web-1.hcl"), filepath.Join(dir, "web-2.json")
	put(t, one, `service { name = "web" address = "10.0.0.1" port = 80 }`)
	c := NewCatalog(dir, nil)
	c.poll = 100 * time.Millisecond
	c.Set([]discovery.Query{web, {Source: discovery.Consul, Service: "web"}})
	got := start(t, c.Run)
	expect := func(want string) discovery.Answer {
		t.Helper()
		a := got.next()
		if diff := cmp.Diff(want, answer(a)); diff != "" {
			t.Fatalf("answer (-want +got):\n%s", diff)
		}
		return a
	}
	first := expect("web-1/web passing")
	put(t, two, `{"service": {"name": "web", "address": "10.0.0.2", "port": 80}}`)
	if a := expect("web-1/web passing, web-2/web passing"); a.Index <= first.Index {
		t.Errorf("index %d after %d", a.Index, first.Index)
	}
	put(t, two, `{"service": {"name": "web", "addr`) // half of it is there
	expect("web-1/web passing, web-2/web passing | web-2.json:1:34: unexpected end of file")
	put(t, one, `service { name = "web" address = "10.0.0.1" port = 80 check { status = "critical" } }`)
	expect("web-1/web critical, web-2/web passing | web-2.json:1:34: unexpected end of file")
	put(t, two, ``)
	expect("web-1/web critical, web-2/web passing | web-2.json:1:1: the file is empty; remove it to take its services away")
	put(t, two, `{"service": {"name": "web", "address": "10.0.0.2", "port": 80}}`)
	expect("web-1/web critical, web-2/web passing")
	put(t, filepath.Join(dir, "new.hcl"), `service {`) // was never right: the others are as they were
	expect("web-1/web critical, web-2/web passing | new.hcl:1:11: object expected closing RBRACE got: EOF")
	put(t, filepath.Join(dir, "new.hcl"), `node_name = "web-1" service { name = "web" address = "10.0.0.3" }`)
	expect(`web-1/web passing, web-2/web passing | web-1.hcl:1:9: service id "web" of node "web-1" stands in new.hcl:1:29 already`)
	os.Remove(filepath.Join(dir, "new.hcl"))
	expect("web-1/web critical, web-2/web passing")
	put(t, filepath.Join(dir, "note.txt"), "not a definition")
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	a := got.next()
	if !strings.HasPrefix(a.Err, "read catalog folder: ") || a.Instances != nil {
		t.Fatalf("without the folder: %+v", a)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	expect("web-1/web critical, web-2/web passing")
	os.Remove(one)
	expect("web-2/web passing")
	os.Remove(two)
	expect("")
	got.nothing()
}

func TestCatalogAnswersWhatIsAsked(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "n.hcl"), `service { name = "web" address = "10.0.0.1" } service { name = "api" address = "10.0.0.1" }`)
	c := NewCatalog(dir, nil)
	got := start(t, c.Run)
	c.Set([]discovery.Query{web})
	if a := got.next(); a.Query != web || answer(a) != "n/web passing" {
		t.Fatalf("answer %+v", a)
	}
	api := discovery.Query{Source: discovery.File, Service: "api"}
	odd := discovery.Query{Source: discovery.File, Service: "api", Filter: "Service.Port == 80"}
	c.Set([]discovery.Query{web, api, odd})
	if a := got.next(); a.Query != api || answer(a) != "n/api passing" {
		t.Fatalf("answer %+v", a)
	}
	if a := got.next(); a.Query != odd || !strings.Contains(a.Err, "filter") {
		t.Fatalf("answer %+v", a)
	}
	got.nothing()
}

// What a file that is wrong from the beginning would say is not known, so
// nothing is.
func TestCatalogBeginsWithAWrongFile(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a.hcl"), `service { name = "web" address = "10.0.0.1" }`)
	put(t, filepath.Join(dir, "b.hcl"), `service { name = "web" }`)
	c := NewCatalog(dir, nil)
	c.Set([]discovery.Query{web})
	got := start(t, c.Run)
	want := `error b.hcl:1:9: service "web" has no address; there is no agent whose address could stand in`
	if a := got.next(); answer(a) != want || a.Instances != nil {
		t.Fatalf("answer %+v, want %s", a, want)
	}
	put(t, filepath.Join(dir, "b.hcl"), `service { name = "web" address = "10.0.0.2" }`)
	if a := got.next(); answer(a) != "a/web passing, b/web passing" {
		t.Fatalf("answer %+v", a)
	}
}

// A folder of many files that change at once makes few answers.
func TestCatalogSettles(t *testing.T) {
	dir := t.TempDir()
	c := NewCatalog(dir, nil)
	c.Set([]discovery.Query{web})
	got := start(t, c.Run)
	if a := got.next(); answer(a) != "" {
		t.Fatalf("answer %+v", a)
	}
	const files = 100
	for i := range files {
		put(t, filepath.Join(dir, "n"+string(rune('0'+i/10))+string(rune('0'+i%10))+".hcl"), `service { name = "web" address = "10.0.0.1" }`)
	}
	n := 0
	for {
		n++
		if len(got.next().Instances) == files {
			break
		}
	}
	if n > files/4 {
		t.Errorf("%d answers for a burst of %d files", n, files)
	}
	if names, err := definitions(dir); err != nil || !slices.IsSorted(names) || len(names) != files {
		t.Errorf("definitions = %v, %v", names, err)
	}
}

// Two writes within a tick of the file system's clock look the same.
func TestFreshStampProvesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.hcl")
	put(t, path, "x")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	s := stamp{info.ModTime(), info.Size(), info.ModTime().Add(time.Second)}
	if s.same(info) {
		t.Error("a file read a second after its last change counts as read for good")
	}
	s.read = info.ModTime().Add(3 * time.Second)
	if !s.same(info) {
		t.Error("an old file is read again")
	}
	put(t, path, "xy")
	if info, err = os.Stat(path); err != nil || s.same(info) {
		t.Errorf("a changed file is not read again, %v", err)
	}
}
