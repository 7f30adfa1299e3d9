package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/frame"
)

// vmac sends multicast adverts from the virtual MAC address (RFC 9568 section
// 7.3), through the macvlan interface that has it. It uses a packet socket: an IP
// socket would need an address of ours on that interface, where the parent's
// belongs on the parent only, and would go by the routing table.
type vmac struct {
	fd   int
	name string
	buf  []byte // IPv6 datagram
}

// openVMAC opens the socket. The interface need not exist yet.
func openVMAC(name string) (*vmac, error) {
	// Protocol 0: this socket only sends, no frame is queued for it.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err == nil {
		if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, 6); err != nil {
			err = errors.Join(err, unix.Close(fd))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open packet socket for %s: %w", name, err)
	}
	return &vmac{fd: fd, name: name}, nil
}

// send sends what vrrp.Codec.Encode returned. It fails while the interface is
// down or absent, that is, while we do not hold the addresses: the virtual MAC
// address must not be seen then.
func (v *vmac) send(packet []byte, source, to netip.Addr) error {
	req, err := unix.NewIfreq(v.name)
	if err == nil {
		err = unix.IoctlIfreq(v.fd, unix.SIOCGIFINDEX, req)
	}
	if err != nil {
		return fmt.Errorf("find %s: %w", v.name, err)
	}
	// The kernel puts the interface's address in as the source of the frame.
	sa := unix.SockaddrLinklayer{Protocol: ethertype(unix.ETH_P_IP), Ifindex: int(req.Uint32()), Halen: 6}
	if to.Is6() {
		sa.Protocol = ethertype(unix.ETH_P_IPV6)
		v.buf = frame.AppendIPv6(v.buf[:0], vrrp.TrafficClass, vrrp.ProtocolVRRP, source, to, packet)
		packet = v.buf
	}
	copy(sa.Addr[:], frame.GroupMAC(to))
	if err := unix.Sendto(v.fd, packet, unix.MSG_DONTWAIT, &sa); err != nil {
		return fmt.Errorf("send from %s: %w", v.name, err)
	}
	return nil
}

func (v *vmac) close() error { return unix.Close(v.fd) }

// ethertype gives a protocol in network byte order, as struct sockaddr_ll has it.
func ethertype(p uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, p))
}
