package site

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
)

// sampleEvery is how often the sampler asks who holds the virtual address, when
// the site's options do not say.
const sampleEvery = 10 * time.Millisecond

// Change is a moment at which a host was first seen with, or without, the
// virtual address.
type Change struct {
	At    time.Time
	Host  string
	Holds bool
}

// Sampler watches which directors hold the virtual address on eth0, by asking
// each namespace over netlink. It may be used concurrently.
type Sampler struct {
	every  time.Duration
	addr   netip.Addr
	hosts  []*Host
	links  []netlink.Link
	cancel context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex
	err      error
	changes  []Change
	holds    []bool
	overlaps []Span
	gaps     []Span // between two samples that were far apart
	samples  int
	latest   time.Time
	widest   time.Duration
}

// far is a distance of samples at which a director may have been as late: with
// adverts every second, one that takes over from one that lives waits no longer for
// that to let go (vrrp.Config.ClaimWait).
const far = 250 * time.Millisecond

// Span is a stretch of time.
type Span struct{ From, To time.Time }

// Sample starts a sampler; Stop ends it.
func (s *Site) Sample() (*Sampler, error) {
	m := &Sampler{every: s.sample, addr: s.VIP.Addr(), hosts: s.Directors(), done: make(chan struct{})}
	m.holds = make([]bool, len(m.hosts))
	for _, h := range m.hosts {
		l, err := h.Link("eth0")
		if err != nil {
			return nil, err
		}
		m.links = append(m.links, l)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	go m.run(ctx)
	return m, nil
}

// Stop ends the sampler and returns what made it give up earlier, if anything did.
func (m *Sampler) Stop() error {
	m.cancel()
	<-m.done
	return m.err
}

func (m *Sampler) run(ctx context.Context) {
	defer close(m.done)
	tick := time.NewTicker(m.every)
	defer tick.Stop()
	for {
		if err := m.sample(); err != nil {
			m.mu.Lock()
			m.err = err
			m.mu.Unlock()
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sample asks every director. The answers come one after the other, so a clean
// hand-over between two questions could look like two holders: each holder is
// asked again when there seem to be several, and counts only if it still holds.
func (m *Sampler) sample() error {
	now := time.Now()
	holds := make([]bool, len(m.hosts))
	count := 0
	ask := func(i int) (err error) {
		holds[i], err = m.hosts[i].has(m.links[i], m.addr)
		return err
	}
	for i := range m.hosts {
		if err := ask(i); err != nil {
			return err
		}
		if holds[i] {
			count++
		}
	}
	if count > 1 {
		count = 0
		for i := range m.hosts {
			if holds[i] {
				if err := ask(i); err != nil {
					return err
				}
			}
			if holds[i] {
				count++
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.latest.IsZero() {
		m.widest = max(m.widest, now.Sub(m.latest))
		if now.Sub(m.latest) > far {
			m.gaps = append(m.gaps, Span{m.latest, now})
		}
	}
	if count > 1 {
		if n := len(m.overlaps); n > 0 && m.overlaps[n-1].To.Equal(m.latest) {
			m.overlaps[n-1].To = now
		} else {
			m.overlaps = append(m.overlaps, Span{now, now})
		}
	}
	m.latest = now
	m.samples++
	for i, h := range m.hosts {
		if holds[i] != m.holds[i] {
			m.holds[i] = holds[i]
			m.changes = append(m.changes, Change{now, h.Name, holds[i]})
		}
	}
	return nil
}

// Holders returns the hosts that held the address at the latest sample.
func (m *Sampler) Holders() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []string
	for i, h := range m.hosts {
		if m.holds[i] {
			list = append(list, h.Name)
		}
	}
	return list
}

// Changes returns all changes so far, in order.
func (m *Sampler) Changes() []Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Change(nil), m.changes...)
}

// Overlap returns for how long, since from, more than one host held the
// address. A single sample with two holders counts as one sampling interval.
func (m *Sampler) Overlap(from time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	var sum time.Duration
	for _, o := range m.overlaps {
		if o.To.Before(from) {
			continue
		}
		if o.From.Before(from) {
			o.From = from
		}
		sum += max(o.To.Sub(o.From), m.every)
	}
	return sum
}

// Blameless is the part of Overlap of a machine that was held up: those times that
// began within a second of two samples that were far apart, and were no longer than
// those.
func (m *Sampler) Blameless(from time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	var sum time.Duration
	for _, o := range m.overlaps {
		held := slices.ContainsFunc(m.gaps, func(g Span) bool {
			return o.From.After(g.From.Add(-time.Second)) && o.From.Before(g.To.Add(time.Second)) && o.To.Sub(o.From) <= g.To.Sub(g.From)
		})
		if held && !o.From.Before(from) {
			sum += max(o.To.Sub(o.From), m.every)
		}
	}
	return sum
}

// Acquired returns when host was first seen with the address after from.
func (m *Sampler) Acquired(host string, from time.Time) (time.Time, bool) {
	return m.find(host, true, from)
}

// Released returns when host was first seen without the address after from.
func (m *Sampler) Released(host string, from time.Time) (time.Time, bool) {
	return m.find(host, false, from)
}

func (m *Sampler) find(host string, holds bool, from time.Time) (time.Time, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.changes {
		if c.Host == host && c.Holds == holds && !c.At.Before(from) {
			return c.At, true
		}
	}
	return time.Time{}, false
}

// Quality returns the number of samples and the widest distance between two:
// what happened in between shorter than that may have been missed.
func (m *Sampler) Quality() (samples int, widest time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.samples, m.widest
}
