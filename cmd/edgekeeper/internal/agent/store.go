package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// store is the state folder: what must outlive the process.
type store struct {
	folder string
	log    *slog.Logger
	owned  map[lvs.Key]bool // virtual servers that are ours to remove
	saved  []byte           // last known good, as written
}

// lastKnownGood is what the catalogs and the KV said last.
type lastKnownGood struct {
	Version int                       `json:"version"`
	Answers []savedAnswer             `json:"answers"`
	Pairs   map[string]discovery.Pair `json:"pairs"`
	KVKnown bool                      `json:"kv_known"`
}

type savedAnswer struct {
	Query     discovery.Query      `json:"query"`
	Instances []discovery.Instance `json:"instances"`
	Index     uint64               `json:"index"`
	At        time.Time            `json:"at"`
}

const lastKnownGoodVersion = 1

func (s *store) path(name string) string { return filepath.Join(s.folder, name) }

// loadOwned reads which virtual servers an earlier run had.
func (s *store) loadOwned() error {
	s.owned = map[lvs.Key]bool{}
	var keys []lvs.Key
	if err := s.read("virtual-servers.json", &keys); err != nil {
		return err
	}
	for _, k := range keys {
		s.owned[k] = true
	}
	return nil
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
	return s.write("virtual-servers.json", slices.SortedFunc(maps.Keys(next), lvs.Key.Compare))
}

func (s *store) read(name string, v any) error {
	b, err := os.ReadFile(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read state %s: %w (remove the file to start without it)", s.path(name), err)
	}
	return nil
}

func (s *store) write(name string, v any) error {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	if err := renameio.WriteFile(s.path(name), b, 0o600); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}

const lastKnownGoodFile = "last-known-good.json"

// remember writes what is known, when it differs from what was written.
func (a *agent) remember() {
	good := lastKnownGood{Version: lastKnownGoodVersion, Pairs: a.pairs.Pairs, KVKnown: a.pairs.Pairs != nil}
	for _, q := range a.source.queries {
		if k, ok := a.known[q]; ok {
			good.Answers = append(good.Answers, savedAnswer{Query: q, Instances: k.Instances, Index: k.Index, At: k.At})
		}
	}
	b, err := json.Marshal(good)
	if err != nil || string(b) == string(a.store.saved) {
		return
	}
	if err := renameio.WriteFile(a.store.path(lastKnownGoodFile), b, 0o600); err != nil {
		a.event("agent", "state", "cannot write the last known good state: "+err.Error())
		return
	}
	a.store.saved = b
}

// recall fills in what was known before the restart, marked stale, for sources
// that fail at their first question.
func (a *agent) recall() (lastKnownGood, bool) {
	var good lastKnownGood
	if err := a.store.read(lastKnownGoodFile, &good); err != nil {
		a.event("agent", "state", err.Error())
		return good, false
	}
	return good, good.Version == lastKnownGoodVersion
}

// unanswered is called while the answers to a query have been failures only:
// what was known before the restart stands in.
func (a *agent) unanswered(ans discovery.Answer) {
	first := a.firstError[ans.Query] == ""
	a.firstError[ans.Query] = ans.Err
	if !first {
		return
	}
	good, ok := a.recall()
	if !ok {
		return
	}
	for _, s := range good.Answers {
		if s.Query == ans.Query {
			a.known[ans.Query] = discovery.Known{Instances: s.Instances, Index: s.Index, At: s.At, Stale: true, Err: ans.Err}
			a.event("catalog", queryName(ans.Query), fmt.Sprintf("using the last known good answer of %s (%d instances)", s.At.Format(time.RFC3339), len(s.Instances)))
		}
	}
}

// unset is called while the KV has failed only: the settings of before the
// restart stand in.
func (a *agent) unset() {
	if good, ok := a.recall(); ok && good.KVKnown {
		a.pairs = discovery.KVAnswer{Pairs: good.Pairs}
		a.override()
		a.event("kv", a.source.kvWhere, fmt.Sprintf("using the last known good settings (%d keys)", len(good.Pairs)))
	}
}
