package agent

import (
	"fmt"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/notify"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

// healed is the state that targets are told when a trouble is over.
const healed = "healed"

// trouble records what an instance sees, and its end. It is called by the
// runner, not by the loop.
func (a *agent) trouble(name string, t instance.Trouble) {
	what := strings.Join(troubleName(t), " ")
	e := notify.Event{Kind: notify.Trouble, Object: name, Aspect: what, State: t.Kind.String()}
	if t.Active() {
		e.Reason = fmt.Sprintf("%s; likely cause: %s", t.Detail, t.Cause)
		a.event("vrrp", name, what+": "+e.Reason)
	} else {
		e.State, e.Previous = healed, e.State
		e.Reason = fmt.Sprintf("%s lasted %s and was seen %d times: %s", what, t.Lasted().Round(time.Millisecond), t.Count, t.Healed)
		a.event("vrrp", name, "healed: "+e.Reason)
	}
	a.tell(e)
}

// troubleName tells independent troubles of one instance apart.
func troubleName(t instance.Trouble) []string {
	out := []string{t.Kind.String()}
	if t.Peer.IsValid() {
		out = append(out, t.Peer.String())
	}
	if t.Address.IsValid() {
		out = append(out, t.Address.String())
	}
	if t.MAC != "" {
		out = append(out, t.MAC)
	}
	return out
}

// troubles renders what an instance sees for status.
func troubles(list []instance.Trouble) []control.Trouble {
	var out []control.Trouble
	for _, t := range list {
		c := control.Trouble{
			Kind: t.Kind.String(), MAC: t.MAC, Detail: t.Detail, Cause: t.Cause,
			Count: t.Count, First: t.First, Last: t.Last, Healed: t.Healed,
		}
		if t.Peer.IsValid() {
			c.Peer = t.Peer.String()
		}
		if t.Address.IsValid() {
			c.Address = t.Address.String()
		}
		if !t.Active() {
			c.Cleared = &t.Cleared
		}
		out = append(out, c)
	}
	return out
}

// counters fills in what status and metrics count.
func counters(out *control.Router, s instance.Status) {
	c := s.Counters
	out.Announcements, out.Renewals = c.Announcements, c.Renewals
	out.SendErrors, out.HostErrors, out.LateSteps, out.AddressesLost = c.SendErrors, c.HostErrors, c.LateSteps, c.AddressesLost
	out.TroublesTotal = map[string]uint64{}
	for k := instance.TroubleKind(1); k < instance.TroubleKinds; k++ {
		if n := c.Troubles[k]; n > 0 {
			out.TroublesTotal[k.String()] = n
		}
	}
	for state, causes := range c.Transitions {
		for cause, n := range causes {
			if n > 0 {
				out.Transitions = append(out.Transitions, control.Transition{State: vrrp.State(state).String(), Cause: vrrp.Cause(cause).String(), Count: n})
			}
		}
	}
	out.LeaseSeconds = s.Lease.Seconds()
	if s.Present && s.Lease > 0 {
		until := s.Renewed.Add(s.Lease)
		out.LeaseUntil = &until
	}
	out.Lateness = control.Histogram{Max: s.Lateness.Max.Seconds(), Sum: s.Lateness.Sum.Seconds(), Count: s.Lateness.Count, Buckets: s.Lateness.Buckets[:]}
	for _, b := range instance.LatenessBounds {
		out.Lateness.Bounds = append(out.Lateness.Bounds, b.Seconds())
	}
}
