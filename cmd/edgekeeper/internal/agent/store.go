package agent

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/statedir"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// kernelFile is in the state folder; see docs/architecture.md.
const kernelFile = "ipvs.json"

// kernelRecord is what an agent has made of the kernel's IPVS, for its successor
// and for Cleanup.
type kernelRecord struct {
	Keep     bool          `json:"keep"`                                // on_stop = "keep"
	Services []lvs.Key     `json:"virtual_servers"`                     // ours to remove
	Master   []lvs.Key     `json:"virtual_servers_of_master,omitempty"` // of them, those that only a master has
	Timeouts *lvs.Timeouts `json:"timeouts_before,omitempty"`
	Sync     bool          `json:"sync_daemon,omitempty"` // a connection-synchronization daemon may run
	Marks    bool          `json:"fwmarks,omitempty"`     // rules that set firewall marks may be there
}

// equal reports whether the file would be the same.
func (r *kernelRecord) equal(o *kernelRecord) bool {
	return r.Keep == o.Keep && r.Sync == o.Sync && r.Marks == o.Marks && r.Timeouts == o.Timeouts &&
		slices.Equal(r.Services, o.Services) && slices.Equal(r.Master, o.Master)
}

// store is the state folder of a running director.
type store struct {
	folder   string
	record   kernelRecord
	written  *kernelRecord    // as it is on disk; nil before the first time
	owned    map[lvs.Key]bool // record.Services
	recall   *lastKnownGood   // what an earlier run knew
	saved    lastKnownGood    // as written
	savedAt  time.Time
	saveTook time.Duration // to write it
	refused  string        // why recall is empty although there is a file

	failing map[string]string // what could not be written last, and why
}

// openStore reads what an earlier run has left.
func openStore(folder string) (*store, error) {
	s := &store{folder: folder, owned: map[lvs.Key]bool{}, failing: map[string]string{}}
	if err := statedir.Read(folder, kernelFile, &s.record); err != nil {
		return nil, err
	}
	for _, k := range s.record.Services {
		s.owned[k] = true
	}
	s.recall, s.refused = readLastKnownGood(folder)
	return s, nil
}

// wrote takes how an attempt to do something to the state folder has ended. A
// failure is an event when it is another one than the last time: there are attempts
// with every decision.
func (a *agent) wrote(what string, err error) {
	if err == nil {
		delete(a.store.failing, what)
		return
	}
	cause := err // without the name of the temporary file, which is another one each time
	for next := errors.Unwrap(cause); next != nil; next = errors.Unwrap(cause) {
		cause = next
	}
	if a.store.failing[what] != cause.Error() {
		a.store.failing[what] = cause.Error()
		a.event("agent", "state", "cannot "+what+": "+err.Error()+"; tried again")
	}
}

// own records which virtual servers are ours: those wanted now, before they are
// created, and those that the reconciler still has to remove. Of those wanted, some
// are wanted of a master only.
func (s *store) own(wanted, remaining, master []lvs.Key) error {
	next := make(map[lvs.Key]bool, len(wanted))
	for _, k := range slices.Concat(wanted, remaining) {
		next[k] = true
	}
	slices.SortFunc(master, lvs.Key.Compare)
	if maps.Equal(next, s.owned) && slices.Equal(master, s.record.Master) {
		return s.writeRecord() // which may have failed before
	}
	s.record.Master = master
	// A new map: the reconciler may still hold the one before.
	s.owned = next
	s.record.Services = slices.SortedFunc(maps.Keys(next), lvs.Key.Compare)
	return s.writeRecord()
}

// ownMarks records that rules for firewall marks are about to be made.
func (s *store) ownMarks() error {
	s.record.Marks = true
	return s.writeRecord()
}

// recorded reports whether the record is on disk as it is.
func (s *store) recorded() bool { return s.written != nil && s.written.equal(&s.record) }

// writeRecord writes the record unless it is on disk as it is: a reload without a
// change waits for no disk.
func (s *store) writeRecord() error {
	if s.recorded() {
		return nil
	}
	now := s.record // its lists and Timeouts are replaced, never written to
	if err := statedir.Write(s.folder, kernelFile, now); err != nil {
		return err
	}
	s.written = &now
	return nil
}
