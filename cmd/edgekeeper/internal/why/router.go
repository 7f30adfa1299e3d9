package why

import (
	"fmt"
	"slices"
	"strings"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

// router explains a VRRP instance.
func router(s control.Snapshot, r control.Router, events []control.Event) Explanation {
	e := Explanation{Object: "VRRP instance " + r.Name, Text: fmt.Sprintf("is %s for %s: %s", r.State, age(s.At, r.Since), r.Reason)}
	e.Because = routerCauses(s, r)
	e.last(s, events, func(ev control.Event) bool { return ev.Kind == "vrrp" && ev.Object == r.Name })
	return e
}

func routerCauses(s control.Snapshot, r control.Router) []Explanation {
	var e Explanation
	if r.Error != "" {
		e.because("it has a problem: %s", r.Error)
	}
	if i := slices.IndexFunc(s.Groups, func(g control.SyncGroup) bool { return g.Name == r.Group && g.Name != "" }); i >= 0 {
		g := s.Groups[i]
		e.because("it moves together with its sync group %s, which is %s: %s", g.Name, g.State, g.Reason)
	}
	p := e.because("its priority is %d, %s", r.Priority, from(r))
	for _, t := range r.Tracks {
		text := fmt.Sprintf("%s is %s", t.Tracker, t.State)
		switch {
		case t.Fault:
			text += ", which keeps it in state FAULT"
		case t.Shift != 0:
			text += fmt.Sprintf(", which shifts the priority by %+d", t.Shift)
		default:
			text += ", which changes nothing"
		}
		c := p.because("%s", text)
		for _, k := range s.Trackers {
			if k.Name == t.Tracker {
				c.because("%s ago: %s", age(s.At, k.Since), k.Reason)
			}
		}
	}
	switch {
	case r.State == "MASTER":
		e.because("it sends adverts every %d ms, and holds %s", r.AdvertIntervalMS, held(r))
	case r.Master != "" && r.MasterPriority != 0:
		e.because("the master is %s with priority %d; without its adverts this one takes over after %d ms", r.Master, r.MasterPriority, r.MasterDownMS)
	case r.State == "BACKUP":
		e.because("no master has been heard; without adverts it takes over after %d ms", r.MasterDownMS)
	}
	if r.Peers != nil && r.Peers.Problem != "" {
		e.because("its unicast peers come from %s, which has a problem: %s", r.Peers.From, r.Peers.Problem)
	}
	for _, t := range r.Troubles {
		if t.Cleared == nil {
			e.because("there is trouble (%s, %d times, last %s ago): %s", t.Kind, t.Count, age(s.At, t.Last), t.Detail).because("%s", t.Cause)
		}
	}
	return e.Because
}

// from tells where the priority is from.
func from(r control.Router) string {
	text := "from " + r.PriorityFrom
	if r.PriorityFrom != "config" {
		text += fmt.Sprintf(" (the configuration says %d)", r.ConfigPriority)
	}
	if r.BasePriority != r.Priority {
		text = fmt.Sprintf("which is %d %s, and what is tracked makes of it", r.BasePriority, text)
	}
	return text
}

// held lists the addresses that this host has.
func held(r control.Router) string {
	var list []string
	for _, a := range r.Addresses {
		if a.Present {
			list = append(list, a.Prefix.String())
		}
	}
	if len(list) == 0 {
		return "no address"
	}
	return strings.Join(list, ", ")
}

// group explains a sync group.
func group(s control.Snapshot, g control.SyncGroup, events []control.Event) Explanation {
	e := Explanation{Object: "sync group " + g.Name, Text: fmt.Sprintf("is %s for %s: %s", g.State, age(s.At, g.Since), g.Reason)}
	for _, note := range g.Notes {
		e.because("%s", note)
	}
	for _, r := range s.VRRP {
		if r.Group == g.Name {
			c := e.because("%s is %s: %s", r.Name, r.State, r.Reason)
			r.Group = "" // is the one above
			c.Because = routerCauses(s, r)
		}
	}
	e.last(s, events, func(ev control.Event) bool { return ev.Kind == "vrrp" && ev.Object == g.Name })
	return e
}
