package config

import (
	"slices"

	"github.com/edgekeeper/edgekeeper/lvs"
)

var forwards = []string{lvs.DR.String(), lvs.NAT.String(), lvs.TUN.String()}

// schedulerFlags are the flag bits that schedulers give a meaning to, under the
// names of ipvsadm and keepalived.
var schedulerFlags = map[string]lvs.SchedulerFlags{
	"sh-fallback": lvs.SchedulerFlag1, "sh-port": lvs.SchedulerFlag2,
	"mh-fallback": lvs.SchedulerFlag1, "mh-port": lvs.SchedulerFlag2,
}

var schedulerFlagNames = []string{"sh-fallback", "sh-port", "mh-fallback", "mh-port"}

var virtualServerType = &blockType{
	name: "virtual_server", label: "its name, which KV keys and commands use", unique: true,
	doc: "A virtual server of IPVS and its pool of real servers: instances from a catalog (`service`), servers written here (`real_server`), or both. At least one of the two is needed.",
	args: []argument{
		{name: "address", kind: text, doc: "`ip:port`. Port 0 with `persistence` means every port. A range of addresses or of ports makes a group: see `addresses`. One of `address`, `addresses` and `fwmark` is needed."},
		{name: "addresses", kind: texts, doc: "A group (keepalived's `virtual_server_group`): several addresses, ranges (`192.0.2.1-10:80`, `192.0.2.8/29:80`, `[2001:db8::1-ff]:443`) and ranges of ports (`192.0.2.1:8000-8099`; port 0 is every port), all of one family. " +
			"It is one virtual server of the kernel: nftables gives its packets a firewall mark, and IPVS goes by that. Real servers have no port then, unless `forward` is `nat` and all packets are to go to that one."},
		{name: "fwmark", kind: number, def: "0", defText: "for a group, one that follows from its name and `ipvs.fwmark_base`", lo: 1, hi: maxUint32, doc: "Firewall mark. Alone, it takes the packets that your own rules mark so; with a group, it is the mark that the group's packets get. Directors that synchronize connections need the same marks."},
		{name: "family", kind: text, def: "ipv4", choices: []string{"ipv4", "ipv6"}, doc: "Address family of a `fwmark` without addresses."},
		{name: "protocol", kind: text, def: "tcp", defText: "`\"tcp\"`; with a `fwmark` alone, whatever has the mark", choices: []string{"tcp", "udp", "sctp"}, doc: "Transport protocol."},
		{name: "scheduler", kind: text, def: "wlc", choices: lvs.Schedulers(), doc: "The kernel's scheduler."},
		{name: "scheduler_flags", kind: texts, choices: schedulerFlagNames, doc: "Flags of the scheduler: `sh-fallback` and `sh-port` for `sh`, `mh-fallback` and `mh-port` for `mh`."},
		{name: "forward", kind: text, def: "dr", choices: forwards, doc: "Forwarding method: `dr` direct routing, `nat` masquerading, `tun` tunnelling."},
		{name: "persistence", kind: duration, def: "0s", lo: 0, hi: 31 * maxDelay, unit: second, doc: "Time for which a client keeps its real server, in whole seconds. `\"0s\"`: not at all."},
		{name: "persistence_granularity", kind: number, def: "0", defText: "each address by itself", lo: 1, hi: 128, doc: "Prefix length within which clients count as one for `persistence`: 1 to 32 for IPv4, 1 to 128 for IPv6."},
		{name: "persistence_engine", kind: text, choices: lvs.Engines(), defText: "none", doc: "`sip` makes `persistence` go by the Call-ID of SIP over UDP and not by the client's address alone (kernel module ip_vs_pe_sip)."},
		{name: "one_packet", kind: boolean, def: "false", doc: "Schedule each UDP packet by itself. With `persistence` the client, or the call, keeps its real server all the same."},
		{name: "health", kind: text, def: "consul-and-native", choices: healthPolicies, doc: "What makes a real server healthy: the catalog's state, the native checks, both or either. The catalog may be a file catalog."},
		{name: "on_failure", kind: text, def: "drain", choices: failurePolicies, doc: "A failed real server gets weight 0 (`drain`, keepalived's `inhibit_on_failure`) or is taken out (`remove`)."},
		{name: "weight", kind: number, def: "1", lo: 0, hi: maxPort, doc: "Weight of catalog instances for which neither KV nor their service says one."},
		{name: "active_on", kind: text, def: "always", choices: []string{"always", "master"}, doc: "Directors that have the virtual server in their table: all of them, ready to take over, or the `master` alone. Directors that are real servers of each other need `master`, or they pass packets back and forth."},
		{name: "vrrp", kind: text, defText: "the one that holds the address", doc: "Instance whose master is meant by `active_on = \"master\"`."},
		{name: "drain_timeout", kind: duration, def: "1m", lo: 0, hi: maxDelay, doc: "Time that a real server on its way out may take to finish its connections; `\"0s\"` removes it at once. The default is twice the longest time that Nomad by default grants a stopping task, so the process is gone before its entry. UDP does not wait."},
		{name: "max_removal", kind: ratio, def: "0.5", doc: "Share of the pool that may go within `removal_window` on one source's word, one server in any case. Beyond it (both of two, two of three, three of five) the pool is held until catalog and checks agree. What a new server has taken the place of does not count. What is missing since the catalog has lost its data is held however little it is. 1 switches this off."},
		{name: "removal_window", kind: duration, def: "1m", lo: second, hi: maxDelay, doc: "The time over which `max_removal` counts."},
		{name: "panic_threshold", kind: ratio, def: "0", doc: "Share of healthy real servers below which all are used, healthy or not. 0: never."},
		{name: "quorum", kind: number, def: "1", lo: 1, hi: maxInt32, doc: "Total weight of healthy real servers that makes the pool usable. Below it the `fallback` serves, then the `sorry_server`."},
		{name: "hysteresis", kind: number, def: "0", lo: 0, hi: maxInt32, doc: "Dead band: quorum is reached at `quorum + hysteresis` and lost below `quorum - hysteresis`. Less than `quorum`."},
	},
	blocks: []*blockType{serviceType, nomadServiceType, checkType, realServerType, fallbackType, sorryServerType, slowStartType, tunnelType},
	sample: `virtual_server "web" {
  address   = "61.139.2.1:80"
  scheduler = "wrr"
  forward   = "dr"

  service "web" {
    tags = ["prod"]
  }
  real_server "61.139.2.4:80" {
    weight = 1
  }
  check "http" {
    path = "/health"
  }
}`,
}

