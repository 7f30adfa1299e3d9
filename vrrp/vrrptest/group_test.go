package vrrptest

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

var groupHours = flag.Float64("sim.grouphours", 1_000, "simulated hours of TestGroupSimulation")

// TestGroupSimulation runs seed after seed. A failure prints its seed; repeat it with
//
//	go test ./vrrp/vrrptest -run TestGroupSimulation -sim.grouphours=0 -sim.seed=N
func TestGroupSimulation(t *testing.T) {
	hours := *groupHours * raceShare
	if testing.Short() {
		hours /= 10
	}
	var total Report
	start := time.Now()
	for seed := *simSeed; ; seed++ {
		r, err := RunGroups(GroupOptions{Seed: seed})
		total.Add(r)
		if err != nil {
			t.Fatal(err)
		}
		if total.Simulated.Hours() >= hours {
			break
		}
	}
	t.Logf("%.0f simulated hours, %d steps, %d adverts, %d transitions, %d faults, %d changes of configuration (%d routers followed while they ran), %d calms in %s",
		total.Simulated.Hours(), total.Steps, total.Adverts, total.Transitions, total.Faults, total.Reconfigure, total.InPlace, total.Calms, time.Since(start).Round(time.Millisecond))
}

// loose is a group with one thing broken.
type loose struct {
	*vrrp.Group
	members int
	step    func(g *loose, now time.Time, member int, ev vrrp.Event) []vrrp.MemberAction
	sources map[int]vrrp.Event
}

func (l *loose) Step(now time.Time, member int, ev vrrp.Event) []vrrp.MemberAction {
	return l.step(l, now, member, ev)
}

// apart is a coordinator that coordinates nothing: a group of one per member.
type apart []*vrrp.Group

func (a apart) Member(i int) *vrrp.Machine { return a[i].Member(0) }

func (a apart) Step(now time.Time, member int, ev vrrp.Event) []vrrp.MemberAction {
	acts := slices.Clone(a[member].Step(now, 0, ev))
	for i := range acts {
		acts[i].Member = member
	}
	return acts
}

func members(g *vrrp.Group) (cfgs []vrrp.Config) {
	defer func() { _ = recover() }() // past the last
	for i := 0; ; i++ {
		cfgs = append(cfgs, g.Member(i).Config())
	}
}

// TestBrokenCoordinatorsAreCaught breaks groups in ways that a coordinator may
// be broken, and wants each found, with a seed that repeats.
func TestBrokenCoordinatorsAreCaught(t *testing.T) {
	breaking := func(step func(g *loose, now time.Time, member int, ev vrrp.Event) []vrrp.MemberAction) func(*vrrp.Group) Coordinator {
		return func(g *vrrp.Group) Coordinator {
			return &loose{Group: g, members: len(members(g)), step: step, sources: map[int]vrrp.Event{}}
		}
	}
	tests := []struct {
		name   string
		break_ func(*vrrp.Group) Coordinator
		want   string
	}{
		{
			"members that go their own ways",
			func(g *vrrp.Group) Coordinator {
				var a apart
				for _, cfg := range members(g) {
					one, err := vrrp.NewGroup(cfg)
					if err != nil {
						t.Fatal(err)
					}
					a = append(a, one)
				}
				return a
			},
			"members of",
		},
		{
			"one that preempts against the configuration",
			func(g *vrrp.Group) Coordinator {
				cfgs := members(g)
				for i := range cfgs {
					cfgs[i].NoPreempt = false
				}
				g, err := vrrp.NewGroup(cfgs...)
				if err != nil {
					t.Fatal(err)
				}
				return g
			},
			"against NoPreempt",
		},
		{
			"one whose clock does not count the time it was stopped",
			func(g *vrrp.Group) Coordinator {
				var last time.Time
				var lost time.Duration
				return &loose{Group: g, members: len(members(g)), step: func(g *loose, now time.Time, member int, ev vrrp.Event) []vrrp.MemberAction {
					if gap, most := now.Sub(last), 2*g.Member(0).Config().Interval; !last.IsZero() && g.State() == vrrp.Master && gap > most {
						lost += gap - most
					}
					last = now
					return g.Group.Step(now.Add(-lost), member, ev)
				}}
			},
			"did not elect again",
		},
		{
			"one that begins without the members that cannot run",
			breaking(func(g *loose, now time.Time, member int, ev vrrp.Event) []vrrp.MemberAction {
				var acts []vrrp.MemberAction
				if _, ok := ev.(vrrp.Failed); ok {
					return nil
				}
				if start, ok := ev.(vrrp.Start); ok {
					for i := range g.members {
						acts = append(acts, g.Group.Step(now, i, start)...)
					}
					return acts
				}
				return g.Group.Step(now, member, ev)
			}),
			"failed interface",
		},
		{
			"one that is master as soon as one claim has succeeded",
			breaking(func(g *loose, now time.Time, member int, ev vrrp.Event) []vrrp.MemberAction {
				acts := slices.Clone(g.Group.Step(now, member, ev))
				if _, ok := ev.(vrrp.Received); !ok || !g.Member(member).Claiming() {
					return acts
				}
				for i := range g.members {
					if d := g.Member(i).Deadline(); g.Member(i).Claiming() {
						acts = append(acts, g.Group.Step(d, i, vrrp.Timeout{})...)
					}
				}
				return acts
			}),
			"both hold the address",
		},
		{
			"one that recovers with its first member",
			breaking(func(g *loose, now time.Time, member int, ev vrrp.Event) []vrrp.MemberAction {
				if _, ok := ev.(vrrp.Start); ok {
					g.sources[member] = ev
				}
				acts := slices.Clone(g.Group.Step(now, member, ev))
				if _, ok := ev.(vrrp.Recovered); ok {
					for i := range g.members {
						acts = append(acts, g.Group.Step(now, i, ev)...)
					}
				}
				return acts
			}),
			"failed interface",
		},
		{
			"one that takes over when one member's timer has run out",
			breaking(func(g *loose, now time.Time, member int, ev vrrp.Event) []vrrp.MemberAction {
				acts := slices.Clone(g.Group.Step(now, member, ev))
				if _, ok := ev.(vrrp.Timeout); ok && g.Member(member).State() == vrrp.Backup && !g.Member(member).Claiming() {
					for i := range g.members {
						if d := g.Member(i).Deadline(); g.Member(i).State() == vrrp.Backup && !d.IsZero() {
							acts = append(acts, g.Group.Step(d, i, vrrp.Timeout{})...)
						}
					}
				}
				return acts
			}),
			"",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for seed := uint64(1); seed <= 200; seed++ {
				_, err := RunGroups(GroupOptions{Seed: seed, Break: tt.break_})
				if err == nil {
					continue
				}
				v, ok := errors.AsType[*Violation](err)
				if !ok || v.Seed != seed || len(v.Trace) == 0 || strings.Contains(err.Error(), "not deterministic") {
					t.Fatalf("bad report: %v", err)
				}
				if !strings.Contains(v.What.Error(), tt.want) {
					t.Logf("seed %d: caught as %q, looking for %q", seed, v.What, tt.want)
					continue
				}
				t.Logf("seed %d: %v", seed, v.What)
				return
			}
			t.Error("not caught in 200 runs")
		})
	}
}

