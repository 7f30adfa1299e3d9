// Package statedir is the folder in which an agent records what must outlive
// it: files written atomically, and one lock per role, so that two agents of a
// role never share a folder and a clean-up never works against a living one.
package statedir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// Role is what runs on the folder.
type Role string

// The roles. A host may have one of each on the same folder.
const (
	Director   Role = "director"
	RealServer Role = "realserver"
)

// ErrRunning says that an agent of the role lives.
var ErrRunning = errors.New("is running")

// Lock makes the folder and takes the role's lock, which the kernel gives up
// when the process ends, however it ends. The error wraps ErrRunning when
// another process has it.
func Lock(dir string, role Role) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	path := filepath.Join(dir, string(role)+".lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock state folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("a %s with state folder %s %w", role, dir, ErrRunning)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() error {
		// A child between fork and exec has a copy of the file, and with it the lock,
		// until it has called exec; closing ours would leave it with that one.
		return errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_UN), f.Close())
	}, nil
}

// Read reads a JSON file of the folder into v; one that does not exist leaves v
// as it is.
func Read(dir, name string, v any) error {
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read state %s: %w (remove the file to start without it)", path, err)
	}
	return nil
}

// Write replaces a JSON file of the folder, whole or not at all.
func Write(dir, name string, v any) error {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("write state %s: %w", name, err)
	}
	// The temporary file begins in the same folder: renameio would else try out, with
	// two more files, whether the system's folder for them is on the same file system.
	if err := renameio.WriteFile(filepath.Join(dir, name), b, 0o600, renameio.WithTempDir(dir)); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}

// Remove removes a file of the folder; one that does not exist is no error.
func Remove(dir, name string) error {
	if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove state: %w", err)
	}
	return nil
}
