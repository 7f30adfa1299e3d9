package agent

import (
	"fmt"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// checkNews says what has changed about a check that is worth an event: its
// health, a warning, and whether it can be made at all. Another reason for the
// same health is in status only.
func checkNews(was, now discovery.Verdict) []string {
	var out []string
	if was.Health != now.Health {
		out = append(out, fmt.Sprintf("%s: %s", now.Health, now.Reason))
	}
	if was.Warning != now.Warning && now.Warning != "" {
		out = append(out, "warns: "+now.Warning)
	}
	switch {
	case was.Blocked == now.Blocked:
	case now.Blocked == "":
		out = append(out, "can be made again")
	default:
		out = append(out, "cannot be made: "+now.Blocked)
	}
	return out
}
