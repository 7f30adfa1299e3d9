// Package guardian watches over a director that is master: a small process that
// takes the virtual addresses off and resigns the moment the director dies, so
// that a crash costs the backups' skew time and not the master-down time.
//
// Two halves share the package. Keeper is the director's: it starts the
// guardian, tells it what this host is master of, and replaces it when it dies
// or no longer answers. Serve and Main are the guardian's. They are joined by a
// socket pair; its end of file is how the guardian learns of the death, for the
// kernel closes the director's end however the process ends.
//
// # The contract
//
//  1. The guardian acts only when the socket has ended while it is armed, and
//     the director's process is over (pidfd). An open socket means that it does
//     nothing, whatever else happens: a director that is stopped by SIGSTOP, or
//     hangs, keeps the socket open, and the lease of the addresses acts.
//  2. A director that stops disarms it first (Disarm, then Bye).
//  3. It acts once and exits: addresses off, then, where that succeeded,
//     priority 0. So no other router takes over while an address is still here.
//     What Main's caller has to do in its turn comes after that.
//  4. It resigns only when it saw the end in time (Arm.Within). One that was
//     stopped or starved itself does not know how long the director has been
//     dead and who is master by now; it takes the addresses off and is silent.
//  5. It holds a lock from before it can be armed until it is gone. A director
//     that starts calls Await first, which waits for the guardian of its
//     predecessor and kills one that lingers. So addresses that a director has
//     installed are never taken off by somebody else's guardian.
//  6. A frame that makes no sense ends the guardian without acting; the keeper
//     starts another and arms it anew.
//  7. Keeper.Arm and Keeper.Disarm note what is wanted and return; the loop that
//     calls them never waits for the guardian.
//
// What it cannot see is left to the lease: a freeze, a host that dies, and
// `kill -9` of both processes at once, such as a supervisor that kills the
// whole control group. The guardian is in a process group of its own, so a
// signal to the director's group does not reach it; it ignores SIGTERM, SIGINT
// and SIGHUP.
//
// Adverts that are signed with a trailer (vrrp.HMAC) carry a sequence number made
// of the time. The director arms the guardian anew with each advert it sends, so
// that the priority 0 is newer than that; Keeper then sends the packets alone. A
// director that dies between the two, which is some ten microseconds, leaves one
// that is refused, and the backup waits for the master-down time.
//
// With the authentication header (AH) there is no priority 0 to send: each
// packet needs a higher sequence number than the last, the director alone knows
// that, and a number far ahead would be burnt for every router of the group.
// The guardian then only takes the addresses off, and the backup waits for the
// master-down time.
package guardian
