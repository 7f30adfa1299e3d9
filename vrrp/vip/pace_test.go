package vip

import (
	"testing"
	"time"
)

// TestPacer: lanes do not wait for each other, and what is late catches nothing up.
func TestPacer(t *testing.T) {
	var p Pacer
	start := time.Unix(0, 0)
	const ms = time.Millisecond
	arp, other, na := lane{"eth0", true}, lane{"eth1", true}, lane{"eth0", false}
	for i, step := range []struct {
		lane lane
		now  time.Duration
		want time.Duration
	}{
		{arp, 0, 0}, {arp, 0, 10 * ms}, {arp, 1 * ms, 20 * ms}, // three at once
		{other, 1 * ms, 1 * ms}, {na, 1 * ms, 1 * ms},
		{arp, 25 * ms, 30 * ms},
		{arp, 100 * ms, 100 * ms}, {arp, 100 * ms, 110 * ms}, // after a pause
	} {
		if got := p.slot(step.lane, 10*ms, start.Add(step.now)).Sub(start); got != step.want {
			t.Errorf("step %d: %s, want %s", i, got, step.want)
		}
	}
}

// TestQueue: the first round of a term does not wait, the rounds after it do, and
// none outlives the term.
func TestQueue(t *testing.T) {
	h := &Host{cfg: Config{ARPInterval: time.Millisecond}, pacer: new(Pacer), moved: make(chan struct{}, 1)}
	h.later.ready = make(chan struct{}, 1)
	for range 2 {
		h.setHolding(holds)
		if waits, _ := h.queue(); waits {
			t.Error("the first round waits")
		}
		for range maxRounds + 5 {
			if waits, _ := h.queue(); !waits {
				t.Fatal("a later round does not wait")
			}
		}
		if h.later.rounds != maxRounds {
			t.Errorf("%d rounds wait", h.later.rounds)
		}
		if _, ok := h.take(); !ok {
			t.Error("nothing to take")
		}
		h.setHolding(leaves)
		if _, ok := h.take(); ok {
			t.Error("a round outlives the term")
		}
	}
}
