package agent

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// settingsOf names the KV that settings come from.
func (a *agent) settingsOf() string { return a.source.kvWhere + " of " + catalogsOf(a.cfg) }

// recallPairs puts the settings of an earlier run in force.
func (a *agent) recallPairs(kv *savedKV) {
	a.pairs, a.pairsStale = discovery.KVAnswer{Pairs: kv.Pairs, Store: kv.Store, At: kv.At}, true
	a.pairsOf = a.settingsOf()
}

// knownStore is the index of the KV that is known, of this run or an earlier one.
func (a *agent) knownStore() uint64 {
	if a.pairs.Pairs == nil && a.store.recall.KV != nil {
		return a.store.recall.KV.Store
	}
	return a.pairs.Store
}

// retain takes an answer of the KV, and keeps what a KV that has lost its data
// does not say any more.
func (a *agent) retain(kv discovery.KVAnswer) {
	if saved := a.store.recall.KV; a.pairs.Pairs == nil && saved != nil && saved.Where == a.source.kvWhere && a.tooOld(discovery.Consul, saved.Confirmed) == "" {
		a.recallPairs(saved) // in force only as far as it is kept
	}
	before := a.pairs
	if a.pairsOf != a.settingsOf() {
		before = discovery.KVAnswer{}
	}
	kv.Pairs = discovery.Retain(before, kv)
	a.pairs, a.pairsStale, a.pairsOf = kv, false, a.settingsOf()
	lost := slices.DeleteFunc(keptKeys(kv.Pairs), func(key string) bool { return before.Pairs[key].Kept })
	if len(lost) > 0 {
		a.event("kv", a.source.kvWhere, fmt.Sprintf("has lost its data (index %d, it was %d); what these keys said stands until they are written again or given up: %s",
			kv.Store, before.Store, strings.Join(lost, ", ")))
	}
}

// keptKeys lists the keys that the KV has lost, sorted.
func keptKeys(pairs map[string]discovery.Pair) []string {
	var out []string
	for key, p := range pairs {
		if p.Kept {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

// giveUp takes a setting out of force that the KV has lost; false when it is none.
func (a *agent) giveUp(key string) bool {
	if !a.pairs.Pairs[key].Kept {
		return false
	}
	a.pairs.Pairs = maps.Clone(a.pairs.Pairs)
	delete(a.pairs.Pairs, key)
	a.event("kv", key, "given up")
	a.learned = true
	a.override()
	a.settle()
	return true
}
