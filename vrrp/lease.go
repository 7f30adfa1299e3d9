package vrrp

import "time"

// LeaseOff, as Config.Lease, installs addresses without a lifetime.
const LeaseOff time.Duration = -1

// How late the kernel may remove an address whose lifetime ended: the expiry
// work of IPv4 (check_lifetime in net/ipv4/devinet.c) and IPv6
// (addrconf_verify in net/ipv6/addrconf.c) runs on a coarse timer; measured, at
// most 8 percent of the lifetime plus 0.3 s.
const (
	leaseLatePercent = 8
	leaseLateFixed   = 300 * time.Millisecond
)

// LeaseEnd is the latest time after its renewal at which an address with this
// lifetime is off the interface.
func LeaseEnd(lease time.Duration) time.Duration {
	return lease + lease*leaseLatePercent/100 + leaseLateFixed
}

// LeaseAuto is the longest lifetime for the addresses of a master with this
// configuration that fits two bounds: it is surely over (LeaseEnd) before a
// backup of the same priority takes over, counted from the last advert, and it
// outlasts the advert interval by a quarter, so that a healthy master never
// loses an address. Kernel lifetimes are whole seconds.
//
// It reports false when no lifetime does, as with adverts well below a second:
// then only a watching process can take the addresses off in time.
// Adverts every second at priority 100 give 3 s.
func LeaseAuto(cfg Config) (lease time.Duration, ok bool) {
	cfg = cfg.WithDefaults()
	takeover := cfg.Version.MasterDown(cfg.Interval, cfg.DownMultiplier, cfg.Priority)
	for lease = takeover.Truncate(time.Second); lease > 0; lease -= time.Second {
		if LeaseEnd(lease) < takeover {
			return lease, lease >= cfg.Interval+cfg.Interval/4
		}
	}
	return 0, false
}

// LeaseSlack is how much later than its advert a lease may be renewed and still
// surely end before a backup of the same priority, which counts from the advert,
// takes over. It is negative when LeaseTime was configured too long for that,
// and zero without a lease.
func (c Config) LeaseSlack() time.Duration {
	c = c.WithDefaults()
	lease := c.LeaseTime()
	if lease == 0 {
		return 0
	}
	return c.Version.MasterDown(c.Interval, c.DownMultiplier, c.Priority) - LeaseEnd(lease)
}

// LeaseTime is the lifetime to install addresses with: the configured one, or
// LeaseAuto's, or zero for none.
func (c Config) LeaseTime() time.Duration {
	switch {
	case c.Lease > 0:
		return c.Lease
	case c.Lease == 0:
		if lease, ok := LeaseAuto(c); ok {
			return lease
		}
	}
	return 0
}
