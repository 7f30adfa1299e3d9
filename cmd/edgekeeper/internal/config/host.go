package config

import (
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// LossPolicy is what a master does when somebody else removes a virtual address,
// route or rule.
type LossPolicy uint8

// The policies.
const (
	LossRestore  LossPolicy = iota // put it back
	LossStepDown                   // give up mastership, elect again
)

// String is the word of the configuration.
func (p LossPolicy) String() string {
	switch p {
	case LossRestore:
		return "restore"
	case LossStepDown:
		return "step-down"
	}
	return "unknown"
}

// hostOptions takes what an instance says of its host and its announcements.
func (c *checker) hostOptions(b *block, v *VRRP) {
	if b.str("on_address_loss") == LossStepDown.String() {
		v.OnLoss = LossStepDown
	}
	v.UpDelay, v.DownDelay = b.dur("interface_up_delay"), b.dur("interface_down_delay")
	v.ARPInterval, v.NAInterval = b.dur("garp_interval"), b.dur("gna_interval")
	// As keepalived has it: later, a backup has taken over anyhow.
	if most := time.Duration(v.Router.DownMultiplier-1) * v.Router.Interval; v.DownDelay > 0 && v.DownDelay >= most && !b.bad("down_multiplier") && !b.bad("advert_interval") {
		b.addf(b.where("interface_down_delay"), "interface_down_delay is %s, must be below %s, for a backup takes over soon after", v.DownDelay, short(most))
	}
	if b.written("garp_lower_delay") && b.dur("garp_lower_delay") == 0 && b.written("garp_delay") && b.dur("garp_delay") == 0 {
		b.addf(b.where("garp_lower_delay"), "garp_lower_delay is garp_delay anyway; leave it out")
	}
	if b.written("garp_refresh_repeat") && b.dur("garp_refresh") == 0 {
		b.addf(b.where("garp_refresh_repeat"), "garp_refresh_repeat has no effect without garp_refresh")
	}
	c.paced(b, v)
}

// pacing is what one interface has been given.
type pacing struct {
	arp, na time.Duration
	by      *block
}

// paced refuses two instances that want one interface paced differently.
func (c *checker) paced(b *block, v *VRRP) {
	if v.Interface == "" || b.bad("garp_interval") || b.bad("gna_interval") {
		return
	}
	if c.pacing == nil {
		c.pacing = map[string]pacing{}
	}
	first, known := c.pacing[v.Interface]
	if !known {
		c.pacing[v.Interface] = pacing{v.ARPInterval, v.NAInterval, b}
		return
	}
	for _, x := range []struct {
		name      string
		mine, was time.Duration
	}{{"garp_interval", v.ARPInterval, first.arp}, {"gna_interval", v.NAInterval, first.na}} {
		if x.mine != x.was {
			b.addf(b.where(x.name), "%s is %s, but %s at %s has %s for the same interface; they share one pace", x.name, short(x.mine), first.by.name(), place(first.by.header), short(x.was))
		}
	}
}

// addressFlags takes the flags of a virtual address.
func (c *checker) addressFlags(v *block, a *vrrp.Address) {
	ip := a.Prefix.Addr()
	if v.written("peer") {
		at := v.where("peer")
		peer, ok := v.address("peer", v.str("peer"), at)
		switch {
		case !ok:
		case !sameFamily(peer, ip):
			v.addf(at, "peer: %s is %s, the address is %s", peer, family(peer), family(ip))
		case peer == ip:
			v.addf(at, "peer: %s is the address itself", peer)
		default:
			a.Peer = peer
		}
		if v.written("broadcast") {
			v.addf(at, "peer and broadcast exclude each other")
		}
	}
	a.NoPrefixRoute, a.Deprecated, a.DetectDuplicates = !v.flag("prefix_route"), v.flag("deprecated"), v.flag("detect_duplicates")
	if a.DetectDuplicates && ip.Is4() {
		v.addf(v.where("detect_duplicates"), "detect_duplicates is for IPv6 addresses only")
	}
	if v.written("deprecated") && !a.Deprecated && ip.Is6() && a.Prefix.Bits() == ip.BitLen() {
		v.addf(v.where("deprecated"), "deprecated: an IPv6 /128 always is")
	}
}
