package config

import (
	"strconv"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// root is the whole language: what may stand at the top of a file.
var root = &blockType{
	doc: "Arguments and blocks at the top of a file. A folder of `*.hcl` files counts as one configuration: files are read in lexical order, and nothing may be defined in two of them.",
	args: []argument{
		{name: "router_id", kind: text, defText: "host name up to its first dot", doc: "Name of this director in KV keys (`priority/<vrrp>/<router_id>`), events and status."},
		{name: "state_dir", kind: text, def: "/var/lib/edgekeeper", doc: "Folder for what must outlive a restart: installed addresses, changed sysctls, last good pools."},
		{name: "on_stop", kind: text, def: "release", choices: []string{"release", "keep"}, doc: "The IPVS table after a clean stop: `release` removes our virtual servers, `keep` leaves them to go on with connections and to be adopted at the next start."},
		{name: "guardian", kind: boolean, def: "true", doc: "Run a second, small process that takes the virtual addresses off and resigns when the director dies, so that a crash costs the skew time and not the master-down time. Without it, and when both die at once, the lease of the addresses ends by itself."},
		{name: "log_level", kind: text, def: "info", choices: []string{"debug", "info", "warn", "error"}, doc: "Least severity that is logged."},
		{name: "log_json", kind: boolean, def: "false", doc: "Log lines as JSON objects instead of key=value."},
	},
	blocks: append([]*blockType{
		consulType, nomadType, fileCatalogType, controlType, telemetryType, processType, ipvsType, realServerAgentType, vrrpType, syncGroupType, virtualServerType, notifyType,
	}, trackDefinitions...),
	sample: `router_id = "lvs1"
on_stop   = "keep"
log_level = "info"`,
}

var consulType = &blockType{
	name: "consul", single: true,
	doc: "The Consul agent that is asked for services, their health, and the KV keys that tune a running edge. " +
		"The block may be left out where `CONSUL_HTTP_ADDR` is set. What the block leaves out comes from the environment variables that every Consul tool reads; what it says wins over them.",
	args: []argument{
		{name: "address", kind: text, def: "127.0.0.1:8500", defText: "`CONSUL_HTTP_ADDR`, else `\"127.0.0.1:8500\"`", doc: "`host:port`, `http://…`, `https://…` or `unix:///path`."},
		{name: "token", kind: secret, defText: "`CONSUL_HTTP_TOKEN`", doc: "ACL token. Never shown."},
		{name: "token_file", kind: text, defText: "`CONSUL_HTTP_TOKEN_FILE`", doc: "File with the ACL token, read again for every request. Not with `token`."},
		{name: "ca_cert", kind: text, defText: "`CONSUL_CACERT`", doc: "PEM file with the authorities that may sign the agent's certificate."},
		{name: "client_cert", kind: text, defText: "`CONSUL_CLIENT_CERT`", doc: "PEM file with our certificate. Needs `client_key`."},
		{name: "client_key", kind: text, defText: "`CONSUL_CLIENT_KEY`", doc: "PEM file with the key of `client_cert`."},
		{name: "tls_server_name", kind: text, defText: "`CONSUL_TLS_SERVER_NAME`", doc: "Name to verify in the agent's certificate in place of the address."},
		{name: "datacenter", kind: text, defText: "the agent's own", doc: "Datacenter of requests that name none."},
		{name: "namespace", kind: text, defText: "`CONSUL_NAMESPACE`", doc: "Namespace (Consul Enterprise) of requests that name none."},
		{name: "partition", kind: text, defText: "`CONSUL_PARTITION`", doc: "Admin partition (Consul Enterprise) of requests that name none."},
		{name: "kv_prefix", kind: text, def: "edgekeeper", doc: "Folder of the KV keys that tune the edge. Edges that share a Consul take one each."},
		{name: "max_stale", kind: duration, def: "10s", lo: second / 10, hi: maxDelay, doc: "Age up to which the answer of a server that is not the leader is taken. Older ones are asked for again from the leader."},
		{name: "max_stale_start", kind: duration, def: "168h", lo: 0, hi: 366 * maxDelay, doc: "At a start while Consul does not answer, what an earlier run knew is used when Consul confirmed it no longer ago than this (a director that runs keeps what it knows for as long as it takes). `\"0s\"`: never. What was known of another Consul, datacenter, namespace or partition is never used."},
	},
	blocks: []*blockType{registerType},
	sample: `consul {
  address    = "127.0.0.1:8500"
  token_file = "/etc/edgekeeper.d/consul-token"
  kv_prefix  = "edgekeeper"

  register {}
}`,
}

var fileCatalogType = &blockType{
	name: "file_catalog", single: true,
	doc: "A folder of Consul service-definition files (HCL and JSON, the ones that a Consul agent would load) as a catalog. The default source of `service` blocks where there is no Consul.",
	args: []argument{
		{name: "path", kind: text, required: true, doc: "The folder. It is watched; a change acts at once."},
	},
	sample: `file_catalog {
  path = "/etc/edgekeeper.d/services"
}`,
}

var controlType = &blockType{
	name: "control", single: true,
	doc: "The socket through which `edgekeeper status`, `pools`, `drain` and the other commands reach the director.",
	args: []argument{
		{name: "socket", kind: text, def: "/run/edgekeeper/director.sock", doc: "Path of the unix socket, at most 107 bytes."},
	},
	sample: `control {
  socket = "/run/edgekeeper/director.sock"
}`,
}

var telemetryType = &blockType{
	name: "telemetry", single: true,
	doc: "Serves `/metrics` (Prometheus) and `/health` over HTTP. Without the block nothing listens.",
	args: []argument{
		{name: "address", kind: text, def: "127.0.0.1:9777", doc: "`ip:port` to listen on."},
	},
	sample: `telemetry {
  address = "127.0.0.1:9777"
}`,
}

var ipvsType = &blockType{
	name: "ipvs", single: true,
	doc: "Settings of the kernel that go with virtual servers. They are set, verified and, on stop, put back as they were found.",
	args: []argument{
		{name: "manage_sysctls", kind: boolean, def: "true", doc: "Set the sysctls below; where a virtual server uses direct routing or NAT, `send_redirects = 0` on all, default and the interfaces of the `vrrp` blocks; and where one uses NAT, `net.ipv4.ip_forward = 1`, for IPv6 `net.ipv6.conf.all.forwarding = 1` (an interface that learns its routes from router advertisements then needs `accept_ra = 2`). With `false` all of them are left alone."},
		{name: "expire_nodest_conn", kind: boolean, def: "true", doc: "`net.ipv4.vs.expire_nodest_conn`: end the connections of a real server when it is taken out of the table, instead of dropping their packets in silence."},
		{name: "expire_quiescent_template", kind: boolean, def: "true", doc: "`net.ipv4.vs.expire_quiescent_template`: a real server with weight 0 loses its persistent clients; without it persistence goes before drain."},
		{name: "conn_reuse_mode", kind: number, def: "1", lo: 0, hi: 3, doc: "`net.ipv4.vs.conn_reuse_mode`, bits: 0 gives a reused client port to its old real server, 1 schedules it anew where the old connection is over, 2 already when it is closing."},
		{name: "conntrack", kind: boolean, def: "false", defText: "as it is", doc: "`net.ipv4.vs.conntrack`: enter the connections of IPVS in the kernel's connection tracking, so that nftables sees them. NAT needs it where rules masquerade the clients, because the real servers' way back does not lead through the director. It costs some speed."},
		{name: "tcp_timeout", kind: duration, def: "0s", defText: "the kernel's", lo: 0, hi: maxDelay * 31, unit: second, doc: "Idle time after which an established TCP connection is forgotten, in whole seconds. `\"0s\"` leaves the kernel's (15 minutes)."},
		{name: "tcp_fin_timeout", kind: duration, def: "0s", defText: "the kernel's", lo: 0, hi: maxDelay * 31, unit: second, doc: "The same after a FIN. `\"0s\"` leaves the kernel's (2 minutes)."},
		{name: "fwmark_base", kind: number, def: strconv.Itoa(lvs.MarkBase), lo: 1, hi: maxUint32 - lvs.Marks, doc: "First of the 16384 firewall marks that are given to groups (`addresses` of a virtual server). The mark of a group follows from this and from its name, so directors with the same names agree. The default sets no bit that kube-proxy uses."},
		{name: "udp_timeout", kind: duration, def: "0s", defText: "the kernel's", lo: 0, hi: maxDelay * 31, unit: second, doc: "The same for UDP. `\"0s\"` leaves the kernel's (5 minutes)."},
	},
	blocks: []*blockType{connectionSyncType},
	sample: `ipvs {
  tcp_timeout               = "15m"
  expire_quiescent_template = true

  connection_sync {
    interface = "eth1"
    vrrp      = "VI_1"
  }
}`,
}

var connectionSyncType = &blockType{
	name: "connection_sync", single: true,
	doc: "Lets established connections outlive a failover: the master tells the backups of its connections, by the kernel's synchronization daemon (`ipvsadm --start-daemon`). Without the block the daemons are left alone. " +
		"The kernel does not synchronize a table with tunnels between address families.",
	args: []argument{
		{name: "interface", kind: text, required: true, doc: "The network interface that has the traffic, best one between directors only: it is neither encrypted nor authenticated."},
		{name: "vrrp", kind: text, defText: "the only `vrrp` block", doc: "The instance whose role is followed: its master sends, its backups take."},
		{name: "id", kind: number, def: "0", defText: "the instance's `virtual_router_id`", lo: 0, hi: 255, doc: "Tells apart directors that share a network, the same on all of a site. A director with 0 takes connections of any id."},
		{name: "group", kind: text, def: lvs.SyncGroup().String(), doc: "Multicast group, the same on all. An IPv4 group needs an IPv4 address on the interface."},
		{name: "port", kind: number, def: strconv.Itoa(lvs.SyncPort), lo: 1, hi: maxPort, doc: "UDP port, the same on all."},
		{name: "ttl", kind: number, def: strconv.Itoa(lvs.SyncTTL), lo: 1, hi: 255, doc: "Routers that a message may cross, plus one."},
		{name: "max_length", kind: number, def: "0", defText: "what the interface's MTU takes", lo: 1, hi: maxPort, doc: "Bytes of the longest message. The kernel cuts it to what fits."},
	},
}

var realServerAgentType = &blockType{
	name: "real_server_agent", single: true,
	doc: "What `edgekeeper realserver` does on a web node behind direct routing: holds the virtual addresses on an interface that answers no ARP, and undoes it on stop. The director ignores the block, so both can share a configuration.",
	args: []argument{
		{name: "virtual_addresses", kind: texts, required: true, doc: "The virtual addresses, without prefix length: they are installed as /32 (/128)."},
		{name: "interface", kind: text, def: "lo", doc: "The interface that holds them."},
		{name: "manage_sysctls", kind: boolean, def: "true", doc: "Set `arp_ignore = 1` and `arp_announce = 2` on all, default and the interface."},
	},
	sample: `real_server_agent {
  virtual_addresses = ["61.139.2.1"]
}`,
}

var healthPolicies, failurePolicies = discovery.PolicyNames(), []string{discovery.DrainOnFailure.String(), discovery.RemoveOnFailure.String()}
