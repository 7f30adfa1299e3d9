package vrrptest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// Options of a run.
type Options struct {
	// Seed decides everything.
	Seed uint64
	// Intervals is how long a run lasts, in advert intervals. Default 4000.
	Intervals int
	// Break replaces each machine, to see that the checks catch it.
	Break func(*vrrp.Machine) Machine
}

// Report is what a run did.
type Report struct {
	Simulated   time.Duration
	Steps       uint64 // of all machines
	Adverts     uint64
	Transitions uint64
	Faults      uint64
	Calms       uint64 // calms whose end was checked
}

// Add sums reports.
func (r *Report) Add(o Report) {
	r.Simulated += o.Simulated
	r.Steps += o.Steps
	r.Adverts += o.Adverts
	r.Transitions += o.Transitions
	r.Faults += o.Faults
	r.Calms += o.Calms
}

// Violation is a broken promise, with the seed that shows it and the last part
// of the trace.
type Violation struct {
	Seed  uint64
	What  error
	Trace []string
}

// Error is the whole story.
func (v *Violation) Error() string {
	return fmt.Sprintf("seed %d: %v\n%s", v.Seed, v.What, strings.Join(v.Trace, "\n"))
}

// Unwrap returns What.
func (v *Violation) Unwrap() error { return v.What }

// traceLen is how much of the trace a Violation holds.
const traceLen = 60

var epoch = time.Unix(1_000_000_000, 0)

// sim is one run.
type sim struct {
	opt     Options
	rng     *rand.Rand
	now     time.Duration
	site    vrrp.Config // what the routers have in common
	routers []*router
	lan     lan
	wire    heap
	order   uint64
	steps   uint64
	report  Report

	leaseTime     time.Duration
	replacedAfter time.Duration
	faulted       time.Duration                         // last fault that stops a router or its interface
	together      [maxRouters][maxRouters]time.Duration // since when both hold the address
	delay         time.Duration                         // of a healthy LAN, at most
	hold          time.Duration                         // of handovers
	ranked        time.Duration                         // when a priority last changed

	violation error
	tracing   bool
	lines     []string
}

// Run simulates one site. The error is a *Violation.
func Run(opt Options) (Report, error) {
	if opt.Intervals == 0 {
		opt.Intervals = 4000
	}
	s := newSim(opt)
	s.run()
	if s.violation == nil {
		return s.report, nil
	}
	again := newSim(opt)
	again.tracing = true
	again.run()
	v := &Violation{Seed: opt.Seed, What: s.violation, Trace: again.lines}
	if again.violation == nil || again.violation.Error() != s.violation.Error() {
		v.What = errors.Join(s.violation, errors.New("the repetition did not show it: the run is not deterministic"))
	}
	if n := len(v.Trace); n > traceLen {
		v.Trace = v.Trace[n-traceLen:]
	}
	return s.report, v
}

// newSim draws a site.
func newSim(opt Options) *sim {
	s := &sim{opt: opt, rng: rand.New(rand.NewPCG(opt.Seed, 0x9e3779b97f4a7c15))}
	rng := s.rng
	n := 2 + min(rng.IntN(6), rng.IntN(6)) // more often few
	cfg := vrrp.Config{
		Name: "VI_1", VRID: 51, Version: vrrp.V2, Interval: time.Duration(1+rng.IntN(10)) * time.Second,
		DownMultiplier: 3,
		Addresses:      []vrrp.Address{{Prefix: netip.MustParsePrefix("192.0.2.100/24")}},
		Announce:       vrrp.AnnounceConfig{Delay: -1},
	}
	if rng.IntN(2) == 0 {
		cfg.Version = vrrp.V3
		if rng.IntN(4) == 0 {
			cfg.Interval = time.Duration(1+rng.IntN(100)) * 10 * time.Millisecond
		}
	}
	switch rng.IntN(6) {
	case 0:
		cfg.NoPreempt = true
	case 1:
		cfg.PreemptDelay = time.Duration(rng.Int64N(int64(10 * cfg.Interval)))
	case 2:
		cfg.DownMultiplier = 2 + rng.IntN(4)
	}
	cfg.NoLowerAnswer = rng.IntN(4) == 0
	equal := rng.IntN(3) == 0
	cfg.Priority = uint8(1 + rng.IntN(254))
	s.delay = min(cfg.Interval/20, 20*time.Millisecond)
	s.hold = 3 * cfg.Interval
	for i := range n {
		c := cfg
		if !equal {
			c.Priority = uint8(1 + rng.IntN(254))
		}
		s.routers = append(s.routers, &router{
			id: i, name: fmt.Sprintf("r%d", i+1), source: netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), cfg: c,
			inbox: make([]delivery, 0, inboxLen),
		})
	}
	s.site = cfg.WithDefaults()
	s.replacedAfter = s.site.ReplacedAfter()
	s.leaseTime = s.site.LeaseTime()
	s.lan.heal(0, s.delay)
	return s
}

