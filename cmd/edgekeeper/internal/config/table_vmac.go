package config

var vmacType = &blockType{
	name: "vmac", single: true,
	doc: "Puts the virtual addresses on a macvlan interface with the virtual router's own MAC address (RFC 9568 section 7.3, keepalived's `use_vmac`), so that clients keep their ARP and neighbour entries at a takeover. " +
		"The interface exists while the director runs, and is up while it is master. Addresses that name another `device` stay on that, and those of the other family on `interface`; see `all_addresses`.",
	args: []argument{
		{name: "name", kind: text, defText: "`vrrp.` and the `virtual_router_id`, for IPv6 `vrrp6.` and the `virtual_router_id`", doc: "Name of the macvlan interface, at most 15 bytes. An interface of this name that the director has not made is left alone, and refused."},
		{name: "mac", kind: text, defText: "00:00:5e:00:01 and the `virtual_router_id`, for IPv6 00:00:5e:00:02 and the `virtual_router_id`", doc: "Another MAC address, the same on all routers of the virtual router."},
		{name: "transmit_base", kind: boolean, def: "false", defText: "`false`, with `unicast_peers` `true`", doc: "Send adverts from `interface` and its own MAC address (keepalived's `vmac_xmit_base`). Switches then learn where the virtual MAC address is from announcements and traffic alone. Adverts to `unicast_peers` always go that way."},
		{name: "all_addresses", kind: boolean, def: "false", doc: "Make a macvlan interface, `name` with `.1`, `.2` and so on at its end, for every other device and family of the virtual addresses, too (keepalived's `use_vmac_addr`)."},
	},
}
