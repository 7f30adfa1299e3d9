package agent

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/statedir"
	"github.com/edgekeeper/edgekeeper/discovery"
)

// lastKnownGoodFile is in the state folder; see docs/architecture.md.
const lastKnownGoodFile = "last-known-good.json"

// confirmEvery is how often it is written down that what is known is still so.
const confirmEvery = time.Minute

// saveShare is the share of time that writing what is known may take: one part in
// so many. A large catalog that changes all the time is not written at each change.
const saveShare = 20

// lastKnownGood is what the catalogs and the KV said last.
type lastKnownGood struct {
	Version int           `json:"version"`
	Of      string        `json:"of"` // catalogsOf the configuration
	Answers []savedAnswer `json:"answers"`
	KV      *savedKV      `json:"kv"`

	Peers map[string]savedPeers `json:"unicast_peers,omitempty"` // by VRRP instance
}

type savedAnswer struct {
	Query     discovery.Query      `json:"query"`
	Instances []discovery.Instance `json:"instances"`
	Index     uint64               `json:"index"`
	At        time.Time            `json:"at"`        // it came
	Confirmed time.Time            `json:"confirmed"` // last moment at which its source did not fail
}

type savedKV struct {
	Where string                    `json:"where"`
	Pairs map[string]discovery.Pair `json:"pairs"`
	Store uint64                    `json:"store,omitempty"` // see discovery.KVAnswer
	At    time.Time                 `json:"at"`

	Confirmed time.Time `json:"confirmed"`
}

// lastKnownGoodVersion changes when a field changes its meaning.
const lastKnownGoodVersion = 2

