package lvstest_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/lvstest"
)

// table is what the cases need of a driver.
type table interface {
	Table(ctx context.Context) (lvs.Observed, error)
	Apply(ctx context.Context, ops []lvs.Op) []error
}

// change applies a case to a kernel that has what the case has: one op after the
// other, none of them refused, no live pool empty on the way, and nothing left to
// do at the end.
func change(t *testing.T, k table, c lvstest.Case) {
	t.Helper()
	read := func() lvs.Table {
		o, err := k.Table(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return o.Table
	}
	before := read()
	if d := cmp.Diff(lvstest.Dump(c.Have), lvstest.Dump(before)); d != "" {
		t.Fatalf("at the beginning (-want +have):\n%s", d)
	}
	ops := lvs.Diff(before, c.Want)
	if len(ops) != c.Ops {
		t.Errorf("%d ops, want %d: %v", len(ops), c.Ops, ops)
	}
	for _, op := range ops {
		if err := k.Apply(t.Context(), []lvs.Op{op})[0]; err != nil {
			t.Fatal(err)
		}
		now := read()
		for key, p := range before {
			if w, wanted := c.Want.Pools[key]; wanted && w.Hold == "" && w.Pool.Live() && p.Live() && !now[key].Live() {
				t.Errorf("%s is empty after %s", key, op)
			}
		}
	}
	after := read()
	if d := cmp.Diff(c.Left, lvstest.Dump(after)); d != "" {
		t.Errorf("at the end (-want +have):\n%s", d)
	}
	if again := lvs.Diff(after, c.Want); len(again) > 0 {
		t.Errorf("still to do: %v", again)
	}
}

func TestCases(t *testing.T) {
	for _, c := range lvstest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			var k lvstest.Kernel
			k.Load(c.Have)
			change(t, &k, c)
		})
	}
}
