package vip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

var (
	allNodes    = netip.MustParseAddr("ff02::1")
	allNodesMAC = net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}
)

// Announce sends one gratuitous ARP or unsolicited neighbour advertisement for
// each address. A device without ARP, or without a MAC of 6 bytes, is skipped.
// Where announcements are paced, this is done later for all rounds but the first
// since Install; an error of those is returned by the next Announce.
func (h *Host) Announce() error {
	var errs []error
	if h.paced() {
		waits, err := h.queue()
		if waits {
			return err
		}
		errs = append(errs, err)
	}
	devices := map[string]device{}
	for _, t := range h.targets {
		d, known := devices[t.device]
		if !known {
			var err error
			if d, err = h.now.device(t.device); err != nil {
				errs = append(errs, fmt.Errorf("announce on %s: %w", t.device, err))
			}
			devices[t.device] = d
		}
		if d.conn == nil {
			continue
		}
		if err := announce(t.address.Prefix.Addr(), d); err != nil {
			errs = append(errs, fmt.Errorf("announce %s: %w", t, err))
		}
	}
	return errors.Join(errs...)
}

// announce sends the frame that announces ip at d.
func announce(ip netip.Addr, d device) error {
	frame, to, err := frameFor(ip, d)
	if err != nil {
		return err
	}
	return transmit(d, frame, to)
}

// transmit hands one frame to the kernel without waiting: a full transmit queue
// must not stop adverts, and a deadline would drop the frame whenever this
// thread gets no processor for so long.
func transmit(d device, frame []byte, to net.HardwareAddr) error {
	raw, err := d.conn.SyscallConn()
	if err != nil {
		return err
	}
	addr := unix.SockaddrLinklayer{Ifindex: d.index, Halen: uint8(len(to))}
	copy(addr.Addr[:], to)
	var sent error
	err = raw.Write(func(fd uintptr) bool {
		for {
			if sent = unix.Sendto(int(fd), frame, unix.MSG_DONTWAIT, &addr); sent != unix.EINTR {
				return true
			}
		}
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("sendto", sent)
}

// device is what a frame needs to know.
type device struct {
	index      int
	conn       *packet.Conn // nil: nothing to announce there
	mac        net.HardwareAddr
	forwarding bool // IPv6
}

// announcers are the packet sockets of one goroutine, by device.
type announcers struct {
	nl   *netlink.Handle
	open map[string]*announcer
}

// announcer is the packet socket on one device.
type announcer struct {
	conn  *packet.Conn
	index int
}

func newAnnouncers(nl *netlink.Handle) *announcers {
	return &announcers{nl: nl, open: map[string]*announcer{}}
}

func (all *announcers) close() error {
	var errs []error
	for _, x := range all.open {
		errs = append(errs, x.conn.Close())
	}
	return errors.Join(errs...)
}

// device opens the packet socket of an interface, once per life of it, and
// reads the MAC, which may change.
func (all *announcers) device(name string) (device, error) {
	link, err := all.nl.LinkByName(name)
	if err != nil {
		return device{}, err
	}
	attrs := link.Attrs()
	if attrs.RawFlags&unix.IFF_NOARP != 0 || attrs.RawFlags&unix.IFF_LOOPBACK != 0 || len(attrs.HardwareAddr) != 6 {
		return device{}, nil
	}
	a := all.open[name]
	if a != nil && a.index != attrs.Index {
		_ = a.conn.Close() // of an interface that is gone
		a = nil
	}
	if a == nil {
		// Protocol 0: this socket only sends, no frame is queued for it.
		conn, err := packet.Listen(&net.Interface{Index: attrs.Index, Name: name, HardwareAddr: attrs.HardwareAddr, MTU: attrs.MTU}, packet.Raw, 0, nil)
		if err != nil {
			return device{}, err
		}
		a = &announcer{conn: conn, index: attrs.Index}
		all.open[name] = a
	}
	forwarding, _ := os.ReadFile(filepath.Join("/proc/sys/net/ipv6/conf", name, "forwarding")) // absent without IPv6
	return device{index: a.index, conn: a.conn, mac: attrs.HardwareAddr, forwarding: len(forwarding) > 0 && forwarding[0] == '1'}, nil
}

// frameFor builds the Ethernet frame that announces ip at d.
func frameFor(ip netip.Addr, d device) ([]byte, net.HardwareAddr, error) {
	if ip.Is4() {
		return arpFrame(ip, d.mac)
	}
	return ndpFrame(ip, d)
}

// arpFrame is a gratuitous ARP request.
func arpFrame(ip netip.Addr, mac net.HardwareAddr) ([]byte, net.HardwareAddr, error) {
	p, err := arp.NewPacket(arp.OperationRequest, mac, ip, ethernet.Broadcast, ip)
	if err != nil {
		return nil, nil, err
	}
	payload, err := p.MarshalBinary()
	if err != nil {
		return nil, nil, err
	}
	f := ethernet.Frame{Destination: ethernet.Broadcast, Source: mac, EtherType: ethernet.EtherTypeARP, Payload: payload}
	frame, err := f.MarshalBinary()
	return frame, ethernet.Broadcast, err
}

// ndpFrame is an unsolicited neighbour advertisement (RFC 4861 section 7.2.6).
// It goes through the packet socket because an ICMPv6 socket would have to be
// bound to the virtual address, one for each.
func ndpFrame(ip netip.Addr, d device) ([]byte, net.HardwareAddr, error) {
	message, err := ndp.MarshalMessageChecksum(&ndp.NeighborAdvertisement{
		Router:        d.forwarding,
		Override:      true,
		TargetAddress: ip,
		Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: d.mac}},
	}, ip, allNodes)
	if err != nil {
		return nil, nil, err
	}
	const hopLimit, icmpv6 = 255, 58
	payload := append(make([]byte, 0, 40+len(message)), 0x60, 0, 0, 0)
	payload = binary.BigEndian.AppendUint16(payload, uint16(len(message)))
	payload = append(payload, icmpv6, hopLimit)
	src, dst := ip.As16(), allNodes.As16()
	payload = append(append(payload, src[:]...), dst[:]...)
	payload = append(payload, message...)
	f := ethernet.Frame{Destination: allNodesMAC, Source: d.mac, EtherType: ethernet.EtherTypeIPv6, Payload: payload}
	frame, err := f.MarshalBinary()
	return frame, allNodesMAC, err
}
