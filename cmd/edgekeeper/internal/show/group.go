package show

import (
	"fmt"
	"io"
	"strings"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

// groups writes the sync groups, when there are any.
func groups(w io.Writer, s control.Snapshot) error {
	if len(s.Groups) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := table(w, "SYNC GROUP", "STATE", "SINCE", "INSTANCES", "REASON")
	for _, g := range s.Groups {
		t.row(g.Name, g.State, age(s.At, g.Since), strings.Join(g.Instances, ", "), g.Reason)
		for _, note := range g.Notes {
			t.row("", "", "", "", "note: "+note)
		}
	}
	return t.flush()
}
