package vip

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Pacer keeps announcements on one interface apart in time, for all hosts that
// share it: switches limit ARP and neighbour discovery, and drop what exceeds
// it. The zero value is ready. It has no goroutine; hosts ask it when to send.
type Pacer struct {
	mu   sync.Mutex
	next map[lane]time.Time
}

// lane is what is paced: gratuitous ARP, or neighbour advertisements, on one
// interface.
type lane struct {
	device string
	arp    bool
}

// slot takes the next time on a lane, which is now when nothing was sent for the
// interval.
func (p *Pacer) slot(l lane, interval time.Duration, now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		p.next = map[lane]time.Time{}
	}
	at := now
	if next := p.next[l]; next.After(now) {
		at = next
	}
	p.next[l] = at.Add(interval)
	return at
}

// maxRounds bounds the rounds that may wait: what a slow pace cannot keep up
// with would only be announced ever later.
const maxRounds = 120

// later are the rounds of announcements that wait for their turn.
type later struct {
	ready chan struct{} // holds one token when rounds is not zero
	// With Host.mu:
	rounds int
	begun  bool  // the first round of this term was sent
	failed error // of a frame sent since the last Announce
}

// interval is how far apart the announcements of an address are.
func (h *Host) interval(t target) time.Duration {
	if t.address.Prefix.Addr().Is4() {
		return h.cfg.ARPInterval
	}
	return h.cfg.NAInterval
}

// paced reports whether any address has to wait.
func (h *Host) paced() bool { return h.cfg.ARPInterval > 0 || h.cfg.NAInterval > 0 }

// queue puts one round behind those that wait, and returns what went wrong with
// the frames sent since. It reports false for the first round of a term, which
// is not to wait.
func (h *Host) queue() (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.later.failed
	h.later.failed = nil
	if !h.later.begun {
		h.later.begun = true
		now := time.Now()
		for _, t := range h.targets {
			h.pacer.slot(t.lane(), h.interval(t), now) // what comes next keeps its distance
		}
		return false, err
	}
	h.later.rounds = min(h.later.rounds+1, maxRounds)
	select {
	case h.later.ready <- struct{}{}:
	default:
	}
	return true, err
}

func (t target) lane() lane { return lane{t.device, t.address.Prefix.Addr().Is4()} }

// take begins a waiting round, and gives the term it belongs to.
func (h *Host) take() (term uint64, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.later.rounds == 0 || h.holding != holds {
		return 0, false
	}
	h.later.rounds--
	return h.term, true
}

// announceLater sends the rounds that wait, until ctx ends. It has sockets of its
// own; the loop never waits for it.
func (h *Host) announceLater(ctx context.Context) {
	out := newAnnouncers(h.nl)
	defer func() { _ = out.close() }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.later.ready:
		}
		for term, ok := h.take(); ok; term, ok = h.take() {
			if !h.sendRound(ctx, out, term) {
				break
			}
		}
	}
}

// sendRound reports false when ctx or the term as master ended.
func (h *Host) sendRound(ctx context.Context, out *announcers, term uint64) bool {
	for _, t := range h.targets {
		now := time.Now()
		if wait := h.pacer.slot(t.lane(), h.interval(t), now).Sub(now); wait > 0 {
			select {
			case <-ctx.Done():
				return false
			case <-time.After(wait):
			}
		}
		d, err := out.device(t.device)
		if d.conn == nil && err == nil {
			continue
		}
		h.mu.Lock()
		// Within the lock: once Remove has begun, nothing is announced.
		gone := h.holding != holds || h.term != term
		if !gone && err == nil {
			err = announce(t.address.Prefix.Addr(), d)
		}
		if !gone && err != nil {
			h.later.failed = errors.Join(h.later.failed, fmt.Errorf("announce %s: %w", t, err))
		}
		h.mu.Unlock()
		if gone {
			return false
		}
	}
	return true
}
