package vrrp

import (
	"testing"
	"time"
)

// owners is a virtual router with an owner of ours and another router.
type owners struct {
	*Machine
	t     *testing.T
	now   time.Time
	other Received
	sent  []uint8 // since the last look
}

func newOwners(t *testing.T, ours, theirs string) *owners {
	cfg := captureConfig()
	cfg.Priority = PriorityOwner
	m, err := NewMachine(cfg)
	if err != nil {
		t.Fatal(err)
	}
	o := &owners{Machine: m, t: t, now: testTime, other: Received{Source: addr(theirs), Priority: PriorityOwner, Interval: time.Second}}
	o.step(Start{Source: addr(ours)})
	return o
}

func (o *owners) step(ev Event) {
	for _, a := range o.Step(o.now, ev) {
		if s, ok := a.(SendAdvert); ok {
			o.sent = append(o.sent, s.Priority)
		}
	}
}

// runs lets time pass; every (0: never) the other router advertises.
func (o *owners) runs(d, every time.Duration) {
	end := o.now.Add(d)
	for next := o.now.Add(every); ; {
		if at := o.Deadline(); !at.IsZero() && !at.After(end) && (every == 0 || at.Before(next)) {
			o.now = at
			o.step(Timeout{})
			continue
		}
		if every == 0 || next.After(end) {
			o.now = end
			return
		}
		o.now = next
		next = next.Add(every)
		o.step(o.other)
	}
}

func (o *owners) want(s State, priority uint8) {
	o.t.Helper()
	if o.State() != s || o.Priority() != priority {
		o.t.Fatalf("%s with priority %d, want %s with %d; sent %v", o.State(), o.Priority(), s, priority, o.sent)
	}
}

// TestTwoOwners: the one with the lower address yields at once, the other when
// the first has not for two adverts and 1.2 intervals; and it comes back as
// owner when the other is gone.
func TestTwoOwners(t *testing.T) {
	o := newOwners(t, "192.0.2.1", "192.0.2.2")
	o.runs(2*time.Second, 0)
	o.want(Master, 255)
	o.step(o.other)
	o.want(Backup, 255)

	for _, every := range []time.Duration{time.Second, 1150 * time.Millisecond, 400 * time.Millisecond} {
		o = newOwners(t, "192.0.2.2", "192.0.2.1")
		o.runs(2500*time.Millisecond, 0)
		o.want(Master, 255)
		o.step(o.other) // a rogue that will not yield
		o.runs(1900*time.Millisecond, every)
		o.want(Master, 255) // it has not had its time
		o.runs(1400*time.Millisecond, every)
		o.want(Backup, 254)
		if m, p := o.Master(); m != o.other.Source || p != PriorityOwner {
			t.Errorf("master %s %d", m, p)
		}
		o.runs(10*time.Second, every)
		o.want(Backup, 254)
		o.sent = nil
		o.runs(4*time.Second, 0) // it has gone silent
		o.want(Master, 255)
		if o.sent[0] != PriorityOwner {
			t.Errorf("took over with %v", o.sent)
		}
	}
}

// TestOtherOwnerYields: one that does keeps the owner in its role.
func TestOtherOwnerYields(t *testing.T) {
	o := newOwners(t, "192.0.2.2", "192.0.2.1")
	o.runs(2500*time.Millisecond, 0)
	for range 5 {
		o.step(o.other)
		o.runs(1900*time.Millisecond, 400*time.Millisecond) // until our second advert
		o.runs(5*time.Second, 0)
		o.want(Master, 255)
	}
}

// TestOwnerRestored: the first advert that is none of the other owner ends it.
func TestOwnerRestored(t *testing.T) {
	for name, ev := range map[string]Received{
		"it resigns":         {Source: addr("192.0.2.1"), Priority: PriorityResign, Interval: time.Second},
		"its priority falls": {Source: addr("192.0.2.1"), Priority: 100, Interval: time.Second},
		"another is master":  {Source: addr("192.0.2.3"), Priority: 200, Interval: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOwners(t, "192.0.2.2", "192.0.2.1")
			o.runs(2500*time.Millisecond, 0)
			o.runs(10*time.Second, time.Second)
			o.want(Backup, 254)
			o.step(ev)
			o.want(Backup, 255)
			o.other = ev
			if ev.Priority == PriorityResign {
				o.runs(time.Second, 0)
			} else {
				o.runs(4*time.Second, time.Second)
			}
			o.want(Master, 255)
		})
	}
	o := newOwners(t, "192.0.2.2", "192.0.2.1")
	o.runs(2500*time.Millisecond, 0)
	o.runs(10*time.Second, time.Second)
	o.step(Failed{Why: "cable"})
	o.step(Recovered{Source: addr("192.0.2.2"), Why: "cable"})
	if o.Priority() != 255 {
		t.Errorf("priority %d after a fault", o.Priority())
	}
}
