package track

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "weight")
	got := follow(t, File{Path: path, Missing: -5, every: time.Hour})
	want := func(number int, reason string) {
		t.Helper()
		v := next(t, got)
		wantState(t, v, vrrp.TrackUp, reason)
		if !v.Result.Numeric || v.Result.Value != number {
			t.Errorf("got %+v, want %d", v.Result, number)
		}
	}
	put := func(text string) { // as renameio does, so that no half is seen
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	want(-5, "does not exist")
	put("7\n")
	want(7, "holds 7")
	put("-20 \nmore")
	want(-20, "holds -20")
	put("nonsense")
	want(-20, `"nonsense", which is no number; -20 stands`)
	put("")
	want(0, "empty")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	want(-5, "does not exist")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	want(-5, "not a regular file; -5 stands")
}

func TestFileWrittenInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weight")
	got := follow(t, File{Path: path, Missing: 3, Create: true, every: time.Hour})
	if v := next(t, got); v.Result.Value != 3 || v.Reason != "the file holds 3" {
		t.Errorf("got %+v", v)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("4"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if v := next(t, got); v.Result.Value != 4 {
		t.Errorf("got %+v", v)
	}
}

// TestFileEmptied: a file that is written anew is empty for a moment, which is
// not told.
func TestFileEmptied(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "weight")
	got := follow(t, File{Path: path, Missing: 1, Create: true, every: time.Hour})
	next(t, got)
	for n := 2; n < 200; n++ {
		begin := time.Now()
		if err := os.WriteFile(path, []byte(strconv.Itoa(n)), 0o644); err != nil {
			t.Fatal(err)
		}
		took := time.Since(begin)
		v := next(t, got)
		if v.Result.Value == 0 && took >= emptyFor { // the machine was busy amid the writing
			v = next(t, got)
		}
		if v.Result.Value != n {
			t.Fatalf("got %+v, want %d", v, n)
		}
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if v := next(t, got); v.Result.Value != 0 || v.Reason != "the file is empty, which counts as 0" {
		t.Errorf("got %+v", v)
	}
}

// TestFileKept: Create does not touch a file that is there.
func TestFileKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weight")
	if err := os.WriteFile(path, []byte("9"), 0o644); err != nil {
		t.Fatal(err)
	}
	if v := next(t, follow(t, File{Path: path, Missing: 3, Create: true})); v.Result.Value != 9 {
		t.Errorf("got %+v", v)
	}
}

// TestFileFolderLater: the folder need not be there at the start.
func TestFileFolderLater(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "later")
	path := filepath.Join(dir, "weight")
	got := follow(t, File{Path: path, every: 50 * time.Millisecond})
	if v := next(t, got); v.Result.Value != 0 {
		t.Errorf("got %+v", v)
	}
	if err := os.Mkdir(dir+".new", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir+".new", "weight"), []byte("2"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+".new", dir); err != nil {
		t.Fatal(err)
	}
	if v := next(t, got); v.Result.Value != 2 { // at the next look
		t.Errorf("got %+v", v)
	}
}
