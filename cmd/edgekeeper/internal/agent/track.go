package agent

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/notify"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/track"
)

// tracker is something that virtual routers depend on. The loop owns it; what
// watches is beside the loop, and no virtual router waits for either.
type tracker struct {
	cfg     config.Tracker
	stop    context.CancelFunc // nil: it follows from what the director knows anyway
	verdict track.Verdict
	since   time.Time // when the result became what it is
	changes uint64
}

// sourceOf makes what watches; nil for what the director knows anyway.
func sourceOf(t config.Tracker, log *slog.Logger) track.Source {
	switch {
	case t.Script != nil:
		s := t.Script
		return track.Script{
			Command: s.Command, Interval: s.Interval, Timeout: s.Timeout, Rise: s.Rise, Fall: s.Fall,
			User: s.User, InitFail: s.InitFail, Log: log.With("tracker", t.Name),
		}
	case t.File != nil:
		return track.File{Path: t.File.Path, Missing: t.File.Missing, Create: t.File.Create, Log: log.With("tracker", t.Name)}
	case t.Process != nil:
		p := t.Process
		return track.Process{
			Name: p.Process, Arguments: p.Arguments, Match: argumentMatches[p.Match], Quorum: p.Quorum, QuorumMax: p.QuorumMax,
			Delay: track.Delay{Up: p.UpDelay, Down: p.DownDelay}, Interval: p.Interval, Log: log.With("tracker", t.Name),
		}
	case t.Interface != nil:
		i := t.Interface
		return track.Interface{Name: i.Name, Delay: track.Delay{Up: i.UpDelay, Down: i.DownDelay}, Log: log.With("tracker", t.Name)}
	}
	return nil
}

var argumentMatches = map[string]track.ArgumentMatch{"exact": track.MatchExact, "initial": track.MatchInitial, "partial": track.MatchPartial}

// setTrackers makes the trackers those of the configuration. One that is as it
// was goes on; of one that differs the last verdict stands until it speaks. The
// state of those that are new is first: TrackPending at the start of the
// director, when a router can wait, and TrackUnknown when routers are running.
func (a *agent) setTrackers(want []config.Tracker, first vrrp.TrackState) {
	next := make(map[string]*tracker, len(want))
	for _, w := range want {
		old := a.trackers[w.Name]
		if old != nil && reflect.DeepEqual(old.cfg, w) {
			next[w.Name] = old
			continue
		}
		t := &tracker{cfg: w, since: time.Now()}
		next[w.Name] = t
		source := sourceOf(w, a.log)
		if source != nil {
			t.verdict = track.Verdict{Result: vrrp.TrackResult{State: first}, Reason: "no verdict yet"}
		}
		if old != nil {
			t.verdict, t.since, t.changes = old.verdict, old.since, old.changes
		}
		if source != nil {
			ctx, stop := context.WithCancel(a.work)
			t.stop = stop
			a.running.Go(func() {
				_ = source.Run(ctx, func(v track.Verdict) { // returns nil
					a.post(ctx, func() {
						if ctx.Err() == nil {
							a.tracked(t, v)
						}
					})
				})
			})
		}
	}
	for name, t := range a.trackers {
		if next[name] != t && t.stop != nil {
			t.stop()
		}
	}
	a.trackers = next
}

// tracked takes a verdict.
func (a *agent) tracked(t *tracker, v track.Verdict) {
	was := t.verdict
	t.verdict = v
	if was.Result != v.Result {
		t.since = time.Now()
		t.changes++
		a.event("track", t.cfg.Name, resultWord(v.Result)+": "+v.Reason)
		a.tellTracker(t.cfg.Name, was, v)
	}
	a.routers.priorities()
}

// resultWord is up, down, unknown, pending, or the number.
func resultWord(r vrrp.TrackResult) string {
	if r.Numeric {
		return strconv.Itoa(r.Value)
	}
	return r.State.String()
}

// tellTracker tells that a verdict changed. That a tracker is up, or its number
// 0, when it was not known before goes without saying.
func (a *agent) tellTracker(name string, was, now track.Verdict) {
	known := was.Result.State == vrrp.TrackUp || was.Result.State == vrrp.TrackDown
	if !known && now.Result.State == vrrp.TrackUp && now.Result.Value == 0 {
		return
	}
	e := notify.Event{Kind: notify.Track, Object: name, State: trackWord(now.Result), Reason: now.Reason}
	if known {
		e.Previous = trackWord(was.Result)
	}
	a.tell(e)
}

// trackWord is what targets are told: UP, DOWN, or the number.
func trackWord(r vrrp.TrackResult) string {
	switch {
	case r.Numeric:
		return strconv.Itoa(r.Value)
	case r.State == vrrp.TrackUp:
		return "UP"
	}
	return "DOWN"
}

// effects sums up what the trackers do to a router: shifts of its priority, in
// words too, and faults by name.
func (a *agent) effects(tracks []config.Track) (shifts []int, words string, faults map[string]string) {
	faults = map[string]string{}
	for _, u := range tracks {
		t := a.trackers[u.Tracker]
		if t == nil {
			continue // of a configuration that is being taken
		}
		e := u.Use.Effect(t.verdict.Result)
		if e.Fault {
			faults[u.Tracker] = fmt.Sprintf("%s is %s: %s", u.Tracker, resultWord(t.verdict.Result), t.verdict.Reason)
		}
		if e.Shift != 0 {
			shifts = append(shifts, e.Shift)
			words += fmt.Sprintf(", %s %+d", u.Tracker, e.Shift)
		}
	}
	return shifts, words, faults
}

// setFaults tells the runner of the faults that came, went or changed.
func (x *router) setFaults(faults map[string]string) {
	for name, why := range faults {
		if x.faults[name] != why {
			x.runner.SetFault(name, why)
		}
	}
	for name := range x.faults {
		if _, still := faults[name]; !still {
			x.runner.SetFault(name, "")
		}
	}
	x.faults = faults
}

// trackStatus renders the use of trackers by a router.
func (a *agent) trackStatus(tracks []config.Track) []control.Track {
	var out []control.Track
	for _, u := range tracks {
		t := a.trackers[u.Tracker]
		if t == nil {
			continue
		}
		e := u.Use.Effect(t.verdict.Result)
		out = append(out, control.Track{
			Tracker: u.Tracker, State: t.verdict.Result.State.String(), Weight: u.Use.Weight, Reverse: u.Use.Reverse, Shift: e.Shift, Fault: e.Fault,
		})
	}
	return out
}

// trackerStatus renders the trackers, by name.
func (a *agent) trackerStatus() []control.Tracker {
	var out []control.Tracker
	for _, name := range slices.Sorted(maps.Keys(a.trackers)) {
		t := a.trackers[name]
		c := control.Tracker{
			Name: name, State: t.verdict.Result.State.String(), Since: t.since, Reason: t.verdict.Reason, Output: t.verdict.Output, Changes: t.changes,
		}
		if r := t.verdict.Result; r.Numeric {
			c.Value = &r.Value
		}
		for _, x := range a.routers.list() {
			if slices.ContainsFunc(x.tracks, func(u config.Track) bool { return u.Tracker == name }) {
				c.UsedBy = append(c.UsedBy, x.cfg.Router.Name)
			}
		}
		out = append(out, c)
	}
	return out
}
