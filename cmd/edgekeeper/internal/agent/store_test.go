package agent

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// TestRecordIsWrittenWhenItChanges: each change reaches the disk, and what is
// there already is not written again.
func TestRecordIsWrittenWhenItChanges(t *testing.T) {
	s, err := openStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.folder, kernelFile)
	var last os.FileInfo
	for _, step := range []struct {
		name    string
		change  func() error
		written bool
	}{
		{"first", s.writeRecord, true},
		{"nothing changed", s.writeRecord, false},
		{"on_stop", func() error { s.record.Keep = true; return s.writeRecord() }, true},
		{"a sync daemon", func() error { s.record.Sync = true; return s.writeRecord() }, true},
		{"marks", s.ownMarks, true},
		{"marks again", s.ownMarks, false},
		{"timeouts", func() error { s.record.Timeouts = &lvs.Timeouts{}; return s.writeRecord() }, true},
		{"a virtual server", func() error { return s.own([]lvs.Key{{Mark: 1}}, nil, nil) }, true},
		{"the same", func() error { return s.own([]lvs.Key{{Mark: 1}}, nil, nil) }, false},
		{"of a master only", func() error { return s.own([]lvs.Key{{Mark: 1}}, nil, []lvs.Key{{Mark: 1}}) }, true},
		{"none", func() error { return s.own(nil, nil, nil) }, true},
	} {
		if err := step.change(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		now, err := os.Stat(path)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if written := last == nil || !os.SameFile(last, now); written != step.written {
			t.Errorf("%s: written %t, want %t", step.name, written, step.written)
		}
		last = now
		again, err := openStore(s.folder)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if r := again.record; r.Keep != s.record.Keep || r.Sync != s.record.Sync || r.Marks != s.record.Marks ||
			(r.Timeouts == nil) != (s.record.Timeouts == nil) || len(r.Services) != len(s.record.Services) || len(r.Master) != len(s.record.Master) {
			t.Errorf("%s: a successor reads %+v, want %+v", step.name, r, s.record)
		}
	}
}
