// Package vip puts virtual addresses on Linux interfaces and announces them.
// *Host is the instance.Host of one virtual router.
//
// # Lifetimes
//
// With a lease, an address is installed with valid_lft = lease and renewed with
// NLM_F_REPLACE; the kernel removes it when nobody renews. preferred_lft equals
// valid_lft, so the address is never deprecated while it is there: a deprecated
// address is not chosen as source by new connections, and on a virtual address
// that is the only one of its subnet they would fail. The exception is an IPv6
// /128, which is installed deprecated (preferred_lft 0) as keepalived does: it
// answers, and source address selection leaves it alone.
//
// IPv6 addresses are added with IFA_F_NODAD: duplicate address detection would
// keep the address unusable for a second after each takeover. When another
// address of the interface has the same prefix, IFA_F_NOPREFIXROUTE is set too:
// where that address has a lifetime itself, as one from router advertisements,
// the kernel would give the connected route they share the lifetime of the lease
// (fib6_add_rt2node in net/ipv6/ip6_fib.c), and the host would lose the subnet
// together with the virtual address.
//
// An address with the same IP and another prefix length or peer on the same
// device is taken for ours, changed by somebody else: it is replaced on becoming
// master and when it appears, and removed with ours.
//
// # Routes and rules
//
// They are installed after the addresses and removed before them, with the
// protocol RTPROT_KEEPALIVED, and have no lifetime (IPv6 routes could have one,
// RTA_EXPIRES, which the netlink library does not send). NLM_F_CREATE alone is
// what adds a route: one of somebody else with the same key stays, and the answer
// EEXIST to a second addition of ours notifies nobody, so that each renewal can
// put back what went without a notification, as the IPv4 routes of an interface
// that was down.
//
// # Another configuration
//
// Succeed gives a Host that goes on where another one is, for an instance whose
// configuration changes while it runs. What both have is not touched. What only
// the former had goes after the new is there, and then all is put there once more:
// an IPv4 address takes those of its subnet with it when it is the first of them
// (unless promote_secondaries is set), and a label, scope or peer cannot be changed
// but by taking the address off. The state file names both forms meanwhile.
//
// # Announcements
//
// IPv4: an ARP request with sender and target IP the virtual address and target
// MAC ff:ff:ff:ff:ff:ff, the form keepalived sends. IPv6: an unsolicited
// neighbour advertisement to ff02::1 with Override set, Router as the
// interface's forwarding sysctl says. With Config.ARPInterval and NAInterval all
// rounds but the first of a term are sent by a goroutine of Watch, in slots that
// the shared Pacer gives; what waits is dropped when the term ends.
//
// # Virtual MAC address
//
// A VMAC is a macvlan interface that addresses name as their device. It exists
// while the Host is open and is up while the addresses are installed; it comes
// up before them and goes down after them. The announcements of its addresses
// then carry its MAC address, and so do the kernel's answers to ARP requests and
// neighbour solicitations. The parent needs arp_ignore and arp_announce set,
// which belongs to whoever keeps record of kernel parameters.
//
// # Accept mode
//
// With NoAccept, packets to the addresses are dropped in a table of nftables,
// FilterTable, from before the addresses come until after they are gone. A
// ruleset that somebody flushed is put right at the next renewal: the kernel's
// generation number tells that there is something to look at.
//
// # Leftovers
//
// Open writes what may be installed into a state file before anything is, and
// Close removes the file when everything is off. Cleanup takes off what a state
// file names: after a crash with a changed configuration, or without an agent.
// Open calls it for its own file first.
package vip
