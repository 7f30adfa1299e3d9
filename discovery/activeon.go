package discovery

// ActiveOn says on which directors a virtual server is in the kernel's table.
type ActiveOn uint8

// The values of the `active_on` argument.
const (
	// Always: on all of them, so that a backup takes over with a table that is
	// ready (the default).
	Always ActiveOn = iota
	// OnMaster: only while the director is master of Spec.Instance. Directors that
	// are real servers of each other need it: what the master forwards to a backup
	// carries the virtual address, and a backup with the virtual server in its
	// table would forward it again (to the master, and so on) instead of giving it
	// to its own server.
	OnMaster
)

var activeOnNames = []string{"always", "master"}

// String gives the argument's value.
func (a ActiveOn) String() string { return enumName(activeOnNames, a) }

// ParseActiveOn takes the argument's value; false when it is none.
func ParseActiveOn(s string) (ActiveOn, bool) { return enumParse[ActiveOn](activeOnNames, s) }
