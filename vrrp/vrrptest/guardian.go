package vrrptest

import (
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// guardian is the process beside a director that package vrrp/guardian
// describes, and the director's keeper of it, as far as others can see them.
// TestServeRandom of that package holds the real one to the same contract.
type guardian struct {
	kept    bool // the director of this router keeps one
	runs    bool
	stopped bool // SIGSTOP
	armed   bool
	within  time.Duration // resign no later than this after the last sign of life

	want   bool // armed is wanted, by the director
	untold bool // the keeper was stopped before it could say so
	queued bool // the keeper has said so, and the guardian not read it yet
	order  bool // what it said last

	looked   time.Duration // by its clock: the director was seen alive
	orphaned time.Duration // by its clock: the director's death
	released bool          // the addresses are off, priority 0 is next

	startAt  time.Duration // the keeper starts it
	tellAt   time.Duration // the keeper writes
	resumeAt time.Duration
	actAt    time.Duration
	at       time.Duration // the first of these; 0: none
}

// Times of a guardian on a machine that has nothing else to do.
const (
	guardStart = 20 * time.Millisecond
	guardTell  = time.Millisecond
	guardAct   = 3 * time.Millisecond
	awaitTime  = 500 * time.Millisecond // a new director waits for the old guardian
)

// plan finds the next event.
func (g *guardian) plan() {
	g.at = 0
	for _, t := range [...]time.Duration{g.startAt, g.tellAt, g.resumeAt, g.actAt} {
		if t != 0 && (g.at == 0 || t < g.at) {
			g.at = t
		}
	}
}

// guardDue does what is due.
func (s *sim) guardDue(r *router) {
	g := &r.guard
	switch s.now { // what falls due together has its turn at the next event
	case g.startAt:
		g.startAt = 0
		switch {
		case !r.alive():
		case r.stopped:
			g.untold = true
		default:
			g.runs, g.stopped, g.armed, g.queued, g.released = true, false, false, false, false
			g.tellAt = s.now + s.upTo(guardTell) + 1
		}
	case g.tellAt:
		g.tellAt = 0
		switch {
		case !r.alive() || !g.runs || g.orphaned != 0: // the keeper of a new director does not know it
		case r.stopped:
			g.untold = true
		default:
			g.queued, g.order = true, g.want
			if !g.stopped {
				g.obey()
			}
		}
	case g.resumeAt:
		g.resumeAt = 0
		s.guardResume(r)
	case g.actAt:
		g.actAt = 0
		s.guardActs(r)
	default:
	}
	g.plan()
}

func (g *guardian) obey() {
	if g.queued {
		g.armed, g.queued = g.order, false
	}
}

// arm is what the director asks of its keeper.
func (s *sim) arm(r *router, want bool) {
	g := &r.guard
	if !g.kept {
		return
	}
	g.want, g.within = want, r.replacedAfter-r.cfg.Interval
	g.tellAt = s.now + s.upTo(guardTell) + 1
	g.plan()
}

// keeperResumes: what the keeper did not come to say or do.
func (s *sim) keeperResumes(r *router) {
	g := &r.guard
	if !g.kept || !g.untold {
		return
	}
	g.untold = false
	if g.runs {
		g.tellAt = s.now + s.upTo(guardTell) + 1
	} else {
		g.startAt = s.now + s.upTo(guardStart) + 1
	}
	g.plan()
}

// guardBye: the director stops and sends the guardian away first.
func (s *sim) guardBye(r *router) { r.guard = guardian{kept: r.guard.kept} }

// guardKilled: the keeper starts another.
func (s *sim) guardKilled(r *router) {
	s.trace(&r.process, "guardian killed")
	kept, want := r.guard.kept, r.guard.want
	r.guard = guardian{kept: kept, want: want, within: r.guard.within}
	if r.alive() {
		r.guard.startAt = s.now + time.Millisecond + s.upTo(guardStart)
	} else if r.startAt != 0 {
		r.startAt = s.now
	}
	r.guard.plan()
}

func (s *sim) guardStopped(r *router, d time.Duration) {
	g := &r.guard
	s.trace(&r.process, "guardian stopped for %s", d)
	g.stopped, g.resumeAt = true, s.now+d+1
	if g.actAt != 0 { // in the middle of what it does
		g.resumeAt = max(g.resumeAt, g.actAt)
		g.actAt = 0
	} else if g.orphaned == 0 {
		g.looked = r.clock.read(s.now) - s.upTo(g.within/4+1)
	}
	g.plan()
}

func (s *sim) guardResume(r *router) {
	g := &r.guard
	s.trace(&r.process, "guardian continues")
	g.stopped, g.resumeAt = false, 0
	g.obey()
	if g.orphaned != 0 {
		g.actAt = s.now + 1 + s.upTo(guardAct)
	} else {
		g.looked = 0
	}
	g.plan()
}

// orphan: the director is dead, and the socket ends.
func (s *sim) orphan(r *router) {
	g := &r.guard
	g.startAt, g.tellAt, g.untold = 0, 0, false
	if g.runs && g.orphaned == 0 {
		g.orphaned = r.clock.read(s.now)
		if !g.stopped {
			g.looked = g.orphaned - s.upTo(g.within/4+1)
			g.actAt = s.now + 1 + s.upTo(guardAct)
		}
	}
	g.plan()
}

// guardActs is the whole life of an orphaned guardian: addresses off, priority
// 0, exit. It may be stopped in between.
func (s *sim) guardActs(r *router) {
	g := &r.guard
	if s.opt.Flaw == FlawGuardianHasty && g.armed && r.alive() {
		g.orphaned = r.clock.read(s.now)
	}
	if g.armed && !g.released {
		s.checkGuardian(r, "takes the addresses off")
		if s.opt.Flaw != FlawGuardianKeepsAddresses {
			r.held = 0
		}
		s.trace(&r.process, "guardian takes the addresses off")
		g.released = true
		if late := r.clock.read(s.now) - g.looked; late > g.within && s.opt.Flaw != FlawGuardianLate {
			s.trace(&r.process, "guardian is late by %s and does not resign", late)
			g.armed = false
		} else if s.rng.IntN(8) == 0 {
			g.actAt = s.now + 1 + s.upTo(4*r.cfg.Interval)
			return
		} else if r.clock.read(s.now)-g.orphaned > g.within {
			s.violate("the guardian of %s resigns %s after the death of its director", r.name, r.clock.read(s.now)-g.orphaned)
		}
	}
	if g.armed {
		s.checkGuardian(r, "resigns")
		s.trace(&r.process, "guardian resigns")
		s.report.Guarded++
		s.put(r, vrrp.PriorityResign)
		s.expectSuccessor(r)
	}
	s.guardBye(r)
	if r.startAt != 0 {
		r.startAt = s.now
	}
}

// checkGuardian: a guardian never fights a director that lives.
func (s *sim) checkGuardian(r *router, what string) {
	if r.alive() {
		s.violate("the guardian of %s %s while its director lives", r.name, what)
	}
}
