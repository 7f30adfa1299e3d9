package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// ErrNoSource means that the interface has no address to send adverts from.
var ErrNoSource = errors.New("interface has no usable source address")

// Config says where and for what the socket is.
type Config struct {
	// Interface is the name of the interface. Required.
	Interface string
	// Source is the address to send from. Default: the first IPv4 address of the
	// interface that is not a virtual address, or its IPv6 link-local address.
	Source netip.Addr
	// VMAC is the macvlan interface with the virtual MAC address: multicast
	// adverts go out there while it is up, and otherwise on Interface, where
	// packets are received in any case. Empty: none.
	VMAC string
	// VRRP is the virtual router. Required.
	VRRP vrrp.Config
}

// Conn is a VRRP socket. Send and Receive may be used by two goroutines at the
// same time.
type Conn struct {
	ip     *net.IPConn
	raw    syscall.RawConn
	source netip.Addr
	index  int
	v4     bool
	flags  int    // of sendto(2)
	vmac   *vmac  // nil: adverts go out on the interface
	oob    []byte // Receive only
}

// Open opens the socket and joins the group. It fails when the interface does
// not exist or has no address to send from (ErrNoSource); both may heal.
func Open(cfg Config) (*Conn, error) {
	c, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("open VRRP socket on %s: %w", cfg.Interface, err)
	}
	return c, nil
}

func open(cfg Config) (*Conn, error) {
	cfg.VRRP = cfg.VRRP.WithDefaults()
	ifi, err := net.InterfaceByName(cfg.Interface)
	if err != nil {
		return nil, err
	}
	source := cfg.Source
	if !source.IsValid() {
		if source, err = sourceOn(ifi, cfg.VRRP); err != nil {
			return nil, err
		}
	}
	c := &Conn{source: source.WithZone(""), index: ifi.Index, v4: cfg.VRRP.IPv4()}
	network, local := "ip4", "0.0.0.0"
	if !c.v4 {
		// Bound to the link-local address, so that the kernel sends from it and
		// tells us (EADDRNOTAVAIL) while duplicate address detection still runs.
		network, local = "ip6", c.source.WithZone(cfg.Interface).String()
	}
	protocol := vrrp.ProtocolVRRP
	if cfg.VRRP.Auth.Type == vrrp.AuthAH {
		protocol = vrrp.ProtocolAH
	}
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error {
		var err error
		if ctl := rc.Control(func(fd uintptr) { err = c.prepare(int(fd), cfg) }); ctl != nil {
			return ctl
		}
		return err
	}}
	pc, err := lc.ListenPacket(context.Background(), fmt.Sprintf("%s:%d", network, protocol), local)
	if err != nil {
		return nil, err
	}
	c.ip = pc.(*net.IPConn)
	if c.raw, err = c.ip.SyscallConn(); err == nil {
		err = c.join(ifi, cfg.VRRP)
	}
	if err == nil && cfg.VMAC != "" {
		c.vmac, err = openVMAC(cfg.VMAC)
	}
	if err != nil {
		return nil, errors.Join(err, c.ip.Close())
	}
	return c, nil
}

