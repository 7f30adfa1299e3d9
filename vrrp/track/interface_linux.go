package track

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// retryPause is the time after which watching is tried again.
const retryPause = time.Second

// Interface is up while the network interface exists, is administratively up and
// has a carrier (IFF_UP and IFF_RUNNING, as keepalived asks).
type Interface struct {
	Name  string
	Delay Delay
	Log   *slog.Logger // nil discards
}

// errEnded means that the kernel's notifications ended or overflowed.
var errEnded = errors.New("notifications ended")

// Run implements Source.
func (i Interface) Run(ctx context.Context, emit func(Verdict)) error {
	seen := i.Delay.start(emit)
	defer seen.timer.Stop()
	for {
		err := i.watch(ctx, seen)
		if ctx.Err() != nil {
			return nil
		}
		quiet(i.Log).Warn("watch interface", "interface", i.Name, "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryPause):
		}
	}
}

// watch follows the interface until ctx ends or notifications may have been lost.
func (i Interface) watch(ctx context.Context, seen *delayed) error {
	links, done := make(chan netlink.LinkUpdate, 16), make(chan struct{})
	var mu sync.Mutex
	var failure error
	fail := func(err error) {
		mu.Lock()
		failure = errors.Join(failure, err)
		mu.Unlock()
	}
	if err := netlink.LinkSubscribeWithOptions(links, done, netlink.LinkSubscribeOptions{ErrorCallback: fail}); err != nil {
		close(done)
		return err
	}
	defer func() { // wait for the library's goroutine
		close(done)
		for range links { //nolint:revive // nothing to do with them
		}
	}()
	index := 0
	look := func() error {
		link, err := netlink.LinkByName(i.Name)
		switch _, gone := errors.AsType[netlink.LinkNotFoundError](err); {
		case gone:
			index = 0
			seen.see(verdict(false, "interface "+i.Name+" does not exist"))
			return nil
		case err != nil:
			return fmt.Errorf("read interface %s: %w", i.Name, err)
		}
		attrs := link.Attrs()
		index = attrs.Index
		switch {
		case attrs.RawFlags&unix.IFF_UP == 0:
			seen.see(verdict(false, "interface "+i.Name+" is down"))
		case attrs.RawFlags&unix.IFF_RUNNING == 0:
			seen.see(verdict(false, "interface "+i.Name+" has no carrier"))
		default:
			seen.see(verdict(true, "interface "+i.Name+" is up"))
		}
		return nil
	}
	if err := look(); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-seen.timer.C:
			seen.due()
		case u, open := <-links:
			if !open {
				mu.Lock()
				defer mu.Unlock()
				return errors.Join(errEnded, failure)
			}
			// By index too: it may have been renamed.
			if u.Link.Attrs().Name != i.Name && int(u.Index) != index {
				continue
			}
			if err := look(); err != nil {
				return err
			}
		}
	}
}
