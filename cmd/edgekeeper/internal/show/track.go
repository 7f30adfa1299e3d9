package show

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

// priority gives the effective priority, and where it comes from when that is
// not the configuration alone.
func priority(r control.Router) string {
	var parts []string
	for _, u := range r.Tracks {
		if u.Shift != 0 {
			parts = append(parts, fmt.Sprintf("%s %+d", u.Tracker, u.Shift))
		}
	}
	from := cmp.Or(r.PriorityFrom, "config")
	switch {
	case len(parts) > 0:
		return fmt.Sprintf("%d (%d %s, %s)", r.Priority, r.BasePriority, from, strings.Join(parts, ", "))
	case from == "config":
		return strconv.Itoa(int(r.Priority))
	}
	return fmt.Sprintf("%d (%s)", r.Priority, from)
}

// trackers writes what the instances depend on, and what comes of it; nothing
// when there is nothing.
func trackers(w io.Writer, s control.Snapshot) error {
	t := table(w, "TRACKER", "STATE", "SINCE", "EFFECT", "REASON")
	rows := 0
	for _, k := range s.Trackers {
		var effects []string
		for _, r := range s.VRRP {
			for _, u := range r.Tracks {
				if u.Tracker == k.Name {
					effects = append(effects, r.Name+" "+effect(u))
				}
			}
		}
		if len(effects) == 0 {
			continue // of instances that were not asked for
		}
		state := k.State
		if k.Value != nil {
			state = strconv.Itoa(*k.Value)
		}
		reason := k.Reason
		if k.Output != "" && k.State == "down" {
			reason += "; output: " + firstLine(k.Output)
		}
		t.row(k.Name, state, age(s.At, k.Since), strings.Join(effects, ", "), reason)
		rows++
	}
	if rows == 0 {
		return nil
	}
	fmt.Fprintln(w)
	return t.flush()
}

func effect(u control.Track) string {
	switch {
	case u.Fault:
		return "FAULT"
	case u.Shift != 0:
		return fmt.Sprintf("%+d", u.Shift)
	}
	return "-"
}

// trackNotes are the sentences about an instance that a tracker keeps out.
func trackNotes(s control.Snapshot, r control.Router) []string {
	var out []string
	for _, u := range r.Tracks {
		for _, k := range s.Trackers {
			if u.Fault && k.Name == u.Tracker {
				out = append(out, fmt.Sprintf("vrrp %s is kept in FAULT by %s: %s (since %s)", r.Name, k.Name, k.Reason, age(s.At, k.Since)))
			}
		}
	}
	return out
}
