package config

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// VMAC says on which macvlan interfaces the addresses of an instance are. Their
// Device names one of them where they are on it.
type VMAC struct {
	TransmitBase bool       // adverts come from the instance's interface
	Links        []VMACLink // the first is for adverts
}

// VMACLink is one macvlan interface.
type VMACLink struct {
	Name   string
	Device string // that it is made on
	MAC    vrrp.MAC
}

// vmac takes the vmac block of an instance, and puts addresses on its interfaces.
func (c *checker) vmac(b *block, v *VRRP) {
	m := b.one("vmac")
	if m == nil {
		return
	}
	r := &v.Router
	v.VMAC = &VMAC{TransmitBase: m.flag("transmit_base") || r.Unicast()}
	if m.written("transmit_base") && !m.bad("transmit_base") && v.VMAC.TransmitBase != m.flag("transmit_base") {
		m.addf(m.where("transmit_base"), "transmit_base = false is for multicast: adverts to unicast_peers go out on the interface itself")
	}
	name := m.str("name")
	if name == "" {
		name = fmt.Sprintf("vrrp.%d", r.VRID)
		if !r.IPv4() {
			name = fmt.Sprintf("vrrp6.%d", r.VRID)
		}
	}
	m.interfaceName("name", name, m.where("name"))
	var mac vrrp.MAC
	if m.written("mac") {
		var err error
		if mac, err = vrrp.ParseMAC(m.str("mac")); err != nil && !m.bad("mac") {
			m.addf(m.where("mac"), "mac: %v", err)
		}
	}
	l := linker{vmac: v.VMAC, vrid: r.VRID, mac: mac, name: name}
	l.link(v.Interface, r.IPv4())
	for _, list := range [][]vrrp.Address{r.Addresses, r.Excluded} {
		for i := range list {
			a := &list[i]
			device, own := a.Device, a.Device == "" || a.Device == v.Interface
			if own {
				device = v.Interface
			}
			v4 := a.Prefix.Addr().Is4()
			if m.flag("all_addresses") && a.Device != name || own && v4 == r.IPv4() {
				a.Device = l.link(device, v4)
			}
		}
	}
	for _, link := range v.VMAC.Links[1:] {
		m.interfaceName("all_addresses", link.Name, m.where("name"))
	}
	c.vmacLabels(b, v)
}

// linker gives the interfaces of an instance their names.
type linker struct {
	vmac *VMAC
	vrid uint8
	mac  vrrp.MAC // zero: that of the virtual router
	name string
}

// link gives the name of the interface for a device and family.
func (l *linker) link(device string, ipv4 bool) string {
	mac := l.mac
	if mac == (vrrp.MAC{}) {
		mac = vrrp.VirtualMAC(l.vrid, ipv4)
	}
	for _, have := range l.vmac.Links {
		if have.Device == device && have.MAC == mac {
			return have.Name
		}
	}
	name := l.name
	if n := len(l.vmac.Links); n > 0 {
		name = fmt.Sprintf("%s.%d", l.name, n)
	}
	l.vmac.Links = append(l.vmac.Links, VMACLink{name, device, mac})
	return name
}

// vmacLabels checks that a label begins with the name of the interface on which
// the address has come to be.
func (c *checker) vmacLabels(b *block, v *VRRP) {
	device := map[netip.Addr]string{}
	for _, list := range [][]vrrp.Address{v.Router.Addresses, v.Router.Excluded} {
		for _, a := range list {
			device[a.Prefix.Addr()] = a.Device
		}
	}
	for _, va := range b.all("virtual_address") {
		text, _, _ := strings.Cut(va.label, "/")
		ip, _ := netip.ParseAddr(text)
		d, label := device[ip], va.str("label")
		if d != "" && label != "" && !va.bad("label") && va.str("device") == "" && label != d && !strings.HasPrefix(label, d+":") {
			va.addf(va.where("label"), "label: %q must begin with the name of the vmac interface and a colon, such as %q", label, d+":0")
		}
	}
}

// accept takes the argument of the same name.
func (c *checker) accept(b *block, v *VRRP) {
	v.NoAccept = !b.flag("accept")
	if v.NoAccept && v.Router.Priority == vrrp.PriorityOwner {
		b.addf(b.where("accept"), "accept = false has no effect: priority 255 owns the addresses and always accepts")
	}
}

// vmacNames checks the macvlan interfaces of all instances against each other,
// and against the interfaces that are named as real ones.
func (c *checker) vmacNames(all []VRRP) {
	blocks := c.root.all("vrrp")
	names, real := map[string]*block{}, map[string]bool{}
	for _, v := range all {
		real[v.Interface] = true
	}
	type spot struct {
		device string
		mac    vrrp.MAC
	}
	macs := map[spot]*block{}
	for i, v := range all {
		if v.VMAC == nil {
			continue
		}
		m := blocks[i].one("vmac")
		for _, link := range v.VMAC.Links {
			at := spot{link.Device, link.MAC}
			switch first := names[link.Name]; {
			case real[link.Name]:
				m.addf(m.where("name"), "name: %q is the interface of a vrrp block", link.Name)
			case first != nil:
				m.addf(m.where("name"), "name: %q is already the vmac of %s at %s; give this one another name", link.Name, first.name(), place(first.header))
			case macs[at] != nil && !m.bad("mac"):
				m.addf(m.where("mac"), "mac: %s is already on %s by %s at %s", link.MAC, link.Device, macs[at].name(), place(macs[at].header))
			}
			names[link.Name], macs[at] = blocks[i], blocks[i]
		}
	}
}
