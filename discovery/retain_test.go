package discovery_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/discovery"
)

func TestRetain(t *testing.T) {
	type pairs = map[string]discovery.Pair
	old, other, again := discovery.Pair{Value: "5", Index: 100}, discovery.Pair{Value: "disk", Index: 40}, discovery.Pair{Value: "7", Index: 3}
	kept := func(p discovery.Pair) discovery.Pair { p.Kept = true; return p }
	before := discovery.KVAnswer{Store: 100, Pairs: pairs{"weight/web/a": old, "drain/web/b": other}}
	for _, c := range []struct {
		name           string
		before, answer discovery.KVAnswer
		want           pairs
	}{
		{"nothing was known", discovery.KVAnswer{}, discovery.KVAnswer{Store: 1, Pairs: pairs{}}, pairs{}},
		{"one was deleted", before, discovery.KVAnswer{Store: 101, Pairs: pairs{"drain/web/b": other}}, pairs{"drain/web/b": other}},
		{"all were deleted", before, discovery.KVAnswer{Store: 102, Pairs: pairs{}}, pairs{}},
		{"one was deleted, and its deletion is forgotten, so that the index of what is left is older", before,
			discovery.KVAnswer{Store: 120, Pairs: pairs{"drain/web/b": other}}, pairs{"drain/web/b": other}},
		{"at the very index", before, discovery.KVAnswer{Store: 100, Pairs: pairs{"drain/web/b": other}}, pairs{"drain/web/b": other}},
		{"emptied", before, discovery.KVAnswer{Store: 1, Pairs: pairs{}}, pairs{"weight/web/a": kept(old), "drain/web/b": kept(other)}},
		{"emptied, and no map", before, discovery.KVAnswer{Store: 1}, pairs{"weight/web/a": kept(old), "drain/web/b": kept(other)}},
		{"put back to before one was written", before, discovery.KVAnswer{Store: 60, Pairs: pairs{"drain/web/b": other}},
			pairs{"weight/web/a": kept(old), "drain/web/b": other}},
		{"emptied, and one is written again", before, discovery.KVAnswer{Store: 3, Pairs: pairs{"weight/web/a": again}},
			pairs{"weight/web/a": again, "drain/web/b": kept(other)}},
		{"kept, and time goes on", discovery.KVAnswer{Store: 3, Pairs: pairs{"weight/web/a": again, "drain/web/b": kept(other)}},
			discovery.KVAnswer{Store: 900, Pairs: pairs{}}, pairs{"drain/web/b": kept(other)}},
		{"kept, and written again", discovery.KVAnswer{Store: 3, Pairs: pairs{"drain/web/b": kept(other)}},
			discovery.KVAnswer{Store: 4, Pairs: pairs{"drain/web/b": again}}, pairs{"drain/web/b": again}},
		{"a store without an index", before, discovery.KVAnswer{Pairs: pairs{}}, pairs{}},
	} {
		if diff := cmp.Diff(c.want, discovery.Retain(c.before, c.answer)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
