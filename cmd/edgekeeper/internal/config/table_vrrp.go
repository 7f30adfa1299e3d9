package config

import (
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

var vrrpType = &blockType{
	name: "vrrp", label: "the name of the instance", unique: true,
	doc: "A VRRP virtual router: its addresses are on the director with the highest priority. It needs no `virtual_server`; with none it is a plain hot standby.",
	args: []argument{
		{name: "interface", kind: text, required: true, doc: "Network interface on which adverts go."},
		{name: "virtual_router_id", kind: number, required: true, lo: 1, hi: 255, doc: "Id of the virtual router: the same on all its routers, unique on the interface per address family."},
		{name: "version", kind: number, def: "0", defText: "2 for IPv4, 3 for IPv6", lo: 2, hi: 3, doc: "Protocol version: 2 (RFC 3768, IPv4) or 3 (RFC 9568)."},
		{name: "state", kind: text, choices: []string{"master", "backup"}, defText: "as the priority says", doc: "What keepalived calls the initial state. It is a hint only: `\"master\"` makes 255 the default of `priority`, and excludes `preempt = false` and `preempt_delay`; a router of lower priority still listens for the master-down time first."},
		{name: "priority", kind: number, def: "100", defText: "100, with `state = \"master\"` 255", lo: 1, hi: 255, doc: "The highest becomes master. 255 means that this host owns the addresses."},
		{name: "advert_interval", kind: duration, def: "1s", lo: int64(10 * time.Millisecond), hi: 255 * second, doc: "Time between adverts, the same on all routers. Version 2: whole seconds, at most 255 s. Version 3: multiples of 10 ms, at most 40.95 s."},
		{name: "down_multiplier", kind: number, def: "3", lo: 1, hi: 100, doc: "Missed adverts after which the master counts as down; the same on all routers. RFC 9568 and most implementations know 3 only."},
		{name: "preempt", kind: boolean, def: "true", doc: "Take over from a working master of lower priority."},
		{name: "preempt_delay", kind: duration, def: "0s", lo: 0, hi: 1000 * second, doc: "Time for which a working master of lower priority is left in its role."},
		{name: "source_address", kind: text, defText: "the interface's first address of the family", doc: "Source address of adverts."},
		{name: "unicast_peers", kind: texts, doc: "Addresses of the other routers. Where given, adverts go to them instead of the multicast group, and only theirs are heard."},
		{name: "unicast_ttl", kind: number, def: "255", lo: 1, hi: 255, doc: "TTL (IPv6: hop limit) of adverts to unicast peers. Multicast adverts always have 255, and are dropped when they arrive with less."},
		{name: "accept", kind: boolean, def: "true", doc: "Accept packets that are addressed to the virtual addresses. With `false` a master drops them (nftables, table `inet edgekeeper`), but for ARP and neighbour discovery: RFC 9568's Accept_Mode, keepalived's `no_accept`. What it forwards, and what IPVS takes for a virtual server, is not concerned."},
		{name: "lease", kind: text, def: "auto", doc: "Kernel lifetime of the virtual addresses, renewed with each advert, so that a director that dies or hangs loses them without anyone's help. " +
			"`\"auto\"`: the longest that ends before a backup takes over (3 s with adverts every second), none where no whole second fits. `\"off\"`: no lifetime. Or whole seconds, longer than `advert_interval`."},
		{name: "answer_lower", kind: boolean, def: "true", doc: "As master, answer an advert of lower priority with ours at once (RFC 9568 section 6.4.3); `false` is the older RFCs' silence, keepalived's `lower_prio_no_advert`."},
		{name: "checksum", kind: text, def: vrrp.ChecksumPseudo.String(), choices: []string{vrrp.ChecksumPseudo.String(), vrrp.ChecksumPlain.String()}, doc: "What the checksum of version 3 over IPv4 covers: `pseudo-header`, as keepalived sends by default, or `plain`, as RFC 9568 has it (keepalived's `v3_checksum_as_v2`). Both are accepted."},
		{name: "garp_repeat", kind: number, def: "5", lo: 1, hi: 60, doc: "Gratuitous ARPs (IPv6: neighbour advertisements) per address on becoming master, and again after `garp_delay`."},
		{name: "garp_delay", kind: duration, def: "5s", lo: 0, hi: maxDelay, doc: "Time to the second set. `\"0s\"`: no second set."},
		{name: "garp_refresh", kind: duration, def: "0s", lo: 0, hi: maxDelay, doc: "Announce again at this interval while master, `\"0s\"` or at least a second. `\"0s\"`: never."},
		{name: "garp_refresh_repeat", kind: number, def: "1", lo: 1, hi: 60, doc: "Announcements per address each time."},
		{name: "garp_lower_repeat", kind: number, def: "0", defText: "`garp_repeat`", lo: 1, hi: 60, doc: "Announcements per address after a master of lower priority was heard, which may have misled switches and hosts."},
		{name: "garp_lower_delay", kind: duration, def: "0s", defText: "`garp_delay`", lo: 0, hi: maxDelay, doc: "Time to the second set of those. `\"0s\"`: no second set."},
		{name: "garp_interval", kind: duration, def: "0s", lo: 0, hi: 10 * second, doc: "Least time between two gratuitous ARPs on one interface, of all instances together (keepalived's `vrrp_garp_interval`), for switches that drop or count them. The first one of each address on becoming master does not wait."},
		{name: "gna_interval", kind: duration, def: "0s", lo: 0, hi: 10 * second, doc: "The same for unsolicited neighbour advertisements (keepalived's `vrrp_gna_interval`)."},
		{name: "on_address_loss", kind: text, def: "restore", choices: []string{"restore", "step-down"}, doc: "What a master does when somebody else removes a virtual address, route or rule: put it back at once and announce the address, or give up mastership and take part in the next election, as keepalived does."},
		{name: "interface_up_delay", kind: duration, def: "0s", lo: 0, hi: maxDelay, doc: "How long `interface` must be up again before the instance takes part in elections."},
		{name: "interface_down_delay", kind: duration, def: "0s", lo: 0, hi: maxDelay, doc: "How long `interface` must be down before that is a fault, shorter than the time after which a backup takes over. An interface that is gone or replaced is a fault at once."},
		{name: "track_own_interface", kind: boolean, def: "true", doc: "State FAULT while the interface is down or has no carrier. With `false` (keepalived's `dont_track_primary`) the router goes on, as over a cable between two directors; an interface that does not exist is a fault all the same."},
		{name: "conflict_probe", kind: duration, def: "10s", lo: 0, hi: maxDelay, doc: "Time between the master's questions to the LAN who else has a virtual address (ARP probe of RFC 5227, neighbour solicitation), `\"0s\"` or at least a second. `\"0s\"`: it asks nobody, and only hears those who speak unasked."},
	},
	blocks: append([]*blockType{virtualAddressType, vmacType, virtualRouteType, virtualRuleType, authenticationType, unicastPeerType, unicastServiceType}, trackUses...),
	sample: `vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  priority          = 100

  authentication {
    type       = "pass"
    secret_env = "VRRP_SECRET"
  }
  virtual_address "61.139.2.1/29" {
    label = "eth0:0"
  }

  track "nginx" {
    weight = -20
  }
  track "maintenance" {
    weight = 1
  }
  track "haproxy" {}
  track "local-checks" {
    weight = -5
  }
  track_interface "eth1" {
    weight = -20
  }
  track_virtual_server "web" {
    weight = -50
  }
}`,
}

var virtualAddressType = &blockType{
	name: "virtual_address", label: "the address, with its prefix length: `\"61.139.2.1/29\"`; without one it is /32 (/128)",
	doc: "An address that the master holds. At least one is advertised; the advertised ones are of one family.",
	args: []argument{
		{name: "label", kind: text, doc: "IPv4 label of the address, as `ifconfig` shows it: the device's name, a colon and more, at most 15 bytes."},
		{name: "device", kind: text, defText: "the instance's `interface`", doc: "Interface that holds the address."},
		{name: "scope", kind: text, def: "global", choices: []string{"global", "site", "link", "host"}, doc: "Scope of the address, as `ip address` has it."},
		{name: "broadcast", kind: text, defText: "none", doc: "IPv4 broadcast address."},
		{name: "peer", kind: text, defText: "none", doc: "Address at the other end of a point-to-point link; the prefix length is then the peer's."},
		{name: "prefix_route", kind: boolean, def: "true", doc: "Have the kernel add the connected route (`false` is `noprefixroute` of `ip address`)."},
		{name: "deprecated", kind: boolean, def: "false", doc: "The address answers, but is not chosen as the source of new connections (`preferred_lft 0`). An IPv6 /128 always is."},
		{name: "detect_duplicates", kind: boolean, def: "false", doc: "Leave duplicate address detection on for an IPv6 address (keepalived's `-nodad`): it is unusable for the first second of each term as master."},
		{name: "advertise", kind: boolean, def: "true", doc: "Name the address in adverts. With `false` it moves along unnamed, and may be of the other family (keepalived's `virtual_ipaddress_excluded`)."},
	},
}
