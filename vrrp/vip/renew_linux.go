package vip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// renewer sends the one request that a master makes with every advert: the same
// RTM_NEWADDR again, with a new lifetime. The message is encoded once. The
// library would do, but receives each answer into 64 KiB of the caller's stack,
// and with 255 routers that is most of what a director takes of the processor
// and of memory.
type renewer struct {
	fd  int
	seq uint32
	buf [1024]byte
}

// errAnswer means that the kernel's answer was none.
var errAnswer = errors.New("unexpected answer of the kernel")

func openRenewer() (*renewer, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", os.NewSyscallError("socket", err))
	}
	limit := unix.NsecToTimeval(kernelTimeout.Nanoseconds())
	err = errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit),
		// The answer to a failure need not repeat the question.
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1),
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open netlink: %w", err), unix.Close(fd))
	}
	return &renewer{fd: fd}, nil
}

func (r *renewer) close() error { return os.NewSyscallError("close", unix.Close(r.fd)) }

// request encodes what AddrReplace of the library sends. The lifetimes are the
// last attribute.
func request(link netlink.Link, a *netlink.Addr) []byte {
	family, ip := unix.AF_INET6, a.IP.To16()
	if v4 := a.IP.To4(); v4 != nil && len(a.Mask) == 4 {
		family, ip = unix.AF_INET, v4
	}
	req := nl.NewNetlinkRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE|unix.NLM_F_ACK)
	msg := nl.NewIfAddrmsg(family)
	peer := a.IPNet
	if a.Peer != nil {
		peer = a.Peer
	}
	bits, _ := peer.Mask.Size()
	msg.Prefixlen, msg.Scope, msg.Index, msg.IfAddrmsg.Flags = uint8(bits), uint8(a.Scope), uint32(link.Attrs().Index), uint8(a.Flags)
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.IFA_LOCAL, ip))
	req.AddData(nl.NewRtAttr(unix.IFA_ADDRESS, peer.IP[len(peer.IP)-len(ip):]))
	if family == unix.AF_INET {
		if b := a.Broadcast.To4(); b != nil && !b.IsUnspecified() {
			req.AddData(nl.NewRtAttr(unix.IFA_BROADCAST, b))
		}
		if a.Label != "" {
			req.AddData(nl.NewRtAttr(unix.IFA_LABEL, nl.ZeroTerminated(a.Label)))
		}
	}
	req.AddData(nl.NewRtAttr(unix.IFA_FLAGS, nl.Uint32Attr(uint32(a.Flags))))
	req.AddData(nl.NewRtAttr(unix.IFA_CACHEINFO, make([]byte, cacheInfoLen)))
	return req.Serialize()
}

// Layout of netlink messages (linux/netlink.h, linux/if_addr.h).
const (
	cacheInfoLen = 16 // preferred, valid, two times of the kernel's
	offType      = 4
	offSeq       = 8
	headerLen    = 16
	infinite     = ^uint32(0)
)

// renew sends a request with lifetimes in seconds, and waits for the answer.
func (r *renewer) renew(request []byte, valid, preferred uint32) error {
	ne := binary.NativeEndian
	r.seq++
	ne.PutUint32(request[offSeq:], r.seq)
	info := request[len(request)-cacheInfoLen:]
	ne.PutUint32(info, preferred)
	ne.PutUint32(info[4:], valid)
	if err := unix.Send(r.fd, request, 0); err != nil {
		return fmt.Errorf("renew address: %w", os.NewSyscallError("send", err))
	}
	for {
		n, _, err := unix.Recvfrom(r.fd, r.buf[:], 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("renew address: %w", os.NewSyscallError("recv", err))
		case n < headerLen+4:
			return fmt.Errorf("renew address: %w", errAnswer)
		case ne.Uint32(r.buf[offSeq:]) != r.seq: // to a request that was given up
			continue
		case ne.Uint16(r.buf[offType:]) != unix.NLMSG_ERROR:
			return fmt.Errorf("renew address: %w", errAnswer)
		}
		if code := int32(ne.Uint32(r.buf[headerLen:])); code != 0 {
			return fmt.Errorf("renew address: %w", unix.Errno(-code))
		}
		return nil
	}
}