var serviceType = &blockType{
	name: "service", label: "the service's name in the catalog",
	doc: "Takes instances of a service from a catalog into the pool. Several blocks add up.",
	args: slices.Concat(catalogArgs, refineArgs, []argument{
		{name: "port", kind: number, def: "0", defText: "the instance's own", lo: 1, hi: maxPort, doc: "Port that replaces the instance's."},
		{name: "near", kind: text, doc: "Consul node from which instances are sorted by round trip; `_agent` for the agent's own."},
	}),
}

// catalogArgs say which instances of a service are meant.
var catalogArgs = []argument{
	{name: "source", kind: text, choices: []string{"consul", "file"}, defText: "`consul` where Consul is configured, else `file`", doc: "The catalog to ask."},
	{name: "tags", kind: texts, doc: "Tags that an instance must carry, all of them."},
	{name: "datacenter", kind: text, defText: "that of the `consul` block", doc: "Consul datacenter."},
	{name: "namespace", kind: text, defText: "that of the `consul` block", doc: "Consul Enterprise namespace."},
	{name: "partition", kind: text, defText: "that of the `consul` block", doc: "Consul Enterprise admin partition."},
	{name: "peer", kind: text, doc: "Consul cluster peer that exports the service."},
	{name: "filter", kind: text, doc: "Consul filter expression, which Consul evaluates: `Service.Meta.pool == \"blue\"`."},
}

var realServerType = &blockType{
	name: "real_server", label: "`ip:port`; without a port it takes the virtual server's",
	doc: "A real server written in the configuration.",
	args: []argument{
		{name: "weight", kind: number, def: "1", lo: 0, hi: maxPort, doc: "Its weight; 0 gives it no new connections."},
		{name: "forward", kind: text, choices: forwards, defText: "the virtual server's", doc: "Forwarding method."},
		{name: "upper_threshold", kind: number, def: "0", lo: 0, hi: maxInt32, doc: "Connections at which it gets no more. 0: no limit."},
		{name: "lower_threshold", kind: number, def: "0", defText: "three quarters of `upper_threshold`", lo: 0, hi: maxInt32, doc: "Connections below which it gets new ones again."},
	},
	blocks: []*blockType{checkType},
}

var sorryServerType = &blockType{
	name: "sorry_server", label: "`ip:port`; without a port it takes the virtual server's", single: true,
	doc: "Serves alone while quorum is lost and no `fallback` serves.",
	args: []argument{
		{name: "check", kind: boolean, def: "false", doc: "Make the virtual server's checks of it, too, and let it serve only while they do not fail. keepalived does not check it."},
		{name: "forward", kind: text, choices: forwards, defText: "the virtual server's", doc: "Forwarding method."},
	},
}

var tunnelType = &blockType{
	name: "tunnel", single: true,
	doc: "Encapsulation for `forward = \"tun\"`. Without the block it is plain IPIP.",
	args: []argument{
		{name: "type", kind: text, def: "ipip", choices: []string{"ipip", "gue", "gre"}, doc: "Encapsulation."},
		{name: "port", kind: number, def: "0", defText: "none", lo: 1, hi: maxPort, doc: "UDP port of `gue`, which needs it."},
		{name: "checksum", kind: text, def: "nocsum", choices: []string{"nocsum", "csum", "remcsum"}, doc: "Checksum of the outer packet, for `gue` and `gre`; `remcsum` is for `gue` only."},
	},
}
