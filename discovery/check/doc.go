// Package check runs native health checks and says what it found.
//
// A [Scheduler] is given the set of checks that should run and emits a
// [discovery.Said] for each when its first verdict is known, and again when
// health, reason, warning or advice change. What a probe does is a [Probe], a
// function that returns no error for a healthy target; a [Maker] has one for
// each kind of check. How many results make a verdict is [Rise], a value without
// a clock. The scheduler has one heap of due times, and one goroutine for each
// attempt that is under way, so its size follows what is in flight and not the
// number of checks. Checks that only connect need no goroutine either: the loop
// begins and ends them itself.
//
// # Order and pace
//
// A new check is attempted at once, as far as MaxInFlight allows; after that
// first attempt, checks are spread over their interval by a hash of what they
// are, over 32 to 256 moments in it (four a second at least), so that this process is
// not woken for each. While a verdict stands, attempts start every Interval. After
// a failure that is forgiven the next attempt starts RetryDelay after its end.
// When the process has been stopped for longer than an interval, overdue checks
// are spread again and not made all at once.
//
// # What is not held against a target
//
// An attempt that could not be made for want of something here (file
// descriptors, memory, local ports) counts neither way; it is made again after
// RetryDelay, and the verdict says why it is blocked. The same goes for what the
// definition needs here and cannot have: a mark without CAP_NET_ADMIN, a source
// address that this host does not have, a certificate file that cannot be read.
//
// An attempt that ended far later than its timeout is made again once: the
// process did not run in between, and the answer may have been waiting.
//
// # The virtual address on a real server
//
// A vip check proves what direct routing and tunnels stand on: that the real
// server takes packets for the virtual address. Its packets are made here and go
// out past the kernel's IP stack, to the hardware address of the real server or
// through the tunnel of its pool, with one hop to live; a packet socket hears the
// answer. So it works the same on a master, which has the virtual address itself
// and would drop the answer as one that pretends to come from here, and on a
// backup; it touches neither the IPVS table nor a kernel setting.
//
// # Closing
//
// Probes close their connections in the ordinary way, as keepalived does. A
// reset (linger 0) would spare TIME_WAIT entries on this host, but servers log
// and count resets. 20,000 TCP checks every 6 s leave about 200,000 entries
// (net.ipv4.tcp_max_tw_buckets bounds them); no port runs out, because entries
// of different targets share local ports, which only sockets do that were not
// bound to a port (see way). HTTP requests say Connection: close,
// which leaves the entry on the server.
package check
