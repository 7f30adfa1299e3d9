package instance

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// Status is a snapshot of one virtual router.
type Status struct {
	Name    string
	VRID    uint8
	Version vrrp.Version
	State   vrrp.State
	Reason  vrrp.Reason
	Since   time.Time // when State was entered

	Priority       uint8  // effective
	ConfigPriority uint8  //
	PriorityReason string // of the last SetPriority

	Source         netip.Addr // our address, invalid without a socket
	Master         netip.Addr // router last accepted as master
	MasterPriority uint8      // in its adverts
	Interval       time.Duration
	MasterDown     time.Duration // with the effective priority and our interval
	HandingOver    bool
	Claiming       bool // backup that waits for another router to let go (vrrp.Machine.Claiming)

	Addresses []vrrp.Address
	Excluded  []vrrp.Address
	Routes    []vrrp.Route
	Rules     []vrrp.Rule
	// Present: the addresses were put on the host at the last attempt, and that
	// lease has not ended.
	Present bool
	// Lease is the kernel lifetime; zero: none. LeaseNote says why there is none.
	Lease     time.Duration
	LeaseNote string
	Renewed   time.Time // last renewal

	Peers    []netip.Addr // unicast: where adverts go
	HMAC     *HMACStatus  // nil: not configured
	Counters Counters
	Lateness Lateness
	Troubles []Trouble         // in the order of first sight; those that are over too, as long as there is room
	Faults   map[string]string // name to reason
	// LastError is the last error of the socket or the host, empty when the last
	// advert, renewal and announcement succeeded.
	LastError   string
	LastErrorAt time.Time
}

// Counters count since Run started.
type Counters struct {
	Sent          uint64 // adverts, once per destination
	SendErrors    uint64
	ResignsSent   uint64 // adverts of priority 0
	Received      uint64 // adverts accepted
	ResignsSeen   uint64
	Checksums     [vrrp.ChecksumForms]uint64 // accepted adverts of version 3 over IPv4, by vrrp.ChecksumForm
	Dropped       [vrrp.Drops]uint64         // indexed by vrrp.Drop
	ToMaster      uint64
	ToBackup      uint64
	ToFault       uint64
	Announcements uint64 // rounds
	Renewals      uint64
	HostErrors    uint64
	LateSteps     uint64               // times we stepped down because of lateness
	AddressesLost uint64               // addresses somebody else removed or changed
	RoutesLost    uint64               // routes and rules somebody else removed
	Troubles      [TroubleKinds]uint64 // sights, indexed by TroubleKind
	// Transitions count changes of state, by the state entered and the cause.
	Transitions [vrrp.States][vrrp.Causes]uint64
}

// LatenessBounds are the upper bounds of the histogram in Lateness.
var LatenessBounds = [...]time.Duration{
	100 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, time.Second, 3 * time.Second,
}

// Lateness is how long after its deadline the loop woke up.
type Lateness struct {
	Max     time.Duration
	Sum     time.Duration
	Count   uint64
	Buckets [len(LatenessBounds) + 1]uint64 // not cumulative; the last is everything above
}

func (l *Lateness) observe(d time.Duration) {
	d = max(d, 0)
	l.Max = max(l.Max, d)
	l.Sum += d
	l.Count++
	i, _ := slices.BinarySearch(LatenessBounds[:], d)
	l.Buckets[i]++
}

func newStatus(cfg vrrp.Config) Status {
	s := Status{
		Name: cfg.Name, VRID: cfg.VRID, Version: cfg.Version,
		State: vrrp.Init, Since: time.Now(),
		Priority: cfg.Priority,
		HMAC:     newHMACStatus(cfg.HMAC),
		Faults:   map[string]string{},
	}
	s.configured(cfg)
	return s
}

// configured sets what can be another when a router is reconfigured.
func (s *Status) configured(cfg vrrp.Config) {
	s.ConfigPriority, s.Interval, s.Peers = cfg.Priority, cfg.Interval, cfg.Peers
	s.MasterDown = cfg.Version.MasterDown(cfg.Interval, cfg.DownMultiplier, s.Priority)
	s.Addresses, s.Excluded, s.Routes, s.Rules = cfg.Addresses, cfg.Excluded, cfg.Routes, cfg.Rules
	s.Lease, s.LeaseNote = cfg.LeaseTime(), ""
	switch {
	case s.Lease > 0 && vrrp.LeaseEnd(s.Lease) >= s.MasterDown:
		s.LeaseNote = "the configured lease may outlast a takeover: " + vrrp.LeaseEnd(s.Lease).String() + " at worst, takeover after " + s.MasterDown.String()
	case s.Lease > 0:
	case cfg.Lease == vrrp.LeaseOff:
		s.LeaseNote = "switched off"
	default:
		s.LeaseNote = "no whole-second lease ends before a takeover after " + s.MasterDown.String()
	}
}

func (s Status) clone() Status {
	s.Addresses = slices.Clone(s.Addresses)
	s.Excluded = slices.Clone(s.Excluded)
	s.Routes = slices.Clone(s.Routes)
	s.Rules = slices.Clone(s.Rules)
	s.Troubles = slices.Clone(s.Troubles)
	s.Faults = maps.Clone(s.Faults)
	if s.HMAC != nil {
		h := *s.HMAC // Keys are not changed
		s.HMAC = &h
	}
	if s.Present && s.Lease > 0 && time.Since(s.Renewed) > vrrp.LeaseEnd(s.Lease) {
		s.Present = false // the loop hangs, the kernel has taken them off
	}
	return s
}
