package conflict

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/vrrp/frame"
)

// How a MAC claimed an address: it ... for the address.
const (
	answered   = "answered our probe"
	announced  = "sent a gratuitous ARP"
	spoke      = "sent ARP"
	advertised = "sent a neighbour advertisement" // nothing in it tells an answer to a solicitation from ::
)

// device is one interface that carries addresses of ours.
type device struct {
	name      string
	addresses []netip.Addr
	claim     func(d *device, ip netip.Addr, mac, how string)

	mu   sync.Mutex
	conn *packet.Conn // to probe with; nil: nothing to probe on
	mac  net.HardwareAddr
}

// listen reads what others say of our addresses until ctx ends or the interface
// does.
func (d *device) listen(ctx context.Context) error {
	ifi, err := net.InterfaceByName(d.name)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", d.name, err)
	}
	if ifi.Flags&net.FlagLoopback != 0 || len(ifi.HardwareAddr) != 6 {
		<-ctx.Done() // nobody else is there
		return nil
	}
	v6 := slices.ContainsFunc(d.addresses, netip.Addr.Is6)
	conn, err := d.open(ifi)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	errs := make(chan error, 2)
	defer func() { d.use(nil, nil); _ = conn.Close() }()
	d.use(conn, ifi.HardwareAddr)
	// Also where there is no IPv4 address: reading ends when the interface does.
	wg.Go(func() { errs <- d.readARP(conn) })
	if v6 {
		c, err := listenNA(d.name, d.addresses)
		if err != nil {
			_ = conn.Close()
			return err
		}
		defer func() { _ = c.Close() }()
		wg.Go(func() { errs <- d.readNA(c, ifi.Index) })
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-errs:
		return err
	}
}

// open opens the socket that reads ARP and sends probes of both families.
func (d *device) open(ifi *net.Interface) (*packet.Conn, error) {
	program, err := arpFilter(d.addresses)
	if err != nil {
		return nil, fmt.Errorf("assemble filter: %w", err)
	}
	conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ARP, &packet.Config{Filter: program})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", d.name, err)
	}
	return conn, nil
}

func (d *device) use(conn *packet.Conn, mac net.HardwareAddr) {
	d.mu.Lock()
	d.conn, d.mac = conn, mac
	d.mu.Unlock()
}

// readARP reads ARP packets whose sender is one of our addresses.
func (d *device) readARP(conn *packet.Conn) error {
	buf := make([]byte, 2048)
	for {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			return fmt.Errorf("read ARP on %s: %w", d.name, err)
		}
		var f ethernet.Frame
		var p arp.Packet
		if f.UnmarshalBinary(buf[:n]) != nil || p.UnmarshalBinary(f.Payload) != nil {
			continue // not ARP of Ethernet and IPv4
		}
		if !slices.Contains(d.addresses, p.SenderIP) {
			continue
		}
		how := spoke
		switch {
		case p.SenderIP == p.TargetIP:
			how = announced
		case p.Operation == arp.OperationReply:
			how = answered
		}
		d.claim(d, p.SenderIP, p.SenderHardwareAddr.String(), how)
	}
}

// readNA reads neighbour advertisements for our addresses.
func (d *device) readNA(c *naConn, index int) error {
	buf := make([]byte, 2048)
	for {
		n, cm, _, err := c.ReadFrom(buf)
		if err != nil {
			return fmt.Errorf("read neighbour advertisements on %s: %w", d.name, err)
		}
		// RFC 4861 section 7.1.2: what crossed a router is forged.
		if cm == nil || cm.HopLimit != 255 || cm.IfIndex != index {
			continue
		}
		m, err := ndp.ParseMessage(buf[:n])
		na, ok := m.(*ndp.NeighborAdvertisement)
		if err != nil || !ok || !slices.Contains(d.addresses, na.TargetAddress) {
			continue
		}
		for _, o := range na.Options {
			if l, ok := o.(*ndp.LinkLayerAddress); ok && l.Direction == ndp.Target {
				d.claim(d, na.TargetAddress, l.Addr.String(), advertised)
			}
		}
	}
}

// probe asks who has our addresses. A virtual router's MAC is the master's: a
// frame from it would lead switches here, so only a master (holding) sends one.
func (d *device) probe(holding bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn == nil || !holding && virtual(d.mac) {
		return nil
	}
	var errs []error
	for _, ip := range d.addresses {
		b, to, err := frame.Probe(ip, d.mac)
		if err == nil {
			_, err = d.conn.WriteTo(b, &packet.Addr{HardwareAddr: to})
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("probe for %s on %s: %w", ip, d.name, err))
		}
	}
	return errors.Join(errs...)
}

// virtual reports whether a MAC is one of those that IANA gave to virtual
// routers (RFC 9568 section 7.3).
func virtual(mac net.HardwareAddr) bool {
	return len(mac) == 6 && mac[0] == 0 && mac[1] == 0 && mac[2] == 0x5e && mac[3] == 0 && (mac[4] == 1 || mac[4] == 2)
}
