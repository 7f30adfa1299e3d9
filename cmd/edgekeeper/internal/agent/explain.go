package agent

import (
	"errors"
	"fmt"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
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
func grows(was, is *discovery.Judged) bool {
	return was.SlowStart != nil && is.SlowStart != nil && was.Configured == is.Configured
}

// poolError says what the kernel refuses of a virtual server, or of the first of
// its real servers; empty when nothing is refused.
func poolError(key lvs.Key, list []reconcile.ObjectError) string {
	for _, e := range list {
		switch {
		case e.ID.Key != key:
		case errors.Is(e.Err, lvs.ErrNoScheduler):
			name := e.Op.Service.Scheduler
			return fmt.Sprintf("the kernel has no scheduler %s, and its module ip_vs_%s could not be loaded; load it on the host, or choose another scheduler (tried again, %d attempts so far)", name, name, e.Attempts)
		default:
			return fmt.Sprintf("%s: %v (tried again, %d attempts so far)", e.Op, e.Err, e.Attempts)
		}
	}
	return ""
}
