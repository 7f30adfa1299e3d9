// Package vrrptest simulates virtual routers on a virtual LAN in virtual time,
// deterministically from a seed.
//
//	report, err := vrrptest.Run(vrrptest.Options{Seed: 42})
//
// A run draws a site (2 to 7 routers, version, interval, priorities with or
// without an owner, preemption, multicast or unicast, addresses, lease, with or
// without guardians, with or without keepalived among them) and then alternates
// storms and calms. In a storm adverts are lost, delayed, reordered and
// duplicated; cables are cut in one or both directions; the LAN falls into
// partitions; processes are stopped and continued, also in the middle of a step,
// killed, started over their leftovers and stopped cleanly; guardians are stopped
// and killed, alone and together with their director; interfaces fail; addresses
// are deleted by somebody; clocks run up to 5 percent fast or slow; priorities
// change; mastership is handed over; the site gets a new configuration, which its
// routers take over one by one, while they run where that is possible
// (vrrp.Reconfigure), or with a new start. In a calm the LAN works, all have one
// configuration, clocks are right within 1 percent, and everybody is left alone.
//
// There are no goroutines and no real clock: an hour of three routers costs
// about as much as the arithmetic in it. The same seed gives the same run, so a
// failure is reported as a seed, and Run repeats it with a trace.
//
// # What is checked
//
// bounds and expectTakeover hold the formulae; docs/architecture.md says what
// they mean to an operator.
//
//   - Convergence: when a calm has lasted for the bound of the RFC, there is a
//     master; a while later it is the right one and the only one, and then nobody
//     changes his state until the next fault.
//   - Takeover: a settled master that is killed or stopped is replaced within the
//     master-down time of the best backup; one that says priority 0, itself or by
//     its guardian, within that one's skew.
//   - Priority: nobody yields but to a higher priority, or to an equal one with the
//     higher address; nobody preempts but a lower one, against NoPreempt or before
//     PreemptDelay has passed; a master answers priority 0.
//   - Leases: a router that takes over because a stopped or killed master is
//     silent finds the addresses gone from it, whenever the lease, by the clock of
//     that host, is shorter than the timer, by the clock of this one; a lease is
//     not renewed without the advert that backups count from.
//   - Holders: two running routers that hear each other never hold an address
//     together for longer than one advert, and the answer to it, take.
//   - Claims: once a storm has passed, two running routers that hear each other do
//     not hold the address together at all, be it for the time of one advert, at
//     preemption, handover and cold start; and a claim from a router that yields
//     costs no more than a round trip. (Against keepalived, which does not claim,
//     when it is ours that takes over.)
//   - Lateness: no router sends an advert of its own when its last one is so old
//     that it may have been replaced.
//   - Patience: nobody takes over before its master-down time, by its own clock,
//     has passed since the last advert it had to accept.
//   - Guardians: none takes an address off or resigns while its director lives,
//     nor resigns later than it was told to, nor before the addresses are off.
//   - Counters: adverts sent are adverts that arrived or are on their way; terms
//     as master that began have ended, but the present one; and no storm of
//     answers to answers.
//
// TestMutants breaks these rules one by one, and each must be found.
//
// # Sync groups
//
// RunGroups simulates routers with a sync group of two or three instances, each
// on a LAN of its own, so that a fault of a LAN or an interface concerns one of
// them: with the same storms, clocks that drift, changes of configuration, and
// groups of keepalived among them (but no guardians). It checks, besides, that
// members are masters together or not at all after every step, also where LANs
// rank the routers differently; there, and only there, keepalived takes no part,
// for two of its groups of which each is better on one LAN need never agree.
package vrrptest
