// Package vrrp is the Virtual Router Redundancy Protocol, versions 2 (RFC 3768,
// with the authentication of RFC 2338) and 3 (RFC 5798, RFC 9568), over IPv4
// and IPv6. It interoperates with keepalived.
//
// The package is pure: values in, values out. It has no clock, socket, lock or
// goroutine. Three things are in it:
//
//   - the packet: Advert with Parse and Append, and Codec, which writes and
//     checks the packets of one virtual router (authentication, TTL, interval,
//     source) and says why it drops one (Drop);
//   - the protocol: Machine, which decides who is master, and Group, which moves
//     several machines together;
//   - the arithmetic: Skew, MasterDown, LeaseAuto.
//
// # The contract of Machine
//
// One loop owns a machine and calls Step with the present time and an event:
//
//	do := func(ev vrrp.Event) {
//		now := time.Now()
//		for _, act := range machine.Step(now, ev) {
//			perform(act) // in this order
//		}
//	}
//	do(vrrp.Start{Source: conn.Source()})
//	for {
//		select {
//		case p := <-packets:
//			if err := codec.Decode(now, &advert, p); err == nil {
//				do(vrrp.Received{Source: p.Source, Priority: advert.Priority, Interval: advert.Interval})
//			}
//		case <-timer.C:
//			drain(packets)       // what was received before the deadline counts first
//			do(vrrp.Timeout{})
//		}
//		timer.Reset(time.Until(machine.Deadline()))
//	}
//
// What the loop must keep:
//
//  1. Actions are performed in order and completely before the next Step.
//  2. Packets that have arrived are stepped before a Timeout.
//  3. The time given to Step is read immediately before it, from a clock that
//     does not go back (time.Now with its monotonic reading).
//  4. On SendAdvert with a priority other than 0 the advert is sent and then
//     the leases are renewed. When all actions are done, the clock is read
//     again. If the loop was held up since its decision for Config.ReplacedAfter
//     or longer, a backup may have taken over: Step is called with Timeout,
//     answers with Enter{Backup}, and the addresses just renewed come off. If it
//     was held up for longer than Config.LeaseSlack, the lease began later than
//     the advert by so much that it could outlast it: Step is called with
//     Advertise, and backups count from the new advert.
//  5. On Enter{Master} the addresses are installed with Config.LeaseTime; on
//     any other Enter they are removed. Both must not wait for anything but
//     the kernel.
//
// Deadline is the only timer. Time is an argument, so a test runs a day of
// several routers in a second; package vrrptest does that.
//
// # Claims
//
// Between two advert-driven routers both hold the addresses for as long as an
// advert and its handling take, at every preemption, handover and cold start. So
// a machine that takes over while another may still hold them claims them first:
//
//	claiming router                    router that holds the addresses
//	SendAdvert{p}            ───────►  Enter{Backup}: addresses off
//	                         ◄───────  SendAdvert{0}
//	SendAdvert{p}
//	Enter{Master}: addresses on
//
// A peer that does not confirm, as keepalived does not, is given
// Config.ClaimWait, a quarter of the interval. While it claims, a machine is
// Backup, and Claiming reports it; a better router's advert ends the claim.
//
//   - Claimed: from a master of lower priority; after a handover; by the owner;
//     and when no master was ever heard, because all routers of a site may be
//     starting now.
//   - Taken at once: from a master that was heard and has been silent for the
//     master-down time, and from one that stops. Of two backups that succeed a
//     dead master in the same moment both have the addresses, until one hears the
//     other's advert.
//
// A handover and a stop both send priority 0. Before that of a handover the
// master sends two adverts, so that a backup can tell them apart; for keepalived
// those are adverts like any other. Whoever is not addressed by a priority 0 of
// this kind loses nothing by it: RFC 9568 section 6.4.3 (g) has the new master
// answer it, and a claiming router does that too.
//
// # Sync groups
//
// The members of a Group are masters together or not at all, after each Step.
//
//   - A member whose master-down timer has run out wants to be master. It goes on
//     as backup, without a word, until all want; an advert that it has to accept
//     changes its mind. It looks again after an interval and the smallest skew.
//   - When all want, and one of them has to claim its addresses, all claim: a
//     router that is to lose one address loses all of them to the first of these
//     adverts. A member whose claim has succeeded sends adverts and waits. When
//     all have, all take their addresses; when one yields to a better router, all
//     give up. So the rule that two routers of ours do not hold an address at
//     once is kept for each, and a group never takes an address only to give it
//     back because of another.
//   - A member that becomes backup takes all with it: addresses off, then priority
//     0, as on yielding. It confirms a claim, and lets a backup take over after
//     its skew. A fault of one is a fault of all; the group begins, and comes back,
//     when every member can run.
//   - A handover and a stop are everybody's. A member that hears a second master
//     announces its addresses again, and so do the others.
//   - Two routers of which each is better on one network never agree. Whoever is
//     master stays: the other wants one address and not all. When they try in
//     the same moment both lose; from the second such time on, a group waits one
//     to two master-down times, different from router to router.
//
// A Group is stepped by one loop that drives all its members, because what it
// promises has to hold at once. Members with loops of their own, told by messages
// what to do, could be told too late: one is promoted after another has fallen
// back, or renews its lease while it hangs behind the others, and for that time
// two routers hold half of a group each. With one loop there is no message and no
// such time. It costs that members wait for each other's system calls; a loop
// that hangs, hangs with every lease of the group, and they end together. The
// contract above holds with these changes: packets that have arrived for any
// member are stepped before a Timeout of any, and the clock is read again for
// every member after every Step.
//
// # Lateness
//
// A process may be stopped, swapped out or starved. A master that finds that
// its last advert is older than Config.ReplacedAfter (the master-down time of
// priority 254, hence of the quickest backup there can be: 3.008 s with adverts
// every second) becomes Backup before it does anything else, and elects again
// by the normal rules. Together with the lease, which the kernel ends without
// us, no stopped master keeps or comes back to addresses somebody else has. A
// backup that finds itself later than 1/64 of an interval listens for as long
// before it takes over, later than a quarter for a quarter, later than an
// interval for an interval: adverts may lie unread in the socket.
package vrrp
