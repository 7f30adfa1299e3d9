package vrrptest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// world is what runs of lone routers and of groups have in common: virtual time,
// what is on its way, and the record.
type world struct {
	rng    *rand.Rand
	now    time.Duration
	wire   heap
	order  uint64
	flow   flow
	report Report

	processes []*process
	violation error
	tracing   bool
	lines     []string
}

// process is the process of a router, and the host's clock.
type process struct {
	id      int
	name    string
	clock   clock
	drifted time.Duration // when its rate last changed
	foreign bool          // keepalived

	stopped   bool // SIGSTOP
	resumeAt  time.Duration
	inbox     []delivery
	restAt    time.Duration // when a step that was interrupted decided, by its clock
	pauseIn   int           // stop in the middle of a step, before this action; 0: do not
	pauseFor  time.Duration
	runsSince time.Duration // neither stopped nor restarted since
}

// local is what its clock shows.
func (p *process) local(now time.Duration) time.Duration { return p.clock.read(now) }

// interrupted counts an action, and reports whether the process is to stop before it.
func (p *process) interrupted() bool {
	if p.pauseIn == 0 {
		return false
	}
	p.pauseIn--
	return p.pauseIn == 0
}

// lifetime is that of addresses in a kernel, which goes on when a process does not.
type lifetime struct {
	ends    time.Duration // by its clock: when the kernel takes them off; never when zero
	expires time.Duration // the same in true time
	lag     time.Duration // by which it was renewed later than the advert that backups count from
}

// over reports whether the kernel has taken the addresses off.
func (l *lifetime) over(now time.Duration) bool { return l.ends != 0 && now >= l.expires }

// renew sets the lifetime of addresses anew, after an advert sent at that time of
// the host's clock. The kernel is up to 8 percent and 0.3 s late.
func (w *world) renew(l *lifetime, p *process, lease, sent time.Duration) {
	*l = lifetime{}
	if lease > 0 {
		now := p.local(w.now)
		l.lag = now - sent
		l.ends = now + lease + w.upTo(vrrp.LeaseEnd(lease)-lease)
		l.expires = p.clock.when(l.ends)
	}
}

// drift sets the rate of a host's clock. What runs by it ends earlier or later.
func (w *world) drift(p *process, ppm int64, deadlines []*time.Duration, lifetimes []*lifetime) {
	if ppm != p.clock.ppm {
		p.drifted = w.now
		w.trace(p, "clock gains %d ppm", ppm)
	}
	old := p.clock
	p.clock.set(w.now, ppm)
	for _, d := range deadlines {
		if *d != 0 {
			*d = p.clock.when(old.read(*d))
		}
	}
	for _, l := range lifetimes {
		if l.ends != 0 {
			l.expires = p.clock.when(l.ends)
		}
	}
}

// calmRate is the rate of a clock in a calm: as it was, if that is usual.
func (w *world) calmRate(p *process) int64 {
	if ppm := p.clock.ppm; ppm >= -usualPPM && ppm <= usualPPM {
		return ppm
	}
	return usualDrift(w.rng)
}

// faultRate is that of a clock that is wrong.
func (w *world) faultRate() int64 { return w.rng.Int64N(2*faultPPM+1) - faultPPM }

// slowest is the rate of the slowest clock, if that is slow.
func (w *world) slowest() int64 {
	slow := int64(0)
	for _, p := range w.processes {
		slow = min(slow, p.clock.ppm)
	}
	return slow
}

// pending is the time for which adverts are still on their way.
func (w *world) pending() time.Duration {
	last := time.Duration(0)
	for _, d := range w.wire {
		last = max(last, d.at-w.now)
	}
	return last
}

// upTo draws a time below d.
func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) }

// flow counts copies of adverts.
type flow struct{ sent, lost, arrived uint64 }

// carry puts an advert on a LAN, as often as it will arrive.
func (w *world) carry(l *lan, d delivery) {
	if l.cut[d.from][d.to] || l.loss > 0 && w.rng.Float64() < l.loss {
		w.flow.lost++
		return
	}
	copies := 1
	if l.duplicate > 0 && w.rng.Float64() < l.duplicate {
		copies = 2
	}
	for range copies {
		w.order++
		w.flow.sent++
		d.order, d.at = w.order, l.arrival(w.rng, w.now, int(d.from), int(d.to))
		w.wire.push(d)
	}
}

// violate records the first violation; the run ends with it.
func (w *world) violate(format string, args ...any) {
	if w.violation == nil {
		w.violation = fmt.Errorf("at %s: "+format, append([]any{w.now}, args...)...)
		if w.tracing {
			w.lines = append(w.lines, w.violation.Error())
		}
	}
}

// trace writes one line, when the run is repeated for its trace.
func (w *world) trace(p *process, format string, args ...any) {
	if !w.tracing {
		return
	}
	name := "--"
	if p != nil {
		name = p.name
	}
	w.lines = append(w.lines, fmt.Sprintf("%14.6f %s %s", w.now.Seconds(), name, fmt.Sprintf(format, args...)))
}

// verdict is the result of a run. When there is a violation, the run is repeated
// for its trace.
func (w *world) verdict(seed uint64, repeat func(tracing bool) *world) (Report, error) {
	if w.violation == nil {
		return w.report, nil
	}
	again := repeat(true)
	v := &Violation{Seed: seed, What: w.violation, At: w.now, Trace: readable(again.lines)}
	if again.violation == nil || again.violation.Error() != w.violation.Error() {
		v.What = errors.Join(w.violation, errors.New("the repetition did not show it: the run is not deterministic"))
	}
	return w.report, v
}
