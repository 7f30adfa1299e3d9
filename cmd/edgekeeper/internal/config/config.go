// Package config turns HCL files and the environment into one checked Config,
// or into the list of everything that is wrong with them.
//
// The contract:
//
//   - Load reports every mistake it finds, not the first only, each with its
//     file, line and column. What does not parse is left out, what is around it
//     is checked; but whether one thing contradicts or lacks another is not
//     judged then, for the other may stand in the part that was left out.
//   - A Config that Load returns is complete: every field holds what was written
//     or its documented default, and nothing in it contradicts anything else. It
//     holds plain values, so that reflect.DeepEqual tells a changed configuration
//     from one that was only rewritten.
//   - Names, types, ranges and defaults are in one table. The decoder and
//     Reference both read it.
//   - Secrets do not print, whatever the verb or encoder.
//
// Load reads files and, through the function it is given, the environment. It
// changes nothing, and neither resolves names nor asks the kernel: it gives the
// same answer on the machine of whoever writes the file.
package config

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/vrrp"
)

// Config is a checked configuration.
type Config struct {
	RouterID string // this director's name in KV keys and status; never empty
	StateDir string // folder for what outlives a restart
	OnStop   OnStop
	Guardian bool // a second process hands over when this one dies
	Log      Log

	Consul      *Consul      // nil: no Consul
	Nomad       *Nomad       // nil: no Nomad
	FileCatalog *FileCatalog // nil: no file catalog
	Control     Control
	Telemetry   *Telemetry // nil: nothing listens
	Process     Process

	IPVS           IPVS
	Instances      []VRRP           // in the order of the files
	SyncGroups     []SyncGroup      // in the order of the files
	VirtualServers []discovery.Spec // in the order of the files
	Trackers       []Tracker        // what the instances track
	Notify         []Notify         // in the order of the files
	RealServer     *RealServer      // nil: this host is no real server
}

// OnStop says what becomes of the IPVS table after a clean stop.
type OnStop uint8

// The values of the on_stop argument.
const (
	Release OnStop = iota // our virtual servers are removed (the default)
	Keep                  // they stay, to be adopted at the next start
)

// String gives release or keep.
func (o OnStop) String() string {
	switch o {
	case Release:
		return "release"
	case Keep:
		return "keep"
	}
	return "unknown"
}

// Log says what is logged, and how.
type Log struct {
	Level slog.Level
	JSON  bool // else key=value
}

// Consul says how to reach Consul. What the file leaves out was taken from the
// environment; what is empty here is empty in both.
type Consul struct {
	Address       string // host:port, http://…, https://… or unix:///path
	Token         Secret // empty where TokenFile is not
	TokenFile     string // to be read again for every request
	CACert        string // file
	ClientCert    string // file, with ClientKey
	ClientKey     string // file
	TLSServerName string
	Datacenter    string // empty: the agent's own
	Namespace     string
	Partition     string
	KVPrefix      string // without slashes at its ends
	MaxStale      time.Duration
	Register      *Register     // nil: nothing is registered
	MaxStaleStart time.Duration // age up to which a start without Consul uses what was known
}

// FileCatalog is a folder of Consul service-definition files.
type FileCatalog struct {
	Path string
}

// Control is the director's unix socket.
type Control struct {
	Socket string
}

// Telemetry is the address that serves /metrics and /health.
type Telemetry struct {
	Address netip.AddrPort
}

// IPVS holds the kernel's settings around virtual servers.
type IPVS struct {
	// ManageSysctls allows to set the sysctls below, send_redirects for direct
	// routing and NAT, and forwarding for NAT.
	ManageSysctls           bool
	ExpireNodestConn        bool  // net.ipv4.vs.expire_nodest_conn
	ExpireQuiescentTemplate bool  // net.ipv4.vs.expire_quiescent_template
	ConnReuseMode           int   // net.ipv4.vs.conn_reuse_mode
	Conntrack               *bool // net.ipv4.vs.conntrack; nil leaves it alone

	// Timeouts are whole seconds; 0 leaves the kernel's.
	TCPTimeout    time.Duration
	TCPFinTimeout time.Duration
	UDPTimeout    time.Duration

	Sync *ConnectionSync // nil: connections are not synchronized
}

// ConnectionSync lets established connections outlive a failover.
type ConnectionSync struct {
	Instance string // the VRRP instance whose master sends, and whose backups take
	Sync     lvs.SyncConfig
}

// VRRP is one virtual router of this host.
type VRRP struct {
	Interface string       // on which adverts go
	Source    netip.Addr   // of adverts; zero: the interface's first address of the family
	Router    vrrp.Config  // complete and valid
	Peers     *PeerService // nil: the peers are in Router, or adverts are multicast
	VMAC      *VMAC        // nil: the addresses are on interfaces that there are
	NoAccept  bool         // as master, packets to the addresses are dropped

	OnLoss                  LossPolicy    // of an address that somebody else removes
	UpDelay, DownDelay      time.Duration // of Interface
	ARPInterval, NAInterval time.Duration // between two announcements on an interface

	OwnInterface bool    // the router is at fault while Interface is down
	Tracks       []Track // what else it depends on, itself or through its group
	Group        string  // name of its sync group; empty: none
	// ConflictProbe is the time between questions who else has an address; 0: none.
	ConflictProbe time.Duration
}

// PeerService finds the unicast peers of a virtual router in a catalog.
type PeerService struct {
	Query  discovery.Query
	Tags   []string      // that an instance must carry, all of them
	Linger time.Duration // how long an address that has gone from the catalog is still a peer
}

// RealServer is what the real-server agent sets up on a web node.
type RealServer struct {
	VIPs          []netip.Addr // to be installed as /32 (/128)
	Interface     string       // usually lo
	ManageSysctls bool         // arp_ignore and arp_announce
}
