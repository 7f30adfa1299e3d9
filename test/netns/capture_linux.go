package netns

import (
	"encoding/binary"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Frame is an Ethernet frame that a host sent, with the time at which the
// kernel saw it on the cable: no process had to be scheduled for that.
type Frame struct {
	Host string
	At   time.Time
	Data []byte
}

// Capture records the VRRP packets (protocol 112, and 51 for the authentication
// header) and the ARP packets and neighbour advertisements that hosts send.
type Capture struct {
	mu     sync.Mutex
	frames []Frame
}

// Capture begins to record, for as long as the test runs.
func (l *LAN) Capture(t testing.TB, hosts ...*Host) *Capture {
	t.Helper()
	c := new(Capture)
	for _, h := range hosts {
		c.listen(t, h)
	}
	return c
}

// wanted passes what Capture records.
func wanted() ([]unix.SockFilter, error) {
	const pass, drop = 0x40000, 0
	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_ARP, SkipTrue: 9},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IP, SkipTrue: 5},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.ETH_P_IPV6, SkipTrue: 8},
		bpf.LoadAbsolute{Off: 20, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 112, SkipTrue: 5},
		bpf.LoadAbsolute{Off: 54, Size: 1}, // ICMPv6 type, where it is ICMPv6
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 136, SkipTrue: 3, SkipFalse: 4},
		bpf.LoadAbsolute{Off: 23, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 112, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 51, SkipTrue: 1},
		bpf.RetConstant{Val: pass},
		bpf.RetConstant{Val: drop},
	})
	if err != nil {
		return nil, err
	}
	out := make([]unix.SockFilter, len(program))
	for i, p := range program {
		out[i] = unix.SockFilter{Code: p.Op, Jt: p.Jt, Jf: p.Jf, K: p.K}
	}
	return out, nil
}

// listen records what comes out of the other end of the host's cable.
func (c *Capture) listen(t testing.TB, h *Host) {
	t.Helper()
	link, err := netlink.LinkByName(h.port)
	must(t, "find port", err)
	all := uint16(unix.ETH_P_ALL)<<8 | uint16(unix.ETH_P_ALL)>>8
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	must(t, "open packet socket", err)
	program, err := wanted()
	must(t, "assemble filter", err)
	must(t, "attach filter", unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}))
	must(t, "take times", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1))
	must(t, "make room", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20))
	must(t, "bind packet socket", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Attrs().Index}))
	f := os.NewFile(uintptr(fd), "capture")
	raw, err := f.SyscallConn()
	must(t, "use packet socket", err)
	var wg sync.WaitGroup
	wg.Go(func() {
		buf, oob := make([]byte, 64<<10), make([]byte, 256)
		for {
			var n, oobn int
			var from unix.Sockaddr
			var failure error
			err := raw.Read(func(fd uintptr) bool {
				n, oobn, _, from, failure = unix.Recvmsg(int(fd), buf, oob, 0)
				return failure != unix.EAGAIN
			})
			if err != nil {
				return // closed
			}
			if ll, ok := from.(*unix.SockaddrLinklayer); failure != nil || !ok || ll.Pkttype == unix.PACKET_OUTGOING {
				continue // towards the host; or its port went down for a moment
			}
			c.mu.Lock()
			c.frames = append(c.frames, Frame{h.Name, stamp(oob[:oobn]), append([]byte(nil), buf[:n]...)})
			c.mu.Unlock()
		}
	})
	t.Cleanup(func() { _ = f.Close(); wg.Wait() })
}

// stamp is the kernel's time in the control messages of a packet.
func stamp(oob []byte) time.Time {
	controls, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return time.Time{}
	}
	for _, c := range controls {
		if c.Header.Level == unix.SOL_SOCKET && c.Header.Type == unix.SCM_TIMESTAMPNS && len(c.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(c.Data)), int64(binary.NativeEndian.Uint64(c.Data[8:])))
		}
	}
	return time.Time{}
}

// Frames are those of now, in the order of arrival per host.
func (c *Capture) Frames() []Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Frame(nil), c.frames...)
}

// WritePcap writes frames as a capture file that tshark reads.
func WritePcap(w io.Writer, frames []Frame) error {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b23c4d) // nanoseconds
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 4)
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(b, 256<<10)
	b = le.AppendUint32(b, 1) // Ethernet
	for _, f := range frames {
		b = le.AppendUint32(b, uint32(f.At.Unix()))
		b = le.AppendUint32(b, uint32(f.At.Nanosecond()))
		b = le.AppendUint32(b, uint32(len(f.Data)))
		b = le.AppendUint32(b, uint32(len(f.Data)))
		b = append(b, f.Data...)
	}
	_, err := w.Write(b)
	return err
}
