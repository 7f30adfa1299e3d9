package check

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// plain connects where a check says nothing of how. Keep-alives would cost
// three system calls and do nothing for a connection this short.
var plain = net.Dialer{KeepAlive: -1}

// way is how a check reaches its target.
type way struct {
	dialer *net.Dialer
	source netip.Addr // zero: the kernel's choice
	target string
}

func wayTo(c discovery.Check, spec discovery.CheckSpec) way {
	w := way{dialer: &plain, source: spec.Source, target: c.Target.String()}
	if spec.Mark == 0 && !spec.Source.IsValid() {
		return w
	}
	mark := spec.Mark
	w.dialer = &net.Dialer{KeepAlive: -1, Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if cerr := raw.Control(func(fd uintptr) { err = prepareDial(int(fd), mark) }); cerr != nil {
			return cerr
		}
		return err
	}}
	return w
}

// prepareDial sets what must be set before a socket is bound and connected. A
// socket that is bound to an address alone gets a port that no other one has,
// also not to another target, so that ports run out at 28,000 connections that
// wait out their minute (TIME_WAIT); the option leaves the port to connect(2),
// which shares them among targets (IP_BIND_ADDRESS_NO_PORT, ip(7)).
func prepareDial(fd int, mark uint32) error {
	_ = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1) // only makes it cheaper
	if mark == 0 {
		return nil
	}
	return setMark(fd, mark)
}

// setMark marks the packets of a socket (SO_MARK, socket(7)).
func setMark(fd int, mark uint32) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(mark)); err != nil {
		return &localError{fmt.Sprintf("set mark %d, which needs CAP_NET_ADMIN", mark), err}
	}
	return nil
}

// tcp connects. The connection's deadline is that of ctx, and reads and writes
// end at once when ctx is cancelled, until stop is called.
func (w way) tcp(ctx context.Context) (conn net.Conn, stop func() bool, err error) {
	return w.dial(ctx, "tcp")
}

// udp makes a socket that takes datagrams of the target only, and hears of ICMP
// errors; deadlines as in tcp.
func (w way) udp(ctx context.Context) (conn net.Conn, stop func() bool, err error) {
	return w.dial(ctx, "udp")
}

// dial leaves the socket unbound where no source is asked for: DialTCP and
// DialUDP of net.Dialer would bind it to any address, and so to a port.
func (w way) dial(ctx context.Context, network string) (conn net.Conn, stop func() bool, err error) {
	d := *w.dialer
	if w.source.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: w.source.AsSlice()}
		if network == "udp" {
			d.LocalAddr = &net.UDPAddr{IP: w.source.AsSlice()}
		}
	}
	conn, err = d.DialContext(ctx, network, w.target)
	if err != nil {
		return nil, nil, w.blame(err)
	}
	stop, err = bound(ctx, conn)
	if err != nil {
		return nil, nil, err
	}
	return conn, stop, nil
}

// blame says of an address that is not on this host which one it is.
func (w way) blame(err error) error {
	if w.source.IsValid() && isErrno(err, syscall.EADDRNOTAVAIL) {
		return &localError{fmt.Sprintf("source address %s", w.source), syscall.EADDRNOTAVAIL}
	}
	return err
}

// deadliner is what of a connection bound needs.
type deadliner interface {
	SetDeadline(time.Time) error
	Close() error
}

// bound lets a connection end with ctx. When it fails it closes the connection.
func bound(ctx context.Context, conn deadliner) (stop func() bool, err error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			conn.Close() //nolint:errcheck // the first error counts
			return nil, err
		}
	}
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }), nil
}

// conversation is what is said over a connection.
type conversation func(ctx context.Context, conn net.Conn) (Note, error)

// over makes a probe that connects, and with TLS from the start shakes hands,
// before it talks.
func (m *Maker) over(c discovery.Check, spec discovery.CheckSpec, host string, protocols []string, talk conversation) Probe {
	w := wayTo(c, spec)
	var secure *tlsClient
	if spec.TLS.Enabled {
		secure = m.tlsClient(c, spec.TLS, host, protocols)
	}
	return func(ctx context.Context) (Note, error) {
		conn, stop, err := w.tcp(ctx)
		if err != nil {
			return Note{}, err
		}
		defer conn.Close()
		defer stop()
		if secure == nil {
			return talk(ctx, conn)
		}
		tc, warning, err := secure.shake(ctx, conn)
		if err != nil {
			return Note{}, err
		}
		note, err := talk(ctx, tc)
		if note.Warning == "" {
			note.Warning = warning
		}
		return note, err
	}
}
