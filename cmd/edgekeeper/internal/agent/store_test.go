package agent

import (
	"errors"
	"log/slog"
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

// TestUnwrittenState: what could not be written is tried again, also when nothing of
// it has changed since, and told once.
func TestUnwrittenState(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := openStore(folder)
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{store: s, log: slog.New(slog.DiscardHandler)}
	own := func() error { return s.own([]lvs.Key{{Mark: 1}}, nil, nil) }
	if err := os.Rename(folder, folder+".gone"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		err := own()
		if err == nil || s.recorded() {
			t.Fatalf("a folder that is not there: %v, recorded %t", err, s.recorded())
		}
		a.wrote("record", err)
	}
	if n := len(a.history.since(0)); n != 1 {
		t.Errorf("%d events of one trouble", n)
	}
	if err := os.Rename(folder+".gone", folder); err != nil {
		t.Fatal(err)
	}
	err = own()
	if a.wrote("record", err); err != nil || !s.recorded() {
		t.Fatalf("the folder is there again: %v, recorded %t", err, s.recorded())
	}
	a.wrote("record", errors.New("another trouble"))
	if n := len(a.history.since(0)); n != 2 {
		t.Errorf("%d events of two troubles", n)
	}
}
