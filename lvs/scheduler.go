package lvs

import "slices"

// schedulers are the kernel's connection schedulers (net/netfilter/ipvs/ip_vs_*.c).
var schedulers = []string{"dh", "fo", "lblc", "lblcr", "lc", "mh", "nq", "ovf", "rr", "sed", "sh", "twos", "wlc", "wrr"}

// Schedulers lists the names of the kernel's connection schedulers, sorted. A
// running kernel may lack some of them: each is a module of its own.
func Schedulers() []string { return slices.Clone(schedulers) }

// KnownScheduler reports whether name is one of Schedulers.
func KnownScheduler(name string) bool { return slices.Contains(schedulers, name) }

// Engines lists the kernel's persistence engines (net/netfilter/ipvs/ip_vs_pe_*.c).
func Engines() []string { return []string{"sip"} }
