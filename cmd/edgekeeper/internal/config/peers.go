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
	c.unicastService(b, v)
	if b.written("unicast_ttl") && !r.Unicast() && !b.bad("unicast_peers") && !b.written("unicast_peers") {
		b.addf(b.where("unicast_ttl"), "unicast_ttl is for unicast, and %s has no unicast peers", b.name())
	}
}

// unicastService reads where the peers come from, if not from the configuration.
func (c *checker) unicastService(b *block, v *VRRP) {
	s := b.one("unicast_service")
	if s == nil {
		return
	}
	if _, ok := b.at["unicast_peers"]; ok || len(b.all("unicast_peer")) > 0 {
		s.addf(s.header, "unicast_service excludes unicast_peers and unicast_peer: the peers are either written or found")
	}
	r := &v.Router
	r.DynamicPeers = true
	v.Peers = &PeerService{Query: c.query(s, c.sources()), Tags: plain(s.list("tags")), Linger: s.dur("linger")}
	bounds := vrrp.TTLRange{Min: uint8(s.num("min_ttl")), Max: uint8(s.num("max_ttl"))}
	switch {
	case bounds.Min > bounds.Max:
		s.addf(s.where("min_ttl"), "min_ttl is %d and max_ttl %d: no advert could pass", bounds.Min, bounds.Max)
	case bounds != (vrrp.TTLRange{Min: 1, Max: vrrp.TTL}):
		r.AnyPeerTTL = bounds
	}
}
