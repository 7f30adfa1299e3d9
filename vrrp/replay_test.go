package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHMACReplay(t *testing.T) {
	cfg := hmacConfig(t, "192.0.2.100/24")
	sender, receiver := codecOf(t, cfg), codecOf(t, cfg)
	now := draftTime
	first := sent(t, sender, now, "192.0.2.1", "224.0.0.18")
	second := sent(t, sender, now, "192.0.2.1", "224.0.0.18") // the clock stands still
	decode := func(c *Codec, p Packet) error { return c.Decode(now, new(Advert), p) }
	if err := errors.Join(decode(receiver, first), decode(receiver, second)); err != nil {
		t.Fatal(err)
	}
	for _, p := range []Packet{first, second} {
		if err := decode(receiver, p); !errors.Is(err, DropReplay) || receiver.Explain(DropReplay, p) == DropReplay.String() {
			t.Errorf("sent again: %v", err)
		}
	}
	// Out of the window it is not even compared.
	now = now.Add(6 * time.Second)
	if err := decode(receiver, first); !errors.Is(err, DropStale) || !strings.Contains(receiver.Explain(DropStale, first), "6s behind ours, the window is 5s") {
		t.Errorf("6 s later: %v, %s", err, receiver.Explain(DropStale, first))
	}
	now = draftTime.Add(-6 * time.Second)
	if err := decode(receiver, first); !errors.Is(err, DropStale) || !strings.Contains(receiver.Explain(DropStale, first), "6s ahead of ours") {
		t.Errorf("6 s earlier: %v, %s", err, receiver.Explain(DropStale, first))
	}
	// The edge of the window is within, as keepalived counts.
	for _, d := range []time.Duration{-5 * time.Second, 5 * time.Second} {
		now = draftTime.Add(d)
		c := codecOf(t, cfg)
		var a Advert
		if err := c.Decode(now, &a, first); err != nil || a.Behind != d || !c.ClockSkewed(&a) {
			t.Errorf("%s: %v, %+v", d, err, a)
		}
	}
	var a Advert
	c := codecOf(t, cfg)
	if err := c.Decode(draftTime.Add(2*time.Second), &a, first); err != nil || c.ClockSkewed(&a) {
		t.Errorf("2 s of a window of 5 s are nothing to warn of: %v", err)
	}
	// Without a window only order counts.
	monotonic := codecOf(t, hmacConfig(t, "192.0.2.100/24", func(h *HMAC) { h.AntiReplay = ReplayMonotonic }))
	now = draftTime.Add(24 * time.Hour)
	if err := decode(monotonic, second); err != nil {
		t.Errorf("monotonic, a day later: %v", err)
	}
	if err := decode(monotonic, first); !errors.Is(err, DropReplay) {
		t.Errorf("monotonic, the one before: %v", err)
	}
}

// TestForgedAdvertsMoveNothing: what fails the digest neither moves a mark nor
// pushes a sender out.
func TestForgedAdvertsMoveNothing(t *testing.T) {
	cfg := hmacConfig(t, "192.0.2.100/24")
	receiver, sender := codecOf(t, cfg), codecOf(t, cfg)
	forger := codecOf(t, hmacConfig(t, "192.0.2.100/24", func(h *HMAC) { h.Keys[0].Secret = Secret(strings.Repeat("x", MinKey)) }))
	good := sent(t, sender, draftTime, "192.0.2.1", "224.0.0.18")
	if err := receiver.Decode(draftTime, new(Advert), good); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		p := sent(t, forger, draftTime.Add(4*time.Second), fmt.Sprintf("192.0.2.%d", 1+i), "224.0.0.18")
		if err := receiver.Decode(draftTime, new(Advert), p); !errors.Is(err, DropDigest) {
			t.Fatal(err)
		}
	}
	if err := receiver.Decode(draftTime, new(Advert), good); !errors.Is(err, DropReplay) {
		t.Errorf("the mark was pushed out: %v", err)
	}
	next := sent(t, sender, draftTime, "192.0.2.1", "224.0.0.18")
	if err := receiver.Decode(draftTime, new(Advert), next); err != nil {
		t.Errorf("the mark was moved: %v", err)
	}
}

