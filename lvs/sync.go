package lvs

import (
	"fmt"
	"net/netip"
)

// SyncState is what a host does with its IPVS connections: send them to other
// directors, take theirs, or neither. The values are the kernel's
// (IP_VS_STATE_MASTER, IP_VS_STATE_BACKUP).
type SyncState uint8

// The states. A kernel can run both daemons at once; a director runs one.
const (
	SyncOff    SyncState = iota
	SyncMaster           // sends the state of connections
	SyncBackup           // takes it
)

var syncStates = map[SyncState]string{SyncOff: "off", SyncMaster: "master", SyncBackup: "backup"}

// String gives off, master or backup.
func (s SyncState) String() string { return name(syncStates, s) }

// SyncConfig says how connections travel between directors. It is the same on
// all of them, but for the interface's name. The kernel's defaults stand for
// zeros; ID 0 takes connections of any id.
type SyncConfig struct {
	Interface string     // has the multicast traffic, and for an IPv4 group an IPv4 address
	ID        uint8      // tells apart directors that share a network
	Group     netip.Addr // default 224.0.0.81
	Port      uint16     // UDP, default 8848
	TTL       uint8      // default 1
	MaxLength uint16     // bytes of a message; default what the interface's MTU takes
}

// The kernel's defaults (net/netfilter/ipvs/ip_vs_sync.c).
const (
	SyncPort = 8848
	SyncTTL  = 1
)

// SyncGroup returns the kernel's default multicast group.
func SyncGroup() netip.Addr { return netip.AddrFrom4([4]byte{224, 0, 0, 81}) }

// normal puts the kernel's defaults in the place of zeros, and leaves out the
// length: the kernel changes it to what fits the interface, so that what was
// asked for does not read back.
func (c SyncConfig) normal() SyncConfig {
	if !c.Group.IsValid() {
		c.Group = SyncGroup()
	}
	if c.Port == 0 {
		c.Port = SyncPort
	}
	if c.TTL == 0 {
		c.TTL = SyncTTL
	}
	c.MaxLength = 0
	return c
}

// SyncDaemon is a connection-synchronization daemon of the kernel.
type SyncDaemon struct {
	State SyncState
	SyncConfig
}

// String gives "master daemon on eth1, id 51, 224.0.0.81 port 8848".
func (d SyncDaemon) String() string {
	n := d.normal()
	return fmt.Sprintf("%s daemon on %s, id %d, %s port %d", d.State, n.Interface, n.ID, n.Group, n.Port)
}

// SyncOp starts or stops a daemon.
type SyncOp struct {
	Start  bool
	Daemon SyncDaemon
}

// String gives the op in words.
func (o SyncOp) String() string {
	if o.Start {
		return "start " + o.Daemon.String()
	}
	return "stop " + o.Daemon.String()
}

// SyncDiff returns the ops that make the running daemons the wanted one, in
// order: what is not wanted, or runs differently, stops before anything starts,
// for the kernel has room for one daemon of each state. Off wants none.
func SyncDiff(have []SyncDaemon, want SyncDaemon) []SyncOp {
	var ops []SyncOp
	runs := want.State == SyncOff
	for _, d := range have {
		if d.State == want.State && d.normal() == want.normal() {
			runs = true
			continue
		}
		ops = append(ops, SyncOp{Daemon: d})
	}
	if !runs {
		ops = append(ops, SyncOp{Start: true, Daemon: want})
	}
	return ops
}
