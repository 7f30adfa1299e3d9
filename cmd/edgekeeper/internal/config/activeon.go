package config

import (
	"net/netip"
	"slices"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// activeOn finds the VRRP instances that virtual servers follow.
func (c *checker) activeOn(cfg *Config) {
	var names []string
	for _, v := range cfg.Instances {
		names = append(names, v.Router.Name)
	}
	blocks := map[string]*block{}
	for _, b := range c.root.all("virtual_server") {
		if blocks[b.label] == nil {
			blocks[b.label] = b
		}
	}
	for i := range cfg.VirtualServers {
		s := &cfg.VirtualServers[i]
		b := blocks[s.Name]
		if b == nil {
			continue
		}
		s.ActiveOn, _ = discovery.ParseActiveOn(b.str("active_on"))
		if s.ActiveOn == discovery.Always {
			if b.written("vrrp") && !b.bad("active_on") {
				b.addf(b.where("vrrp"), "vrrp has no effect without active_on = \"master\"")
			}
			continue
		}
		s.Instance = b.str("vrrp")
		switch {
		case b.bad("vrrp"):
		case b.written("vrrp") && !slices.Contains(names, s.Instance):
			b.addf(b.where("vrrp"), "vrrp: there is no vrrp %q%s", s.Instance, suggest(s.Instance, names))
		case b.written("vrrp"):
		case firstAddress(*s).IsValid():
			if s.Instance = holder(cfg.Instances, firstAddress(*s)); s.Instance == "" && !b.partial {
				b.addf(b.where("active_on"), "active_on: no vrrp block holds %s, so there is no master; name an instance with vrrp", firstAddress(*s))
			}
		case !b.bad("address"):
			b.addf(b.where("active_on"), "active_on = \"master\" needs vrrp, the instance whose master is meant")
		}
	}
}

// firstAddress is the address of a virtual server, or the first of a group; none
// for a mark that others set.
func firstAddress(s discovery.Spec) netip.Addr {
	if len(s.Spans) > 0 {
		return s.Spans[0].First
	}
	return s.Service.Addr
}

// holder names the instance that holds an address; empty: none does.
func holder(instances []VRRP, addr netip.Addr) string {
	for _, v := range instances {
		for _, a := range slices.Concat(v.Router.Addresses, v.Router.Excluded) {
			if a.Prefix.Addr() == addr {
				return v.Router.Name
			}
		}
	}
	return ""
}
