package check

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// wire sends packets past the kernel's IP stack, and hears what comes back
// before the stack has looked at it, for one address family. IPVS would take
// what this host sends to a virtual address for a client's packet and choose a
// real server by itself; and a master would drop the answer, which comes from an
// address that is its own. The zero value is ready.
//
// Attempts that wait read for each other: one of them reads until it has its own
// answer, and hands what is for others to them. So nothing runs, and nothing is
// read, while no attempt waits.
type wire struct {
	mu      sync.Mutex
	tap     *os.File
	holder  *os.File // keeps port ours
	v4      bool
	port    uint16 // of TCP, where answers come to
	waiting map[uint32]chan reply
	reading chan struct{} // holds a token while somebody reads
}

// open makes the sockets at first use.
func (w *wire) open(v4 bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tap != nil {
		return nil
	}
	holder, port, err := reservePort(v4)
	if err != nil {
		return &localError{"reserve a local port", err}
	}
	tap, err := openTap(v4, port)
	if err != nil {
		holder.Close()
		return &localError{"open a packet socket, which needs CAP_NET_RAW", err}
	}
	w.tap, w.holder, w.port, w.v4 = tap, holder, port, v4
	w.waiting, w.reading = map[uint32]chan reply{}, make(chan struct{}, 1)
	return nil
}

// reservePort takes a TCP port by binding a socket that neither listens nor
// connects.
func reservePort(v4 bool) (holder *os.File, port uint16, err error) {
	family, everywhere := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{})
	if !v4 {
		family, everywhere = unix.AF_INET6, &unix.SockaddrInet6{}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, err
	}
	if !v4 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err == nil {
		err = unix.Bind(fd, everywhere)
	}
	var name unix.Sockaddr
	if err == nil {
		name, err = unix.Getsockname(fd)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, 0, err
	}
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		port = uint16(a.Port)
	case *unix.SockaddrInet6:
		port = uint16(a.Port)
	}
	return os.NewFile(uintptr(fd), "port"), port, nil
}

// snap is how much of a packet is read: the headers of an ICMP error and of the
// packet that it is about.
const snap = 256

// openTap hears what could be answers, on all interfaces.
func openTap(v4 bool, port uint16) (*os.File, error) {
	// Without a protocol nothing is heard before the filter is in place.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	raw, err := bpf.Assemble(answersTo(v4, port))
	if err == nil {
		program := make([]unix.SockFilter, len(raw))
		for i, r := range raw {
			program[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
		}
		err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: etherType(v4)})
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "tap"), nil
}

// etherType is a protocol number in network order.
func etherType(v4 bool) uint16 {
	kind := uint16(unix.ETH_P_IPV6)
	if v4 {
		kind = unix.ETH_P_IP
	}
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, kind))
}

// answersTo passes TCP segments to a port, echo replies, and ICMP errors.
func answersTo(v4 bool, port uint16) []bpf.Instruction {
	if !v4 {
		return []bpf.Instruction{
			bpf.LoadAbsolute{Off: 6, Size: 1}, // next header
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_ICMPV6, SkipTrue: 3},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_TCP, SkipTrue: 7},
			bpf.LoadAbsolute{Off: header6 + 2, Size: 2},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(port), SkipTrue: 4, SkipFalse: 5},
			bpf.LoadAbsolute{Off: header6, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: echoReply6, SkipTrue: 2},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unreachable6, SkipTrue: 1},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: exceeded6, SkipTrue: 1},
			bpf.RetConstant{Val: snap},
			bpf.RetConstant{Val: 0},
		}
	}
	return []bpf.Instruction{
		bpf.LoadMemShift{Off: 0},          // X: length of the header
		bpf.LoadAbsolute{Off: 9, Size: 1}, // protocol
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_ICMP, SkipTrue: 5},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_TCP, SkipTrue: 9},
		bpf.LoadAbsolute{Off: 6, Size: 2}, // fragment offset
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x1fff, SkipTrue: 7},
		bpf.LoadIndirect{Off: 2, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(port), SkipTrue: 4, SkipFalse: 5},
		bpf.LoadIndirect{Off: 0, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: echoReply4, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unreachable4, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: exceeded4, SkipTrue: 1},
		bpf.RetConstant{Val: snap},
		bpf.RetConstant{Val: 0},
	}
}

