// Package vrrptest simulates virtual routers on a virtual LAN in virtual time,
// deterministically from a seed.
//
//	report, err := vrrptest.Run(vrrptest.Options{Seed: 42})
//
// A run draws a site (2 to 7 routers, version, interval, priorities, preemption,
// lease) and then alternates storms and calms. In a storm adverts are lost,
// delayed, reordered and duplicated; cables are cut in one or both directions;
// the LAN falls into partitions; processes are stopped and continued, also in
// the middle of a step, killed, restarted and stopped cleanly; interfaces fail;
// priorities change; mastership is handed over. In a calm the LAN works and
// everybody is left alone.
//
// There are no goroutines and no real clock: an hour of three routers costs
// about as much as the arithmetic in it. The same seed gives the same run, so a
// failure is reported as a seed, and Run repeats it with a trace.
//
// # What is checked
//
//   - Convergence: when a calm has lasted for the bound of the RFC (the longest
//     master-down time, and what lateness, delayed preemption and a handover may
//     add), there is exactly one master, and with preemption it has the highest
//     priority.
//   - Leases: a router that takes over because a stopped or killed master is
//     silent finds the address gone from it, whenever the lease allows that at
//     all; and two running routers that hear each other never hold the address
//     together for longer than one advert takes.
//   - Claims: once a storm has passed, two running routers that hear each other do
//     not hold the address together at all, be it for the time of one advert, at
//     preemption, handover and cold start; and a claim from a router that yields
//     costs no more than a round trip.
//   - Lateness: no router sends an advert of its own when its last one is so old
//     that it may have been replaced.
//   - Patience: nobody takes over before its master-down time has passed since
//     the last advert it had to accept, nor against NoPreempt.
package vrrptest