// prepare sets the options that must be there before bind(2).
func (c *Conn) prepare(fd int, cfg Config) error {
	set := func(name string, level, option, value int) error {
		if err := unix.SetsockoptInt(fd, level, option, value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
		return nil
	}
	if err := unix.BindToDevice(fd, cfg.Interface); err != nil {
		return fmt.Errorf("set SO_BINDTODEVICE: %w", err)
	}
	if c.v4 {
		if !cfg.VRRP.Unicast() {
			c.flags = unix.MSG_DONTROUTE // a multicast advert must not depend on a route
		}
		return errors.Join(
			set("IP_HDRINCL", unix.IPPROTO_IP, unix.IP_HDRINCL, 1),
			set("IP_MULTICAST_LOOP", unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0),
			// Only what this socket joined, not what any socket on the host did.
			set("IP_MULTICAST_ALL", unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0),
			set("SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, 6),
		)
	}
	return errors.Join(
		set("IPV6_MULTICAST_LOOP", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0),
		set("IPV6_MULTICAST_HOPS", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, vrrp.TTL),
		set("IPV6_UNICAST_HOPS", unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, int(cfg.VRRP.UnicastTTL)),
		set("IPV6_TCLASS", unix.IPPROTO_IPV6, unix.IPV6_TCLASS, vrrp.TrafficClass),
		set("IPV6_MULTICAST_ALL", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0),
		set("IPV6_RECVPKTINFO", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1),
		set("IPV6_RECVHOPLIMIT", unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1),
		set("SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, 6),
	)
}

// join attaches the filter and joins the group: with unicast too, where it can,
// so that a router which multicasts by mistake is heard, and named.
func (c *Conn) join(ifi *net.Interface, cfg vrrp.Config) error {
	program, err := filter(cfg)
	if err != nil {
		return fmt.Errorf("assemble filter: %w", err)
	}
	group := &net.IPAddr{IP: cfg.Group().AsSlice()}
	if c.v4 {
		p := ipv4.NewPacketConn(c.ip)
		if err := p.SetBPF(program); err != nil {
			return fmt.Errorf("attach filter: %w", err)
		}
		if !cfg.Unicast() {
			if err := p.SetMulticastInterface(ifi); err != nil {
				return fmt.Errorf("set multicast interface: %w", err)
			}
		}
		if err := p.JoinGroup(ifi, group); err != nil && !cfg.Unicast() {
			return fmt.Errorf("join %s: %w", group, err)
		}
		return nil
	}
	p := ipv6.NewPacketConn(c.ip)
	if err := p.SetBPF(program); err != nil {
		return fmt.Errorf("attach filter: %w", err)
	}
	c.oob = make([]byte, 128)
	if !cfg.Unicast() {
		if err := p.SetMulticastInterface(ifi); err != nil {
			return fmt.Errorf("set multicast interface: %w", err)
		}
	}
	if err := p.JoinGroup(ifi, group); err != nil && !cfg.Unicast() {
		return fmt.Errorf("join %s: %w", group, err)
	}
	return nil
}

// Tune implements instance.Conn: the filter knows the addresses.
func (c *Conn) Tune(cfg vrrp.Config) error {
	program, err := filter(cfg)
	if err == nil {
		if c.v4 {
			err = ipv4.NewPacketConn(c.ip).SetBPF(program)
		} else {
			err = ipv6.NewPacketConn(c.ip).SetBPF(program)
		}
	}
	if err != nil {
		return fmt.Errorf("change filter: %w", err)
	}
	return nil
}

// sourceOn finds the address to send from.
func sourceOn(ifi *net.Interface, cfg vrrp.Config) (netip.Addr, error) {
	addrs, err := ifi.Addrs()
	if err != nil {
		return netip.Addr{}, err
	}
	virtual := func(ip netip.Addr) bool {
		is := func(a vrrp.Address) bool { return a.Prefix.Addr() == ip }
		return slices.ContainsFunc(cfg.Addresses, is) || slices.ContainsFunc(cfg.Excluded, is)
	}
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		ip := prefix.Addr()
		switch {
		case ip.Is4() != cfg.IPv4(), virtual(ip):
		case ip.Is4(), ip.IsLinkLocalUnicast():
			return ip, nil
		}
	}
	return netip.Addr{}, ErrNoSource
}

// Source is the address adverts are sent from.
func (c *Conn) Source() netip.Addr { return c.source }

// Send sends what vrrp.Codec.Encode returned. It never waits: when the queue of
// the interface is full the error is EAGAIN or ENOBUFS.
//
// With a VMAC, a multicast advert that does not leave there goes out on the
// interface: other routers take it just as well.
func (c *Conn) Send(packet []byte, to netip.Addr) error {
	if c.vmac != nil && to.IsMulticast() && c.vmac.send(packet, c.source, to) == nil {
		return nil
	}
	sa := sockaddr(to, c.index)
	var err error
	if raw := c.raw.Write(func(fd uintptr) bool {
		err = unix.Sendto(int(fd), packet, c.flags|unix.MSG_DONTWAIT, sa)
		return true
	}); raw != nil {
		err = raw
	}
	if err != nil {
		return fmt.Errorf("send advert to %s: %w", to, err)
	}
	return nil
}

// Receive waits for one packet. An IPv4 packet that cannot be taken apart is a
// vrrp.Drop; after Close the error is net.ErrClosed.
func (c *Conn) Receive(buf []byte) (vrrp.Packet, error) {
	if c.v4 {
		n, err := c.ip.Read(buf) // with the IP header, unlike ReadFrom
		if err != nil {
			return vrrp.Packet{}, fmt.Errorf("receive advert: %w", err)
		}
		return vrrp.ParseIPv4(buf[:n])
	}
	n, oobn, _, from, err := c.ip.ReadMsgIP(buf, c.oob)
	if err != nil {
		return vrrp.Packet{}, fmt.Errorf("receive advert: %w", err)
	}
	var cm ipv6.ControlMessage
	if err := cm.Parse(c.oob[:oobn]); err != nil {
		return vrrp.Packet{}, fmt.Errorf("parse control message: %w", err)
	}
	src, _ := netip.AddrFromSlice(from.IP)
	dst, _ := netip.AddrFromSlice(cm.Dst)
	return vrrp.Packet{
		Source: src, Destination: dst, TTL: uint8(cm.HopLimit),
		Protocol: vrrp.ProtocolVRRP, Payload: buf[:n],
	}, nil
}

// Close leaves the group and ends Receive.
func (c *Conn) Close() error {
	err := c.ip.Close()
	if c.vmac != nil {
		err = errors.Join(err, c.vmac.close())
	}
	if err != nil {
		return fmt.Errorf("close VRRP socket: %w", err)
	}
	return nil
}
