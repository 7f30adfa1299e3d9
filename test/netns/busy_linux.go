package netns

import (
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Lateness measures what any process on the machine may have been late by,
// through no fault of its own: how late a sleeping thread is let run, and how long
// the kernel lets a change of an address wait. Its lock for those (rtnl_lock) is
// one for all network namespaces, and whoever makes or ends a namespace elsewhere
// can hold it for some hundred milliseconds, in which no timer is late.
type Lateness struct {
	mu    sync.Mutex
	late  []late
	since map[time.Duration]time.Time // when what is being measured began, by what is not counted of it
}

type late struct {
	at time.Time
	by time.Duration
}

// probe is how often Lateness sleeps, and what it does not count; probeKernel is
// how often it changes an address.
const (
	probe       = 5 * time.Millisecond
	probeKernel = 20 * time.Millisecond
)

// MeasureLateness begins to measure, for as long as the test runs.
func MeasureLateness(t testing.TB) *Lateness {
	l, done := &Lateness{since: map[time.Duration]time.Time{}}, make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			end := l.measure(probe)
			select {
			case <-done:
				return
			case <-time.After(probe):
			}
			end()
		}
	})
	change := addressChange(t)
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(probeKernel):
			}
			end := l.measure(0)
			if err := change(); err != nil {
				t.Errorf("measure lateness: change an address: %v", err)
				return
			}
			end()
		}
	})
	t.Cleanup(func() { close(done); wg.Wait() })
	return l
}

// measure begins to measure something of which so much is not counted, and gives
// what ends that. One of each length is measured at a time.
func (l *Lateness) measure(allowed time.Duration) (end func()) {
	begin := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since[allowed] = begin
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.since, allowed)
		if by := time.Since(begin) - allowed; by > probe {
			l.late = append(l.late, late{time.Now(), by})
		}
	}
}

// addressChange gives what changes an address in a namespace where nobody looks.
func addressChange(t testing.TB) func() error {
	t.Helper()
	ns, err := newNamespace()
	must(t, "make namespace", err)
	nl, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	must(t, "open netlink", err)
	t.Cleanup(func() { nl.Close(); _ = ns.Close() })
	lo, err := nl.LinkByName("lo")
	must(t, "find loopback interface", err)
	address, err := netlink.ParseAddr("192.0.2.1/32")
	must(t, "parse address", err)
	return func() error { return nl.AddrReplace(lo, address) }
}

// Between is the worst since from, up to until. It counts what lasts still: whoever
// asks may have been let run before those who measure.
func (l *Lateness) Between(from, until time.Time) (worst time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for allowed, begin := range l.since {
		if by := time.Since(begin) - allowed; by > probe && begin.Before(until) {
			worst = max(worst, by)
		}
	}
	for _, x := range l.late {
		if x.at.After(from) && x.at.Add(-x.by).Before(until) {
			worst = max(worst, x.by)
		}
	}
	return worst
}
