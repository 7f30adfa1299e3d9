package config

import (
	"net/netip"
	"slices"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// stateHint is what keepalived makes of the state keyword: the default of the
// priority, and two things that a master cannot have (vrrp_complete_instance).
func (c *checker) stateHint(b *block, r *vrrp.Config) {
	switch b.str("state") {
	case "master":
		if _, ok := b.at["priority"]; !ok {
			r.Priority = vrrp.PriorityOwner
		}
		if r.NoPreempt && r.Priority != vrrp.PriorityOwner { // else there is a sentence about the owner
			b.addf(b.where("preempt"), "preempt = false has no effect with state = \"master\"; write state = \"backup\" on all routers, or leave it out")
		}
		if r.PreemptDelay > 0 {
			b.addf(b.where("preempt_delay"), "preempt_delay has no effect with state = \"master\"; write state = \"backup\", or leave it out")
		}
	case "backup":
		if r.Priority == vrrp.PriorityOwner {
			b.addf(b.where("state"), "state = \"backup\" contradicts priority 255: the owner of the addresses begins as master")
		}
	}
}

// unicastPeers adds the peers that have a block.
func (c *checker) unicastPeers(b *block, v *VRRP) {
	r := &v.Router
	for _, p := range b.all("unicast_peer") {
		a, ok := p.address("unicast_peer", p.label, p.header)
		bounds := vrrp.TTLRange{Min: uint8(p.num("min_ttl")), Max: uint8(p.num("max_ttl"))}
		switch {
		case !ok:
			continue
		case len(r.Addresses) > 0 && a.Is4() != r.IPv4():
			p.addf(p.header, "unicast_peer: %s is %s, the virtual addresses are %s", a, family(a), familyOf(r))
		case a == v.Source:
			p.addf(p.header, "unicast_peer: %s is our own source_address", a)
		case slices.Contains(r.Peers, a):
			p.addf(p.header, "unicast_peer: %s is listed in unicast_peers too", a)
			continue
		case bounds.Min > bounds.Max:
			p.addf(p.where("min_ttl"), "min_ttl is %d and max_ttl %d: no advert could pass", bounds.Min, bounds.Max)
			continue
		}
		r.Peers = append(r.Peers, a)
		if bounds != (vrrp.TTLRange{Min: 1, Max: vrrp.TTL}) {
			if r.PeerTTL == nil {
				r.PeerTTL = map[netip.Addr]vrrp.TTLRange{}
			}
			r.PeerTTL[a] = bounds
		}
	}
	if b.written("unicast_ttl") && len(r.Peers) == 0 && !b.bad("unicast_peers") && !b.written("unicast_peers") {
		b.addf(b.where("unicast_ttl"), "unicast_ttl is for unicast, and %s has no unicast peers", b.name())
	}
}