// readLastKnownGood reads what an earlier run knew. A file that cannot be used
// does not keep a director from starting: the second result says why.
func readLastKnownGood(folder string) (*lastKnownGood, string) {
	var raw json.RawMessage
	if err := statedir.Read(folder, lastKnownGoodFile, &raw); err != nil {
		return &lastKnownGood{}, err.Error()
	}
	if raw == nil {
		return &lastKnownGood{}, ""
	}
	// The version first: another one may have fields of other types.
	// The unicast peers are the same in all: without them a router is alone.
	var v struct {
		Version int
		Peers   map[string]savedPeers `json:"unicast_peers"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return &lastKnownGood{}, err.Error()
	}
	if v.Version != lastKnownGoodVersion {
		return &lastKnownGood{Peers: v.Peers}, fmt.Sprintf("it has version %d, this edgekeeper writes %d", v.Version, lastKnownGoodVersion)
	}
	out := &lastKnownGood{}
	if err := json.Unmarshal(raw, out); err != nil {
		return &lastKnownGood{}, err.Error()
	}
	return out, ""
}

// catalogsOf names where a configuration's answers come from. What an earlier
// run knew of other catalogs is no answer to the same question.
func catalogsOf(cfg *config.Config) string {
	of := ""
	if c := cfg.Consul; c != nil {
		of = fmt.Sprintf("consul %s datacenter %q namespace %q partition %q", c.Address, c.Datacenter, c.Namespace, c.Partition)
	}
	if n := cfg.Nomad; n != nil {
		of += fmt.Sprintf(" nomad %s region %q namespace %q", n.Address, n.Region, n.Namespace)
	}
	if f := cfg.FileCatalog; f != nil {
		of += " file " + f.Path
	}
	return strings.TrimSpace(of)
}

// checkRecall gives up what an earlier run knew where it belongs to another
// configuration, and says so. In the loop, before the sources start.
func (a *agent) checkRecall() {
	s := a.store
	if of := catalogsOf(a.cfg); s.refused == "" && s.recall.Version != 0 && s.recall.Of != of {
		s.refused = fmt.Sprintf("it is of other catalogs (%s)", s.recall.Of)
		s.recall = &lastKnownGood{Peers: s.recall.Peers} // which know what they were asked of
	}
	if s.refused != "" {
		a.event("agent", "state", "the last known good state is not used: "+s.refused)
		s.refused = ""
	}
}

// otherCatalogs is called when a reload turns to other catalogs: what is known
// stands until they answer, and is not taken for what they say.
func (a *agent) otherCatalogs() {
	for q, k := range a.known {
		k.Stale = true
		a.known[q] = k
	}
	a.pairsStale = a.pairs.Pairs != nil
}

// tooOld tells, in words, why something that was last confirmed then is not used
// at a start; empty when it may be. A time to come is a clock that was set.
func (a *agent) tooOld(source discovery.Source, confirmed time.Time) string {
	var most time.Duration
	switch c, n := a.cfg.Consul, a.cfg.Nomad; {
	case source == discovery.Consul && c != nil:
		most = c.MaxStaleStart
	case source == discovery.Nomad && n != nil:
		most = n.MaxStaleStart
	default:
		return "" // files are here, whatever their age
	}
	if age := time.Since(confirmed); age > most {
		return fmt.Sprintf("was last confirmed %s ago, longer than max_stale_start (%s)", age.Round(time.Second), most)
	}
	return ""
}

// remember writes what is known, when it differs from what was written, or has it
// written a little later, when writing it takes long. What has not spoken in this
// run keeps the record of an earlier one.
func (a *agent) remember() {
	now := time.Now()
	if !a.learned && now.Sub(a.store.savedAt) < confirmEvery {
		return
	}
	if pause := saveShare*a.store.saveTook - now.Sub(a.store.savedAt); pause > 0 {
		a.saving.Reset(pause)
		return
	}
	a.learned = false
	good := lastKnownGood{Version: lastKnownGoodVersion, Of: catalogsOf(a.cfg), KV: a.store.recall.KV, Peers: a.savePeers()}
	for _, q := range a.source.queries {
		k, ok := a.known[q]
		if ok && !k.Stale {
			saved := savedAnswer{Query: q, Instances: k.Instances, Index: k.Index, At: k.At, Confirmed: now}
			if k.Err != "" {
				saved.Confirmed = k.At
				if before, ok := a.store.saved.answer(q); ok && before.Confirmed.After(k.At) {
					saved.Confirmed = before.Confirmed
				}
			}
			good.Answers = append(good.Answers, saved)
		} else if old, ok := a.store.recall.answer(q); ok {
			good.Answers = append(good.Answers, old)
		}
	}
	if a.pairs.Pairs != nil && !a.pairsStale {
		good.KV = &savedKV{Where: a.source.kvWhere, Pairs: a.pairs.Pairs, Store: a.pairs.Store, At: a.pairs.At, Confirmed: now}
		if a.kvError != "" {
			good.KV.Confirmed = a.pairs.At
			if before := a.store.saved.KV; before != nil && before.Confirmed.After(a.pairs.At) {
				good.KV.Confirmed = before.Confirmed
			}
		}
	}
	confirms := len(good.Answers) > 0 || good.KV != nil
	if good.says(a.store.saved) && (!confirms || now.Sub(a.store.savedAt) < confirmEvery) {
		return
	}
	err := statedir.Write(a.store.folder, lastKnownGoodFile, good)
	if a.wrote("write the last known good state", err); err != nil {
		a.learned = true
		return
	}
	a.store.saved, a.store.savedAt, a.store.saveTook = good, now, time.Since(now)
}

// says reports whether the same is known, whenever it was confirmed.
func (l lastKnownGood) says(other lastKnownGood) bool {
	return reflect.DeepEqual(l.unconfirmed(), other.unconfirmed())
}

func (l lastKnownGood) unconfirmed() lastKnownGood {
	l.Answers = slices.Clone(l.Answers)
	for i := range l.Answers {
		l.Answers[i].Confirmed = time.Time{}
	}
	if l.KV != nil {
		kv := *l.KV
		kv.Confirmed = time.Time{}
		l.KV = &kv
	}
	return l
}

func (l lastKnownGood) answer(q discovery.Query) (savedAnswer, bool) {
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
	if old := a.tooOld(q.Source, s.Confirmed); old != "" {
		a.event("catalog", queryName(q), "the last known good answer is not used: it "+old)
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
	if old := a.tooOld(discovery.Consul, kv.Confirmed); old != "" {
		a.event("kv", a.source.kvWhere, "the last known good settings are not used: they were "+strings.TrimPrefix(old, "was "))
		a.store.recall.KV = nil
		return
	}
	a.recallPairs(kv)
	a.override()
	a.event("kv", a.source.kvWhere, fmt.Sprintf("using the last known good settings of %s (%d keys)", kv.At.Format(time.RFC3339), len(kv.Pairs)))
}
