package why

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/discovery"
)

// pool explains a virtual server.
func pool(s control.Snapshot, p control.Pool, events []control.Event) Explanation {
	serving, weight := 0, 0
	for _, m := range p.Servers {
		if m.Weight > 0 {
			serving, weight = serving+1, weight+m.Weight
		}
	}
	e := Explanation{
		Object: "virtual server " + p.Name,
		Text:   fmt.Sprintf("(%s) sends new connections to %d of %d real servers, weight %d in all", p.Service, serving, len(p.Servers), weight),
	}
	switch p.Answers {
	case discovery.ThePool:
	case discovery.TheFallback:
		e.Text = fmt.Sprintf("(%s) is served by its fallback %s", p.Service, p.Fallback.Name)
	case discovery.TheSorry:
		e.Text = fmt.Sprintf("(%s) is served by its sorry server", p.Service)
	}
	if p.QuorumLost {
		e.because("its healthy real servers weigh less than its quorum")
	}
	if p.Hold != "" {
		e.because("it is frozen as it is by %s", p.Hold)
	}
	if p.Held != "" {
		e.because("it is held: %s", p.Held)
	}
	if p.Panic {
		e.because("it is in panic: so few real servers are healthy that all are used")
	}
	for _, q := range p.Waiting {
		e.because("the first answer to %s is still waited for", q)
	}
	if p.Stale {
		e.because("its catalog is the last known good one, from before the start")
	}
	for _, w := range p.Warnings {
		e.because("%s", w)
	}
	for _, m := range members(p) {
		c := e.because("%s is %s, weight %d: %s", title(m), m.State, m.Weight, m.Reason)
		c.Because = causes(s, p, m)
	}
	e.last(s, events, func(ev control.Event) bool {
		return ev.Object == p.Name && slices.Contains([]string{"pool", "held"}, ev.Kind)
	})
	return e
}

// title names a real server.
func title(m control.PoolServer) string {
	name := m.Addr.String()
	if m.ID != "" {
		name = m.ID + " (" + name + ")"
	}
	return name
}

// realServer explains a real server of a virtual server.
func realServer(s control.Snapshot, p control.Pool, m control.PoolServer, events []control.Event) Explanation {
	e := Explanation{
		Object: fmt.Sprintf("real server %s of %s", title(m), p.Name),
		Text:   fmt.Sprintf("%s: %s", verdict(m), m.Reason),
	}
	e.Because = causes(s, p, m)
	e.last(s, events, func(ev control.Event) bool {
		return ev.Kind == "server" && ev.Object == p.Name+" "+m.Addr.String()
	})
	return e
}

// verdict says what a state means for clients.
func verdict(m control.PoolServer) string {
	switch m.State {
	case discovery.Serving:
		return fmt.Sprintf("serves with weight %d", m.Weight)
	case discovery.Entering:
		return "is not in the pool yet"
	case discovery.Failed:
		if m.Kernel == nil {
			return "has failed and is out of the pool"
		}
		return "has failed and gets no new connections (weight 0)"
	case discovery.Drained:
		return "is drained (weight 0): its connections go on, it gets no new ones"
	case discovery.Leaving:
		return "leaves the pool when its connections have ended"
	case discovery.HeldBack:
		return fmt.Sprintf("should leave, and is held with weight %d", m.Weight)
	case discovery.Kept:
		return fmt.Sprintf("is kept as it was found, with weight %d", m.Weight)
	case discovery.Unusable:
		return "cannot be in the pool"
	case discovery.Standby:
		return "stands by"
	}
	return m.State.String()
}

// causes is what the verdict on a real server was made of.
func causes(s control.Snapshot, p control.Pool, m control.PoolServer) []Explanation {
	var e Explanation
	switch {
	case m.Source == discovery.Static.String():
		e.because("it is written in the configuration (%s)", s.Config.Path)
	case m.Catalog == "gone":
		e.because("the %s catalog does not list it any more", m.Source)
	default:
		c := e.because("the %s catalog says %s of service %s on node %s", m.Source, m.Catalog, cmp.Or(m.Service, "?"), cmp.Or(m.Node, "?"))
		c.Because = source(s, m)
	}
	for _, c := range m.Checks {
		what := fmt.Sprintf("the %s check of %s says %s", c.Type, c.Target, c.Health)
		if c.Reason != "" {
			what += ": " + c.Reason
		}
		x := e.because("%s", what)
		if c.Blocked != "" {
			x.because("attempts cannot be made on this host: %s", c.Blocked)
		}
		if c.Warning != "" {
			x.because("it warns: %s", c.Warning)
		}
	}
	if len(m.Checks) == 0 {
		e.because("no check of our own looks at it")
	}
	e.because("its weight, when it serves, is %d, from %s", m.Configured, m.WeightFrom)
	if m.SlowStart != nil {
		e.because("it is starting slowly: %.0f %% of its weight now, all of it in %s", m.SlowStart.Share*100, age(m.SlowStart.Full, s.At))
	}
	switch k := m.Kernel; {
	case k == nil && s.IPVS.Error != "":
		e.because("it is not in the kernel's table, which could not be written: %s", s.IPVS.Error)
	case k == nil:
		e.because("it is not in the kernel's table")
	case int(k.Weight) != m.Weight:
		e.because("the kernel's table still has it with weight %d, %d active connections", k.Weight, k.Active)
	default:
		e.because("the kernel's table has it with weight %d, %d active connections", k.Weight, k.Active)
	}
	for _, d := range s.IPVS.Draining {
		if d.Server == m.Addr.String() && d.Service == p.Service {
			e.because("it has drained for %s and is removed with its last connection, in %s at the latest", age(s.At, d.Since), age(d.Until, s.At))
		}
	}
	return e.Because
}

// source tells how fresh the catalog's word is.
func source(s control.Snapshot, m control.PoolServer) []Explanation {
	var e Explanation
	for _, src := range s.Sources {
		if src.Source != m.Source || !strings.HasPrefix(src.Query+" ", m.Source+" service "+m.Service+" ") {
			continue
		}
		switch {
		case src.Error != "":
			e.because("%s fails, and its last good answer stands: %s", src.Query, src.Error)
		case src.Stale:
			e.because("%s was last answered before the start", src.Query)
		case src.Answered != nil:
			e.because("%s was answered %s ago, index %d", src.Query, age(s.At, *src.Answered), src.Index)
		}
	}
	return e.Because
}
