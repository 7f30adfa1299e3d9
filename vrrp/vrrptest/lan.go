package vrrptest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// lan is what carries adverts between routers.
type lan struct {
	cut       [maxRouters][maxRouters]bool // cut[a][b]: what a sends does not reach b
	loss      float64                      // probability, per receiver
	duplicate float64
	delayMin  time.Duration
	delayMax  time.Duration
	changed   time.Duration // when it last became what it is
	whole     bool          // as heal leaves it: soon, in order, nothing lost
	last      [maxRouters][maxRouters]time.Duration
}

// perfect reports whether every advert from a reaches b once and soon.
func (l *lan) perfect(a, b int) bool { return l.loss == 0 && !l.cut[a][b] }

// cuts lists the cut cables: r1>r2.
func (l *lan) cuts() (list []string) {
	for a, row := range l.cut {
		for b, cut := range row {
			if cut && a != b {
				list = append(list, fmt.Sprintf("r%d>r%d", a+1, b+1))
			}
		}
	}
	return list
}

// heal mends everything.
func (l *lan) heal(now, delay time.Duration) {
	*l = lan{delayMin: delay / 2, delayMax: delay, changed: now, whole: true}
}

// storm makes it worse than it is.
func (l *lan) storm(rng *rand.Rand, now, interval time.Duration, routers int) {
	l.changed, l.whole = now, false
	switch rng.IntN(6) {
	case 0:
		l.loss = rng.Float64()
	case 1:
		l.duplicate = rng.Float64() / 2
	case 2: // reordering, up to two intervals
		l.delayMin = 0
		l.delayMax = time.Duration(rng.Int64N(int64(2 * interval)))
	case 3: // one cable, one direction
		l.cut[rng.IntN(routers)][rng.IntN(routers)] = true
	case 4: // one router alone
		a := rng.IntN(routers)
		for b := range routers {
			l.cut[a][b], l.cut[b][a] = true, true
		}
	case 5: // two halves
		side := rng.Uint32()
		for a := range routers {
			for b := range routers {
				l.cut[a][b] = side>>a&1 != side>>b&1
			}
		}
	}
}

// hears reports whether r takes what from sends, as vrrp.Codec.Decode decides
// (TestHears holds the two together): the version, in version 2 the interval,
// and the mode must be the same, and with unicast the sender a peer.
func (r *router) hears(from *router) bool {
	a, b := &r.cfg, &from.cfg
	return a.Version == b.Version && (a.Version == vrrp.V3 || a.Interval == b.Interval) &&
		(r.peers == 0) == (from.peers == 0) &&
		(r.peers == 0 || r.peers>>from.id&1 != 0 && from.peers>>r.id&1 != 0)
}

// send is an advert of r's own.
func (s *sim) send(r *router, priority uint8, decided time.Duration) {
	if r.resigned = priority == vrrp.PriorityResign; !r.resigned {
		if r.master && !r.foreign {
			s.checkLate(r, decided)
		}
		r.replacedAfter = r.cfg.ReplacedAfter()
		r.seq++
	}
	r.sentLocal = decided // also of a handover, which waits for an answer
	s.put(r, priority)
}

// put puts an advert that comes from r's host on the LAN.
func (s *sim) put(r *router, priority uint8) {
	s.report.Adverts++
	interval := r.cfg.Interval
	if s.opt.Flaw == FlawInterval {
		interval *= 2
	}
	for to, peer := range s.routers {
		if peer == r || r.peers != 0 && r.peers>>to&1 == 0 {
			continue
		}
		s.carry(&s.lan, delivery{
			seq: r.seq, interval: interval,
			from: uint8(r.id), to: uint8(to), priority: priority, version: r.cfg.Version, unicast: r.peers != 0,
		})
	}
}

// deliver hands an advert to a router's socket.
func (s *sim) deliver(d *delivery) {
	r := s.routers[d.to]
	switch {
	case !r.alive() || r.failed || d.version != r.cfg.Version || d.version == vrrp.V2 && d.interval != r.cfg.Interval,
		d.unicast != (r.peers != 0), d.unicast && r.peers>>d.from&1 == 0:
	case r.stopped:
		if len(r.inbox) < inboxLen {
			r.inbox = append(r.inbox, *d)
		}
	default:
		s.timeoutBefore(r)
		if r.running() {
			s.receive(r, d)
		}
	}
}

// timeoutBefore serves a timer that is due at the very moment an advert arrives,
// before or after the advert.
func (s *sim) timeoutBefore(r *router) {
	if r.deadline == s.now && s.rng.IntN(2) == 0 {
		s.timeout(r)
	}
}

// arrival draws when an advert that from sends now reaches to.
func (l *lan) arrival(rng *rand.Rand, now time.Duration, from, to int) time.Duration {
	at := now + l.delay(rng)
	if l.whole {
		at = max(at, l.last[from][to])
		l.last[from][to] = at
	}
	return at
}

// delay draws the time one advert is on its way.
func (l *lan) delay(rng *rand.Rand) time.Duration {
	if l.delayMax <= l.delayMin {
		return l.delayMin
	}
	return l.delayMin + time.Duration(rng.Int64N(int64(l.delayMax-l.delayMin)))
}
