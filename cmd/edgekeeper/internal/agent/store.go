package agent

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/statedir"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// Files of the state folder; see docs/architecture.md.
const (
	kernelFile        = "ipvs.json"
	lastKnownGoodFile = "last-known-good.json"
)

// kernelRecord is what an agent has made of the kernel's IPVS, for its successor
// and for Cleanup.
type kernelRecord struct {
	Keep     bool          `json:"keep"`            // on_stop = "keep"
	Services []lvs.Key     `json:"virtual_servers"` // ours to remove
	Timeouts *lvs.Timeouts `json:"timeouts_before,omitempty"`
	Sync     bool          `json:"sync_daemon,omitempty"` // a connection-synchronization daemon may run
}

// store is the state folder of a running director.
type store struct {
	folder string
	record kernelRecord
	owned  map[lvs.Key]bool // record.Services
	recall *lastKnownGood   // what an earlier run knew
	saved  lastKnownGood    // as written
}

// openStore reads what an earlier run has left.
func openStore(folder string) (*store, error) {
	s := &store{folder: folder, owned: map[lvs.Key]bool{}, recall: &lastKnownGood{}}
	if err := statedir.Read(folder, kernelFile, &s.record); err != nil {
		return nil, err
	}
	for _, k := range s.record.Services {
		s.owned[k] = true
	}
	if err := statedir.Read(folder, lastKnownGoodFile, s.recall); err != nil {
		return nil, err
	}
	if s.recall.Version != lastKnownGoodVersion {
		s.recall = &lastKnownGood{}
	}
	return s, nil
}

// own records which virtual servers are ours: those wanted now, before they are
// created, and those that the reconciler still has to remove.
func (s *store) own(wanted, remaining []lvs.Key) error {
	next := make(map[lvs.Key]bool, len(wanted))
	for _, k := range slices.Concat(wanted, remaining) {
		next[k] = true
	}
	if maps.Equal(next, s.owned) {
		return nil
	}
	// A new map: the reconciler may still hold the one before.
	s.owned = next
	s.record.Services = slices.SortedFunc(maps.Keys(next), lvs.Key.Compare)
	return s.writeRecord()
}

func (s *store) writeRecord() error { return statedir.Write(s.folder, kernelFile, s.record) }

// lastKnownGood is what the catalogs and the KV said last.
type lastKnownGood struct {
	Version int           `json:"version"`
	Answers []savedAnswer `json:"answers"`
	KV      *savedKV      `json:"kv"`

	Peers map[string]savedPeers `json:"unicast_peers,omitempty"` // by VRRP instance
}

type savedAnswer struct {
	Query     discovery.Query      `json:"query"`
	Instances []discovery.Instance `json:"instances"`
	Index     uint64               `json:"index"`
	At        time.Time            `json:"at"`
}

type savedKV struct {
	Where string                    `json:"where"`
	Pairs map[string]discovery.Pair `json:"pairs"`
	At    time.Time                 `json:"at"`
}

const lastKnownGoodVersion = 1

// remember writes what is known, when it differs from what was written. What
// has not spoken in this run keeps the record of an earlier one.
func (a *agent) remember() {
	good := lastKnownGood{Version: lastKnownGoodVersion, KV: a.store.recall.KV, Peers: a.savePeers()}
	for _, q := range a.source.queries {
		k, ok := a.known[q]
		if ok && !k.Stale {
			good.Answers = append(good.Answers, savedAnswer{Query: q, Instances: k.Instances, Index: k.Index, At: k.At})
		} else if old, ok := a.store.recall.answer(q); ok {
			good.Answers = append(good.Answers, old)
		}
	}
	if a.pairs.Pairs != nil && !a.pairsStale {
		good.KV = &savedKV{Where: a.source.kvWhere, Pairs: a.pairs.Pairs, At: a.pairs.At}
	}
	if reflect.DeepEqual(good, a.store.saved) {
		return
	}
	if err := statedir.Write(a.store.folder, lastKnownGoodFile, good); err != nil {
		a.event("agent", "state", "cannot write the last known good state: "+err.Error())
		return
	}
	a.store.saved = good
}

func (l *lastKnownGood) answer(q discovery.Query) (savedAnswer, bool) {
	i := slices.IndexFunc(l.Answers, func(s savedAnswer) bool { return s.Query == q })
	if i < 0 {
		return savedAnswer{}, false
	}
	return l.Answers[i], true
}

// unanswered is called for a query without an answer yet, when its source fails
// or stays silent: what was known before the restart stands in.
func (a *agent) unanswered(q discovery.Query, why string) {
	first := a.firstError[q] == ""
	a.firstError[q] = why
	s, ok := a.store.recall.answer(q)
	if !first || !ok {
		return
	}
	a.known[q] = discovery.Known{Instances: s.Instances, Index: s.Index, At: s.At, Stale: true, Err: why}
	a.event("catalog", queryName(q), fmt.Sprintf("using the last known good answer of %s (%d instances)", s.At.Format(time.RFC3339), len(s.Instances)))
}

// unset is called when the KV fails or stays silent at the start: the settings
// of before the restart stand in.
func (a *agent) unset() {
	kv := a.store.recall.KV
	if a.pairs.Pairs != nil || kv == nil || kv.Where != a.source.kvWhere {
		return
	}
	a.pairs, a.pairsStale = discovery.KVAnswer{Pairs: kv.Pairs, At: kv.At}, true
	a.override()
	a.event("kv", a.source.kvWhere, fmt.Sprintf("using the last known good settings of %s (%d keys)", kv.At.Format(time.RFC3339), len(kv.Pairs)))
}
