package show

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

// VRRP writes the instances, what they track, what is wrong with them and what was.
func VRRP(w io.Writer, s control.Snapshot) error {
	if err := Routers(w, s); err != nil {
		return err
	}
	if err := peers(w, s); err != nil {
		return err
	}
	if err := authentication(w, s); err != nil {
		return err
	}
	if err := trackers(w, s); err != nil {
		return err
	}
	return troubles(w, s)
}

// troubles writes a row per trouble, those that last first.
func troubles(w io.Writer, s control.Snapshot) error {
	t := table(w, "TROUBLE", "VRRP", "WITH", "SINCE", "SEEN", "LAST", "STATE", "WHAT")
	rows := 0
	for _, active := range []bool{true, false} {
		for _, r := range s.VRRP {
			for _, x := range r.Troubles {
				if (x.Cleared == nil) != active {
					continue
				}
				state, what := "lasts", x.Detail+"; likely cause: "+x.Cause
				if !active {
					state = fmt.Sprintf("healed %s ago", age(s.At, *x.Cleared))
					what = fmt.Sprintf("%s; lasted %s, %s", x.Detail, age(x.Last, x.First), x.Healed)
				}
				t.row(x.Kind, r.Name, with(x), age(s.At, x.First), fmt.Sprint(x.Count), age(s.At, x.Last)+" ago", state, what)
				rows++
			}
		}
	}
	if rows == 0 {
		return nil
	}
	fmt.Fprintln(w)
	return t.flush()
}

// with names the other router, the address and who has it.
func with(x control.Trouble) string {
	return cmp.Or(strings.Join(strings.Fields(x.Peer+" "+x.Address+" "+x.MAC), " "), "-")
}

// troubleNotes are the sentences of what lasts.
func troubleNotes(s control.Snapshot, r control.Router) []string {
	var out []string
	for _, x := range r.Troubles {
		if x.Cleared != nil {
			continue
		}
		name := x.Kind
		if w := with(x); w != "-" {
			name += ", " + w
		}
		out = append(out, fmt.Sprintf("vrrp %s: %s: %s; likely cause: %s (since %s, %d times, last %s ago)",
			r.Name, name, x.Detail, x.Cause, age(s.At, x.First), x.Count, age(s.At, x.Last)))
	}
	return out
}
