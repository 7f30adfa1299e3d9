package config

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// connectionSync takes the connection_sync block, when the rest is there.
func (c *checker) connectionSync(cfg *Config) *ConnectionSync {
	b := c.orEmpty("ipvs").one("connection_sync")
	if b == nil {
		return nil
	}
	out := &ConnectionSync{Instance: b.str("vrrp"), Sync: lvs.SyncConfig{
		Interface: b.str("interface"),
		ID:        uint8(b.num("id")),
		Port:      uint16(b.num("port")),
		TTL:       uint8(b.num("ttl")),
		MaxLength: uint16(b.num("max_length")),
	}}
	b.interfaceName("interface", out.Sync.Interface, b.where("interface"))
	group, err := netip.ParseAddr(b.str("group"))
	if err != nil || !group.IsMulticast() || group.Zone() != "" {
		b.addf(b.where("group"), "group: %q is not a multicast address, such as %q", b.str("group"), lvs.SyncGroup())
	}
	out.Sync.Group = group
	if len(c.root.all("virtual_server")) == 0 {
		b.addf(b.header, "connection_sync has no effect without a virtual_server: there are no connections")
	}
	var names []string
	for _, v := range cfg.Instances {
		names = append(names, v.Router.Name)
	}
	switch at := b.where("vrrp"); {
	case b.bad("vrrp"):
		return out
	case len(names) == 0:
		b.addf(b.header, "connection_sync follows the role of a vrrp block, there is none")
		return out
	case !b.written("vrrp") && len(names) > 1:
		b.addf(at, "connection_sync needs vrrp: there are %d instances, %s", len(names), strings.Join(names, ", "))
		return out
	case !b.written("vrrp"):
		out.Instance = names[0]
	case !slices.Contains(names, out.Instance):
		b.addf(at, "vrrp: there is no vrrp %q%s", out.Instance, suggest(out.Instance, names))
		return out
	}
	if !b.written("id") && !b.bad("id") {
		out.Sync.ID = cfg.Instances[slices.Index(names, out.Instance)].Router.VRID
	}
	return out
}
