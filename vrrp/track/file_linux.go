package track

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/edgekeeper/edgekeeper/internal/numberfile"
	"github.com/edgekeeper/edgekeeper/vrrp"
)

// rereadEvery is how often a file is read although nothing was heard of it: its
// folder may be a mount that tells no changes, or may be made later.
const rereadEvery = 5 * time.Second

// emptyFor is how long a file must be empty before that counts: who writes it
// with `echo 10 > file` empties it first. keepalived waits for the file to be
// closed (IN_CLOSE_WRITE), which fsnotify does not tell.
const emptyFor = 100 * time.Millisecond

// File gives the number that a file holds. A file that is not there counts as
// Missing, one that stays empty as zero. While its content is no number, the last
// number stands.
type File struct {
	Path    string // absolute. Required.
	Missing int    // the number while there is no file
	// Create writes the file with the number Missing when Run begins and it is not
	// there (keepalived's init_file).
	Create bool
	Log    *slog.Logger // nil discards

	every time.Duration // a test's; 0: rereadEvery
}

// Run implements Source.
func (f File) Run(ctx context.Context, emit func(Verdict)) error {
	out := teller{emit: emit}
	log := quiet(f.Log)
	if f.Create {
		if err := f.create(); err != nil {
			log.Warn("create tracked file", "path", f.Path, "error", err)
		}
	}
	slowly := time.NewTicker(cmp.Or(f.every, rereadEvery))
	defer slowly.Stop()
	var empty <-chan time.Time // comes when a file that was seen empty has had its time
	believe := false
	var watcher *fsnotify.Watcher
	defer func() {
		if watcher != nil {
			_ = watcher.Close() // nothing of it is needed
		}
	}()
	for {
		var events chan fsnotify.Event
		var failures chan error
		if watcher == nil {
			// The folder, because editors and renameio replace the file.
			watcher = watchFolder(filepath.Dir(f.Path))
		}
		if watcher != nil {
			events, failures = watcher.Events, watcher.Errors
		}
		switch {
		case !f.read(&out, believe):
			empty = nil
		case empty == nil && !believe:
			empty = time.After(emptyFor)
		}
		believe = false
		select {
		case <-ctx.Done():
			return nil
		case e := <-events:
			if e.Name == filepath.Dir(f.Path) { // the folder itself went
				_ = watcher.Close()
				watcher = nil
			}
		case <-empty:
			empty, believe = nil, true
		case <-failures: // events were lost, so the file is read
		case <-slowly.C:
			if watcher != nil && len(watcher.WatchList()) == 0 {
				_ = watcher.Close()
				watcher = nil
			}
		}
	}
}

// watchFolder returns nil when the folder cannot be watched now.
func watchFolder(dir string) *fsnotify.Watcher {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil
	}
	if err := w.Add(dir); err != nil {
		_ = w.Close()
		return nil
	}
	return w
}

func (f File) create() error {
	w, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%d\n", f.Missing)
	return errors.Join(err, w.Close())
}

// read tells what the file holds and returns whether that is nothing, which it
// tells only when the caller says that it can be believed.
func (f File) read(out *teller, believe bool) (empty bool) {
	number := func(n int, reason string) {
		out.tell(Verdict{Result: vrrp.TrackResult{State: vrrp.TrackUp, Numeric: true, Value: n}, Reason: reason})
	}
	n, err := numberfile.Read(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		number(f.Missing, fmt.Sprintf("the file does not exist, which counts as %d", f.Missing))
	case errors.Is(err, numberfile.ErrEmpty):
		if believe {
			number(0, "the file is empty, which counts as 0")
		}
		return true
	case err != nil:
		f.keep(out, err.Error())
	default:
		number(n, fmt.Sprintf("the file holds %d", n))
	}
	return false
}

// keep says why the last number stands; before there is one it is Missing.
func (f File) keep(out *teller, why string) {
	v := out.last
	if v == (Verdict{}) {
		v.Result = vrrp.TrackResult{State: vrrp.TrackUp, Numeric: true, Value: f.Missing}
	}
	v.Reason = fmt.Sprintf("%s; %d stands", why, v.Result.Value)
	out.tell(v)
}
