package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/site"
	"github.com/edgekeeper/edgekeeper/test/lab/traffic"
)

// nomadPhase is a part of the scenario under traffic. One begins where the one
// before has ended, so that each request belongs to one.
type nomadPhase struct {
	name     string
	from, to time.Time
	moves    int  // how often the address is to move from one director to the other
	ends     bool // and whether nobody is to have it then
}

// patience is how long the client waits for an answer. Web servers, agents of
// Nomad and Consul, and their tasks share the processors of one machine here, so
// an answer can be late where no packet was lost; a SYN that had to be sent
// again, after a second, is counted as a lost request whatever came then.
const patience = 5 * time.Second

func (c *cluster) startLoad(rate float64) {
	c.StartPatientLoad(rate, patience)
	var err error
	c.use, err = site.Machine()
	c.t.OK(err)
}

// phase is a part under traffic that must lose no request but those that are
// under way when the address moves, as often as it is to move.
func (c *cluster) phase(name string, moves int, fn func()) {
	c.part(nomadPhase{name: name, moves: moves}, fn)
}

func (c *cluster) part(p nomadPhase, fn func()) {
	p.from = time.Now()
	if n := len(c.phases); n > 0 {
		p.from = c.phases[n-1].to
	}
	c.t.Phase(p.name, fn)
	p.to = time.Now()
	c.phases = append(c.phases, p)
	use, err := site.Machine()
	c.t.OK(err)
	c.t.Logf("machine: %s", use.Since(c.use))
	c.use = use
}

// movement is from when the address is on no director any more until the client
// has heard of the new one; got is when that one had it.
type movement struct{ from, got, to time.Time }

// addressSample is how often the sampler asks, and its moments are no better.
const addressSample = 50 * time.Millisecond

// movements are those of the sampler, and the moment from which on nobody had
// the address.
func (c *cluster) movements() (list []movement, over time.Time) {
	const heard = 250 * time.Millisecond
	changes := c.Sampler.Changes()
	slices.SortStableFunc(changes, func(a, b site.Change) int { // of one sample, the one that lets go first
		switch {
		case !a.At.Equal(b.At) || a.Holds == b.Holds:
			return a.At.Compare(b.At)
		case a.Holds:
			return 1
		}
		return -1
	})
	for _, change := range changes {
		switch {
		case !change.Holds:
			over = change.At.Add(-addressSample)
		case !over.IsZero():
			list = append(list, movement{over, change.At, change.At.Add(heard)})
			over = time.Time{}
		}
	}
	return list, over
}

// lost reports whether a request got no answer, or none to its first segment.
func lost(r traffic.Result) bool { return r.Outcome != traffic.OK || r.Again > 0 }

// during reports whether a request was under way in a movement.
func (m movement) during(r traffic.Result) bool {
	return r.Sent.Before(m.to) && r.Sent.Add(r.Latency).After(m.from)
}

// judge counts what each phase has lost.
func (c *cluster) judge() {
	c.StopLoad()
	moves, over := c.movements()
	var all strings.Builder
	for _, p := range c.phases {
		// A phase may end when the address is there, and the client hears of it in the next.
		moved := 0
		for _, m := range moves {
			if !m.got.Before(p.from) && m.got.Before(p.to) {
				moved++
			}
		}
		if moved != p.moves && !p.ends {
			c.t.Errorf("%s: the address moved %d times, was to move %d times", p.name, moved, p.moves)
		}
		w := c.Load.Window(p.from, p.to)
		var plain, moving, after, late int
		for _, r := range w {
			why := ""
			switch {
			case !lost(r):
				if r.Latency > time.Second {
					late++
				}
				continue
			case p.ends && r.Sent.Add(r.Latency).After(over):
				after++
				continue
			case (p.ends || moved <= p.moves) && slices.ContainsFunc(moves, func(m movement) bool { return m.during(r) }):
				moving++
				why = " (the address moved)"
			default:
				plain++
			}
			fmt.Fprintf(&all, "%s %s: %s after %s, server %q, port %d, %d segments sent again%s\n", r.Sent.Format("15:04:05.000"), p.name, r.Outcome, ms(r.Latency), r.Server, r.Port, r.Again, why)
		}
		_, highest := w.Latency()
		sum := fmt.Sprintf("%d of %d", plain, len(w))
		if p.moves > 0 {
			sum += fmt.Sprintf(", and %d while the address moved", moving)
		}
		if after > 0 {
			sum += fmt.Sprintf(", and %d after both directors had stopped", after)
		}
		c.t.Measure("lost: "+p.name, "%s; %d answers later than 1 s, longest wait %s", sum, late, ms(highest))
		if plain > 0 {
			c.t.Errorf("%d requests were lost: %s: %s", plain, p.name, w)
		}
	}
	c.t.File("lost.txt", all.String())
}
