package config

import (
	"errors"
	"net/netip"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// routerKey identifies a virtual router on its LAN.
type routerKey struct {
	device string
	vrid   uint8
	ipv4   bool
}

func (c *checker) instances() []VRRP {
	var out []VRRP
	routers := map[routerKey]*block{}
	addresses := map[netip.Addr]*block{}
	for _, b := range c.root.all("vrrp") {
		v := c.instance(b, addresses)
		key := routerKey{v.Interface, v.Router.VRID, v.Router.IPv4()}
		if first := routers[key]; first == nil {
			routers[key] = b
		} else if key.device != "" && key.vrid != 0 {
			b.addf(b.where("virtual_router_id"), "virtual_router_id %d is already taken on interface %q by %s at %s",
				key.vrid, key.device, first.name(), place(first.header))
		}
		out = append(out, v)
	}
	c.vmacNames(out)
	return out
}

func (c *checker) instance(b *block, addresses map[netip.Addr]*block) VRRP {
	b.keyName("vrrp", b.label, b.header)
	v := VRRP{Interface: b.str("interface"), ConflictProbe: b.dur("conflict_probe")}
	b.interfaceName("interface", v.Interface, b.where("interface"))
	v.Router = vrrp.Config{
		Name:           b.label,
		VRID:           uint8(b.num("virtual_router_id")),
		Version:        vrrp.Version(b.num("version")),
		Priority:       uint8(b.num("priority")),
		Interval:       b.dur("advert_interval"),
		DownMultiplier: int(b.num("down_multiplier")),
		NoPreempt:      !b.flag("preempt"),
		PreemptDelay:   b.dur("preempt_delay"),
		NoLowerAnswer:  !b.flag("answer_lower"),
		Announce: vrrp.AnnounceConfig{
			Repeat:  int(b.num("garp_repeat")),
			Delay:   b.dur("garp_delay"),
			Refresh: b.dur("garp_refresh"),

			LowerRepeat:   int(b.num("garp_lower_repeat")),
			LowerDelay:    b.dur("garp_lower_delay"),
			RefreshRepeat: int(b.num("garp_refresh_repeat")),
		},
	}
	c.hostOptions(b, &v)
	before := len(b.report.list)
	r := &v.Router
	c.stateHint(b, r)
	if r.Announce.Delay == 0 {
		r.Announce.Delay = -1 // no second set; zero would mean the default
	}
	if b.written("garp_lower_delay") && r.Announce.LowerDelay == 0 {
		r.Announce.LowerDelay = -1
	}
	c.virtualAddresses(b, &v, addresses)
	c.routes(b, r)
	*r = r.WithDefaults()
	c.version(b, r)
	c.checksum(b, r)
	c.timers(b, r)
	c.authentication(b, r)
	c.unicast(b, &v)
	c.vmac(b, &v)
	c.accept(b, &v)
	r.Lease = lease(b, r.Interval)
	v.OwnInterface = b.flag("track_own_interface")
	own := v.Interface
	if !v.OwnInterface {
		own = ""
	}
	v.Tracks = c.tracks(b, r.Priority, own)
	c.backstop(b, r, before)
	return v
}

// backstop asks the protocol's own package, so that nothing passes here that it
// would refuse later. What the checks above found needs no second sentence.
func (c *checker) backstop(b *block, r *vrrp.Config, before int) {
	if len(b.report.list) > before || b.anyBad() || r.VRID == 0 || len(r.Addresses) == 0 {
		return
	}
	err := r.Validate()
	if err == nil {
		return
	}
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, e := range list {
		var field *vrrp.FieldError
		if errors.As(e, &field) {
			b.addf(b.header, "%s: %s", b.name(), field.Error())
		}
	}
}

// anyBad reports whether a value of the block, or of one within, was wrong.
func (b *block) anyBad() bool {
	for name := range b.at {
		if b.bad(name) {
			return true
		}
	}
	for _, child := range b.blocks {
		if child.anyBad() {
			return true
		}
	}
	return false
}

func (c *checker) version(b *block, r *vrrp.Config) {
	if r.Version == vrrp.V2 && !r.IPv4() {
		b.addf(b.where("version"), "version 2 exists for IPv4 only, the addresses are IPv6; leave version out or write 3")
	}
}

func (c *checker) checksum(b *block, r *vrrp.Config) {
	if b.str("checksum") == vrrp.ChecksumPlain.String() {
		r.Checksum = vrrp.ChecksumPlain
	}
	if b.written("checksum") && !b.bad("version") && (r.Version != vrrp.V3 || !r.IPv4()) {
		b.addf(b.where("checksum"), "checksum is for version 3 over IPv4, %s is version %d over %s", b.name(), r.Version, familyOf(r))
	}
}

func (c *checker) timers(b *block, r *vrrp.Config) {
	at := b.where("advert_interval")
	switch {
	case b.bad("version"):
	case r.Version == vrrp.V2 && r.Interval%time.Second != 0:
		b.addf(at, "advert_interval is %s, version 2 takes whole seconds; version 3 goes down to 10ms", r.Interval)
	case r.Version == vrrp.V3 && (r.Interval > 40950*time.Millisecond || r.Interval%(10*time.Millisecond) != 0):
		b.addf(at, "advert_interval is %s, version 3 takes multiples of 10ms up to 40.95s", r.Interval)
	}
	if r.NoPreempt && r.Priority == vrrp.PriorityOwner {
		b.addf(b.where("preempt"), "preempt = false has no effect: priority 255 owns the addresses and always takes them")
	}
	if r.NoPreempt && r.PreemptDelay > 0 {
		b.addf(b.where("preempt_delay"), "preempt_delay has no effect with preempt = false")
	}
	if d := b.dur("garp_refresh"); d > 0 && d < time.Second {
		b.addf(b.where("garp_refresh"), "garp_refresh is %s, must be 0s or at least 1s", d)
	}
	if d := b.dur("conflict_probe"); d > 0 && d < time.Second {
		b.addf(b.where("conflict_probe"), "conflict_probe is %s, must be 0s or at least 1s", d)
	}
}

func familyOf(r *vrrp.Config) string {
	if r.IPv4() {
		return "IPv4"
	}
	return "IPv6"
}

func (c *checker) unicast(b *block, v *VRRP) {
	v.Router.UnicastTTL = uint8(b.num("unicast_ttl"))
	v.Router.Peers = b.addresses("unicast_peers")
	if b.written("unicast_peers") && len(b.list("unicast_peers")) == 0 {
		b.addf(b.where("unicast_peers"), "unicast_peers is empty; leave it out for multicast")
	}
	wrong := func(a netip.Addr) bool { return len(v.Router.Addresses) > 0 && a.Is4() != v.Router.IPv4() }
	if b.written("source_address") {
		a, ok := b.address("source_address", b.str("source_address"), b.where("source_address"))
		if ok && wrong(a) {
			b.addf(b.where("source_address"), "source_address: %s is %s, the virtual addresses are %s", a, family(a), familyOf(&v.Router))
		}
		v.Source = a
	}
	for _, l := range b.list("unicast_peers") {
		switch a, err := netip.ParseAddr(l.text); {
		case err != nil || a.Zone() != "" || a.Is4In6(): // said already
		case wrong(a):
			b.addf(l.at, "unicast_peers: %s is %s, the virtual addresses are %s", a, family(a), familyOf(&v.Router))
		case a == v.Source:
			b.addf(l.at, "unicast_peers: %s is our own source_address", a)
		}
	}
	c.unicastPeers(b, v)
}

// lease takes "auto", "off" or whole seconds.
func lease(b *block, interval time.Duration) time.Duration {
	at, s := b.where("lease"), b.str("lease")
	switch s {
	case "auto":
		return 0
	case "off":
		return vrrp.LeaseOff
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		b.addf(at, "lease is %q, must be \"auto\", \"off\" or a duration such as \"3s\"%s", s, suggest(s, []string{"auto", "off"}))
	case d <= 0 || d%time.Second != 0:
		b.addf(at, "lease is %q, must be whole seconds: the kernel counts lifetimes in them", s)
	case d <= interval:
		b.addf(at, "lease is %q, must be longer than advert_interval (%s), which renews it", s, short(interval))
	default:
		return d
	}
	return 0
}
