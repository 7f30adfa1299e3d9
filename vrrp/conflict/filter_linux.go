package conflict

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/bpf"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

const (
	accept = 0xffff
	// offSender is the sender's IPv4 address in an Ethernet frame with ARP.
	offSender = 14 + 14
	// offTarget is the target of a neighbour advertisement in the ICMPv6 message.
	offTarget = 8
)

// arpFilter passes ARP packets whose sender is one of the IPv4 addresses.
func arpFilter(addresses []netip.Addr) ([]bpf.RawInstruction, error) {
	program := []bpf.Instruction{bpf.LoadAbsolute{Off: offSender, Size: 4}}
	for _, a := range addresses {
		if a.Is4() {
			ip := a.As4()
			program = append(program,
				bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(ip[:]), SkipTrue: 1},
				bpf.RetConstant{Val: accept})
		}
	}
	return bpf.Assemble(append(program, bpf.RetConstant{Val: 0}))
}

// naFilter passes neighbour advertisements for one of the IPv6 addresses. The
// kernel hands the filter of a raw IPv6 socket the ICMPv6 message.
func naFilter(addresses []netip.Addr) ([]bpf.RawInstruction, error) {
	var program []bpf.Instruction
	for _, a := range addresses {
		if !a.Is6() {
			continue
		}
		ip := a.As16()
		for i := uint32(0); i < 4; i++ {
			program = append(program,
				bpf.LoadAbsolute{Off: offTarget + 4*i, Size: 4},
				bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(ip[4*i:]), SkipTrue: uint8(7 - 2*i)})
		}
		program = append(program, bpf.RetConstant{Val: accept})
	}
	return bpf.Assemble(append(program, bpf.RetConstant{Val: 0}))
}

// naConn receives neighbour advertisements.
type naConn struct {
	*ipv6.PacketConn
	ip net.PacketConn
}

func (c *naConn) Close() error { return c.ip.Close() }

// listenNA opens a raw ICMPv6 socket on an interface.
func listenNA(device string, addresses []netip.Addr) (*naConn, error) {
	program, err := naFilter(addresses)
	if err != nil {
		return nil, fmt.Errorf("assemble filter: %w", err)
	}
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error {
		var err error
		if ctl := rc.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), device) }); ctl != nil {
			return ctl
		}
		return err
	}}
	ip, err := lc.ListenPacket(context.Background(), "ip6:ipv6-icmp", "::")
	if err != nil {
		return nil, fmt.Errorf("listen for neighbour advertisements on %s: %w", device, err)
	}
	c := &naConn{ipv6.NewPacketConn(ip), ip}
	var only ipv6.ICMPFilter
	only.SetAll(true)
	only.Accept(ipv6.ICMPTypeNeighborAdvertisement)
	err = errors.Join(c.SetICMPFilter(&only), c.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagInterface, true), c.SetBPF(program))
	if err != nil {
		return nil, fmt.Errorf("listen for neighbour advertisements on %s: %w", device, errors.Join(err, c.Close()))
	}
	return c, nil
}
