// Package scenario runs the lab's scenarios: what a scenario is, the verbs it
// is written in, and the runner.
//
// A scenario is a function of T, registered under a name from an init function
// of its file in package scenarios. Each runs alone, on a fresh site, with a
// time limit. Verbs end the scenario when they fail; T.Errorf does not.
package scenario

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// Need is a program that not every machine has.
type Need int

// The programs a scenario can need. The runner fails a scenario whose program
// could be neither found nor built.
const (
	Edgekeeper Need = iota
	Keepalived
	Consul
	Nomad
	// NextEdgekeeper is edgekeeper of the tree as another release.
	NextEdgekeeper
)

// String returns the program's name.
func (n Need) String() string {
	switch n {
	case Edgekeeper:
		return "edgekeeper"
	case Keepalived:
		return "keepalived"
	case Consul:
		return "consul"
	case Nomad:
		return "nomad"
	case NextEdgekeeper:
		return "edgekeeper_next"
	}
	return fmt.Sprintf("need(%d)", int(n))
}

// Variable is the environment variable that carries the program's path into
// the process that runs scenarios; "!" and a text instead says why there is none.
func (n Need) Variable() string { return "LAB_" + strings.ToUpper(n.String()) }

// Scenario is one run of the lab with a verdict.
type Scenario struct {
	Name  string
	Doc   string        // what it shows, in one line
	Needs []Need        // programs
	Limit time.Duration // default 2 minutes
	Extra bool          // not part of a run of all: only by name
	Run   func(t *T)
}

// DefaultLimit is how long a scenario may take when it does not say.
const DefaultLimit = 2 * time.Minute

var registered []Scenario

// Register adds a scenario. It is for init functions; a second one of the same
// name is a mistake and panics.
func Register(s Scenario) {
	for _, r := range registered {
		if r.Name == s.Name {
			panic("two scenarios are named " + s.Name)
		}
	}
	if s.Limit == 0 {
		s.Limit = DefaultLimit
	}
	registered = append(registered, s)
}

// All returns the scenarios in the order of their names.
func All() []Scenario {
	list := slices.Clone(registered)
	slices.SortFunc(list, func(a, b Scenario) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Match returns the scenarios that match any of the patterns (path.Match), all
// but the Extra ones when there is no pattern. A pattern that matches nothing
// is an error.
func Match(patterns []string) ([]Scenario, error) {
	all := All()
	if len(patterns) == 0 {
		return slices.DeleteFunc(all, func(s Scenario) bool { return s.Extra }), nil
	}
	chosen := make(map[string]bool)
	for _, p := range patterns {
		found := false
		for _, s := range all {
			ok, err := path.Match(p, s.Name)
			if err != nil {
				return nil, fmt.Errorf("match %q: %w", p, err)
			}
			if ok {
				chosen[s.Name], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("no scenario matches %q; lab list shows them", p)
		}
	}
	return slices.DeleteFunc(all, func(s Scenario) bool { return !chosen[s.Name] }), nil
}
