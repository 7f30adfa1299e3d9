package file

import (
	"context"
	"log/slog"
	"time"

	"github.com/fsnotify/fsnotify"
)

// How a folder is looked at.
const (
	settle  = 50 * time.Millisecond // of quiet before files are read
	longest = time.Second           // that a busy folder can put reading off
	pollAll = 5 * time.Second       // between looks without being told
)

// watchFolder calls look at once, and again when something in the folder has
// changed and settled, when kick says so, and every few seconds. It returns
// when ctx ends.
func watchFolder(ctx context.Context, folder string, poll time.Duration, kick <-chan struct{}, log *slog.Logger, look func()) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("folder cannot be watched, it is looked through instead", "folder", folder, "every", poll, "error", err)
		w = nil
	}
	var (
		events  chan fsnotify.Event
		faults  chan error
		watched bool
	)
	if w != nil {
		defer func() {
			if err := w.Close(); err != nil {
				log.Debug("close the folder's watch", "folder", folder, "error", err)
			}
		}()
		events, faults = w.Events, w.Errors
	}
	// The folder may come later, or be replaced by another of the same name.
	watch := func() {
		if w != nil && len(w.WatchList()) == 0 {
			err := w.Add(folder)
			if err != nil && watched {
				log.Warn("folder cannot be watched any more", "folder", folder, "error", err)
			}
			watched = err == nil
		}
	}

	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	quiet := time.NewTimer(0)
	defer quiet.Stop()
	var since time.Time // of the first change that waits; zero: none
	wait := func() {
		if since.IsZero() {
			since = time.Now()
		}
		quiet.Reset(max(0, min(settle, longest-time.Since(since))))
	}
	watch()
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			wait()
		case err, ok := <-faults: // a full queue: something has been missed
			if !ok {
				faults = nil
				continue
			}
			log.Debug("events of the folder were lost", "folder", folder, "error", err)
			wait()
		case <-kick: // and what waits still waits: it may be somebody else's change
			look()
		case <-ticker.C:
			watch()
			if since.IsZero() {
				look()
			}
		case <-quiet.C:
			since = time.Time{}
			watch()
			look()
		}
	}
}
