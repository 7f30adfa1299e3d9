package discovery

import "maps"

// Retain gives the pairs that are in force after an answer of the KV, where before
// is what was in force, with the Store index of the answer that it came from. They
// are those of the answer, and with Kept those that the KV has lost: a store whose
// index is lower than it was has begun anew (it was emptied, or put back to an
// earlier state), and that it lacks a key does not say that anybody deleted it. A
// key that was kept stays so until it is written again; one that is missing from a
// store with a past was deleted.
func Retain(before, answer KVAnswer) map[string]Pair {
	anew := answer.Store != 0 && answer.Store < before.Store
	out := maps.Clone(answer.Pairs)
	for key, p := range before.Pairs {
		if _, there := out[key]; there || !anew && !p.Kept {
			continue
		}
		if out == nil {
			out = map[string]Pair{}
		}
		p.Kept = true
		out[key] = p
	}
	return out
}