// bound is how long a calm may take to settle: the longest master-down time, an
// interval for routers that woke late, an interval for two masters to meet,
// what is still on the wire, and the delays that were asked for. A handover
// leaves lower masters alone for hold. A claim that woke late claims twice.
func (s *sim) bound() time.Duration {
	c := s.site
	longest := c.Version.MasterDown(c.Interval, c.DownMultiplier, vrrp.PriorityMin)
	b := longest + 2*c.ClaimWait() + 2*c.Interval + 8*s.delay + 2*c.Interval // the last: delays of the storm
	if !c.NoPreempt {
		b += longest + s.hold + c.PreemptDelay // accepted until then, then preempted
	}
	return b
}

func (s *sim) run() {
	end := time.Duration(s.opt.Intervals) * s.site.Interval
	s.trace(nil, "%d routers, version %d, interval %s, multiplier %d, lease %s, nopreempt %v, preempt delay %s",
		len(s.routers), s.site.Version, s.site.Interval, s.site.DownMultiplier, s.leaseTime, s.site.NoPreempt, s.site.PreemptDelay)
	for _, r := range s.routers {
		s.start(r)
	}
	for s.now < end && s.violation == nil {
		s.calm()
		s.until(s.now + s.bound())
		s.checkCalm()
		s.until(s.now + time.Duration(s.rng.Int64N(int64(20*s.site.Interval))))
		s.checkCalm()
		for range 1 + s.rng.IntN(8) {
			s.fault()
			s.until(s.now + time.Duration(s.rng.Int64N(int64(6*s.site.Interval))))
		}
	}
	s.report.Simulated = s.now
	s.report.Steps = s.steps
}

// until lets virtual time pass.
func (s *sim) until(end time.Duration) {
	for s.violation == nil {
		at, who := end, -1
		for i, r := range s.routers {
			switch {
			case r.stopped:
				if r.resumeAt < at {
					at, who = r.resumeAt, i
				}
			case r.deadline != 0 && r.deadline < at:
				at, who = r.deadline, i
			}
		}
		if len(s.wire) > 0 && s.wire[0].at < at {
			s.now = max(s.now, s.wire[0].at)
			s.deliver(s.wire.pop())
		} else if who < 0 {
			s.now = end
			return
		} else if r := s.routers[who]; r.stopped {
			s.now = max(s.now, at)
			s.resume(r)
		} else {
			s.now = max(s.now, at)
			s.timeout(r)
		}
		s.checkHolders()
	}
}

// trace writes one line, when the run is repeated for its trace.
func (s *sim) trace(r *router, format string, args ...any) {
	if !s.tracing {
		return
	}
	name := "--"
	if r != nil {
		name = r.name
	}
	s.lines = append(s.lines, fmt.Sprintf("%14.6f %s %s", s.now.Seconds(), name, fmt.Sprintf(format, args...)))
}
