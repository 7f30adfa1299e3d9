package guardian

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The lock is a POSIX record lock: it ends with the process, is not inherited,
// and the kernel tells who has it.
var wholeFile = unix.Flock_t{Type: unix.F_WRLCK, Whence: 0}

// takeLock locks the file, which is kept open for the rest of the process.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	l := wholeFile
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &l); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return f, nil
}

// Pauses of Await.
const (
	awaitLook = 2 * time.Millisecond
	awaitKind = 500 * time.Millisecond // a guardian needs a few milliseconds to act and exit
	awaitDead = 2 * time.Second        // from kill -9 to the end of the lock
)

// ErrLocked says that a guardian is there and cannot be ended.
var ErrLocked = errors.New("the guardian of an earlier director does not end")

// Await returns when no guardian has the lock: at once, or when the one of a
// dead director has acted. One that lingers, because it was stopped, is killed.
// It is to be called before any address is installed, by a process that is not
// the guardian of that lock, and that knows that no other director uses it.
func Await(ctx context.Context, lock string) error {
	f, err := os.OpenFile(lock, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("wait for guardian: %w", err)
	}
	defer f.Close()
	begin := time.Now()
	for {
		l := wholeFile
		if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &l); err != nil {
			return fmt.Errorf("wait for guardian: look at %s: %w", lock, err)
		}
		switch waited := time.Since(begin); {
		case l.Type == unix.F_UNLCK:
			return nil
		case waited > awaitKind+awaitDead:
			return fmt.Errorf("wait for guardian (process %d): %w", l.Pid, ErrLocked)
		case waited > awaitKind && l.Pid > 0: // 0: it is in another PID namespace
			_ = unix.Kill(int(l.Pid), unix.SIGKILL) // it may have ended meanwhile
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(awaitLook):
		}
	}
}
