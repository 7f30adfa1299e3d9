package consul

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// SerfHealth is the check that every node with an agent has: the other agents
// can reach it.
const SerfHealth = "serfHealth"

// judgeSelected judges by the checks that q is about. Maintenance always counts,
// for it is somebody's order. So does serfHealth until it is ignored: the checks
// of a node that is gone keep saying what they said last.
func judgeSelected(q discovery.Query, checks api.HealthChecks) (discovery.State, string) {
	if q.Checks == "" && q.Ignore == "" {
		return judge(checks)
	}
	wanted, ignored := discovery.Split(q.Checks), discovery.Split(q.Ignore)
	var counting api.HealthChecks
	found := false
	for _, c := range checks {
		switch {
		case c == nil:
		case maintenance(c):
			counting = append(counting, c)
		case slices.ContainsFunc(ignored, func(w string) bool { return calls(w, c) }):
		case slices.ContainsFunc(wanted, func(w string) bool { return calls(w, c) }):
			counting, found = append(counting, c), true
		case len(wanted) == 0 || c.CheckID == SerfHealth:
			counting = append(counting, c)
		}
	}
	state, reason := judge(counting)
	if len(wanted) > 0 && !found && state < discovery.Critical {
		// Nobody vouches for it: a check that was renamed must not make it healthy.
		return discovery.Critical, "it has none of the checks " + strings.Join(wanted, ", ")
	}
	return state, reason
}

// calls reports whether a word of the checks or ignore_checks argument means c:
// its id, its name, or type:tcp and the like.
func calls(word string, c *api.HealthCheck) bool {
	return word == c.CheckID || word == c.Name || c.Type != "" && word == "type:"+c.Type
}

// judge gives the worst state of the checks and what made it; of equally bad
// ones the first by id. It agrees with [api.HealthChecks.AggregatedStatus] but
// for a status that Consul does not have, which is critical here.
func judge(checks api.HealthChecks) (discovery.State, string) {
	state, id, reason := discovery.Passing, "", ""
	for _, c := range checks {
		if c == nil {
			continue
		}
		s := checkState(c)
		if s < state || s == discovery.Passing || (s == state && id <= c.CheckID) {
			continue
		}
		text := line(c.Output)
		if s == discovery.Maintenance && text == "" {
			text = line(c.Notes)
		}
		state, id, reason = s, c.CheckID, "check "+line(cmp.Or(c.Name, c.CheckID))
		switch {
		case text != "":
			reason += ": " + text
		case unrun(c):
			reason += " has not run yet"
		}
	}
	return state, reason
}

// unrun reports whether a check has not run since it was registered or its agent
// was started: Consul has it critical until then (agent.loadChecks). A result of
// these types has an output, whatever it is.
func unrun(c *api.HealthCheck) bool {
	if c == nil || c.Status != api.HealthCritical || c.Output != "" {
		return false
	}
	switch c.Type {
	case "http", "tcp", "grpc", "h2ping":
		return true
	}
	return false
}

// asIfPassed gives the checks with those that have not run yet as passing.
func asIfPassed(checks api.HealthChecks) api.HealthChecks {
	out := slices.Clone(checks)
	for i, c := range out {
		if unrun(c) {
			passed := *c
			passed.Status = api.HealthPassing
			out[i] = &passed
		}
	}
	return out
}

func checkState(c *api.HealthCheck) discovery.State {
	if maintenance(c) {
		return discovery.Maintenance
	}
	switch c.Status {
	case api.HealthPassing:
		return discovery.Passing
	case api.HealthWarning:
		return discovery.Warning
	}
	return discovery.Critical
}

func maintenance(c *api.HealthCheck) bool {
	return c.CheckID == api.NodeMaint || strings.HasPrefix(c.CheckID, api.ServiceMaintPrefix)
}