// TestGroupDeterministic: a seed is a run.
func TestGroupDeterministic(t *testing.T) {
	for seed := uint64(1); seed < 10; seed++ {
		a, errA := RunGroups(GroupOptions{Seed: seed, Intervals: 500})
		b, errB := RunGroups(GroupOptions{Seed: seed, Intervals: 500})
		if a != b || errA != nil || errB != nil {
			t.Errorf("seed %d: %+v, %v and then %+v, %v", seed, a, errA, b, errB)
		}
	}
}

// TestKeepalivedGroup: its members wait for each other, are masters together and
// fall back together.
func TestKeepalivedGroup(t *testing.T) {
	var cfgs []vrrp.Config
	for i := range 2 {
		cfgs = append(cfgs, vrrp.Config{
			Name: fmt.Sprintf("VI_%d", i+1), VRID: uint8(51 + i), Version: vrrp.V2, Interval: time.Second, Priority: 100,
			Addresses: []vrrp.Address{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 100}), 24)}},
		})
	}
	g := newKeepalivedGroup(cfgs)
	now := epoch
	step := func(after time.Duration, member int, ev vrrp.Event) string {
		now = now.Add(after)
		g.Step(now, member, ev)
		return fmt.Sprint(g.machine(0).State(), " ", g.machine(1).State())
	}
	own, better := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.9")
	advert := vrrp.Received{Source: better, Priority: 200, Interval: time.Second}
	for i, x := range []struct {
		after  time.Duration
		member int
		ev     vrrp.Event
		want   string
	}{
		{0, 0, vrrp.Start{Source: own}, "INIT INIT"},
		{0, 1, vrrp.Start{Source: own}, "BACKUP BACKUP"},
		{3 * time.Second, 1, advert, "BACKUP BACKUP"},
		{time.Second, 0, vrrp.Timeout{}, "BACKUP BACKUP"}, // only one wants
		{2500 * time.Millisecond, 0, advert, "BACKUP BACKUP"},
		{500 * time.Millisecond, 1, vrrp.Timeout{}, "BACKUP BACKUP"}, // the first has changed its mind
		{4 * time.Second, 0, vrrp.Timeout{}, "MASTER MASTER"},
		{time.Second, 1, advert, "BACKUP BACKUP"},
		{time.Second, 0, vrrp.Failed{Why: "interface"}, "FAULT FAULT"},
		{time.Second, 0, vrrp.Recovered{Source: own}, "BACKUP BACKUP"},
		{4 * time.Second, 0, vrrp.Timeout{}, "BACKUP BACKUP"},
		{0, 1, vrrp.Timeout{}, "MASTER MASTER"},
		{0, 1, vrrp.Stop{}, "INIT INIT"},
	} {
		if got := step(x.after, x.member, x.ev); got != x.want {
			t.Errorf("step %d, %T of member %d: %s, want %s", i, x.ev, x.member, got, x.want)
		}
	}
}

// TestGroupSites: sites have what routers may differ in.
func TestGroupSites(t *testing.T) {
	seen := map[string]int{}
	for seed := uint64(1); seed <= 200; seed++ {
		s := newGroupSim(GroupOptions{Seed: seed})
		seen[fmt.Sprintf("keepalived %v", s.foreign)]++
		seen[fmt.Sprintf("ranked alike %v", s.ranked)]++
		seen[fmt.Sprintf("clocks differ %v", s.routers[0].clock.ppm != s.routers[1].clock.ppm)]++
	}
	for what, n := range seen {
		if n < 10 {
			t.Errorf("%s: %d sites of 200", what, n)
		}
	}
	if len(seen) != 6 {
		t.Errorf("%v", seen)
	}
}
