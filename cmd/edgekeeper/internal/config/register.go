package config

import (
	"regexp"
	"time"
)

// Register says what the director registers of itself in Consul.
type Register struct {
	Service         string // the director's own
	VirtualAddress  bool   // register each virtual address as a service too
	Suffix          string // of its name, behind that of the virtual server
	Tags            []string
	TTL             time.Duration
	DeregisterAfter time.Duration // 0: never
}

var registerType = &blockType{
	name: "register", single: true,
	doc: "Registers with the agent, so that Consul knows the edge: the director as a service whose check tells its real state, and each virtual address as a service, so that `web-vip.service.consul` resolves to it, and `active.web-vip.service.consul` only while somebody holds it. " +
		"The checks are renewed by the director; one that dies becomes critical after `ttl`. A clean stop deregisters everything. Without the block nothing is registered.",
	args: []argument{
		{name: "service", kind: text, def: "edgekeeper", doc: "Name of the director's service. Its check is critical when the director could not serve, and warning when `status` has something to note."},
		{name: "virtual_addresses", kind: boolean, def: "true", doc: "Register each virtual server, named `<virtual server><vip_suffix>`, with its address and port, and each `vrrp` block whose addresses no virtual server has. The tag is `active` on the master and `standby` on a backup. The check is critical in a fault and when no real server serves."},
		{name: "vip_suffix", kind: text, def: "-vip", doc: "End of the names of those services."},
		{name: "tags", kind: texts, doc: "More tags of all these services."},
		{name: "ttl", kind: duration, def: "15s", lo: 3 * second, hi: maxDelay, unit: second, doc: "Time after which Consul counts a director that does not renew its checks as critical. They are renewed three times as often, and at each change."},
		{name: "deregister_after", kind: duration, def: "0s", defText: "`\"0s\"`, never", lo: 0, hi: 366 * maxDelay, unit: second, doc: "Time in critical state after which Consul itself removes the service. Consul's least is one minute."},
	},
}

// dnsLabel is what Consul's DNS can answer for (RFC 1123).
var dnsLabel = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`)

func (c *checker) register(consul *block) *Register {
	b := consul.one("register")
	if b == nil {
		return nil
	}
	r := &Register{
		Service: b.str("service"), VirtualAddress: b.flag("virtual_addresses"), Suffix: b.str("vip_suffix"), Tags: plain(b.list("tags")),
		TTL: b.dur("ttl"), DeregisterAfter: b.dur("deregister_after"),
	}
	if !dnsLabel.MatchString(r.Service) {
		b.addf(b.where("service"), "service: %q is no DNS label, so nobody could look it up: letters, digits and dashes", r.Service)
	}
	if !dnsLabel.MatchString("a" + r.Suffix) {
		b.addf(b.where("vip_suffix"), "vip_suffix: %q cannot end a DNS label: letters, digits and dashes", r.Suffix)
	}
	if !r.VirtualAddress && b.written("vip_suffix") {
		b.addf(b.where("vip_suffix"), "vip_suffix has no effect with virtual_addresses = false")
	}
	if d := r.DeregisterAfter; d > 0 && d < time.Minute {
		b.addf(b.where("deregister_after"), "deregister_after is %q, Consul's least is 1m", short(d))
	}
	return r
}
