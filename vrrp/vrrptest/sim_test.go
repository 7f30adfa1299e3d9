package vrrptest

import (
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

var (
	simHours = flag.Float64("sim.hours", 10_000, "simulated hours of TestSimulation")
	simSeed  = flag.Uint64("sim.seed", 1, "first seed of TestSimulation; with -sim.hours=0 only this seed runs")
)

// TestSimulation runs seed after seed. A failure prints its seed; repeat it with
//
//	go test ./vrrp/vrrptest -run TestSimulation -sim.hours=0 -sim.seed=N
func TestSimulation(t *testing.T) {
	hours := *simHours * raceShare
	if testing.Short() {
		hours /= 10
	}
	var total Report
	start := time.Now()
	for seed := *simSeed; ; seed++ {
		r, err := Run(Options{Seed: seed})
		total.Add(r)
		if err != nil {
			t.Fatal(err)
		}
		if total.Simulated.Hours() >= hours {
			break
		}
	}
	t.Logf("%.0f simulated hours, %d steps, %d adverts, %d transitions, %d faults, %d calms in %s",
		total.Simulated.Hours(), total.Steps, total.Adverts, total.Transitions, total.Faults, total.Calms, time.Since(start).Round(time.Millisecond))
}

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

// TestBrokenMachinesAreCaught breaks the machine in ways that implementations
// are broken, and wants each found, with a seed that repeats.
func TestBrokenMachinesAreCaught(t *testing.T) {
	tests := []struct {
		name   string
		break_ func(*vrrp.Machine) Machine
		want   string
	}{
		{
			"a master that ignores higher priorities",
			func(m *vrrp.Machine) Machine {
				return wrapped{Machine: m, step: func(m *vrrp.Machine, now time.Time, ev vrrp.Event) []vrrp.Action {
					if r, ok := ev.(vrrp.Received); ok && m.State() == vrrp.Master && r.Priority > m.Priority() {
						return m.Step(now, vrrp.Timeout{})
					}
					return m.Step(now, ev)
				}}
			},
			"",
		},
		{
			"no tie-break between equal priorities",
			func(m *vrrp.Machine) Machine {
				return wrapped{Machine: m, step: func(m *vrrp.Machine, now time.Time, ev vrrp.Event) []vrrp.Action {
					if r, ok := ev.(vrrp.Received); ok && m.State() == vrrp.Master && r.Priority == m.Priority() {
						return m.Step(now, vrrp.Timeout{})
					}
					return m.Step(now, ev)
				}}
			},
			"",
		},
		{
			"a master that goes on after it was stopped",
			func(m *vrrp.Machine) Machine {
				// Its clock does not count the time it was stopped.
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
			},
			"did not elect again",
		},
		{
			"a backup that does not wait for the whole master-down time",
			func(m *vrrp.Machine) Machine {
				hurry := func(m *vrrp.Machine) time.Duration { return m.Config().Interval / 2 }
				return wrapped{
					Machine: m,
					step: func(m *vrrp.Machine, now time.Time, ev vrrp.Event) []vrrp.Action {
						if _, ok := ev.(vrrp.Timeout); ok && m.State() == vrrp.Backup {
							now = now.Add(hurry(m))
						}
						return m.Step(now, ev)
					},
					deadline: func(m *vrrp.Machine) time.Time {
						if m.State() == vrrp.Backup {
							return m.Deadline().Add(-hurry(m))
						}
						return m.Deadline()
					},
				}
			},
			"",
		},
		{
			"a backup that never takes over from a lower master",
			func(m *vrrp.Machine) Machine {
				return wrapped{Machine: m, step: func(m *vrrp.Machine, now time.Time, ev vrrp.Event) []vrrp.Action {
					if r, ok := ev.(vrrp.Received); ok && m.State() == vrrp.Backup && r.Priority > 0 {
						r.Priority = vrrp.PriorityMax
						ev = r
					}
					return m.Step(now, ev)
				}}
			},
			"there is a router with",
		},
		{
			"a router that takes the addresses without a claim",
			func(m *vrrp.Machine) Machine {
				return wrapped{Machine: m, step: func(m *vrrp.Machine, now time.Time, ev vrrp.Event) []vrrp.Action {
					acts := m.Step(now, ev)
					if m.Claiming() {
						acts = append(slices.Clone(acts), m.Step(m.Deadline(), vrrp.Timeout{})...)
					}
					return acts
				}}
			},
			"both hold the address: ",
		},
		{
			"a router that believes the first priority 0",
			func(m *vrrp.Machine) Machine {
				// It does not notice that the master only announces a handover.
				return wrapped{Machine: m, step: func(m *vrrp.Machine, now time.Time, ev vrrp.Event) []vrrp.Action {
					if r, ok := ev.(vrrp.Received); ok && r.Priority == vrrp.PriorityResign {
						r.Interval = 0
						ev = r
					}
					return m.Step(now, ev)
				}}
			},
			"both hold the address: ",
		},
		{
			"a master that does not say that it has yielded",
			func(m *vrrp.Machine) Machine {
				return wrapped{Machine: m, step: func(m *vrrp.Machine, now time.Time, ev vrrp.Event) []vrrp.Action {
					was := m.State()
					acts := m.Step(now, ev)
					if last, ok := acts[max(len(acts)-1, 0):], was == vrrp.Master && m.State() == vrrp.Backup; ok {
						if a, ok := last[0].(vrrp.SendAdvert); ok && a.Priority == vrrp.PriorityResign {
							acts = acts[:len(acts)-1]
						}
					}
					return acts
				}}
			},
			" had yielded",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for seed := uint64(1); seed <= 200; seed++ {
				_, err := Run(Options{Seed: seed, Break: tt.break_})
				if err == nil {
					continue
				}
				v, ok := errors.AsType[*Violation](err)
				if !ok || v.Seed != seed || len(v.Trace) == 0 || strings.Contains(err.Error(), "not deterministic") {
					t.Fatalf("bad report: %v", err)
				}
				if !strings.Contains(v.What.Error(), tt.want) {
					t.Fatalf("caught as %q, want %q", v.What, tt.want)
				}
				t.Logf("seed %d: %v", seed, v.What)
				return
			}
			t.Error("not caught in 200 runs")
		})
	}
}

// TestDeterministic: a seed is a run.
func TestDeterministic(t *testing.T) {
	for seed := uint64(1); seed < 20; seed++ {
		a, errA := Run(Options{Seed: seed, Intervals: 1000})
		b, errB := Run(Options{Seed: seed, Intervals: 1000})
		if a != b || errA != nil || errB != nil {
			t.Errorf("seed %d: %+v, %v and then %+v, %v", seed, a, errA, b, errB)
		}
	}
}

func BenchmarkSimulation(b *testing.B) {
	var total Report
	seed := uint64(0)
	for b.Loop() {
		seed++
		r, err := Run(Options{Seed: seed})
		if err != nil {
			b.Fatal(err)
		}
		total.Add(r)
	}
	b.ReportMetric(total.Simulated.Hours()/b.Elapsed().Seconds(), "hours/s")
	b.ReportMetric(float64(total.Steps)/b.Elapsed().Seconds(), "steps/s")
}