// TestMulticastSenders: four are remembered, the one not heard for longest goes.
func TestMulticastSenders(t *testing.T) {
	h := hmacConfig(t, "192.0.2.100/24").HMAC
	var m marks
	source := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) }
	seq := sequenceAt(draftTime)
	accept := func(i int, unicast bool) bool { return m.accept(draftTime, source(i), seq, h, unicast) }
	for i := range 4 {
		accept(i, false)
	}
	accept(0, false) // refused, but heard: now 1 is the oldest
	accept(4, false)
	if !accept(1, false) || accept(0, false) || accept(3, false) {
		t.Error("the wrong sender was forgotten")
	}
	m = marks{}
	for i := range 10 {
		accept(i, true)
	}
	for i := range 10 {
		if accept(i, true) {
			t.Errorf("peer %d was forgotten", i)
		}
	}
	m.keep([]netip.Addr{source(3)})
	if len(m.list) != 1 || accept(3, true) {
		t.Errorf("kept %v", m.list)
	}
}

// TestSequence: growth, wrap and a clock that is put back (RFC 1982).
func TestSequence(t *testing.T) {
	h := &HMAC{AntiReplay: ReplayTime, Window: 5 * time.Second}
	if got := sequenceAt(draftTime); got != 0x6800000080000000 {
		t.Errorf("sequence %#x", uint64(got))
	}
	s := sequenceAt(draftTime)
	if got := s.next(draftTime, h); got != s+1 {
		t.Errorf("clock stands still: %#x", uint64(got))
	}
	if got := s.next(draftTime.Add(-5*time.Second), h); got != s+1 {
		t.Errorf("back within the window: %#x", uint64(got))
	}
	back := draftTime.Add(-6 * time.Second)
	if got := s.next(back, h); got != sequenceAt(back) {
		t.Errorf("back beyond the window: %#x", uint64(got))
	}
	if got := s.next(back, &HMAC{AntiReplay: ReplayMonotonic}); got != s+1 {
		t.Errorf("back, monotonic: %#x", uint64(got))
	}
	for _, late := range []AntiReplay{ReplayTime, ReplayMonotonic} {
		after := time.Unix(1<<31, 0) // half the circle away from 0
		if got := sequence(0).next(after, &HMAC{AntiReplay: late, Window: time.Second}); got != sequenceAt(after) {
			t.Errorf("first of all, %s: %#x", late, uint64(got))
		}
	}
	last := sequence(1<<64 - 1)
	if !(last + 1).after(last) || last.after(last+1) || last.after(last) {
		t.Error("no order across the wrap")
	}
	wrap := time.Unix(1<<32, 0)
	if b := sequenceAt(wrap.Add(-2 * time.Second)).behind(wrap); b != 2*time.Second {
		t.Errorf("behind across the wrap by %s", b)
	}
	// A mark stranded in the future is forgotten in the time way only.
	var m marks
	future := sequenceAt(draftTime.Add(time.Hour))
	m.accept(draftTime, netip.Addr{}, future, h, true)
	if m.accept(draftTime, netip.Addr{}, s, &HMAC{AntiReplay: ReplayMonotonic}, true) || !m.accept(draftTime, netip.Addr{}, s, h, true) {
		t.Error("a mark in the future")
	}
}

// TestSequenceGrows: what a sender sends is accepted in the order in which it
// was sent, whatever its clock does within the window.
func TestSequenceGrows(t *testing.T) {
	cfg := hmacConfig(t, "192.0.2.100/24")
	rapid.Check(t, func(rt *rapid.T) {
		sender, receiver := codecOf(t, cfg), codecOf(t, cfg)
		now := draftTime
		for _, ms := range rapid.SliceOf(rapid.IntRange(-3000, 3000)).Draw(rt, "clock is off by") {
			theirs := now.Add(time.Duration(ms) * time.Millisecond / 2)
			p := sent(t, sender, theirs, "192.0.2.1", "224.0.0.18")
			if err := receiver.Decode(now, new(Advert), p); err != nil {
				rt.Fatalf("%v: %s", err, receiver.Explain(dropOf(err), p))
			}
			if err := receiver.Decode(now, new(Advert), p); !errors.Is(err, DropReplay) {
				rt.Fatalf("again: %v", err)
			}
			now = now.Add(time.Second)
		}
	})
}
