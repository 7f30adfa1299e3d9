package consul

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/test/consulstub"
)

func sayKeys(answers []discovery.KVAnswer) []string {
	var all []string
	for _, a := range answers {
		if a.Err != "" {
			all = append(all, "error "+a.Err)
			continue
		}
		var pairs []string
		for _, k := range slices.Sorted(maps.Keys(a.Pairs)) {
			pairs = append(pairs, fmt.Sprintf("%s=%s", k, a.Pairs[k].Value))
		}
		all = append(all, strings.Join(pairs, " "))
	}
	return all
}

func TestKVFollowsThePrefix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stub := consulstub.New()
		stub.SetKey("edgekeeper-other/weight/web/web-1", "9")
		stub.SetKey("other", "9")
		ctx, cancel := context.WithCancel(t.Context())
		var got record[discovery.KVAnswer]
		var wg sync.WaitGroup
		wg.Go(func() { NewKV(Config{Client: stub.Client()}, "/edgekeeper", 0).Run(ctx, got.add) })
		expect := func(want ...string) {
			t.Helper()
			time.Sleep(time.Minute)
			synctest.Wait()
			if diff := cmp.Diff(want, sayKeys(got.take())); diff != "" {
				t.Fatalf("emitted (-want +got):\n%s", diff)
			}
		}
		expect("") // nothing there: 404, which is no error
		stub.SetKey("edgekeeper/", "")
		expect()
		stub.SetKey("edgekeeper/weight/web/web-1", "0")
		expect("weight/web/web-1=0")
		stub.SetKey("edgekeeper/drain/node/n1", "kernel upgrade")
		expect("drain/node/n1=kernel upgrade weight/web/web-1=0")
		stub.SetFault(consulstub.Status403)
		expect("error status 403: Permission denied: token with AccessorID '1' lacks permission 'service:read'")
		stub.SetFault(consulstub.None)
		expect("drain/node/n1=kernel upgrade weight/web/web-1=0")
		stub.SetFault(consulstub.Stranger)
		expect("error " + ErrNoLeader.Error())
		stub.SetFault(consulstub.Filtered)
		expect("error " + ErrFiltered.Error())
		stub.SetFault(consulstub.None)
		stub.DeleteKey("edgekeeper/drain/node/n1")
		stub.DeleteKey("edgekeeper/weight/web/web-1")
		expect("")
		cancel()
		wg.Wait()
	})
}

// TestKVStoreIndex: the index of the whole store tells keys that were deleted from
// those that Consul has lost, whatever the index of the keys below the prefix does.
func TestKVStoreIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stub := consulstub.New() // at index 10
		stub.SetKey("edgekeeper/weight/web/web-1", "1")
		stub.SetKey("edgekeeper/weight/web/web-2", "2")
		ctx, cancel := context.WithCancel(t.Context())
		var got record[discovery.KVAnswer]
		var wg sync.WaitGroup
		wg.Go(func() { NewKV(Config{Client: stub.Client()}, "edgekeeper", 12).Run(ctx, got.add) })
		expect := func(what, keys string, store uint64) {
			t.Helper()
			time.Sleep(time.Minute)
			synctest.Wait()
			all := got.take()
			if len(all) == 0 {
				t.Fatalf("%s: nothing emitted", what)
			}
			last := all[len(all)-1]
			if said := sayKeys(all[len(all)-1:])[0]; said != keys || last.Store != store {
				t.Errorf("%s: emitted %q at index %d of the store, want %q at %d", what, said, last.Store, keys, store)
			}
		}
		requests := func() int { return len(stub.Requests()) }
		expect("at the start", "weight/web/web-1=1 weight/web/web-2=2", 12)
		if n := requests(); n > 3 {
			t.Errorf("%d requests in a minute", n)
		}
		stub.SetFault(consulstub.Status500)
		expect("an error", "error status 500: No cluster leader", 0)
		stub.DeleteKey("edgekeeper/weight/web/web-2") // at 13
		stub.SetKey("elsewhere", "x")
		stub.Reap()
		stub.SetFault(consulstub.None)
		expect("deleted long ago", "weight/web/web-1=1", 14)
		before := requests()
		time.Sleep(10 * time.Minute)
		if n := requests() - before; n > 30 {
			t.Errorf("%d requests in ten minutes", n)
		}
		if all := got.take(); len(all) > 0 {
			t.Errorf("emitted without a change: %v", sayKeys(all))
		}
		stub.Rewind() // keeps what there is
		expect("restored", "weight/web/web-1=1", 2)
		stub.Wipe()
		expect("wiped", "", 1)
		cancel()
		wg.Wait()
	})
}

func TestWriter(t *testing.T) {
	stub := consulstub.New()
	w := NewWriter(stub.Client(), "edgekeeper")
	ctx := t.Context()
	if before, had, err := w.Put(ctx, "weight/web/web-1", "5"); err != nil || had || before != "" {
		t.Fatalf("first Put = %q, %v, %v", before, had, err)
	}
	if before, had, err := w.Put(ctx, "/weight/web/web-1", "7"); err != nil || !had || before != "5" {
		t.Fatalf("second Put = %q, %v, %v", before, had, err)
	}
	if v, _ := stub.Key("edgekeeper/weight/web/web-1"); v != "7" {
		t.Fatalf("key is %q", v)
	}
	if before, had, err := w.Delete(ctx, "weight/web/web-1"); err != nil || !had || before != "7" {
		t.Fatalf("Delete = %q, %v, %v", before, had, err)
	}
	if _, had, err := w.Delete(ctx, "weight/web/web-1"); err != nil || had {
		t.Fatalf("Delete of nothing = %v, %v", had, err)
	}

	n := 0
	stub.BeforeCAS(func() {
		if n++; n == 1 {
			stub.SetKey("edgekeeper/k", "theirs")
		}
	})
	if before, _, err := w.Put(ctx, "k", "mine"); err != nil || before != "theirs" {
		t.Errorf("Put after a lost race = %q, %v; want to have seen the other's value", before, err)
	}
	stub.BeforeCAS(func() { stub.SetKey("edgekeeper/k", "theirs") })
	if _, _, err := w.Put(ctx, "k", "mine"); !errors.Is(err, ErrConflict) {
		t.Errorf("Put that loses every race: %v", err)
	}
	if _, _, err := w.Delete(ctx, "k"); !errors.Is(err, ErrConflict) {
		t.Errorf("Delete that loses every race: %v", err)
	}
	stub.BeforeCAS(nil)
	stub.SetFault(consulstub.Status403)
	if _, _, err := w.Put(ctx, "k", "mine"); statusCode(err) != 403 {
		t.Errorf("Put without permission: %v", err)
	}
}
