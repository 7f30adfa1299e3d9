package instance

import (
	"maps"
	"slices"
)

// anyFault gives the reason of one fault, the same one each time.
func (l *loop) anyFault() string {
	if len(l.faults) == 0 {
		return ""
	}
	return l.faults[slices.Min(slices.Collect(maps.Keys(l.faults)))]
}
