package vrrptest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// wrapped is a machine with one thing broken.
type wrapped struct {
	*vrrp.Machine
	step     func(m *vrrp.Machine, now time.Time, ev vrrp.Event) []vrrp.Action
	deadline func(m *vrrp.Machine) time.Time
}

func (w wrapped) Step(now time.Time, ev vrrp.Event) []vrrp.Action {
	if w.step != nil {
		return w.step(w.Machine, now, ev)
	}
	return w.Machine.Step(now, ev)
}

func (w wrapped) Deadline() time.Time {
	if w.deadline != nil {
		return w.deadline(w.Machine)
	}
	return w.Machine.Deadline()
}

// hearing breaks what a machine makes of an advert: change says what it takes it
// for, and whether it takes it at all.
func hearing(change func(m *vrrp.Machine, r vrrp.Received) (vrrp.Received, bool)) func(*vrrp.Machine) Machine {
	return stepping(func(m *vrrp.Machine, now time.Time, ev vrrp.Event) []vrrp.Action {
		if r, ok := ev.(vrrp.Received); ok {
			if r, ok = change(m, r); !ok {
				return m.Step(now, vrrp.Timeout{})
			}
			ev = r
		}
		return m.Step(now, ev)
	})
}

func stepping(step func(m *vrrp.Machine, now time.Time, ev vrrp.Event) []vrrp.Action) func(*vrrp.Machine) Machine {
	return func(m *vrrp.Machine) Machine { return wrapped{Machine: m, step: step} }
}

// configured breaks the reading of the configuration.
func configured(change func(*vrrp.Config)) func(*vrrp.Machine) Machine {
	return func(m *vrrp.Machine) Machine {
		cfg := m.Config()
		change(&cfg)
		m, err := vrrp.NewMachine(cfg)
		if err != nil {
			panic(err)
		}
		return m
	}
}

// early lets a backup's timer end before its time.
func early(by func(m *vrrp.Machine) time.Duration) func(*vrrp.Machine) Machine {
	return func(m *vrrp.Machine) Machine {
		return wrapped{
			Machine: m,
			step: func(m *vrrp.Machine, now time.Time, ev vrrp.Event) []vrrp.Action {
				if _, ok := ev.(vrrp.Timeout); ok && m.State() == vrrp.Backup && !m.Claiming() {
					now = now.Add(by(m))
				}
				return m.Step(now, ev)
			},
			deadline: func(m *vrrp.Machine) time.Time {
				if m.State() == vrrp.Backup && !m.Claiming() {
					return m.Deadline().Add(-by(m))
				}
				return m.Deadline()
			},
		}
	}
}

