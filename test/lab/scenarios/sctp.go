package scenarios

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Package net has no SCTP; but a socket of SCTP in the one-to-one style (RFC 6458,
// section 4) is used as one of TCP is, and may be given to it when it is connected
// or listens.

func listenSCTP(addr string) (net.Listener, error) {
	f, to, err := socketSCTP(addr)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the listener has a copy
	fd := int(f.Fd())
	if err := unix.Bind(fd, to); err != nil {
		return nil, os.NewSyscallError("bind to "+addr, err)
	}
	if err := unix.Listen(fd, 16); err != nil {
		return nil, os.NewSyscallError("listen on "+addr, err)
	}
	return net.FileListener(f)
}

// dialSCTP connects within limit, from the one address that the route prefers: an
// association with all of a host's addresses would find ways around IPVS, which
// knows of no others.
func dialSCTP(addr string, limit time.Duration) (net.Conn, error) {
	way, err := net.Dial("udp", addr) // sends nothing
	if err != nil {
		return nil, err
	}
	defer way.Close()
	from := way.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	f, to, err := socketSCTP(addr)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fd := int(f.Fd())
	if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(from, 0))); err != nil {
		return nil, os.NewSyscallError("bind to "+from.String(), err)
	}
	patience := unix.NsecToTimeval(limit.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &patience); err != nil {
		return nil, os.NewSyscallError("set the time to connect", err)
	}
	if err := unix.Connect(fd, to); err != nil {
		return nil, os.NewSyscallError("connect to "+addr, err)
	}
	return net.FileConn(f)
}

func socketSCTP(addr string) (*os.File, unix.Sockaddr, error) {
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, nil, fmt.Errorf("parse address: %w", err)
	}
	family := unix.AF_INET
	if a.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_SCTP)
	if err != nil {
		return nil, nil, os.NewSyscallError("open an SCTP socket", err)
	}
	return os.NewFile(uintptr(fd), "sctp "+addr), sockaddr(a), nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}
