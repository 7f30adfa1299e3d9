package config

import "math"

// The actions and types, in the words of ip-rule(8) and ip-route(8).
var (
	routeTypes  = []string{"unicast", "local", "blackhole", "unreachable", "prohibit", "throw"}
	ruleActions = []string{"lookup", "goto", "blackhole", "unreachable", "prohibit"}
	ipProtocols = map[string]uint8{"icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58, "sctp": 132}
)

const trackDoc = "Put it back when somebody else removes it, or step down for it, as `on_address_loss` says. With `false` it is installed and removed, and otherwise left alone."

var virtualRouteType = &blockType{
	name: "virtual_route", label: "the destination, `\"10.0.0.0/8\"`; `\"0.0.0.0/0\"` or `\"::/0\"` for the default route",
	doc: "A route that the master has and a backup has not (keepalived's `virtual_routes`). Routes are installed after the addresses, so that `source` can be one of them, and removed before them. " +
		"They are marked `proto keepalived`, the number that routing daemons know for routes moved by VRRP. " +
		"The kernel gives a route no lifetime: after a crash of both director and guardian it stays until the next start or `edgekeeper cleanup`.",
	args: []argument{
		{name: "via", kind: text, doc: "Gateway, of the destination's family."},
		{name: "device", kind: text, defText: "the interface that reaches `via`", doc: "Interface."},
		{name: "onlink", kind: boolean, def: "false", doc: "Take `via` for reachable on `device` although no address of it covers it."},
		{name: "type", kind: text, def: "unicast", choices: routeTypes, doc: "What the route does, as `ip route` has it."},
		{name: "table", kind: number, def: "254", lo: 1, hi: math.MaxUint32, doc: "Routing table; 254 is `main`."},
		{name: "metric", kind: number, def: "0", defText: "the kernel's: 0 for IPv4, 1024 for IPv6", lo: 0, hi: math.MaxInt32, doc: "Preference among routes to one destination; the lowest wins."},
		{name: "source", kind: text, defText: "the kernel's choice", doc: "Preferred source address, such as a virtual address."},
		{name: "scope", kind: text, defText: "as `ip route` chooses", choices: []string{"site", "link", "host"}, doc: "Scope of an IPv4 route."},
		{name: "tos", kind: number, def: "0", lo: 0, hi: 255, doc: "Type of service of an IPv4 route."},
		{name: "mtu", kind: number, def: "0", lo: 0, hi: maxPort, doc: "Path MTU, 0 for the device's."},
		{name: "mtu_lock", kind: boolean, def: "false", doc: "Keep path MTU discovery from lowering `mtu`."},
		{name: "advmss", kind: number, def: "0", lo: 0, hi: maxPort, doc: "TCP segment size to advertise, 0 for the kernel's choice."},
		{name: "hop_limit", kind: number, def: "0", lo: 0, hi: 255, doc: "TTL or hop limit of packets on the route, 0 for the kernel's."},
		{name: "initcwnd", kind: number, def: "0", lo: 0, hi: maxPort, doc: "Initial TCP congestion window in segments, 0 for the kernel's."},
		{name: "initrwnd", kind: number, def: "0", lo: 0, hi: maxPort, doc: "Initial TCP receive window in segments, 0 for the kernel's."},
		{name: "quickack", kind: boolean, def: "false", doc: "Acknowledge at once on the route."},
		{name: "track", kind: boolean, def: "true", doc: trackDoc},
	},
	blocks: []*blockType{nextHopType},
}

var nextHopType = &blockType{
	name: "nexthop", label: "the gateway, or the interface of a hop without one",
	doc: "One of several gateways of a multipath route, in place of `via` and `device`.",
	args: []argument{
		{name: "device", kind: text, defText: "the interface that reaches the gateway", doc: "Interface."},
		{name: "weight", kind: number, def: "1", lo: 1, hi: 256, doc: "Share of the connections."},
		{name: "onlink", kind: boolean, def: "false", doc: "Take the gateway for reachable on `device`."},
	},
}

var virtualRuleType = &blockType{
	name: "virtual_rule",
	doc: "A rule of the routing policy that the master has and a backup has not (keepalived's `virtual_rules`). Rules are installed after the routes and removed before them. " +
		"What is said of routes after a crash holds for rules.",
	args: []argument{
		{name: "priority", kind: number, required: true, lo: 1, hi: math.MaxUint32, doc: "Place among all rules; the lowest is looked at first. `main` stands at 32766."},
		{name: "from", kind: text, defText: "any", doc: "Source network."},
		{name: "to", kind: text, defText: "any", doc: "Destination network."},
		{name: "family", kind: text, defText: "that of `from` and `to`, else of the instance", choices: []string{"ipv4", "ipv6"}, doc: "Family of a rule without networks."},
		{name: "action", kind: text, def: "lookup", choices: ruleActions, doc: "What is done with a packet that matches."},
		{name: "table", kind: number, def: "0", lo: 1, hi: math.MaxUint32, defText: "none", doc: "Routing table that `lookup` asks."},
		{name: "goto", kind: number, def: "0", lo: 1, hi: math.MaxUint32, defText: "none", doc: "Priority of the rule that `goto` goes on with; it comes later."},
		{name: "not", kind: boolean, def: "false", doc: "Match what the rest does not."},
		{name: "fwmark", kind: text, defText: "any", doc: "Mark of the packet, with a mask or without: `\"0x1/0xf\"`."},
		{name: "iif", kind: text, defText: "any", doc: "Interface the packet came in on; `\"lo\"` for what this host sends."},
		{name: "oif", kind: text, defText: "any", doc: "Interface a socket is bound to."},
		{name: "tos", kind: number, def: "0", defText: "any", lo: 0, hi: 255, doc: "Type of service."},
		{name: "ip_protocol", kind: text, defText: "any", doc: "`\"tcp\"`, `\"udp\"`, `\"sctp\"`, `\"icmp\"`, another name of `ip rule`, or a number from 1 to 255."},
		{name: "source_port", kind: text, defText: "any", doc: "Port or range, `\"80\"` or `\"8000-8999\"`; needs `ip_protocol`."},
		{name: "destination_port", kind: text, defText: "any", doc: "Port or range; needs `ip_protocol`."},
		{name: "suppress_prefixlength", kind: number, def: "-1", defText: "none", lo: 0, hi: 127, doc: "Go on with the next rule where the table's answer has a prefix of this length or shorter: 0 ignores its default route. For tables up to 255."},
		{name: "track", kind: boolean, def: "true", doc: trackDoc},
	},
}
