package statedir

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLock: one agent of a role has the folder; the next can have it as soon as
// it is given up, although a child may hold a copy of the file.
func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	unlock, err := Lock(dir, Director)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir, Director); !errors.Is(err, ErrRunning) {
		t.Errorf("second director: %v", err)
	}
	other, err := Lock(dir, RealServer)
	if err != nil {
		t.Errorf("another role: %v", err)
	} else if err := other(); err != nil {
		t.Error(err)
	}
	defer unix.Close(duplicate(t, filepath.Join(dir, "director.lock")))
	if err := unlock(); err != nil {
		t.Error(err)
	}
	again, err := Lock(dir, Director)
	if err != nil {
		t.Fatal(err)
	}
	if err := again(); err != nil {
		t.Error(err)
	}
}

// duplicate does what fork does to the open file of a path.
func duplicate(t *testing.T, path string) int {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range fds {
		if target, err := os.Readlink(name); err != nil || target != path {
			continue
		}
		fd, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			t.Fatal(err)
		}
		copied, err := unix.Dup(fd)
		if err != nil {
			t.Fatal(err)
		}
		return copied
	}
	t.Fatal("the lock's file is not open")
	return -1
}
