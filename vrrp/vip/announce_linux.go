package vip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/vrrp/frame"
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
	b, to, err := frame.Announcement(ip, d.mac, d.forwarding)
	if err != nil {
		return err
	}
	return transmit(d, b, to)
}

// transmit hands one frame to the kernel without waiting: a full transmit queue
// must not stop adverts, and a deadline would drop the frame whenever this
// thread gets no processor for so long.
func transmit(d device, b []byte, to net.HardwareAddr) error {
	raw, err := d.conn.SyscallConn()
	if err != nil {
		return err
	}
	addr := unix.SockaddrLinklayer{Ifindex: d.index, Halen: uint8(len(to))}
	copy(addr.Addr[:], to)
	var sent error
	err = raw.Write(func(fd uintptr) bool {
		for {
			if sent = unix.Sendto(int(fd), b, unix.MSG_DONTWAIT, &addr); sent != unix.EINTR {
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
