package instance

import (
	"context"
	"time"
)

// watch keeps Host.Watch running.
func (r *Runner) watch(ctx context.Context) {
	for {
		err := r.cfg.Host.Watch(ctx, func(c Change) {
			r.inbox.put(func(l *loop) { l.changed(c) })
		})
		if ctx.Err() != nil {
			return
		}
		r.log.Warn("watch interface", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchPause):
		}
	}
}

// dispatch calls the callbacks, and the last of them after the loop has ended.
func (r *Runner) dispatch(stopped <-chan struct{}) {
	for {
		select {
		case <-r.outbox.ready:
		case <-stopped:
			for _, f := range r.outbox.take() {
				f()
			}
			return
		}
		for _, f := range r.outbox.take() {
			f()
		}
	}
}
