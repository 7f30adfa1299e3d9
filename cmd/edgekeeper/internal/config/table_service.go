package config

import "github.com/edgekeeper/edgekeeper/discovery"

// refineArgs are what Consul can be asked of the instances in a pool, beside
// catalogArgs.
var refineArgs = []argument{
	{name: "failover", kind: texts, doc: "Consul datacenters whose instances are used, in this order, while none here can serve: critical, drained and failed by native checks all count. They are watched and checked all the time, and stand by."},
	{name: "prepared_query", kind: text, doc: "Name or id of a Consul prepared query for the service in the label. It is executed instead of watching the service: Consul cannot block for it, leaves critical instances out of the answer, and fails over as the query's definition says."},
	{name: "poll_interval", kind: duration, def: "10s", lo: second, hi: maxDelay, doc: "Time between two executions of `prepared_query`."},
	{name: "gateway", kind: text, choices: discovery.GatewayNames(), doc: "Take the gateways of Consul's service mesh that serve the service in the label, and not its own instances: `ingress` and `terminating` gateways whose configuration entry names it, `api` gateways with a route to it, and every `mesh` gateway. The port is that of the ingress listener, else the gateway's own."},
	{name: "tagged_address", kind: text, defText: "the instance's own address", doc: "Tagged address to use: `lan`, `wan`, `lan_ipv4`, `lan_ipv6`, `wan_ipv4`, `wan_ipv6`, `virtual` or one of the site's own. An instance without it is left out."},
	{name: "node_meta", kind: texts, doc: "`key=value` pairs of node metadata that the instance's node must have, all of them."},
	{name: "checks", kind: texts, defText: "all", doc: "Consul checks that count, by name, by id, or by type as `type:http`. An instance with none of them is critical. Maintenance always counts, and so does `serfHealth` (the node is alive)."},
	{name: "ignore_checks", kind: texts, doc: "Consul checks that do not count, named in the same ways. `serfHealth` may be one of them; maintenance may not."},
}

// consulRefined are the refineArgs that only Consul understands: all.
func consulRefined() []string {
	var names []string
	for _, a := range refineArgs {
		names = append(names, a.name)
	}
	return names
}
