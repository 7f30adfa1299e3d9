package agent

import (
	"fmt"
	"maps"
	"slices"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/track"
)

// deriveTrackers gives the trackers their verdict that follow from what the
// director knows: its pools, and Consul's answers. It is called after each
// decision.
func (a *agent) deriveTrackers() {
	for _, name := range slices.Sorted(maps.Keys(a.trackers)) {
		t := a.trackers[name]
		var v track.Verdict
		switch {
		case t.cfg.VirtualServer != "":
			v = a.serverVerdict(t.cfg.VirtualServer, t.verdict)
		case t.cfg.Consul != nil:
			k, ok := a.known[t.cfg.Consul.Query]
			v = consulVerdict(t.cfg.Consul, k, ok, t.verdict)
		default:
			continue
		}
		if v != t.verdict {
			a.tracked(t, v)
		}
	}
}

// serverVerdict says whether a virtual server has its quorum. While a catalog has
// never answered, or real servers wait for their first verdict, a pool below its
// quorum is not known to be that.
func (a *agent) serverVerdict(name string, was track.Verdict) track.Verdict {
	i := slices.IndexFunc(a.decisions, func(d discovery.Decision) bool { return d.Spec.Name == name })
	if i < 0 {
		return was
	}
	d := a.decisions[i]
	entering := slices.ContainsFunc(d.Servers, func(s discovery.Judged) bool { return s.State == discovery.Entering })
	switch {
	case !d.QuorumLost:
		return track.Verdict{Result: vrrp.TrackResult{State: vrrp.TrackUp}, Reason: "the pool has its quorum"}
	case was.Result.State == vrrp.TrackUnknown && len(d.Waiting) > 0:
		was.Reason = "waits for the first answer to " + queryName(d.Waiting[0])
		return was
	case was.Result.State == vrrp.TrackUnknown && entering:
		was.Reason = "waits for the first verdict on its real servers"
		return was
	}
	return track.Verdict{Result: vrrp.TrackResult{State: vrrp.TrackDown}, Reason: fmt.Sprintf("the weight of the real servers that serve is below quorum (%d)", d.Spec.Quorum)}
}

// consulVerdict says whether a service or a check passes. What was known before
// a restart is no verdict, and an error keeps the one there is.
func consulVerdict(t *config.TrackConsul, k discovery.Known, ok bool, was track.Verdict) track.Verdict {
	if !ok || k.Stale {
		was.Reason = "Consul has not answered yet"
		return was
	}
	passing := func(in discovery.Instance) bool {
		return in.State == discovery.Passing || in.State == discovery.Warning && t.AllowWarning
	}
	down := func(format string, args ...any) track.Verdict {
		return track.Verdict{Result: vrrp.TrackResult{State: vrrp.TrackDown}, Reason: fmt.Sprintf(format, args...)}
	}
	if t.Check != "" {
		found := false
		for _, in := range k.Instances {
			if in.ID != t.Check && in.Service != t.Check {
				continue
			}
			if found = true; !passing(in) {
				return down("%s: %s", in.State, in.Reason)
			}
		}
		if !found {
			return down("node %s has no check %q", t.Node, t.Check)
		}
		return track.Verdict{Result: vrrp.TrackResult{State: vrrp.TrackUp}, Reason: "the check passes"}
	}
	n, all, why := 0, 0, ""
	for _, in := range k.Instances {
		tagged := !slices.ContainsFunc(t.Tags, func(tag string) bool { return !slices.Contains(in.Tags, tag) })
		if !tagged || t.Node != "" && in.Node != t.Node {
			continue
		}
		if all++; passing(in) {
			n++
		} else if why == "" {
			why = fmt.Sprintf("; %s on %s is %s: %s", in.ID, in.Node, in.State, in.Reason)
		}
	}
	if n < t.Passing {
		return down("%d of %d instances pass, %d needed%s", n, all, t.Passing, why)
	}
	return track.Verdict{Result: vrrp.TrackResult{State: vrrp.TrackUp}, Reason: fmt.Sprintf("enough instances pass, %d needed", t.Passing)}
}
