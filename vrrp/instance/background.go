package instance

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// around runs a loop on a locked thread, and beside it what belongs to the
// routers that it drives. They share the outbox of r.
func (r *Runner) around(ctx context.Context, routers []*Runner, loop func()) {
	var wg sync.WaitGroup
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	for _, x := range routers {
		x.beside = func(host Host, lookout Lookout) context.CancelFunc {
			ctx, cancel := context.WithCancel(background)
			wg.Go(func() { x.watch(ctx, host) })
			wg.Go(func() { x.lookOut(ctx, lookout) })
			return cancel
		}
		x.unwatch = x.beside(x.cfg.Host, x.cfg.Lookout)
	}
	stopped := make(chan struct{})
	wg.Go(func() { r.dispatch(stopped) })

	wg.Go(func() {
		// Never unlocked: what OnThread did to the thread ends with it.
		runtime.LockOSThread()
		defer close(stopped)
		loop()
		cancel()
	})
	wg.Wait()
	for _, x := range routers {
		close(x.ended)
	}
}

// watch keeps Host.Watch running. What it has seen counts as long as host is ours.
func (r *Runner) watch(ctx context.Context, host Host) {
	for {
		err := host.Watch(ctx, func(c Change) {
			r.inbox.put(func(l *loop) {
				if l.r.cfg.Host == host {
					l.changed(c)
				}
			})
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
