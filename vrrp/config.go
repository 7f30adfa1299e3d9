package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Config describes one virtual router. The zero value of a field is its
// documented default, filled in by WithDefaults.
type Config struct {
	// Name is the name of the instance in logs and status.
	Name string
	// VRID is the virtual router id, 1 to 255, the same on all its routers and
	// unique on the LAN per address family. Required.
	VRID uint8
	// Version is the protocol version. Default: V2 for IPv4, V3 for IPv6.
	Version Version
	// Priority is 1 to 254, the highest becomes master; 255 is the owner of the
	// addresses. Default 100.
	Priority uint8
	// Interval is the time between adverts: whole seconds from 1 to 255 in
	// version 2, multiples of 10 ms up to 40.95 s in version 3. Default 1 s.
	Interval time.Duration
	// DownMultiplier is the number of intervals without an advert after which
	// the master counts as down, 1 to 100. Default 3. All routers of a virtual
	// router should agree on it.
	DownMultiplier int
	// NoPreempt leaves a working master of lower priority in its role. The owner
	// of the addresses takes the role back all the same (RFC 9568 section 6.1).
	NoPreempt bool
	// PreemptDelay is how long a master of lower priority is left in its role
	// after it was first heard, at most 1000 s. Default 0. Not with NoPreempt.
	PreemptDelay time.Duration
	// Addresses are the virtual addresses, advertised and installed, of one
	// family. At least one.
	Addresses []Address
	// Excluded are installed and removed with Addresses but not advertised;
	// they may be of the other family.
	Excluded []Address
	// Routes and Rules are installed after the addresses, in this order, and
	// removed before them.
	Routes []Route
	Rules  []Rule
	// Auth is the authentication of version 2 over IPv4. Default none.
	Auth Auth
	// HMAC, when not nil, authenticates adverts of either version and family by
	// a trailer. Not with Auth.
	HMAC *HMAC
	// Peers, when not empty, are sent adverts by unicast instead of multicast,
	// and are the only sources adverts are accepted from.
	Peers []netip.Addr
	// DynamicPeers says that Peers come and go while the router runs (see
	// Codec.SetPeers): adverts go to peers by unicast also when none is known yet.
	DynamicPeers bool
	// UnicastTTL is the TTL or hop limit of adverts to Peers. Default 255.
	UnicastTTL uint8
	// PeerTTL bounds the TTL or hop limit of adverts from a peer; AnyPeerTTL, when
	// not zero, those of all peers that are not in it. Multicast adverts must have 255.
	PeerTTL    map[netip.Addr]TTLRange
	AnyPeerTTL TTLRange
	// Checksum is the form of the checksum sent in version 3 over IPv4.
	// Default ChecksumPseudo, as keepalived.
	Checksum ChecksumForm
	// NoLowerAnswer keeps a master from answering an advert of lower priority
	// with its own at once (RFC 9568 section 6.4.3 answers, older RFCs do not).
	NoLowerAnswer bool
	// Announce says how often addresses are announced by gratuitous ARP or
	// unsolicited neighbour advertisement.
	Announce AnnounceConfig
	// Lease is the kernel lifetime of installed addresses, whole seconds.
	// Default (0): LeaseAuto, no lifetime when none fits. LeaseOff: none.
	Lease time.Duration
}

// AnnounceConfig is the schedule of announcements. Each round announces every
// address once.
type AnnounceConfig struct {
	// Repeat is the number of rounds on becoming master, and again after Delay.
	// Default 5 (garp_master_repeat).
	Repeat int
	// Delay is the time to the second set of rounds. Default 5 s
	// (garp_master_delay); negative: no second set.
	Delay time.Duration
	// LowerRepeat and LowerDelay are the same for the announcements after a
	// master of lower priority was heard. Default: as Repeat and Delay.
	LowerRepeat int
	LowerDelay  time.Duration
	// Refresh announces periodically while master, RefreshRepeat rounds each
	// (default 1). Default 0: never.
	Refresh       time.Duration
	RefreshRepeat int
}

// WithDefaults returns c with every unset field at its default.
func (c Config) WithDefaults() Config {
	if c.Version == 0 {
		c.Version = V2
		if !c.IPv4() {
			c.Version = V3
		}
	}
	if c.Priority == 0 {
		c.Priority = PriorityDefault
	}
	if c.Interval == 0 {
		c.Interval = time.Second
	}
	if c.DownMultiplier == 0 {
		c.DownMultiplier = 3
	}
	if c.UnicastTTL == 0 {
		c.UnicastTTL = TTL
	}
	c.HMAC = c.HMAC.withDefaults(c.Interval)
	a := &c.Announce
	if a.Repeat == 0 {
		a.Repeat = 5
	}
	if a.Delay == 0 {
		a.Delay = 5 * time.Second
	}
	if a.LowerRepeat == 0 {
		a.LowerRepeat = a.Repeat
	}
	if a.LowerDelay == 0 {
		a.LowerDelay = a.Delay
	}
	if a.RefreshRepeat == 0 {
		a.RefreshRepeat = 1
	}
	return c
}

