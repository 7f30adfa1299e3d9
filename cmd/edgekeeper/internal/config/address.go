package config

import (
	"net/netip"
	"strings"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// virtualAddresses takes the addresses of an instance; seen are those of all
// instances.
func (c *checker) virtualAddresses(b *block, out *VRRP, seen map[netip.Addr]*block) {
	r, advertised := &out.Router, false
	for _, v := range b.all("virtual_address") {
		advertised = advertised || v.flag("advertise")
		device := out.Interface
		if b.one("vmac") != nil {
			device = "" // not known yet; see vmac
		}
		a, ok := c.virtualAddress(v, device)
		if !ok {
			advertised = true // whatever it was meant to be
			continue
		}
		ip := a.Prefix.Addr()
		if first := seen[ip]; first != nil {
			v.addf(v.header, "virtual_address %s is already held at %s", ip, place(first.header))
			continue
		}
		seen[ip] = v
		switch {
		case !v.flag("advertise"):
			r.Excluded = append(r.Excluded, a)
		case len(r.Addresses) > 0 && !sameFamily(ip, r.Addresses[0].Prefix.Addr()):
			v.addf(v.header, "virtual_address %s is %s, the first of the instance is %s; write a vrrp block for each family, or advertise = false",
				ip, family(ip), family(r.Addresses[0].Prefix.Addr()))
		default:
			r.Addresses = append(r.Addresses, a)
		}
	}
	switch {
	case len(b.all("virtual_address")) == 0:
		b.addf(b.header, "%s needs a virtual_address block", b.name())
	case !advertised:
		b.addf(b.header, "%s needs a virtual_address block that is advertised", b.name())
	}
}

func (c *checker) virtualAddress(v *block, device string) (vrrp.Address, bool) {
	prefix, err := netip.ParsePrefix(v.label)
	if err != nil {
		ip, ipErr := netip.ParseAddr(v.label)
		if ipErr != nil {
			v.addf(v.header, "virtual_address: %q is not an address with its prefix length, such as \"192.0.2.1/24\"", v.label)
			return vrrp.Address{}, false
		}
		prefix = netip.PrefixFrom(ip, ip.BitLen())
	}
	if !v.usable("virtual_address", prefix.Addr(), v.header) {
		return vrrp.Address{}, false
	}
	if prefix.Addr().IsLoopback() {
		v.addf(v.header, "virtual_address: %s is a loopback address", prefix.Addr())
		return vrrp.Address{}, false
	}
	a := vrrp.Address{Prefix: prefix, Device: v.str("device"), Label: v.str("label")}
	if prefix.Bits() == 0 {
		v.addf(v.header, "virtual_address: the prefix length of %s is 0", prefix)
		return a, false
	}
	v.interfaceName("device", a.Device, v.where("device"))
	for _, s := range []vrrp.Scope{vrrp.ScopeGlobal, vrrp.ScopeSite, vrrp.ScopeLink, vrrp.ScopeHost} {
		if s.String() == v.str("scope") {
			a.Scope = s
		}
	}
	if a.Device != "" {
		device = a.Device
	}
	c.label(v, a, device)
	if v.written("broadcast") {
		at := v.where("broadcast")
		switch ip, err := netip.ParseAddr(v.str("broadcast")); {
		case err != nil || !ip.Is4():
			v.addf(at, "broadcast: %q is not an IPv4 address", v.str("broadcast"))
		case !prefix.Addr().Is4():
			v.addf(at, "broadcast is for IPv4 addresses only")
		default:
			a.Broadcast = ip
		}
	}
	c.addressFlags(v, &a)
	return a, true
}

// label checks an address label: the kernel wants it to be the device's name, or
// that name, a colon and more (inet_rtm_newaddr and devinet_ioctl agree on it),
// in 15 bytes.
func (c *checker) label(v *block, a vrrp.Address, device string) {
	at := v.where("label")
	switch {
	case a.Label == "":
	case a.Prefix.Addr().Is6():
		v.addf(at, "label is for IPv4 addresses only")
	case len(a.Label) > maxInterfaceName:
		v.addf(at, "label: %q has %d bytes, the kernel takes at most %d", a.Label, len(a.Label), maxInterfaceName)
	case device != "" && a.Label != device && !strings.HasPrefix(a.Label, device+":"):
		v.addf(at, "label: %q must begin with the device's name and a colon, such as %q", a.Label, device+":0")
	}
}
