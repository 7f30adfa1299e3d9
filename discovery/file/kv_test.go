package file

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/edgekeeper/edgekeeper/discovery"
)

func keyed(a discovery.KVAnswer) string {
	if a.Err != "" {
		return "error " + a.Err
	}
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(a.Pairs)) {
		pairs = append(pairs, fmt.Sprintf("%s=%s@%d", k, a.Pairs[k].Value, a.Pairs[k].Index))
	}
	return strings.Join(pairs, " ")
}

func TestKVFollowsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv.json")
	k := NewKV(path, nil)
	got := start(t, k.Run)
	expect := func(want string) {
		t.Helper()
		if a := got.next(); keyed(a) != want {
			t.Fatalf("emitted %q, want %q", keyed(a), want)
		}
	}
	ctx := t.Context()
	expect("")
	if before, had, err := k.Put(ctx, "/weight/web/web-1", "0"); err != nil || had || before != "" {
		t.Fatalf("Put = %q, %v, %v", before, had, err)
	}
	expect("weight/web/web-1=0@2")
	// Another process, which this one must hear of through the file.
	if before, had, err := NewKV(path, nil).Put(ctx, "drain/node/n1", "disk"); err != nil || had || before != "" {
		t.Fatalf("Put = %q, %v, %v", before, had, err)
	}
	expect("drain/node/n1=disk@3 weight/web/web-1=0@2")
	if before, had, err := k.Put(ctx, "weight/web/web-1", "0"); err != nil || !had || before != "0" {
		t.Fatalf("Put of the same = %q, %v, %v", before, had, err)
	}
	// Both at once, of which it hears in one or two answers.
	if _, _, err := k.Put(ctx, "weight/web/web-1", "1"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := NewKV(path, nil).Delete(ctx, "drain/node/n1"); err != nil {
		t.Fatal(err)
	}
	if a := got.next(); len(a.Pairs) == 2 {
		a = got.next()
		if keyed(a) != "weight/web/web-1=1@4" {
			t.Fatalf("emitted %q after both", keyed(a))
		}
	}
	put(t, path, `{"weight/web/web-1": 7,`)
	expect("error read key file: kv.json:1:24: unexpected end of file")
	if _, _, err := k.Put(ctx, "a", "1"); err == nil {
		t.Error("Put into a wrong file: no error")
	}
	put(t, path, `{"weight/web/web-1": ["7"]}`)
	expect("error read key file: kv.json:1:22: weight/web/web-1: expected a string, found a list")
	put(t, path, `{"weight/web/web-1": 7}`)
	if a := got.next(); a.Pairs["weight/web/web-1"].Value != "7" {
		t.Fatalf("emitted %q", keyed(a))
	}
	if before, had, err := k.Delete(ctx, "weight/web/web-1"); err != nil || !had || before != "7" {
		t.Fatalf("Delete = %q, %v, %v", before, had, err)
	}
	expect("")
	if _, had, err := k.Delete(ctx, "weight/web/web-1"); err != nil || had {
		t.Fatalf("Delete of nothing = %v, %v", had, err)
	}
	got.nothing()
}

// Writers of several processes lose nothing to each other.
func TestKVWritersDoNotLoseEachOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv.json")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, _, err := NewKV(path, nil).Put(t.Context(), fmt.Sprintf("k%02d", i), "v"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	values, err := NewKV(path, nil).read()
	if err != nil || len(values) != 20 {
		t.Errorf("%d keys of 20, %v", len(values), err)
	}
	unlock, err := lock(t.Context(), path+".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := NewKV(path, nil).Put(ctx, "k", "v"); err == nil {
		t.Error("Put without the lock: no error")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