// IPv4 reports the family of the virtual router, which is that of its first
// address; IPv4 when there is none.
func (c Config) IPv4() bool {
	return len(c.Addresses) == 0 || c.Addresses[0].Prefix.Addr().Is4()
}

// Unicast reports whether adverts go to Peers instead of the multicast group.
func (c Config) Unicast() bool { return len(c.Peers) > 0 || c.DynamicPeers }

// Group is the multicast group of the family.
func (c Config) Group() netip.Addr {
	if c.IPv4() {
		return Group4
	}
	return Group6
}

// ReplacedAfter is the age of a master's last advert at which some backup may
// have taken over: the master-down time of priority 254, the shortest there
// is. A master that finds itself later than this steps down first.
func (c Config) ReplacedAfter() time.Duration {
	return c.Version.MasterDown(c.Interval, c.DownMultiplier, PriorityMax)
}

// FieldError is a mistake in one field of a Config.
type FieldError struct {
	Field   string // name of the field, with an index for lists: Addresses[1]
	Problem string
}

// Error names the field and what is wrong with it.
func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// Limits of the protocol and of keepalived.
const (
	maxAddresses    = 255
	maxMultiplier   = 100
	maxPreemptDelay = 1000 * time.Second
	maxLabel        = 15   // IFNAMSIZ-1
	maxDatagram     = 1500 // an advert is not fragmented on Ethernet
	maxRepeat       = 60
)

// Validate reports every mistake in c, each as a *FieldError in an
// errors.Join. Call it on the result of WithDefaults.
func (c Config) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, &FieldError{Field: field, Problem: fmt.Sprintf(format, args...)})
	}
	if c.VRID == 0 {
		bad("VRID", "must be 1 to 255")
	}
	if c.Priority == 0 {
		bad("Priority", "must be 1 to 255")
	}
	switch c.Version {
	case V2:
		if c.Interval < time.Second || c.Interval > 255*time.Second || c.Interval%time.Second != 0 {
			bad("Interval", "is %s; version 2 takes whole seconds from 1s to 255s", c.Interval)
		}
	case V3:
		if c.Interval < centisecond || c.Interval > maxInterval3*centisecond || c.Interval%centisecond != 0 {
			bad("Interval", "is %s; version 3 takes multiples of 10ms up to 40.95s", c.Interval)
		}
	default:
		bad("Version", "is %d; must be 2 or 3", c.Version)
	}
	if c.DownMultiplier < 1 || c.DownMultiplier > maxMultiplier {
		bad("DownMultiplier", "is %d; must be 1 to %d", c.DownMultiplier, maxMultiplier)
	}
	if c.PreemptDelay < 0 || c.PreemptDelay > maxPreemptDelay {
		bad("PreemptDelay", "is %s; must be 0s to %s", c.PreemptDelay, maxPreemptDelay)
	}
	if c.PreemptDelay > 0 && c.NoPreempt {
		bad("PreemptDelay", "has no meaning with NoPreempt")
	}
	if c.Lease != LeaseOff && (c.Lease < 0 || c.Lease%time.Second != 0) {
		bad("Lease", "is %s; the kernel counts whole seconds", c.Lease)
	} else if c.Lease > 0 && c.Lease <= c.Interval {
		bad("Lease", "is %s; must be longer than the advert interval %s that renews it", c.Lease, c.Interval)
	}
	c.validateAddresses(bad)
	c.validateAuth(bad)
	c.validatePeers(bad)
	c.validateAnnounce(bad)
	errs = append(errs, c.validateRoutes()...)
	return errors.Join(errs...)
}

