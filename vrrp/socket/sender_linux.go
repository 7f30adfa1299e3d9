package socket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// Sender sends packets of protocol 112 and receives none: for whoever resigns
// in the name of a router that is gone.
type Sender struct {
	fd    int
	index int
	flags int
}

// OpenSender opens a socket on an interface for packets from source, to unicast
// peers with this TTL, or to the group where it is 0. Packets with an
// authentication header need a Conn.
func OpenSender(iface string, source netip.Addr, unicastTTL uint8) (*Sender, error) {
	ifi, err := net.InterfaceByName(iface)
	if err == nil {
		var s *Sender
		if s, err = openSender(ifi, source, unicastTTL); err == nil {
			return s, nil
		}
	}
	return nil, fmt.Errorf("open sender on %s: %w", iface, err)
}

func openSender(ifi *net.Interface, source netip.Addr, unicastTTL uint8) (*Sender, error) {
	s := &Sender{index: ifi.Index}
	family, protocol := unix.AF_INET, unix.IPPROTO_RAW // sends whole datagrams, never receives
	if !source.Is4() {
		family, protocol = unix.AF_INET6, vrrp.ProtocolVRRP
	}
	var err error
	if s.fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol); err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	set := func(level, option, value int) {
		if e := unix.SetsockoptInt(s.fd, level, option, value); e != nil {
			err = errors.Join(err, fmt.Errorf("set option %d of level %d: %w", option, level, e))
		}
	}
	err = unix.BindToDevice(s.fd, ifi.Name)
	set(unix.SOL_SOCKET, unix.SO_PRIORITY, 6)
	if source.Is4() {
		if unicastTTL == 0 {
			s.flags = unix.MSG_DONTROUTE
		}
		set(unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0)
		err = errors.Join(err, unix.SetsockoptIPMreqn(s.fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(ifi.Index)}))
	} else {
		set(unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0)
		set(unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, vrrp.TTL)
		set(unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, max(int(unicastTTL), 1))
		set(unix.IPPROTO_IPV6, unix.IPV6_TCLASS, vrrp.TrafficClass)
		set(unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, ifi.Index)
		err = errors.Join(err, s.deaf(), unix.Bind(s.fd, &unix.SockaddrInet6{Addr: source.As16(), ZoneId: uint32(ifi.Index)}))
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// deaf keeps the kernel from queueing packets that nobody reads.
func (s *Sender) deaf() error {
	program, err := bpf.Assemble([]bpf.Instruction{bpf.RetConstant{Val: 0}})
	if err != nil {
		return err
	}
	filter := []unix.SockFilter{{Code: program[0].Op, Jt: program[0].Jt, Jf: program[0].Jf, K: program[0].K}}
	return unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
}

// Send sends what vrrp.Codec.Encode returned. It never waits.
func (s *Sender) Send(packet []byte, to netip.Addr) error {
	if err := unix.Sendto(s.fd, packet, s.flags|unix.MSG_DONTWAIT, sockaddr(to, s.index)); err != nil {
		return fmt.Errorf("send advert to %s: %w", to, err)
	}
	return nil
}

// Close closes the socket.
func (s *Sender) Close() error {
	if err := unix.Close(s.fd); err != nil {
		return fmt.Errorf("close sender: %w", err)
	}
	return nil
}

// sockaddr is a destination; index is the interface of a link-local one.
func sockaddr(to netip.Addr, index int) unix.Sockaddr {
	if to.Is4() {
		return &unix.SockaddrInet4{Addr: to.As4()}
	}
	sa := &unix.SockaddrInet6{Addr: to.As16()}
	if to.IsLinkLocalUnicast() || to.IsLinkLocalMulticast() {
		sa.ZoneId = uint32(index)
	}
	return sa
}
