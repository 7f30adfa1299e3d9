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
	all    bool
	names  map[string]bool          // of the virtual servers
	places map[string]int           // of all virtual servers, in the configuration
	checks map[discovery.Check]bool // with new verdicts; who has them is due
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
	if d.checks == nil {
		d.checks = map[discovery.Check]bool{}
	}
	d.checks[c] = true
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
	leaving := func(s discovery.Judged) bool { return s.State == discovery.Leaving }
	for i := range decisions {
		dec := &decisions[i]
		if slices.ContainsFunc(dec.Servers, leaving) || slices.ContainsFunc(dec.Fallback, leaving) {
			d.mark(dec.Spec.Name)
		}
	}
}

// arrange is called when the configuration has other virtual servers.
func (d *due) arrange(specs []discovery.Spec) {
	d.places = make(map[string]int, len(specs))
	for i := range specs {
		d.places[specs[i].Name] = i
	}
}

// take lists the places of the virtual servers that are to be decided now.
func (d *due) take(decisions []discovery.Decision, now time.Time) (out []int) {
	marked := make([]bool, len(decisions))
	for name := range d.names {
		if i, ok := d.places[name]; ok {
			marked[i] = true
		}
	}
	for i := range decisions {
		was := &decisions[i]
		if d.all || marked[i] || !was.Next.IsZero() && !was.Next.After(now) || len(d.checks) > 0 && d.judges(was) {
			out = append(out, i)
		}
	}
	return out
}

// judges reports whether one of the decision's checks has a new verdict. An index of
// who has which check would be as much memory as the checks.
func (d *due) judges(was *discovery.Decision) bool {
	for c := range was.Checks() {
		if d.checks[c] {
			return true
		}
	}
	return false
}

// done is called when everything that was due has been decided.
func (d *due) done() { d.all, d.names, d.checks = false, nil, nil }
