package vip

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// VMAC is a macvlan interface with a virtual MAC address (RFC 9568 section 7.3),
// for the addresses whose Device names it.
type VMAC struct {
	Name   string // of the interface
	Parent string // the interface that it is made on
	MAC    vrrp.MAC
}

// ErrForeignInterface means that an interface has the name of a VMAC and was not
// made by us. It is left alone.
var ErrForeignInterface = errors.New("there is an interface of this name that is not ours")

// macvlan is the part of a master that a VMAC is. The interface exists for the
// life of the Host, and is up while the addresses are installed: down, it takes
// no frame to the virtual MAC address and sends none from it (RFC 9568 section
// 6.4.2: a backup discards what is sent to that address), so that the network
// never sees it at two places.
//
// The mode is VEPA. In private mode, which keepalived uses, the kernel gives a
// frame from the MAC address of the macvlan to that macvlan alone
// (macvlan_handle_frame): the adverts of another master would not be heard on
// the parent.
type macvlan struct {
	VMAC
	instance string
	ipv6     bool // it carries IPv6 addresses
	left     bool // from the state file of a dead Host: remove deletes it
}

func (m macvlan) String() string { return fmt.Sprintf("%s (%s on %s)", m.Name, m.MAC, m.Parent) }

func (m macvlan) essential() bool { return true }
func (m macvlan) tracked() bool   { return true }

// alias marks an interface as ours, for us and for who reads ip link.
func (m macvlan) alias() string { return "edgekeeper " + m.instance }

// install sets the interface up, and makes it when it is gone, as it is after
// its parent was.
func (m macvlan) install(h *Host, _ time.Duration) error {
	if h.linked[m.Name] { // and Watch has seen no change since
		return nil
	}
	link, err := m.find(h.nl)
	if err != nil {
		return err
	}
	if link != nil && m.strayed(h.nl, link) {
		if err := m.delete(h.nl); err != nil {
			return err
		}
		link = nil
	}
	if link == nil {
		if link, err = m.make(h.nl); err != nil {
			return err
		}
		h.forget() // what was prepared for the interface of before
	}
	attrs := link.Attrs()
	if attrs.HardwareAddr.String() != m.MAC.String() {
		if err := h.nl.LinkSetHardwareAddr(link, m.MAC[:]); err != nil {
			return fmt.Errorf("set MAC address: %w", err)
		}
	}
	if attrs.RawFlags&unix.IFF_UP == 0 {
		if err := h.nl.LinkSetUp(link); err != nil {
			return fmt.Errorf("set up: %w", err)
		}
	}
	h.linked[m.Name] = true
	return nil
}

// find gives the interface, nil when there is none. One that is not ours is
// ErrForeignInterface.
func (m macvlan) find(nl *netlink.Handle) (netlink.Link, error) {
	link, err := nl.LinkByName(m.Name)
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
		return nil, nil //nolint:nilnil // absence is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("look for %s: %w", m.Name, err)
	}
	// A predecessor may have died between making it and marking it: the state
	// file knows its MAC address then.
	attrs := link.Attrs()
	_, kind := link.(*netlink.Macvlan)
	ours := attrs.Alias == m.alias() || m.left && attrs.HardwareAddr.String() == m.MAC.String()
	if !kind || !ours {
		return nil, fmt.Errorf("%w (a %s with MAC address %s); if it is left over from another program, remove it with: ip link del %s",
			ErrForeignInterface, link.Type(), attrs.HardwareAddr, m.Name)
	}
	return link, nil
}

// strayed reports whether the interface is on another parent than it should be:
// the name has gone to another interface since.
func (m macvlan) strayed(nl *netlink.Handle, link netlink.Link) bool {
	parent, err := nl.LinkByName(m.Parent)
	if err != nil {
		return false // there is no better one
	}
	under := parent.Attrs().Index
	if _, stacked := parent.(*netlink.Macvlan); stacked {
		under = parent.Attrs().ParentIndex // the kernel uses that of the parent (macvlan_common_newlink)
	}
	return link.Attrs().ParentIndex != under
}

// prepare makes the interface, down, at the start of a Host. A parent that does
// not exist yet is no error: install makes the interface when it does.
func (m macvlan) prepare(nl *netlink.Handle) error {
	if err := m.delete(nl); err != nil {
		return err
	}
	_, err := m.make(nl)
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
		return nil
	}
	return err
}

