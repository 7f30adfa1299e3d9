// Package conflict looks for virtual addresses where they should not be: on
// another host while this one is master, on this host while another one is.
// *Lookout is the instance.Lookout of one virtual router.
//
// # What it sees
//
//   - Probes: a master asks the LAN for each of its addresses, a second after it
//     has become one and then at an interval. IPv4: an ARP request with the
//     sender address 0.0.0.0 (RFC 5227 section 1.1), IPv6: a neighbour
//     solicitation from :: (RFC 4862 section 5.4.2). Neither changes anybody's
//     cache. Whoever holds the address answers, and the answer names its MAC.
//   - Passively: any ARP packet whose sender, and any neighbour advertisement
//     whose target, is one of the addresses.
//   - The addresses of this host, read once a second while it is not master. The
//     loopback interface does not count: a director that is a real server too has
//     the address there.
//   - IPv4, version 2: adverts of our virtual router that come with an
//     authentication header although we use none, or the other way round. They
//     are another IP protocol, and never reach the socket of the virtual router.
//
// A MAC that is on an interface of this host is never a conflict. So, where both
// routers use the virtual router's MAC (RFC 9568 section 7.3), a second holder
// is seen by its adverts only.
//
// # What it does not do
//
// It does not defend an address (RFC 5227 section 2.4). When two masters do not
// hear each other's adverts, both would, and clients would be sent from one to
// the other and back for as long as that lasts. Addresses are announced again
// when the conflict is over (package instance).
//
// It runs beside the VRRP loop and shares nothing with it but a flag.
package conflict
