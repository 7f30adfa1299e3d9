package vrrp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// reader takes bytes off fuzz input; zeros follow its end.
type reader struct{ in []byte }

func (r *reader) byte() (b byte) {
	if len(r.in) > 0 {
		b, r.in = r.in[0], r.in[1:]
	}
	return b
}

func (r *reader) uint16() uint16 { return binary.BigEndian.Uint16([]byte{r.byte(), r.byte()}) }

// fuzzConfig reads a valid configuration: 5 bytes.
func fuzzConfig(r *reader) Config {
	c := captureConfig()
	flags := r.byte()
	c.Version = V2 + Version(flags&1)
	c.NoPreempt, c.NoLowerAnswer = flags&2 != 0, flags&4 != 0
	c.Priority = max(r.byte(), 1)
	c.Interval = time.Duration(1+r.byte()%10) * time.Second
	if c.Version == V3 && flags&8 != 0 {
		c.Interval /= 100
	}
	c.DownMultiplier = int(1 + r.byte()%5)
	if delay := r.byte(); !c.NoPreempt {
		c.PreemptDelay = time.Duration(delay%8) * time.Second
	}
	if flags&16 != 0 {
		c.Announce.Refresh = 7 * time.Second
	}
	return c
}

// fuzzEvent reads an event: 1 to 4 bytes.
func fuzzEvent(r *reader, op byte) Event {
	own := netip.AddrFrom4([4]byte{192, 0, 2, 2})
	switch op % 12 {
	case 0:
		return Start{Source: own}
	case 1:
		return Stop{}
	case 2:
		return Failed{Why: "fault"}
	case 3:
		return Recovered{Source: own, Why: "recovered"}
	case 4:
		return SetPriority{r.byte()}
	case 5:
		return Handover{time.Duration(r.byte()) * time.Second / 10}
	case 6:
		if op >= 240 {
			return Reconfigure{fuzzConfig(r)}
		}
		return Advertise{}
	case 7:
		return StepDown{Why: "asked to"}
	case 8, 9, 10:
		source := netip.AddrFrom4([4]byte{192, 0, 2, op >> 4 % 4})
		return Received{Source: source, Priority: r.byte(), Interval: time.Duration(1+r.uint16()%4095) * centisecond}
	}
	return Timeout{}
}

// longest is the longest time any timer of a machine of cfg may run: the
// master-down time with the longest interval that an advert can tell, extended by
// one such interval.
func longest(cfg Config) time.Duration {
	return cfg.Version.MasterDown(maxInterval3*centisecond, cfg.DownMultiplier, PriorityMin) + maxInterval3*centisecond
}

// checkLocal holds for every step of a machine of its own: priority 0 has a
// cause, timers end, and so do claims. ended counts the timeouts at or after its
// deadline that the present claim has lived through; due says that this is one.
func checkLocal(m *Machine, was State, claimed bool, now time.Time, ev Event, acts []Action, due bool, ended int) (int, error) {
	for _, a := range acts {
		if a, ok := a.(SendAdvert); !ok || a.Priority != PriorityResign {
			continue
		}
		switch ev.(type) {
		case Stop, Failed, StepDown, Handover:
		case Received: // it yields
			if m.State() != Backup || m.Claiming() || was != Master && !claimed {
				return 0, fmt.Errorf("priority 0 as %s", m.State())
			}
		default:
			return 0, fmt.Errorf("priority 0 at a %T", ev)
		}
	}
	if d := m.Deadline(); !d.IsZero() && d.Sub(now) > longest(m.cfg) {
		return 0, fmt.Errorf("deadline %s ahead", d.Sub(now))
	}
	if !m.Claiming() {
		return 0, nil
	}
	if _, ok := ev.(Timeout); ok && claimed && due {
		if ended++; ended >= 2 {
			return 0, fmt.Errorf("a claim outlives %d timeouts", ended)
		}
	}
	return ended, nil
}

// FuzzSteps drives a machine with any events at times that do not go back. A step
// is one byte that says what, one that says when, and what the event needs.
func FuzzSteps(f *testing.F) {
	f.Add([]byte{0, 100, 0, 2, 0, 0, 0, 11, 255, 11, 255})                                            // claims, and is master
	f.Add([]byte{0, 100, 0, 2, 0, 0, 0, 11, 255, 11, 254, 11, 254})                                   // claims, late twice
	f.Add([]byte{0, 100, 0, 2, 0, 0, 0, 11, 255, 11, 255, 56, 4, 200, 0, 9})                          // yields
	f.Add([]byte{0, 255, 0, 2, 0, 0, 0, 11, 255, 5, 8, 20, 8, 16, 10, 0, 9})                          // the owner hands over
	f.Add([]byte{1, 100, 3, 2, 0, 0, 0, 11, 255, 11, 255, 7, 3, 11, 255})                             // steps down
	f.Add([]byte{0, 100, 0, 2, 0, 0, 0, 11, 255, 11, 255, 5, 8, 20, 11, 255})                         // nobody answers a handover
	f.Add([]byte{0, 100, 0, 2, 0, 0, 0, 11, 255, 11, 255, 246, 8, 0, 100, 3, 2, 0, 11, 255, 11, 255}) // is reconfigured
	f.Fuzz(func(t *testing.T, in []byte) {
		r := &reader{in}
		m, err := NewMachine(fuzzConfig(r))
		if err != nil {
			t.Fatal(err)
		}
		now := epoch
		var sent time.Time
		ended := 0
		for range 200 {
			if len(r.in) == 0 {
				break
			}
			op, when := r.byte(), r.byte()
			switch d := m.Deadline(); {
			case when == 255 && d.After(now): // on time
				now = d
			case when >= 240 && !d.IsZero(): // near the deadline, and well after it
				if at := d.Add(time.Duration(when-244) * m.cfg.Interval / 8); at.After(now) {
					now = at
				}
			default:
				now = now.Add(time.Duration(when) * m.cfg.Interval / 32)
			}
			ev := fuzzEvent(r, op)
			was, claimed, due := m.State(), m.Claiming(), due(now, m.Deadline())
			patience := m.cfg.ReplacedAfter()
			acts := m.Step(now, ev)
			if sent, err = checkStep(m, was, claimed, patience, now, sent, ev, acts); err != nil {
				t.Fatalf("%T%+v at %s: %v", ev, ev, now.Sub(epoch), err)
			}
			if ended, err = checkLocal(m, was, claimed, now, ev, acts, due, ended); err != nil {
				t.Fatalf("%T%+v at %s: %v", ev, ev, now.Sub(epoch), err)
			}
		}
	})
}
