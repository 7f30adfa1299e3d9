package agent

import (
	"fmt"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// answers says who serves the clients of a pool.
func answers(d discovery.Decision) string {
	switch d.Instead {
	case discovery.TheFallback:
		return fmt.Sprintf("the fallback pool %s answers", d.Spec.Fallback.Name)
	case discovery.TheSorry:
		return fmt.Sprintf("the sorry server %s answers", d.Spec.Sorry.Addr)
	case discovery.ThePool:
	}
	return "its own real servers answer again"
}

// grows reports whether a change of weight is a step of a slow start, whose
// beginning and end are worth a line.
func grows(was, is discovery.ServerStatus) bool {
	return was.SlowStart != nil && is.SlowStart != nil && was.Configured == is.Configured
}