func (c Config) validateAddresses(bad func(string, string, ...any)) {
	v4, size, head := c.IPv4(), 4, ipv4HeaderLen+ahLen+headerLen+secretLen
	if !v4 {
		size, head = 16, 40+headerLen
	}
	if c.HMAC != nil {
		head += trailerLen
	}
	switch n := len(c.Addresses); {
	case n == 0:
		bad("Addresses", "at least one is required")
	case n > maxAddresses, head+n*size > maxDatagram:
		bad("Addresses", "%d do not fit into one advert; move some to Excluded", n)
	}
	seen := make(map[netip.Addr]bool)
	check := func(field string, a Address, family bool) {
		ip := a.Prefix.Addr()
		switch {
		case !a.Prefix.IsValid():
			bad(field, "is not an address with a prefix length")
			return
		case ip.Is4In6(), ip.Zone() != "":
			bad(field, "%s: write plain IPv4 or IPv6", ip)
		case ip.IsMulticast(), ip.IsUnspecified(), ip.IsLoopback():
			bad(field, "%s cannot be a virtual address", ip)
		case family && ip.Is4() != v4:
			bad(field, "%s: all advertised addresses must be of one family; move it to Excluded", ip)
		case seen[ip]:
			bad(field, "%s is listed twice", ip)
		}
		seen[ip] = true
		if a.Label != "" && (!ip.Is4() || len(a.Label) > maxLabel) {
			bad(field, "label %q: IPv4 only, at most %d bytes", a.Label, maxLabel)
		}
		if a.Broadcast.IsValid() && (!ip.Is4() || !a.Broadcast.Is4()) {
			bad(field, "broadcast %s: IPv4 only", a.Broadcast)
		}
	}
	for i, a := range c.Addresses {
		check(fmt.Sprintf("Addresses[%d]", i), a, true)
	}
	for i, a := range c.Excluded {
		check(fmt.Sprintf("Excluded[%d]", i), a, false)
	}
}

// validateRoutes gives the mistakes of each route and rule, under its index.
func (c Config) validateRoutes() []error {
	var errs []error
	add := func(name string, i int, err error) {
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok {
			return
		}
		for _, e := range joined.Unwrap() {
			if f, ok := errors.AsType[*FieldError](e); ok {
				errs = append(errs, &FieldError{Field: fmt.Sprintf("%s[%d].%s", name, i, f.Field), Problem: f.Problem})
			}
		}
	}
	for i, r := range c.Routes {
		add("Routes", i, r.Validate())
	}
	for i, r := range c.Rules {
		add("Rules", i, r.Validate())
	}
	return errs
}

func (c Config) validateAuth(bad func(string, string, ...any)) {
	c.HMAC.validate(bad)
	if c.HMAC != nil && c.Auth.Type != AuthNone {
		bad("HMAC", "excludes Auth.Type %s", c.Auth.Type)
	}
	switch c.Auth.Type {
	case AuthNone:
		if c.Auth.Secret != "" {
			bad("Auth.Secret", "is given but Auth.Type is none")
		}
		return
	case AuthPass, AuthAH:
	default:
		bad("Auth.Type", "is %d; must be none, pass or ah", c.Auth.Type)
		return
	}
	if c.Version != V2 || !c.IPv4() {
		bad("Auth.Type", "%s exists in version 2 over IPv4 only", c.Auth.Type)
	}
	if n := len(c.Auth.Secret); n == 0 || n > secretLen {
		bad("Auth.Secret", "has %d bytes; must have 1 to %d", n, secretLen)
	}
}

func (c Config) validatePeers(bad func(string, string, ...any)) {
	seen := make(map[netip.Addr]bool)
	for i, p := range c.Peers {
		field := fmt.Sprintf("Peers[%d]", i)
		switch {
		case !p.IsValid(), p.IsMulticast(), p.IsUnspecified():
			bad(field, "%s is not a unicast address", p)
		case p.Is4() != c.IPv4(), p.Is4In6():
			bad(field, "%s is not of the family of the virtual addresses", p)
		case seen[p]:
			bad(field, "%s is listed twice", p)
		}
		seen[p] = true
	}
	if r := c.AnyPeerTTL; r != (TTLRange{}) && (r.Min == 0 || r.Max < r.Min) {
		bad("AnyPeerTTL", "%d to %d is no range", r.Min, r.Max)
	}
	for p, r := range c.PeerTTL {
		if !seen[p] || r.Min == 0 || r.Max < r.Min {
			bad("PeerTTL", "%s: %d to %d is no range for a peer", p, r.Min, r.Max)
		}
	}
}

func (c Config) validateAnnounce(bad func(string, string, ...any)) {
	a := c.Announce
	for _, f := range []struct {
		name  string
		value int
	}{{"Repeat", a.Repeat}, {"LowerRepeat", a.LowerRepeat}, {"RefreshRepeat", a.RefreshRepeat}} {
		if f.value < 1 || f.value > maxRepeat {
			bad("Announce."+f.name, "is %d; must be 1 to %d", f.value, maxRepeat)
		}
	}
	if a.Refresh < 0 || (a.Refresh > 0 && a.Refresh < time.Second) {
		bad("Announce.Refresh", "is %s; must be 0s or at least 1s", a.Refresh)
	}
}
