package vrrp

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// signedRouter is a machine with the codec that signs for it, and a wall clock
// of its own.
type signedRouter struct {
	cfg     Config
	source  netip.Addr
	wrong   time.Duration // of the clock
	machine *Machine
	codec   *Codec
	drops   map[Drop]int
}

// signedLAN carries adverts between two of them.
type signedLAN struct {
	t       *rapid.T
	now     time.Time
	routers [2]*signedRouter
	wire    []signedPacket
	storm   bool
}

type signedPacket struct {
	at   time.Time
	to   int
	data []byte
}

func (l *signedLAN) start(i int) {
	r := l.routers[i]
	m, err := NewMachine(r.cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	r.machine = m
	if r.codec, err = NewCodec(r.cfg); err != nil {
		l.t.Fatal(err)
	}
	l.step(i, Start{Source: r.source})
}

func (l *signedLAN) step(i int, ev Event) {
	r := l.routers[i]
	for _, a := range r.machine.Step(l.now, ev) {
		s, ok := a.(SendAdvert)
		if !ok {
			continue
		}
		data := bytes.Clone(r.codec.Encode(l.now.Add(r.wrong), r.source, Group4, s.Priority))
		copies, delay := 1, time.Millisecond
		if l.storm {
			copies = rapid.IntRange(0, 2).Draw(l.t, "copies")
			delay = time.Duration(rapid.IntRange(1, 1500).Draw(l.t, "delay")) * time.Millisecond
		}
		for n := range copies {
			l.wire = append(l.wire, signedPacket{l.now.Add(delay * time.Duration(1+n)), 1 - i, data})
		}
	}
}

func (l *signedLAN) receive(p signedPacket) {
	r := l.routers[p.to]
	packet, err := ParseIPv4(p.data)
	if err != nil {
		l.t.Fatal(err)
	}
	var a Advert
	err = r.codec.Decode(l.now.Add(r.wrong), &a, packet)
	if d, ok := errors.AsType[Drop](err); ok {
		r.drops[d]++
		return
	}
	l.step(p.to, Received{Source: packet.Source, Priority: a.Priority, Interval: a.Interval})
}

// run lets time pass, whatever is due first.
func (l *signedLAN) run(d time.Duration) {
	for end := l.now.Add(d); ; {
		at, do := end, func() {}
		for i, p := range l.wire {
			if !p.at.After(at) {
				at, do = p.at, func() { l.wire = slices.Delete(l.wire, i, i+1); l.receive(p) }
			}
		}
		for i, r := range l.routers {
			if due := r.machine.Deadline(); !due.IsZero() && due.Before(at) {
				at, do = due, func() { l.step(i, Timeout{}) }
			}
		}
		l.now = at
		if do(); !at.Before(end) {
			return
		}
	}
}

// TestSignedPair: two routers with keys whose clocks differ by less than the
// window, on a LAN that loses, delays, repeats and reorders adverts, and which
// start anew with no memory. Nothing but adverts that the LAN repeated or put out
// of order is dropped, and in calm the better one is the only master.
func TestSignedPair(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := &signedLAN{t: rt, now: draftTime}
		for i := range l.routers {
			cfg := hmacConfig(t, "192.0.2.100/24", func(h *HMAC) {
				h.AntiReplay = rapid.SampledFrom([]AntiReplay{ReplayTime, ReplayMonotonic}).Draw(rt, "anti replay")
			})
			cfg.Version = rapid.SampledFrom([]Version{V2, V3}).Draw(rt, "version")
			if i > 0 {
				cfg.Version = l.routers[0].cfg.Version
			}
			cfg.Priority = []uint8{200, 100}[i]
			wrong := time.Duration(rapid.IntRange(-950, 950).Draw(rt, "clock is wrong by")) * time.Millisecond
			l.routers[i] = &signedRouter{cfg: cfg, source: addr([]string{"192.0.2.1", "192.0.2.2"}[i]), wrong: wrong, drops: map[Drop]int{}}
		}
		l.start(0)
		l.start(1)
		for range rapid.IntRange(1, 4).Draw(rt, "storms") {
			l.storm = true
			l.run(time.Duration(rapid.IntRange(1, 12).Draw(rt, "storm")) * time.Second)
			if i := rapid.IntRange(-1, 1).Draw(rt, "who starts anew"); i >= 0 {
				l.start(i)
			}
			l.storm = false
			l.run(4 * time.Second) // what the storm left on the wire
			for _, r := range l.routers {
				delete(r.drops, DropReplay)
				if len(r.drops) > 0 {
					rt.Fatalf("%s dropped %v", r.source, r.drops)
				}
			}
			l.run(10 * time.Second)
			for _, r := range l.routers {
				if len(r.drops) > 0 {
					rt.Fatalf("%s dropped %v in calm", r.source, r.drops)
				}
			}
			if a, b := l.routers[0].machine.State(), l.routers[1].machine.State(); a != Master || b != Backup {
				rt.Fatalf("%s and %s", a, b)
			}
		}
	})
}

// TestSignedPairNeedsOneKey: the same two with different secrets do not hear each
// other, so the test above would see it.
func TestSignedPairNeedsOneKey(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := &signedLAN{t: rt, now: draftTime}
		for i := range l.routers {
			cfg := hmacConfig(t, "192.0.2.100/24", func(h *HMAC) { h.Keys[0].Secret = Secret(strings.Repeat(string(rune('a'+i)), MinKey)) })
			l.routers[i] = &signedRouter{cfg: cfg, source: addr([]string{"192.0.2.1", "192.0.2.2"}[i]), drops: map[Drop]int{}}
		}
		l.start(0)
		l.start(1)
		l.run(10 * time.Second)
		if a, b := l.routers[0], l.routers[1]; a.machine.State() != Master || b.machine.State() != Master || a.drops[DropDigest] == 0 || b.drops[DropDigest] == 0 {
			rt.Fatalf("%s and %s, dropped %v and %v", a.machine.State(), b.machine.State(), a.drops, b.drops)
		}
	})
}
