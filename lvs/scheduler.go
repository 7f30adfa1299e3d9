package lvs

import "slices"

// schedulers are the kernel's connection schedulers (net/netfilter/ipvs/ip_vs_*.c).
var schedulers = []string{"dh", "fo", "lblc", "lblcr", "lc", "mh", "nq", "ovf", "rr", "sed", "sh", "twos", "wlc", "wrr"}

// Schedulers lists the names of the kernel's connection schedulers, sorted. A
// running kernel may lack some of them: each is a module of its own.
func Schedulers() []string { return slices.Clone(schedulers) }

// KnownScheduler reports whether name is one of Schedulers.
func KnownScheduler(name string) bool { return slices.Contains(schedulers, name) }

// A virtual server that gets many real servers at once has another scheduler
// meanwhile when its own looks at all of them for each that is added: wrr for the
// largest weight and the common divisor (ip_vs_wrr_dest_changed), mh to make its
// table anew (ip_vs_mh_dest_changed). wlc keeps nothing, and respects weights;
// a kernel without it refuses the change, and the rest is only slower. The change
// afterwards costs new connections of a few milliseconds
// (ip_vs_edit_service waits for the readers of the old one), which fewer real
// servers than manyDests are not worth.
const (
	fillScheduler = "wlc"
	manyDests     = 512
)

// fillsSlowly reports whether a scheduler looks at all real servers for each that
// is added.
func fillsSlowly(scheduler string) bool { return scheduler == "wrr" || scheduler == "mh" }

// Engines lists the kernel's persistence engines (net/netfilter/ipvs/ip_vs_pe_*.c).
func Engines() []string { return []string{"sip"} }
