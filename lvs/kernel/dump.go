//go:build linux

package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// errBadMessage is a datagram that does not hold what its headers say.
var errBadMessage = errors.New("malformed netlink message")

// reader reads the datagrams of a netlink socket.
//
// The table is read every second or so for as long as a director runs. The library
// gives each datagram memory of its own, some megabytes for ten thousand real
// servers, and they would be most of what the garbage collector ever has to do.
func reader(raw syscall.RawConn) func(room []byte) (int, error) {
	return func(room []byte) (n int, err error) {
		werr := raw.Read(func(fd uintptr) bool {
			for {
				if n, err = unix.Read(int(fd), room); !errors.Is(err, unix.EINTR) {
					return !errors.Is(err, unix.EAGAIN)
				}
			}
		})
		if werr != nil {
			return 0, werr
		}
		return n, err
	}
}

// dumpOnce is dump without another try. It reads a dump to its end, as what is left
// in the socket would be the answer to the next request. What f is given holds until
// it returns.
func (p *pipe) dumpOnce(r request, typ uint16, f func(attrs []byte) error) (interrupted bool, err error) {
	req, err := p.conn.Send(p.message(r, netlink.Dump))
	if err != nil {
		return false, err
	}
	var bad error // what does not parse must not leave the rest in the socket
	for {
		n, err := p.read(p.room[:])
		if err != nil {
			return false, err
		}
		for rest := p.room[:n]; len(rest) > 0; {
			h, data, next, err := message(rest)
			if err != nil {
				return false, err
			}
			rest = next
			if h.Sequence != req.Header.Sequence {
				continue
			}
			interrupted = interrupted || h.Flags&netlink.DumpInterrupted != 0
			if h.Type == netlink.Done || h.Type == netlink.Error {
				return interrupted, errors.Join(bad, verdict(data))
			}
			if len(data) < 4 || bad != nil {
				continue
			}
			bad = each(data[4:], func(t uint16, v []byte) error {
				if t != typ {
					return nil
				}
				return f(v)
			})
		}
	}
}

// message reads the first message of a datagram (struct nlmsghdr), and gives the
// rest of it.
func message(b []byte) (h netlink.Header, data, rest []byte, err error) {
	if len(b) < unix.SizeofNlMsghdr {
		return h, nil, nil, fmt.Errorf("%w: %d bytes", errBadMessage, len(b))
	}
	h = netlink.Header{
		Length: binary.NativeEndian.Uint32(b), Type: netlink.HeaderType(binary.NativeEndian.Uint16(b[4:])),
		Flags: netlink.HeaderFlags(binary.NativeEndian.Uint16(b[6:])), Sequence: binary.NativeEndian.Uint32(b[8:]),
	}
	n := int(h.Length)
	if n < unix.SizeofNlMsghdr || n > len(b) {
		return h, nil, nil, fmt.Errorf("%w: length %d of %d bytes", errBadMessage, n, len(b))
	}
	return h, b[unix.SizeofNlMsghdr:n], b[min((n+3)&^3, len(b)):], nil
}

// verdict is how the kernel says that a dump has ended: a negative errno, or 0.
func verdict(data []byte) error {
	if len(data) < 4 {
		return fmt.Errorf("%w: an end without a result", errBadMessage)
	}
	if code := int32(binary.NativeEndian.Uint32(data)); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}
