package discovery

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// Overrides are the KV settings in force: what `consul kv put` (or the commands
// that write the same keys) changed on a running edge. The zero value overrides
// nothing.
type Overrides struct {
	Weights    map[Target]Setting[int]      // weight/<virtual-server>/<name>
	Drains     map[Target]Setting[string]   // drain/<virtual-server>/<name>: reason
	NodeDrains map[string]Setting[string]   // drain/node/<node>: reason
	Priorities map[RouterKey]Setting[uint8] // priority/<vrrp-instance>/<router-id>
	Schedulers map[string]Setting[string]   // scheduler/<virtual-server>
	Holds      map[string]Setting[string]   // hold/<virtual-server>: reason
}

// Target names a real server of a virtual server the way an operator does: by
// node, by service id, or by ip:port.
type Target struct{ VirtualServer, Name string }

// RouterKey names one director's part in a VRRP instance.
type RouterKey struct{ Instance, RouterID string }

// Setting is one KV value and where it came from.
type Setting[T any] struct {
	Value T
	Key   string // below the prefix
	Index uint64 // ModifyIndex of the pair
}

// Rejected is a pair that changed nothing, and why.
type Rejected struct {
	Key   string
	Value string // as written, cut to 64 bytes
	Why   string // "weight must be a whole number from 0 to 65535"
	Kept  string // the value that stays in force; empty: that of the configuration
	Index uint64
}

// String gives one sentence for logs and status.
func (r Rejected) String() string {
	kept := "the configuration's value stays"
	if r.Kept != "" {
		kept = r.Kept + " stays"
	}
	return fmt.Sprintf("%s = %q refused: %s; %s", r.Key, r.Value, r.Why, kept)
}

// ReservedName is a name that no virtual server may have, because drain/node/
// is the KV folder of node drains.
const ReservedName = "node"

// ParseOverrides reads every pair below the KV prefix. A value that does not
// parse changes nothing: the one that prev holds for the same key stays, and the
// pair is listed in the second result, sorted by key. A key that is gone goes
// back to the configuration. Keys that are not ours (another layout, a folder
// marker) are rejected too: a mistyped key must not look like a working one.
func ParseOverrides(prev Overrides, pairs map[string]Pair) (Overrides, []Rejected) {
	next := Overrides{
		Weights:    map[Target]Setting[int]{},
		Drains:     map[Target]Setting[string]{},
		NodeDrains: map[string]Setting[string]{},
		Priorities: map[RouterKey]Setting[uint8]{},
		Schedulers: map[string]Setting[string]{},
		Holds:      map[string]Setting[string]{},
	}
	var rejected []Rejected
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		pair := pairs[key]
		if strings.HasSuffix(key, "/") && pair.Value == "" {
			continue // Consul's UI makes such folder markers
		}
		if kept, why := next.add(prev, key, pair); why != "" {
			rejected = append(rejected, Rejected{Key: key, Value: cut(pair.Value, 64), Why: why, Kept: kept, Index: pair.Index})
		}
	}
	return next, rejected
}

// Affects lists the virtual servers, each once and in order, of which a setting
// differs from what it was before. all means that it may be any of them: nodes are
// not of one virtual server. Priorities are of none.
func (o Overrides) Affects(before Overrides) (names []string, all bool) {
	differ(o.Weights, before.Weights, func(t Target) { names = append(names, t.VirtualServer) })
	differ(o.Drains, before.Drains, func(t Target) { names = append(names, t.VirtualServer) })
	differ(o.Schedulers, before.Schedulers, func(vs string) { names = append(names, vs) })
	differ(o.Holds, before.Holds, func(vs string) { names = append(names, vs) })
	differ(o.NodeDrains, before.NodeDrains, func(string) { all = true })
	slices.Sort(names)
	return slices.Compact(names), all
}

// differ calls f with each key that has another value in one map than in the other.
func differ[K, V comparable](a, b map[K]V, f func(K)) {
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			f(k)
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			f(k)
		}
	}
}

// add parses one pair into o. A non-empty why says what is wrong with it, and
// kept is the earlier value that o took over from prev, if there was one.
func (o *Overrides) add(prev Overrides, key string, pair Pair) (kept, why string) {
	part := strings.Split(key, "/")
	value := strings.TrimSpace(pair.Value)
	switch {
	case len(part) == 3 && part[0] == "weight" && filled(part):
		n, err := strconv.ParseUint(value, 10, 16)
		return put(o.Weights, prev.Weights, Target{part[1], part[2]}, int(n), key, pair, err, "a weight is a whole number from 0 to 65535")
	case len(part) == 3 && part[0] == "priority" && filled(part):
		n, err := strconv.ParseUint(value, 10, 8)
		if err == nil && (n < 1 || n > 254) {
			err = strconv.ErrRange
		}
		return put(o.Priorities, prev.Priorities, RouterKey{part[1], part[2]}, uint8(n), key, pair, err, "a priority is a whole number from 1 to 254")
	case len(part) == 3 && part[0] == "drain" && part[1] == ReservedName && filled(part):
		return put(o.NodeDrains, prev.NodeDrains, part[2], value, key, pair, nil, "")
	case len(part) == 3 && part[0] == "drain" && filled(part):
		return put(o.Drains, prev.Drains, Target{part[1], part[2]}, value, key, pair, nil, "")
	case len(part) == 2 && part[0] == "scheduler" && filled(part):
		var err error
		if !lvs.KnownScheduler(value) {
			err = strconv.ErrSyntax
		}
		return put(o.Schedulers, prev.Schedulers, part[1], value, key, pair, err, "a scheduler is one of "+strings.Join(lvs.Schedulers(), ", "))
	case len(part) == 2 && part[0] == "hold" && filled(part):
		return put(o.Holds, prev.Holds, part[1], value, key, pair, nil, "")
	}
	return "", "not a key that edgekeeper knows (weight/<virtual-server>/<name>, priority/<vrrp>/<router-id>, drain/<virtual-server>/<name>, drain/node/<node>, scheduler/<virtual-server>, hold/<virtual-server>)"
}

// put stores a parsed value, or the one before it when parsing failed.
func put[K comparable, V any](now, prev map[K]Setting[V], k K, v V, key string, pair Pair, err error, rule string) (kept, why string) {
	if err == nil {
		now[k] = Setting[V]{Value: v, Key: key, Index: pair.Index}
		return "", ""
	}
	if old, ok := prev[k]; ok {
		now[k] = old
		return fmt.Sprint(old.Value), rule
	}
	return "", rule
}

func filled(parts []string) bool { return !slices.Contains(parts, "") }

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}
