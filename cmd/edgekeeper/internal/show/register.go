package show

import (
	"strings"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

// registered names what stands in Consul of this director.
func registered(r control.Registration) string {
	var out []string
	for _, x := range r.Services {
		word := x.Service + " " + x.State
		if len(x.Tags) > 0 {
			word += " (" + strings.Join(x.Tags, ", ") + ")"
		}
		out = append(out, word)
	}
	if len(out) == 0 {
		return "nothing yet"
	}
	return strings.Join(out, ", ")
}
