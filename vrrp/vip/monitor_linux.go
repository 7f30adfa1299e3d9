package vip

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
)

// Monitor listens to the kernel's notifications about interfaces and addresses,
// once for all hosts that share it. Each renewal of a lease is a notification
// to every listener: with a listener per virtual router, 255 routers would read
// 65,000 of them a second, all but a few of no concern to the reader.
//
// The zero value is ready. It listens while at least one Host.Watch runs.
type Monitor struct {
	mu   sync.Mutex
	feed *feed // nil: nobody watches, or the last one failed
}

// feed is one pair of subscriptions with the kernel and who is told.
type feed struct {
	done  chan struct{} // closed to end it
	ended chan struct{} // closed when its goroutines are gone

	mu       sync.Mutex
	watchers map[*subscription]bool
	byIP     map[netip.Addr][]*subscription
	failure  error
	over     bool
}

// subscription is what one Watch reads. Both channels are closed when
// notifications may have been lost; failure says why.
type subscription struct {
	feed  *feed
	ips   []netip.Addr
	wants func(netlink.AddrUpdate) bool
	links chan netlink.LinkUpdate
	addrs chan netlink.AddrUpdate // of ips, and wanted
}

// pending is how many notifications may wait for one Watch. One that falls
// further behind is told that it has lost some, and looks for itself.
const pending = 64

// subscribe begins to listen to interfaces, and to those addresses among ips for
// which wants, called for each renewal too, says so. What changes after it has
// returned is in the channels.
func (m *Monitor) subscribe(ips []netip.Addr, wants func(netlink.AddrUpdate) bool) (*subscription, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &subscription{ips: ips, wants: wants, links: make(chan netlink.LinkUpdate, pending), addrs: make(chan netlink.AddrUpdate, pending)}
	if m.feed != nil && m.feed.add(s) {
		return s, nil
	}
	f, err := newFeed()
	if err != nil {
		return nil, err
	}
	f.add(s)
	m.feed = f
	return s, nil
}

// unsubscribe ends a subscription, and the feed with the last of its own.
func (m *Monitor) unsubscribe(s *subscription) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !s.feed.remove(s) {
		return
	}
	close(s.feed.done)
	<-s.feed.ended
	if m.feed == s.feed {
		m.feed = nil
	}
}

func newFeed() (*feed, error) {
	f := &feed{done: make(chan struct{}), ended: make(chan struct{}), watchers: map[*subscription]bool{}, byIP: map[netip.Addr][]*subscription{}}
	links := make(chan netlink.LinkUpdate, pending)
	addrs := make(chan netlink.AddrUpdate, pending)
	if err := netlink.LinkSubscribeWithOptions(links, f.done, netlink.LinkSubscribeOptions{ErrorCallback: f.fail}); err != nil {
		close(f.done)
		return nil, fmt.Errorf("watch interfaces: %w", err)
	}
	if err := netlink.AddrSubscribeWithOptions(addrs, f.done, netlink.AddrSubscribeOptions{ErrorCallback: f.fail}); err != nil {
		close(f.done)
		drain(links)
		return nil, fmt.Errorf("watch addresses: %w", err)
	}
	go f.run(links, addrs)
	return f, nil
}

// run hands notifications on until done is closed or the kernel's channels are.
func (f *feed) run(links <-chan netlink.LinkUpdate, addrs <-chan netlink.AddrUpdate) {
	defer close(f.ended)
	for open := true; open; {
		select {
		case <-f.done:
			open = false
		case u, ok := <-links:
			if open = ok; ok {
				f.each(func(s *subscription) bool { return offer(s.links, u) })
			}
		case u, ok := <-addrs:
			if open = ok; ok {
				f.address(u)
			}
		}
	}
	f.mu.Lock()
	f.over = true
	for s := range f.watchers {
		f.cut(s)
	}
	f.mu.Unlock()
	// The library's goroutines end with done; until then they must not block.
	drain(links)
	drain(addrs)
}

// each gives every watcher its turn; one that has no room left is cut off.
func (f *feed) each(give func(*subscription) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s, listening := range f.watchers {
		if listening && !give(s) {
			f.cut(s)
		}
	}
}

// address gives a notification to those who asked for its address.
func (f *feed) address(u netlink.AddrUpdate) {
	ip, _ := netip.AddrFromSlice(u.LinkAddress.IP)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.byIP[ip.Unmap()] {
		if f.watchers[s] && s.wants(u) && !offer(s.addrs, u) {
			f.cut(s)
		}
	}
}

// cut closes the channels of a watcher. The caller holds the lock.
func (f *feed) cut(s *subscription) {
	if f.watchers[s] {
		f.watchers[s] = false
		close(s.links)
		close(s.addrs)
	}
}

// add reports false when the feed has ended.
func (f *feed) add(s *subscription) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || f.failure != nil {
		return false
	}
	s.feed = f
	f.watchers[s] = true
	for _, ip := range s.ips {
		f.byIP[ip] = append(f.byIP[ip], s)
	}
	return true
}

// remove reports whether s was the last.
func (f *feed) remove(s *subscription) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.watchers, s)
	for _, ip := range s.ips {
		f.byIP[ip] = slices.DeleteFunc(f.byIP[ip], func(o *subscription) bool { return o == s })
	}
	return len(f.watchers) == 0
}

func (f *feed) fail(err error) {
	f.mu.Lock()
	f.failure = errors.Join(f.failure, err)
	f.mu.Unlock()
}

func (f *feed) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(errWatchEnded, f.failure)
}

// offer reports false when the channel is full.
func offer[T any](c chan<- T, v T) bool {
	select {
	case c <- v:
		return true
	default:
		return false
	}
}

// drain reads a channel until its sender closes it.
func drain[T any](c <-chan T) {
	for range c { //nolint:revive // nothing to do with them
	}
}
