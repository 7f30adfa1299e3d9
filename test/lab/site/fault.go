package site

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
)

// LinkDown takes an interface of a host down, from inside.
func (s *Site) LinkDown(h *Host, ifname string) error {
	l, err := h.Link(ifname)
	if err != nil {
		return err
	}
	if err := h.nl.LinkSetDown(l); err != nil {
		return fmt.Errorf("set %s on %s down: %w", ifname, h.Name, err)
	}
	return nil
}

// LinkUp brings an interface up again.
func (s *Site) LinkUp(h *Host, ifname string) error { return h.up(ifname) }

// Unplug takes the switch's port of a host down: the host sees its carrier go.
func (s *Site) Unplug(h *Host, ifname string) error { return s.LinkDown(s.sw, s.port(h, ifname)) }

// Plug undoes Unplug.
func (s *Site) Plug(h *Host, ifname string) error { return s.sw.up(s.port(h, ifname)) }

// Partition moves hosts to an island of their own on the site network: they
// reach each other and nobody else there. Carrier stays, and so does the
// management network.
func (s *Site) Partition(hosts ...*Host) error {
	var err error
	for _, h := range hosts {
		err = errors.Join(err, s.sw.attach(s.port(h, "eth0"), bridgeIsland))
	}
	return err
}

// Deafen keeps hosts from hearing each other on the site network while each
// still reaches all others: the broken heartbeat path of a split brain.
func (s *Site) Deafen(hosts ...*Host) error { return s.isolate(true, hosts) }

// Heal undoes Partition and Deafen for all hosts.
func (s *Site) Heal() error {
	var err error
	var all []*Host
	for _, h := range s.hosts {
		if h.Addr.IsValid() {
			err = errors.Join(err, s.sw.attach(s.port(h, "eth0"), bridgeSite))
			all = append(all, h)
		}
	}
	return errors.Join(err, s.isolate(false, all))
}

func (s *Site) isolate(on bool, hosts []*Host) error {
	for _, h := range hosts {
		l, err := s.sw.Link(s.port(h, "eth0"))
		if err != nil {
			return err
		}
		if err := s.sw.nl.LinkSetIsolated(l, on); err != nil {
			return fmt.Errorf("isolate %s: %w", h.Name, err)
		}
	}
	return nil
}

// Impairment is what a port does to the packets that leave the switch on it.
type Impairment struct {
	Delay, Jitter time.Duration
	Loss          float32 // percent
}

// Impair delays or loses what is sent to a host on the site network, with the
// kernel's netem. The zero Impairment ends it.
func (s *Site) Impair(h *Host, i Impairment) error {
	l, err := s.sw.Link(s.port(h, "eth0"))
	if err != nil {
		return err
	}
	attrs := netlink.QdiscAttrs{LinkIndex: l.Attrs().Index, Parent: netlink.HANDLE_ROOT, Handle: netlink.MakeHandle(1, 0)}
	if i == (Impairment{}) {
		err = s.sw.nl.QdiscDel(&netlink.GenericQdisc{QdiscAttrs: attrs, QdiscType: "netem"})
	} else {
		err = s.sw.nl.QdiscReplace(netlink.NewNetem(attrs, netlink.NetemQdiscAttrs{
			Latency: uint32(i.Delay.Microseconds()), Jitter: uint32(i.Jitter.Microseconds()), Loss: i.Loss,
		}))
	}
	if err != nil {
		return fmt.Errorf("impair port of %s: %w", h.Name, err)
	}
	return nil
}
