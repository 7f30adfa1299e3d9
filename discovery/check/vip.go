package check

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// again is after what time a question is repeated; packets get lost.
const again = time.Second

// vip makes a probe that asks the virtual address of one real server, in the way
// in which IPVS hands it a client's packet: to its hardware address or through
// the tunnel. A server answers only if the address is its own (on lo, as direct
// routing needs) and, with TCP, if somebody listens there.
//
// The question comes from an address of this host, so the answer returns here
// whether this host holds the virtual address or not. A TCP handshake is broken
// off by a reset after the server's part of it, so the service sees nothing.
func (m *Maker) vip(c discovery.Check, spec discovery.CheckSpec) (Probe, error) {
	if !spec.VIP.Addr.IsValid() {
		return nil, errors.New("vip check without a virtual address")
	}
	v4 := spec.VIP.Addr.Is4()
	a := &asking{spec: spec, server: c.Target.Addr(), port: c.Target.Port(), wire: &m.wires[0]}
	if !v4 {
		a.wire = &m.wires[1]
	}
	if spec.VIP.Echo {
		a.port = 0
	}
	return bare(a.attempt), nil
}

// asking is the question to one virtual address of one real server.
type asking struct {
	spec   discovery.CheckSpec
	server netip.Addr
	port   uint16 // 0: an echo
	wire   *wire
}

// Failures of a vip check.
var errPassed = errors.New("the real server does not have the virtual address: it would pass the packet on")

// silence is a question that nobody answered.
type silence struct{ vip netip.Addr }

func (e *silence) Error() string { return fmt.Sprintf("no answer from %s", e.vip) }
func (e *silence) Unwrap() error { return context.DeadlineExceeded }

func (a *asking) attempt(ctx context.Context) error {
	p, err := pathTo(a.server)
	if err != nil {
		return err
	}
	if p.local {
		return nil // IPVS gives this host's packets to this host, where the address is when it matters
	}
	source, err := a.source(p)
	if err != nil {
		return err
	}
	if err := a.wire.open(a.spec.VIP.Addr.Is4()); err != nil {
		return err
	}
	key, answers := a.wire.expect()
	defer a.wire.forget(key)
	q := question{source: source, vip: a.spec.VIP.Addr, port: a.port, from: a.wire.port, key: key}
	deadline, bounded := ctx.Deadline()
	for ctx.Err() == nil {
		if err := a.send(ctx, p, q.packet()); err != nil {
			return err
		}
		until := time.Now().Add(again)
		if bounded && deadline.Before(until) {
			until = deadline
		}
		r, ok, err := a.wire.await(ctx, answers, until)
		switch {
		case err != nil:
			return err
		case !ok:
			continue
		case r.vip != q.vip || r.port != q.port:
			continue // an answer to something else, which happens to have our key
		case r.outcome == yes && q.port != 0:
			_ = a.send(ctx, p, q.reset()) // the server ends it by itself, too
		}
		return r.outcome.err()
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return &silence{a.spec.VIP.Addr}
}

func (o outcome) err() error {
	switch o {
	case refused:
		return syscall.ECONNREFUSED
	case passed:
		return errPassed
	case rejected:
		return syscall.EHOSTUNREACH
	case yes, stray:
	}
	return nil
}

// source is the address that answers come to.
func (a *asking) source(p path) (netip.Addr, error) {
	source := a.spec.Source
	if !source.IsValid() {
		source = p.source
	}
	var why string
	switch {
	case source == a.spec.VIP.Addr:
		why = "this host has no address towards it but the virtual one"
	case !source.IsValid() || source.Is4() != a.spec.VIP.Addr.Is4():
		why = fmt.Sprintf("this host has no address of the family of %s towards it", a.spec.VIP.Addr)
	default:
		return source, nil
	}
	return source, &localError{"ask " + a.server.String(), errors.New(why + "; set source_address")}
}

// send brings a packet to the real server in the way of its pool.
func (a *asking) send(ctx context.Context, p path, packet []byte) error {
	t := a.spec.VIP.Tunnel
	if t.In != discovery.Direct {
		return a.tunnel(t, packet)
	}
	hardware, err := p.hardware(ctx)
	if err != nil {
		return err
	}
	return a.wire.send(packet, p.link, hardware)
}

// tunnel wraps a packet as IPVS does (ip_vs_tunnel_xmit).
func (a *asking) tunnel(t discovery.Tunnel, packet []byte) error {
	protocol, inner, ether := unix.IPPROTO_IPIP, byte(unix.IPPROTO_IPIP), uint16(unix.ETH_P_IP)
	if !a.spec.VIP.Addr.Is4() {
		protocol, inner, ether = unix.IPPROTO_IPV6, unix.IPPROTO_IPV6, unix.ETH_P_IPV6
	}
	kind := unix.SOCK_RAW
	switch t.In {
	case discovery.GUE: // draft-ietf-intarea-gue: version 0, no extensions
		protocol, kind = unix.IPPROTO_UDP, unix.SOCK_DGRAM
		packet = append([]byte{0, inner, 0, 0}, packet...)
	case discovery.GRE: // RFC 2784
		protocol = unix.IPPROTO_GRE
		packet = append(gre(t.Checksum, ether, packet), packet...)
	case discovery.IPIP, discovery.Direct:
	}
	fd, err := unix.Socket(familyOf(a.server), kind|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return &localError{"open a socket for a tunnel, which needs CAP_NET_RAW", err}
	}
	defer unix.Close(fd) //nolint:errcheck // nothing is left in it
	return unix.Sendto(fd, packet, 0, sockaddrPort(a.server, t.Port))
}

// gre is the header before a packet.
func gre(sums bool, ether uint16, packet []byte) []byte {
	b := binary.BigEndian.AppendUint16([]byte{0, 0}, ether)
	if !sums {
		return b
	}
	b[0] = 0x80
	b = append(b, 0, 0, 0, 0)
	if len(packet)%2 != 0 {
		packet = append(packet[:len(packet):len(packet)], 0)
	}
	binary.BigEndian.PutUint16(b[4:], ^checksum(sum(0, b), packet))
	return b
}