// mutants break one rule each. want is a part of what must be said about it.
var mutants = []struct {
	name   string
	break_ func(*vrrp.Machine) Machine
	flaw   Flaw
	want   string
}{
	{name: "a master that ignores higher priorities", break_: hearing(func(m *vrrp.Machine, r vrrp.Received) (vrrp.Received, bool) {
		return r, m.State() != vrrp.Master || r.Priority <= m.Priority()
	})},
	{name: "no tie-break between equal priorities", break_: hearing(func(m *vrrp.Machine, r vrrp.Received) (vrrp.Received, bool) {
		return r, m.State() != vrrp.Master || r.Priority != m.Priority()
	})},
	{name: "a master that yields to an equal priority whatever its address", break_: hearing(func(m *vrrp.Machine, r vrrp.Received) (vrrp.Received, bool) {
		if m.State() == vrrp.Master && r.Priority == m.Priority() && r.Priority < vrrp.PriorityMax {
			r.Priority++
		}
		return r, true
	})},
	{name: "a master that yields to lower priorities", break_: hearing(func(m *vrrp.Machine, r vrrp.Received) (vrrp.Received, bool) {
		if m.State() == vrrp.Master && r.Priority != vrrp.PriorityResign {
			r.Priority = vrrp.PriorityMax
		}
		return r, true
	})},
	{name: "a master that does not answer priority 0", break_: hearing(func(m *vrrp.Machine, r vrrp.Received) (vrrp.Received, bool) {
		return r, m.State() != vrrp.Master || r.Priority != vrrp.PriorityResign
	})},
	{name: "a backup that preempts an equal priority", break_: hearing(func(m *vrrp.Machine, r vrrp.Received) (vrrp.Received, bool) {
		if m.State() == vrrp.Backup && r.Priority == m.Priority() && r.Priority > vrrp.PriorityMin {
			r.Priority--
		}
		return r, true
	}), want: "nothing has happened"},
	{name: "a backup that ignores priority 0", break_: hearing(func(m *vrrp.Machine, r vrrp.Received) (vrrp.Received, bool) {
		return r, m.State() != vrrp.Backup || r.Priority != vrrp.PriorityResign
	}), want: "nobody has replaced the lost master"},
	{name: "a backup that never takes over from a lower master", break_: hearing(func(m *vrrp.Machine, r vrrp.Received) (vrrp.Received, bool) {
		if m.State() == vrrp.Backup && r.Priority > 0 {
			r.Priority = vrrp.PriorityMax
		}
		return r, true
	}), want: "there is a router with"},
	{name: "a router that believes the first priority 0", break_: hearing(func(_ *vrrp.Machine, r vrrp.Received) (vrrp.Received, bool) {
		if r.Priority == vrrp.PriorityResign { // it does not notice that the master only announces a handover
			r.Interval = 0
		}
		return r, true
	}), want: "both hold the address: "},
	{name: "a master that goes on after it was stopped", break_: goesOn, want: "did not elect again"},
	{name: "a backup that does not wait for the whole master-down time",
		break_: early(func(m *vrrp.Machine) time.Duration { return m.Config().Interval / 2 })},
	{name: "a backup that forgets the skew", break_: early(func(m *vrrp.Machine) time.Duration {
		c := m.Config()
		return c.Version.Skew(c.Interval, m.Priority())
	}), want: "shortest master-down time"},
	{name: "a router that takes the addresses without a claim", break_: stepping(func(m *vrrp.Machine, now time.Time, ev vrrp.Event) []vrrp.Action {
		acts := m.Step(now, ev)
		if m.Claiming() {
			acts = append(slices.Clone(acts), m.Step(m.Deadline(), vrrp.Timeout{})...)
		}
		return acts
	}), want: "both hold the address: "},
	{name: "a router that claims for ever", break_: func(m *vrrp.Machine) Machine {
		return wrapped{Machine: m, deadline: func(m *vrrp.Machine) time.Time {
			if m.Claiming() {
				return time.Time{}
			}
			return m.Deadline()
		}}
	}},
	{name: "a router that does not say that it has yielded", break_: stepping(func(m *vrrp.Machine, now time.Time, ev vrrp.Event) []vrrp.Action {
		was := m.State()
		acts := m.Step(now, ev)
		if n := len(acts) - 1; n >= 0 && was == vrrp.Master && m.State() == vrrp.Backup {
			if a, ok := acts[n].(vrrp.SendAdvert); ok && a.Priority == vrrp.PriorityResign {
				acts = acts[:n]
			}
		}
		return acts
	}), want: " had yielded"},
	{name: "a router that preempts against the configuration", break_: configured(func(c *vrrp.Config) { c.NoPreempt = false }), want: "against NoPreempt"},
	{name: "a router that does not wait for PreemptDelay", break_: configured(func(c *vrrp.Config) { c.PreemptDelay = 0 }), want: "the delay is"},
	{name: "a router that never preempts", break_: configured(func(c *vrrp.Config) {
		if c.Priority != vrrp.PriorityOwner {
			c.NoPreempt, c.PreemptDelay = true, 0
		}
	}), want: "there is a router with"},
	{name: "a priority that cannot be changed", break_: stepping(func(m *vrrp.Machine, now time.Time, ev vrrp.Event) []vrrp.Action {
		if _, ok := ev.(vrrp.SetPriority); ok {
			ev = vrrp.Timeout{}
		}
		return m.Step(now, ev)
	})},
	{name: "a master that advertises when it likes", break_: func(m *vrrp.Machine) Machine {
		return wrapped{Machine: m, deadline: func(m *vrrp.Machine) time.Time {
			if m.State() == vrrp.Master {
				return m.Deadline().Add(time.Duration(m.Config().DownMultiplier) * m.Config().Interval)
			}
			return m.Deadline()
		}}
	}},
	{name: "adverts with another interval", flaw: FlawInterval},
	{name: "a lease that is not renewed", flaw: FlawNeverRenews, want: "does not hold the address"},
	{name: "a lease renewed without adverts", flaw: FlawRenewsAlone, want: "is silent and still holds"},
	{name: "addresses that stay when the machine yields", flaw: FlawKeepsAddresses},
	{name: "addresses that stay when the machine is reconfigured", flaw: FlawKeepsFormer},
	{name: "a step that was held up and is not looked at again", flaw: FlawNoSecondLook, want: "after the advert that backups count from"},
	{name: "a director that does not wait for the old guardian", flaw: FlawNoAwait, want: "while its director lives"},
	{name: "a guardian that acts for a stopped director", flaw: FlawGuardianHasty, want: "while its director lives"},
	{name: "a guardian that resigns too late", flaw: FlawGuardianLate, want: "after the death of its director"},
	{name: "a guardian that resigns and leaves the addresses", flaw: FlawGuardianKeepsAddresses, want: "has resigned and still holds"},
}

// goesOn: its clock does not count the time it was stopped.
func goesOn(m *vrrp.Machine) Machine {
	var last time.Time
	var lost time.Duration
	return wrapped{
		Machine: m,
		step: func(m *vrrp.Machine, now time.Time, ev vrrp.Event) []vrrp.Action {
			if gap := now.Sub(last); !last.IsZero() && m.State() == vrrp.Master && gap > m.Config().Interval {
				lost += gap - m.Config().Interval
			}
			last = now
			return m.Step(now.Add(-lost), ev)
		},
		deadline: func(m *vrrp.Machine) time.Time {
			if m.Deadline().IsZero() {
				return time.Time{}
			}
			return m.Deadline().Add(lost)
		},
	}
}

// mutantHours bounds the simulated time after which a mutant has been caught.
const mutantHours = 300

// TestMutants breaks the machine, the loop around it and the guardian in ways
// that implementations are broken, and wants each found, with a seed that
// repeats. One that is not found shows an invariant that is too weak.
func TestMutants(t *testing.T) {
	for _, tt := range mutants {
		t.Run(tt.name, func(t *testing.T) {
			var hours float64
			for seed := uint64(1); hours < mutantHours; seed++ {
				r, err := Run(Options{Seed: seed, Break: tt.break_, Flaw: tt.flaw})
				if err == nil {
					hours += r.Simulated.Hours()
					continue
				}
				v, ok := errors.AsType[*Violation](err)
				if !ok || v.Seed != seed || len(v.Trace) == 0 || strings.Contains(err.Error(), "not deterministic") {
					t.Fatalf("bad report: %v", err)
				}
				hours += v.At.Hours()
				if !strings.Contains(v.What.Error(), tt.want) {
					t.Logf("seed %d: caught as %q, looking for %q", seed, v.What, tt.want)
					continue
				}
				t.Logf("seed %d, after %.1f simulated hours: %v", seed, hours, v.What)
				return
			}
			t.Errorf("not caught in %.0f simulated hours", hours)
		})
	}
}
