package agent

import (
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/discovery/check"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/vrrp"
)

// decide merges what is due and makes the desired table of it and of what was
// decided before.
func (a *agent) decide() {
	a.dirtySince = time.Time{}
	if !a.decided {
		a.decided = true
		a.standIn()
	}
	made := a.merge()
	if len(made) > 0 {
		a.tidiness.work()
	}
	a.setTable(made)
	a.setChecks(made)
	a.deriveTrackers()
	// The table first, the words after: a line per real server on a slow log must
	// not keep ten thousand of them from serving. The reconciler is awake now.
	runtime.Gosched()
	for _, m := range made {
		a.explain(m.was, a.decisions[m.at])
	}
	a.due.done()
	a.remember()
}

// made is a decision that was made: its place, and the one that it replaced, which
// is an empty one for a new virtual server.
type made struct {
	at  int
	was discovery.Decision
}

// merge decides every virtual server that is due, and returns which.
func (a *agent) merge() (out []made) {
	if a.due.all {
		a.arrange()
	}
	view := discovery.View{Answers: a.known, Verdicts: &a.verdicts, Overrides: a.overrides, Now: time.Now()}
	for _, i := range a.due.take(a.decisions, view.Now) {
		spec, d := &a.cfg.VirtualServers[i], &a.decisions[i]
		out = append(out, made{i, *d})
		*d = discovery.Merge(*spec, view, a.memory[spec.Name])
		a.memory[spec.Name] = d.Memory
	}
	var next time.Time
	for i := range a.decisions {
		if t := a.decisions[i].Next; !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	a.stepped.Stop()
	if !next.IsZero() {
		a.stepped.Reset(max(time.Until(next), settleMin))
	}
	return out
}

// arrange makes a place for the decision about each virtual server of the
// configuration, with the one of before where there was one.
func (a *agent) arrange() {
	old := make(map[string]discovery.Decision, len(a.decisions))
	for _, d := range a.decisions {
		old[d.Spec.Name] = d
	}
	a.decisions = make([]discovery.Decision, len(a.cfg.VirtualServers))
	memory := make(map[string]discovery.Memory, len(a.cfg.VirtualServers))
	for i, spec := range a.cfg.VirtualServers {
		a.decisions[i], memory[spec.Name] = old[spec.Name], a.memory[spec.Name]
	}
	a.memory = memory
	a.due.arrange(a.cfg.VirtualServers)
}

// setChecks has those checks made that the decisions ask for, when they ask for
// others than the ones that they replace.
func (a *agent) setChecks(made []made) {
	others := a.due.all
	for i := range made {
		others = others || !sameChecks(&made[i].was, &a.decisions[made[i].at])
	}
	if !others {
		return
	}
	checks := make(map[discovery.Check]check.Seed)
	for i := range a.decisions {
		for c, seed := range a.decisions[i].Checks() {
			checks[c] = max(checks[c], seed) // Up, when one pool knows it to serve
		}
	}
	a.checks.Set(checks)
	a.verdicts.Keep(func(c discovery.Check) bool {
		_, wanted := checks[c]
		return wanted
	})
}

// sameChecks reports whether two decisions ask for the same checks in the same
// order, which is that of their real servers.
func sameChecks(a, b *discovery.Decision) bool {
	next, stop := iter.Pull2(b.Checks())
	defer stop()
	for c := range a.Checks() {
		if other, _, ok := next(); !ok || other != c {
			return false
		}
	}
	_, _, more := next()
	return !more
}

// told is what the last whole table was made of, beside decisions.
type told struct {
	roles  map[string]vrrp.State
	wanted int // virtual servers
}

// setTable hands the desired table to the reconciler, or what is new of it.
func (a *agent) setTable(made []made) {
	roles := a.standing.all()
	wanted := func(s *discovery.Spec) bool { return posture(roles[s.Instance], s.ActiveOn) }
	// All of it, where it may have other virtual servers than before, and as long
	// as more is recorded as ours than is wanted, or that could not be recorded.
	if !a.due.all && maps.Equal(roles, a.told.roles) && len(a.store.owned) == a.told.wanted && a.store.recorded() {
		change := make(map[lvs.Key]lvs.Want, len(made))
		for _, m := range made {
			if d := &a.decisions[m.at]; wanted(&d.Spec) {
				change[d.Spec.Service.Key] = d.Want
			}
		}
		if len(change) > 0 && a.kernel.reconciler != nil {
			a.kernel.reconciler.Change(change)
		}
		return
	}
	want := lvs.Desired{Pools: make(map[lvs.Key]lvs.Want, len(a.decisions)), Owned: a.store.owned}
	var master []lvs.Key
	for i := range a.decisions {
		d := &a.decisions[i]
		if !wanted(&d.Spec) {
			continue
		}
		want.Pools[d.Spec.Service.Key] = d.Want
		want.Marks = append(want.Marks, d.Spec.Markings()...)
		if d.Spec.ActiveOn == discovery.OnMaster {
			master = append(master, d.Spec.Service.Key)
		}
	}
	a.told = told{roles, len(want.Pools)}
	a.wrote("record which virtual servers are ours", a.store.own(keysOf(want), a.kernel.remaining(), master))
	if len(want.Marks) > 0 {
		a.wrote("record that firewall marks are ours", a.store.ownMarks())
	}
	if a.kernel.reconciler != nil {
		a.kernel.reconciler.Set(want)
	}
}

// explain reports what differs between two decisions about a virtual server, a
// sentence per real server. Was is empty at the first.
func (a *agent) explain(was, d discovery.Decision) {
	name, tell := d.Spec.Name, a.event
	a.tellPool(was, d)
	for _, w := range d.Warnings {
		if !slices.Contains(was.Warnings, w) {
			tell("catalog", name, w)
		}
	}
	if d.Held != "" && was.Held == "" {
		tell("held", name, "HELD: "+d.Held)
	} else if d.Held == "" && was.Held != "" {
		tell("held", name, "no longer held")
	}
	if d.Want.Hold != was.Want.Hold {
		tell("held", name, orElse(d.Want.Hold, "no longer frozen by KV"))
	}
	if d.Panic != was.Panic {
		tell("pool", name, map[bool]string{true: "panic: too few healthy real servers, so all are used", false: "panic is over"}[d.Panic])
	}
	if known := was.Spec.Name != ""; d.QuorumLost != was.QuorumLost || !known && d.QuorumLost {
		tell("pool", name, map[bool]string{true: "quorum lost", false: "quorum regained"}[d.QuorumLost])
	}
	if d.Instead != was.Instead {
		tell("pool", name, answers(d))
	}
	for _, list := range [][]discovery.Judged{d.Servers, d.Fallback} {
		for i := range list {
			s := &list[i]
			prev := listed(was.Fallback, i, s.Addr)
			if prev == nil {
				prev = listed(was.Servers, i, s.Addr)
			}
			if prev == nil || prev.State != s.State || prev.Weight != s.Weight && !grows(prev, s) {
				tell("server", name+" "+s.Addr.String(), fmt.Sprintf("%s with weight %d: %s", s.State, s.Weight, s.Reason))
			}
		}
	}
}

// listed finds a real server in a list in order, where it most likely is at i;
// nil: it is not there.
func listed(list []discovery.Judged, i int, addr netip.AddrPort) *discovery.Judged {
	ok := i < len(list) && list[i].Addr == addr
	if !ok {
		i, ok = slices.BinarySearchFunc(list, addr, func(s discovery.Judged, a netip.AddrPort) int { return s.Addr.Compare(a) })
	}
	if !ok {
		return nil
	}
	return &list[i]
}
