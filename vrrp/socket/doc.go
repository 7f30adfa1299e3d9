// Package socket sends and receives VRRP packets on one Linux interface: raw
// sockets of IP protocol 112, or 51 with the authentication header, bound to
// the interface.
//
//	conn, err := socket.Open(socket.Config{Interface: "eth0", VRRP: cfg})
//
// A *Conn is what instance.Config.Dial returns. It holds on to the interface
// and the source address it found when it was opened: after the interface was
// down, gone or renumbered, close it and open another.
//
// IPv4 sends whole datagrams (IP_HDRINCL), because TTL, TOS and identification
// are part of the protocol and of the authentication header. IPv6 sends from
// the link-local address of the interface, hop limit vrrp.Config.UnicastTTL (255)
// for unicast.
// Adverts are not looped back to the sending host.
//
// With a VMAC, adverts come from the virtual MAC address while its interface is
// up. Packets are received on the parent in any case.
//
// A kernel filter passes only packets of our virtual router, and packets of
// other virtual routers that advertise our first address, so that a LAN full of
// virtual routers costs nothing and a mistyped id is still seen.
package socket