// make makes the interface and sets the parameters it needs; see settings.
func (m macvlan) make(nl *netlink.Handle) (netlink.Link, error) {
	parent, err := nl.LinkByName(m.Parent)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", m.Parent, err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex = m.Name, parent.Attrs().Index
	attrs.HardwareAddr = net.HardwareAddr(m.MAC[:])
	attrs.Group = parent.Attrs().Group // firewall rules by group go on matching
	link := &netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_VEPA}
	if err := nl.LinkAdd(link); err != nil {
		return nil, fmt.Errorf("make macvlan on %s: %w", m.Parent, err)
	}
	err = nl.LinkSetAlias(link, m.alias())
	if err == nil {
		err = m.joinVRF(nl, link, parent)
	}
	if err == nil {
		err = m.configure()
	}
	if err != nil {
		return nil, errors.Join(err, nl.LinkDel(link))
	}
	return nl.LinkByName(m.Name)
}

// joinVRF puts the interface into the VRF of its parent, if that is in one.
func (m macvlan) joinVRF(nl *netlink.Handle, link, parent netlink.Link) error {
	master := parent.Attrs().MasterIndex
	if master == 0 {
		return nil
	}
	over, err := nl.LinkByIndex(master)
	if err != nil {
		return fmt.Errorf("find master of %s: %w", m.Parent, err)
	}
	if over.Type() != "vrf" {
		return nil
	}
	return nl.LinkSetMaster(link, over)
}

// setting is a kernel parameter below /proc/sys/net.
type setting struct{ family, name, value string }

// settings are the parameters of the interface itself. They go with it, so
// nothing needs to be put back.
//
//   - arp_ignore 1: ARP requests for the parent's addresses are not answered
//     with the virtual MAC address. The parent needs it too, the other way round.
//   - arp_filter 0: the route to the client may lead over the parent.
//   - arp_announce 2: no ARP request with an address of another interface.
//   - rp_filter 0: for the same reason as arp_filter. The kernel takes the
//     larger of this and that of "all".
//   - promote_secondaries 1: the first address of a subnet can go without the
//     others.
//   - no IPv6 address of its own (RFC 9568 section 7.4), no router
//     advertisements; and no IPv6 at all where no IPv6 address is to be on it,
//     so that no listener report comes from the virtual MAC address.
func (m macvlan) settings() []setting {
	out := []setting{
		{"ipv4", "arp_ignore", "1"},
		{"ipv4", "arp_filter", "0"},
		{"ipv4", "arp_announce", "2"},
		{"ipv4", "rp_filter", "0"},
		{"ipv4", "promote_secondaries", "1"},
	}
	if !m.ipv6 {
		return append(out, setting{"ipv6", "disable_ipv6", "1"})
	}
	return append(out,
		setting{"ipv6", "disable_ipv6", "0"},
		setting{"ipv6", "addr_gen_mode", "1"},
		setting{"ipv6", "accept_ra", "0"},
		setting{"ipv6", "autoconf", "0"},
	)
}

func (m macvlan) configure() error {
	for _, s := range m.settings() {
		path := filepath.Join("/proc/sys/net", s.family, "conf", m.Name, s.name)
		err := os.WriteFile(path, []byte(s.value), 0)
		if s.family == "ipv6" && errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return fmt.Errorf("set kernel parameter: %w", err)
		}
	}
	return nil
}

// remove sets the interface down; one of a dead Host is deleted.
func (m macvlan) remove(nl *netlink.Handle) error {
	if m.left {
		return m.delete(nl)
	}
	link, err := m.find(nl)
	if err == nil && link != nil && link.Attrs().RawFlags&unix.IFF_UP != 0 {
		err = nl.LinkSetDown(link)
	}
	return m.removed("set down", err)
}

// delete removes the interface, and with it what is on it. What is not ours
// stays, without an error where only leftovers are looked for.
func (m macvlan) delete(nl *netlink.Handle) error {
	link, err := m.find(nl)
	if err == nil && link != nil {
		err = nl.LinkDel(link)
	}
	if m.left && errors.Is(err, ErrForeignInterface) {
		return nil
	}
	return m.removed("delete", err)
}

func (m macvlan) removed(what string, err error) error {
	if err == nil || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return fmt.Errorf("%s %s: %w", what, m.Name, err)
}

func (m macvlan) present(nl *netlink.Handle) (bool, error) {
	link, err := m.find(nl)
	return err == nil && link != nil && link.Attrs().RawFlags&unix.IFF_UP != 0, err
}

func (m macvlan) record(s *state) {
	s.VMACs = append(s.VMACs, stateVMAC(m.VMAC))
}
