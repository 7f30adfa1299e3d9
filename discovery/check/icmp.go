package check

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// icmp makes a probe that sends an echo request. It uses a ping socket, which
// needs no privilege where net.ipv4.ping_group_range allows it (icmp(7)), and a
// raw one, with CAP_NET_RAW, elsewhere.
func (m *Maker) icmp(c discovery.Check, spec discovery.CheckSpec) (Probe, error) {
	addr := c.Target.Addr()
	return bare(func(ctx context.Context) error {
		f, raw, err := pingSocket(addr, spec.Source, spec.Mark)
		if err != nil {
			return err
		}
		defer f.Close()
		stop, err := bound(ctx, f)
		if err != nil {
			return err
		}
		defer stop()
		return echo(f, addr.Is4(), raw)
	}), nil
}

// pingSocket gives a socket that is connected to the address, so that it takes
// nothing from others and hears of ICMP errors.
func pingSocket(addr, source netip.Addr, mark uint32) (f *os.File, raw bool, err error) {
	family, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if addr.Is6() {
		family, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	const flags = unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|flags, protocol)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPROTONOSUPPORT) {
		raw = true
		fd, err = unix.Socket(family, unix.SOCK_RAW|flags, protocol)
	}
	if err != nil {
		return nil, false, &localError{"open a ping socket, which needs net.ipv4.ping_group_range or CAP_NET_RAW", err}
	}
	f = os.NewFile(uintptr(fd), "ping")
	if err := prepare(fd, addr, source, mark); err != nil {
		f.Close()
		return nil, false, err
	}
	return f, raw, nil
}

func prepare(fd int, addr, source netip.Addr, mark uint32) error {
	if mark != 0 {
		if err := setMark(fd, mark); err != nil {
			return err
		}
	}
	if source.IsValid() {
		if err := unix.Bind(fd, sockaddr(source)); err != nil {
			return &localError{fmt.Sprintf("source address %s", source), err}
		}
	}
	return unix.Connect(fd, sockaddr(addr))
}

func sockaddr(a netip.Addr) unix.Sockaddr { return sockaddrPort(a, 0) }

func sockaddrPort(a netip.Addr, port uint16) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4(), Port: int(port)}
	}
	return &unix.SockaddrInet6{Addr: a.As16(), Port: int(port)}
}

// echo sends a request and waits for its answer. A ping socket's identifier is
// the kernel's, so the answer is known by its data.
func echo(conn io.ReadWriter, v4, raw bool) error {
	data := binary.BigEndian.AppendUint64([]byte("edgekeeper"), rand.Uint64())
	request, err := echoRequest(v4, data)
	if err != nil {
		return err
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	buf := make([]byte, 2048)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return err
		}
		if echoAnswers(buf[:n], v4, raw, data) {
			return nil
		}
	}
}

func echoRequest(v4 bool, data []byte) ([]byte, error) {
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: os.Getpid() & 0xffff, Seq: 1, Data: data}}
	if !v4 {
		m.Type = ipv6.ICMPTypeEchoRequest // the kernel fills in the checksum
	}
	return m.Marshal(nil)
}

// echoAnswers reports whether a packet is the answer to a request with the data.
// A raw IPv4 socket reads the IP header too.
func echoAnswers(packet []byte, v4, raw bool, data []byte) bool {
	protocol, answer := 58, icmp.Type(ipv6.ICMPTypeEchoReply)
	if v4 {
		protocol, answer = 1, ipv4.ICMPTypeEchoReply
	}
	if v4 && raw {
		if len(packet) < 20 || int(packet[0]&15)*4 > len(packet) || packet[0]&15 < 5 {
			return false
		}
		packet = packet[int(packet[0]&15)*4:]
	}
	m, err := icmp.ParseMessage(protocol, packet)
	if err != nil || m.Type != answer {
		return false
	}
	body, ok := m.Body.(*icmp.Echo)
	return ok && string(body.Data) == string(data)
}
