package agent

import (
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// due knows which virtual servers are to be decided anew. Merge is a function of
// a specification, of what is known and of the decision before: where none of
// these has changed, and time alone changes nothing, the decision stands. With a
// thousand pools, a change of one costs as much as with one.
type due struct {
	all     bool
	names   map[string]bool              // of the virtual servers
	watched map[discovery.Check][]string // who has the check
}

func (d *due) mark(name string) {
	if d.names == nil {
		d.names = map[string]bool{}
	}
	d.names[name] = true
}

// answered is called when more is known about a query.
func (d *due) answered(specs []discovery.Spec, q discovery.Query) {
	for _, spec := range specs {
		if slices.ContainsFunc(spec.AllSelectors(), func(s discovery.Selector) bool { return slices.Contains(s.Queries(), q) }) {
			d.mark(spec.Name)
		}
	}
}

// checked is called when a check has a new verdict.
func (d *due) checked(c discovery.Check) {
	for _, name := range d.watched[c] {
		d.mark(name)
	}
}

// overridden is called when the live settings have changed.
func (d *due) overridden(before, now discovery.Overrides) {
	names, all := now.Affects(before)
	d.all = d.all || all
	for _, name := range names {
		d.mark(name)
	}
}

// review is called at intervals. A real server that has left is listed once, and
// gone from the decision after.
func (d *due) review(decisions []discovery.Decision) {
	leaving := func(s discovery.ServerStatus) bool { return s.State == discovery.Leaving }
	for i := range decisions {
		dec := &decisions[i]
		if slices.ContainsFunc(dec.Servers, leaving) || slices.ContainsFunc(dec.Fallback, leaving) {
			d.mark(dec.Spec.Name)
		}
	}
}

// take reports whether a virtual server is to be decided now. Next is when time
// alone makes the decision another one; zero: never.
func (d *due) take(name string, next, now time.Time) bool {
	return d.all || d.names[name] || !next.IsZero() && !next.After(now)
}

// done is called when everything that was due has been decided.
func (d *due) done() { d.all, d.names = false, nil }

// watch notes who has which check.
func (d *due) watch(decisions []discovery.Decision) {
	d.watched = make(map[discovery.Check][]string, len(d.watched))
	for i := range decisions {
		dec := &decisions[i]
		for c := range dec.Checks {
			d.watched[c] = append(d.watched[c], dec.Spec.Name)
		}
	}
}