// expect gives a key that nobody else waits for, and what answers to it arrive on.
func (w *wire) expect() (uint32, chan reply) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		key := rand.Uint32()
		if w.waiting[key] == nil {
			answers := make(chan reply, 1)
			w.waiting[key] = answers
			return key, answers
		}
	}
}

func (w *wire) forget(key uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waiting, key)
}

// slice is how long one attempt reads before it looks whether it should go on.
const slice = 100 * time.Millisecond

// await waits for an answer until a moment or the end of ctx; false when none came.
func (w *wire) await(ctx context.Context, answers chan reply, until time.Time) (reply, bool, error) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	for {
		select {
		case r := <-answers:
			return r, true, nil
		case <-ctx.Done():
			return reply{}, false, nil
		case <-timer.C:
			return reply{}, false, nil
		case w.reading <- struct{}{}:
		}
		err := w.read(until, answers)
		<-w.reading
		if err != nil {
			return reply{}, false, &localError{"read from the wire", err}
		}
	}
}

// read hands out answers until one is for us, or a short time is over.
func (w *wire) read(until time.Time, mine chan reply) error {
	if end := time.Now().Add(slice); end.Before(until) {
		until = end
	}
	if err := w.tap.SetReadDeadline(until); err != nil {
		return err
	}
	raw, err := w.tap.SyscallConn()
	if err != nil {
		return err
	}
	buf := make([]byte, snap)
	for len(mine) == 0 {
		var n int
		var from unix.Sockaddr
		var failure error
		err := raw.Read(func(fd uintptr) bool {
			n, from, failure = unix.Recvfrom(int(fd), buf, 0)
			return failure != unix.EAGAIN
		})
		switch {
		case timedOut(err):
			return nil
		case err != nil:
			return err
		case failure == unix.ENETDOWN: // of one interface
		case failure != nil:
			return failure
		default:
			w.hand(buf[:n], from)
		}
	}
	return nil
}

// hand gives an answer to who waits for it. A half-open connection that nobody
// waits for any more is reset at its sender, or the next attempt would find it.
func (w *wire) hand(packet []byte, from unix.Sockaddr) {
	r, ok := parse(packet)
	if !ok {
		return
	}
	w.mu.Lock()
	answers := w.waiting[r.key]
	w.mu.Unlock()
	switch {
	case answers != nil && r.outcome != stray:
		select {
		case answers <- r:
		default: // it has one already
		}
	case r.port != 0 && (r.outcome == yes || r.outcome == stray):
		sender, ok := from.(*unix.SockaddrLinklayer)
		if !ok || int(sender.Halen) > len(sender.Addr) {
			return
		}
		q := question{source: r.to, vip: r.vip, port: r.port, from: w.port, key: r.key}
		_ = w.send(q.reset(), sender.Ifindex, sender.Addr[:sender.Halen]) // it times out by itself, too
	}
}

// send brings a packet to a hardware address.
func (w *wire) send(packet []byte, link int, hardware []byte) error {
	to := &unix.SockaddrLinklayer{Protocol: etherType(w.v4), Ifindex: link, Halen: uint8(len(hardware))}
	if copy(to.Addr[:], hardware) < len(hardware) {
		return fmt.Errorf("hardware address of %d bytes: %w", len(hardware), unix.EAFNOSUPPORT)
	}
	raw, err := w.tap.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	err = raw.Write(func(fd uintptr) bool {
		failure = unix.Sendto(int(fd), packet, 0, to)
		return failure != unix.EAGAIN
	})
	if err != nil {
		return err
	}
	return failure
}
