package vrrptest

import (
	"fmt"
	"math"
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
	// Flaw breaks the loop around the machines, or the guardians.
	Flaw Flaw
}

// Flaw is one rule that is not kept.
type Flaw uint8

// The flaws.
const (
	FlawNone                   Flaw = iota
	FlawNeverRenews                 // the loop installs addresses with a lease and forgets it
	FlawRenewsAlone                 // a thread of its own renews leases, whether adverts are sent or not
	FlawKeepsFormer                 // a router that is reconfigured leaves the addresses that it had
	FlawKeepsAddresses              // addresses stay when the machine leaves mastership
	FlawNoSecondLook                // the clock is not read again after a step that was held up
	FlawInterval                    // adverts tell twice the interval
	FlawNoAwait                     // a director starts without waiting for the old guardian
	FlawGuardianHasty               // the guardian acts for a director that is only stopped
	FlawGuardianLate                // the guardian resigns however late it is
	FlawGuardianKeepsAddresses      // the guardian resigns and leaves the addresses
)

// Report is what a run did.
type Report struct {
	Simulated   time.Duration
	Steps       uint64 // of all machines
	Adverts     uint64
	Transitions uint64
	Faults      uint64
	Calms       uint64 // calms whose end was checked
	Takeovers   uint64 // after the loss of a settled master, checked against the bound
	Guarded     uint64 // priority 0 sent by a guardian
	Reconfigure uint64 // changes of the whole site
	InPlace     uint64 // routers that followed one while they ran
}

// Add sums reports.
func (r *Report) Add(o Report) {
	r.Simulated += o.Simulated
	r.Steps += o.Steps
	r.Adverts += o.Adverts
	r.Transitions += o.Transitions
	r.Faults += o.Faults
	r.Calms += o.Calms
	r.Takeovers += o.Takeovers
	r.Guarded += o.Guarded
	r.Reconfigure += o.Reconfigure
	r.InPlace += o.InPlace
}

// Violation is a broken promise, with the seed that shows it and the last part
// of the trace.
type Violation struct {
	Seed  uint64
	What  error
	At    time.Duration // simulated time until it was found
	Trace []string
}

// Error is the whole story.
func (v *Violation) Error() string {
	return fmt.Sprintf("seed %d: %v\n%s", v.Seed, v.What, strings.Join(v.Trace, "\n"))
}

// Unwrap returns What.
func (v *Violation) Unwrap() error { return v.What }

// traceLen is how much of the trace a Violation holds.
const traceLen = 120

// epoch is when every run begins. It has a monotonic reading, as the times have
// that a real loop gives to its machine; what it is does not matter to a run.
var epoch = time.Now()

// sim is one run.
type sim struct {
	world
	opt     Options
	site    site // what the routers have in common, or will have
	routers []*router
	lan     lan
	steps   uint64
	next    [maxRouters]time.Duration // when something is due on each router
	dirty   bool                      // who holds addresses may have changed
	last    *router                   // that was seen as master
	heard   *delivery                 // what a router is being given

	interval time.Duration                         // the longest in use
	foreign  bool                                  // there is a keepalived
	faulted  time.Duration                         // last fault that stops a router or its interface
	together [maxRouters][maxRouters]time.Duration // since when both hold an address
	pairs    int                                   // of routers that do
	delay    time.Duration                         // of a healthy LAN, at most
	hold     time.Duration                         // of handovers
	handed   time.Duration                         // when a handover last began
	ranked   time.Duration                         // when a priority last changed
	calmAt   time.Duration                         // when the present calm began
	served   bool                                  // the calm has lasted for the bound: there is a master
	quiet    bool                                  // and nothing changes any more
	takeover struct{ by time.Duration }            // when the lost master must be replaced
}

// Run simulates one site. The error is a *Violation.
func Run(opt Options) (Report, error) {
	if opt.Intervals == 0 {
		opt.Intervals = 4000
	}
	run := func(tracing bool) *world {
		s := newSim(opt)
		s.tracing = tracing
		s.run()
		return &s.world
	}
	return run(false).verdict(opt.Seed, run)
}

// readable keeps the end of a trace whole, and of what comes before the site and
// what happened, without the adverts that were heard.
func readable(lines []string) []string {
	if len(lines) <= traceLen {
		return lines
	}
	end := lines[len(lines)-traceLen/2:]
	var before []string
	for _, line := range lines[:len(lines)-traceLen/2] {
		if !strings.Contains(line, " hears ") {
			before = append(before, line)
		}
	}
	if n := len(before) - traceLen/2; n > 0 {
		before = append([]string{before[0], "…"}, before[n:]...)
	}
	return append(before, end...)
}

func (s *sim) run() {
	end := time.Duration(s.opt.Intervals) * s.site.Interval
	s.describe()
	for _, r := range s.routers {
		s.start(r)
	}
	for s.now < end && s.violation == nil {
		s.calm()
		served, right := s.bounds()
		s.until(s.calmAt + served)
		s.served = true
		s.until(s.calmAt + right)
		s.checkCalm()
		s.quiet = true
		s.until(s.now + s.upTo(20*s.site.Interval))
		s.checkCalm()
		s.interval = s.site.Interval
		for range 1 + s.rng.IntN(8) {
			s.fault()
			s.until(s.now + s.upTo(6*s.site.Interval))
		}
	}
	s.report.Simulated = s.now
	s.report.Steps = s.steps
}

// until lets virtual time pass. An event touches one router, so the times of the
// others' next events stand in next.
func (s *sim) until(end time.Duration) {
	for _, r := range s.routers {
		s.plan(r)
	}
	s.dirty = true
	still, events := s.now, 0
	next := s.next[:len(s.routers)]
	for s.violation == nil {
		at, who := end, -1
		for i, t := range next {
			if t < at {
				at, who = t, i
			}
		}
		if len(s.wire) > 0 && s.wire[0].at < at {
			s.now = max(s.now, s.wire[0].at)
			s.flow.arrived++
			d := s.wire.pop()
			who = int(d.to)
			s.deliver(&d)
		} else if who < 0 {
			s.now = end
			return
		} else {
			s.now = max(s.now, at)
			switch r := s.routers[who]; {
			case at == r.guard.at:
				s.guardDue(r)
			case r.stopped:
				s.resume(r)
			case r.startAt != 0:
				s.begin(r)
			default:
				s.timeout(r)
			}
		}
		if events++; s.now != still {
			still, events = s.now, 0
		} else if events > mostAtOnce {
			s.violate("the routers are busy for ever, at one moment")
		}
		if len(s.wire) > mostOnWire {
			s.violate("%d adverts are on their way: the routers answer each other without end", len(s.wire))
		}
		s.plan(s.routers[who])
		s.check()
	}
}

// plan notes when something is due on r.
func (s *sim) plan(r *router) {
	t := r.deadline
	switch {
	case r.stopped:
		t = r.resumeAt
	case r.startAt != 0:
		t = r.startAt
	}
	if g := r.guard.at; g != 0 && (t == 0 || g < t) {
		t = g
	}
	if t == 0 {
		t = never
	}
	s.next[r.id] = t
}

// Far more events than one moment has, and adverts than the LAN carries at once.
const (
	mostAtOnce = 10_000
	mostOnWire = 100_000
)

const never = time.Duration(math.MaxInt64)
