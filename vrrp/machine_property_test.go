package vrrp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// event draws an event. Sources include the machine's own address.
func event(t *rapid.T) Event {
	switch rapid.IntRange(0, 13).Draw(t, "event") {
	case 0:
		return Start{Source: addr("192.0.2.2")}
	case 1:
		return Stop{}
	case 2:
		return Failed{Why: "fault"}
	case 3:
		return Recovered{Source: addr("192.0.2.2"), Why: "recovered"}
	case 4:
		return SetPriority{rapid.Byte().Draw(t, "to")}
	case 5:
		return Handover{time.Duration(rapid.IntRange(0, 20).Draw(t, "hold")) * time.Second}
	case 9:
		return Advertise{}
	case 13:
		return StepDown{Why: "address lost"}
	case 6, 7, 8:
		return Received{
			Source:   netip.AddrFrom4([4]byte{192, 0, 2, byte(rapid.IntRange(1, 4).Draw(t, "source"))}),
			Priority: rapid.Byte().Draw(t, "priority"),
			Interval: time.Duration(rapid.IntRange(1, 4095).Draw(t, "interval")) * centisecond,
		}
	}
	return Timeout{}
}

// genConfig draws a valid configuration.
func genConfig(t *rapid.T) Config {
	c := captureConfig()
	c.Version = rapid.SampledFrom([]Version{V2, V3}).Draw(t, "version")
	c.Priority = uint8(rapid.IntRange(1, 255).Draw(t, "priority"))
	c.Interval = time.Duration(rapid.IntRange(1, 10).Draw(t, "interval")) * time.Second
	if c.Version == V3 {
		c.Interval /= 100
	}
	c.DownMultiplier = rapid.IntRange(1, 5).Draw(t, "multiplier")
	c.NoPreempt = rapid.Bool().Draw(t, "nopreempt")
	if !c.NoPreempt {
		c.PreemptDelay = time.Duration(rapid.IntRange(0, 5).Draw(t, "delay")) * time.Second
	}
	c.NoLowerAnswer = rapid.Bool().Draw(t, "silent")
	return c
}

// checkStep holds for every step of every machine. patience is ReplacedAfter of the
// configuration before the step: a new one is not known to those who wait.
func checkStep(m *Machine, was State, claimed bool, patience time.Duration, now time.Time, sent time.Time, ev Event, acts []Action) (time.Time, error) {
	state := was
	if m.Claiming() && m.State() != Backup {
		return sent, fmt.Errorf("claims as %s", m.State())
	}
	for i, a := range acts {
		switch a := a.(type) {
		case SendAdvert:
			if a.Priority == PriorityResign {
				if was != Master && !claimed {
					return sent, fmt.Errorf("%s resigned without being master", was)
				}
				if m.HandingOver() {
					sent = now // it waits for an answer from here
				}
				break
			}
			if age := now.Sub(sent); (state == Master || claimed) && age >= patience {
				return sent, fmt.Errorf("advert %s after the last one", age)
			}
			if state != Master && !claimed && !m.Claiming() {
				next, ok := Action(nil), i+1 < len(acts)
				if ok {
					next = acts[i+1]
				}
				if e, _ := next.(Enter); e.State != Master {
					return sent, fmt.Errorf("advert as %s", state)
				}
			}
			sent = now
		case Enter:
			if a.State == state {
				return sent, fmt.Errorf("entered %s twice", state)
			}
			if a.Reason.Cause == CauseNone || a.Reason.String() == "" {
				return sent, fmt.Errorf("entered %s without a reason", a.State)
			}
			state = a.State
		case Announce:
			if state != Master {
				return sent, fmt.Errorf("announced as %s", state)
			}
		}
	}
	if state != m.State() {
		return sent, fmt.Errorf("actions lead to %s, state is %s", state, m.State())
	}
	if d := m.Deadline(); (state == Master || state == Backup) == d.IsZero() {
		return sent, fmt.Errorf("deadline %v as %s", d, state)
	}
	if _, ok := ev.(Timeout); ok && !m.Deadline().IsZero() && !m.Deadline().After(now) {
		return sent, fmt.Errorf("deadline %s is not after the timeout at %s", m.Deadline(), now)
	}
	return sent, nil
}

// TestMachineProperties: any events at any times.
func TestMachineProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, err := NewMachine(genConfig(t))
		if err != nil {
			t.Fatal(err)
		}
		now := epoch
		var sent time.Time
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if d := m.Deadline(); rapid.Bool().Draw(t, "on time") && d.After(now) {
				now = d
			} else {
				now = now.Add(time.Duration(rapid.IntRange(0, 6000).Draw(t, "ms")) * time.Millisecond)
			}
			ev := event(t)
			was, claimed, patience := m.State(), m.Claiming(), m.cfg.ReplacedAfter()
			if sent, err = checkStep(m, was, claimed, patience, now, sent, ev, m.Step(now, ev)); err != nil {
				t.Fatalf("%T%+v at %s: %v", ev, ev, now.Sub(epoch), err)
			}
		}
	})
}

// FuzzMachine is TestMachineProperties with inputs found by coverage.
func FuzzMachine(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		m, err := NewMachine(genConfig(t))
		if err != nil {
			t.Fatal(err)
		}
		now := epoch
		var sent time.Time
		for range 60 {
			now = now.Add(time.Duration(rapid.IntRange(0, 6000).Draw(t, "ms")) * time.Millisecond)
			ev := event(t)
			was, claimed, patience := m.State(), m.Claiming(), m.cfg.ReplacedAfter()
			if sent, err = checkStep(m, was, claimed, patience, now, sent, ev, m.Step(now, ev)); err != nil {
				t.Fatalf("%T%+v at %s: %v", ev, ev, now.Sub(epoch), err)
			}
		}
	}))
}

func BenchmarkStep(b *testing.B) {
	m, err := NewMachine(captureConfig())
	if err != nil {
		b.Fatal(err)
	}
	now := epoch
	m.Step(now, Start{Source: addr("192.0.2.2")})
	src := addr("192.0.2.3")
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		m.Step(now, Received{Source: src, Priority: 200, Interval: time.Second})
	}
}
