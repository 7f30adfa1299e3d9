package show

import (
	"fmt"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
)

// processLine is what can make the VRRP loops late, and what is done about it.
func processLine(p control.Process) string {
	class := "normal priority"
	switch {
	case p.RealtimeError != "":
		class = fmt.Sprintf("realtime priority %d refused", p.RealtimePriority)
	case p.RealtimePriority > 0:
		class = fmt.Sprintf("realtime priority %d", p.RealtimePriority)
	}
	memory := "memory not locked"
	switch {
	case p.LockError != "":
		memory = "memory lock refused"
	case p.LockMemory:
		memory = fmt.Sprintf("%d MiB of memory locked", p.LockedBytes>>20)
	}
	return fmt.Sprintf("%s, %s; %d garbage collections, longest pause %s", class, memory, p.GCCycles, seconds(p.GCPauses.Max))
}

// seconds prints a short time to two digits.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	for unit := time.Second; unit >= time.Microsecond; unit /= 10 {
		if d >= unit {
			return d.Round(unit / 10).String()
		}
	}
	return d.String()
}
