// Package control is the director's API: what it says about itself, what can be
// ordered, the server on its unix socket, and the client that the commands use.
//
// The API is HTTP with JSON bodies on a unix socket that only its owner may
// open; whoever can open it could also run ipvsadm.
package control

import (
	"net/netip"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// Snapshot is everything that `status` shows, at one moment. It is a copy: no
// part of it changes afterwards.
type Snapshot struct {
	Version  string    `json:"version"`
	RouterID string    `json:"router_id"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	At       time.Time `json:"at"`

	Config   ConfigStatus   `json:"config"`
	VRRP     []Router       `json:"vrrp"`
	Groups   []SyncGroup    `json:"sync_groups,omitempty"`
	Trackers []Tracker      `json:"trackers,omitempty"`
	Pools    []Pool         `json:"pools"`
	IPVS     IPVS           `json:"ipvs"`
	Sources  []SourceStatus `json:"sources"`
	KV       KVStatus       `json:"kv"`
	Notify   []NotifyTarget `json:"notify,omitempty"`
	Sysctls  []Sysctl       `json:"sysctls,omitempty"`

	Registration *Registration `json:"registration,omitempty"` // nil: nothing is registered

	Process Process `json:"process"`

	Guardian *Guardian `json:"guardian,omitempty"` // nil: switched off
}

// Guardian is the process that hands over when the director dies.
type Guardian struct {
	PID      int        `json:"pid"` // 0: none runs
	Since    *time.Time `json:"since,omitempty"`
	Restarts uint64     `json:"restarts"`
	Armed    []string   `json:"armed,omitempty"` // VRRP instances it would act for
	Error    string     `json:"error,omitempty"`
}

// ConfigStatus tells which configuration is in force.
type ConfigStatus struct {
	Path     string     `json:"path"`
	LoadedAt time.Time  `json:"loaded_at"`         // or found to be unchanged by a reload
	Refused  string     `json:"refused,omitempty"` // why the newest one was not taken
	At       *time.Time `json:"refused_at,omitempty"`
}

// Router is one VRRP instance.
type Router struct {
	Name      string    `json:"name"`
	Group     string    `json:"sync_group,omitempty"`
	Interface string    `json:"interface"`
	VRID      uint8     `json:"virtual_router_id"`
	Version   uint8     `json:"version"`
	State     string    `json:"state"` // MASTER, BACKUP, FAULT, INIT
	Reason    string    `json:"reason"`
	Since     time.Time `json:"since"`

	Priority         uint8  `json:"priority"`           // effective
	ConfigPriority   uint8  `json:"config_priority"`    // from the file
	BasePriority     uint8  `json:"base_priority"`      // before the trackers
	PriorityFrom     string `json:"priority_from"`      // where that is from: config, or the KV key
	Preempt          bool   `json:"preempt"`            // takes over from a master of lower priority
	Master           string `json:"master,omitempty"`   // address of the master last heard
	MasterPriority   uint8  `json:"master_priority"`    // its priority
	AdvertIntervalMS int64  `json:"advert_interval_ms"` // ours
	MasterDownMS     int64  `json:"master_down_ms"`     // as a backup

	Tracks     []Track           `json:"tracks,omitempty"`
	VMACs      []VMAC            `json:"vmacs,omitempty"`     // macvlan interfaces that addresses are on
	NoAccept   bool              `json:"no_accept,omitempty"` // as master, packets to the addresses are dropped
	Addresses  []Address         `json:"addresses"`
	Routes     []string          `json:"routes,omitempty"` // that move with the addresses
	Rules      []string          `json:"rules,omitempty"`
	Lease      string            `json:"lease"` // "3s", or "off (why)"
	Sent       uint64            `json:"adverts_sent"`
	Received   uint64            `json:"adverts_received"`
	Dropped    map[string]uint64 `json:"adverts_dropped,omitempty"` // by reason
	RoutesLost uint64            `json:"routes_lost"`               // routes and rules that somebody else removed

	LatestMS float64   `json:"latest_ms"` // worst lateness of the loop
	Lateness Histogram `json:"lateness"`  // how late the loop woke

	SendErrors    uint64            `json:"send_errors"`
	HostErrors    uint64            `json:"host_errors"` // addresses not installed, renewed or announced
	Announcements uint64            `json:"announcements"`
	Renewals      uint64            `json:"renewals"` // of the addresses' lifetimes
	LateSteps     uint64            `json:"late_steps"`
	AddressesLost uint64            `json:"addresses_lost"` // somebody else took them off
	Transitions   []Transition      `json:"transitions,omitempty"`
	LeaseSeconds  float64           `json:"lease_seconds"`            // 0: none
	LeaseUntil    *time.Time        `json:"lease_until,omitempty"`    // nil: none runs
	Troubles      []Trouble         `json:"troubles,omitempty"`       // in the order of first sight, those that are over too
	TroublesTotal map[string]uint64 `json:"troubles_total,omitempty"` // sights since the start, by kind

	Peers          *Peers            `json:"unicast,omitempty"`          // nil: multicast
	Authentication *Authentication   `json:"authentication,omitempty"`   // nil: adverts are not signed
	Checksums      map[string]uint64 `json:"adverts_checksum,omitempty"` // accepted adverts of version 3 over IPv4, by form

	Error string `json:"error,omitempty"`
}

// Track is the use of a tracker by a VRRP instance, and what comes of it now.
type Track struct {
	Tracker string `json:"tracker"` // Tracker.Name
	State   string `json:"state"`
	Weight  int    `json:"weight"`
	Reverse bool   `json:"reverse,omitempty"`
	Shift   int    `json:"shift"` // of the priority
	Fault   bool   `json:"fault"` // keeps the instance in state FAULT
}

// Tracker is something that VRRP instances depend on.
type Tracker struct {
	Name    string    `json:"name"`            // "script nginx"
	State   string    `json:"state"`           // up, down, pending or unknown
	Value   *int      `json:"value,omitempty"` // of a file
	Since   time.Time `json:"since"`           // when state or value became this
	Reason  string    `json:"reason"`
	Output  string    `json:"output,omitempty"` // of a script's last failure, at most 3 KiB
	Changes uint64    `json:"changes"`
	UsedBy  []string  `json:"used_by"` // VRRP instances
}

// VMAC is one macvlan interface. It is up while this host holds the addresses.
type VMAC struct {
	Name    string `json:"name"`
	Device  string `json:"device"` // that it is on
	MAC     string `json:"mac"`
	Adverts bool   `json:"adverts"` // they go out there
}

// Address is one virtual address and whether this host holds it now.
type Address struct {
	Prefix  netip.Prefix `json:"prefix"`
	Device  string       `json:"device"`
	Label   string       `json:"label,omitempty"`
	Present bool         `json:"present"`
}

// Pool is one virtual server.
type Pool struct {
	Name        string       `json:"name"`
	Service     string       `json:"service"`             // "tcp 61.139.2.1:80", "fwmark 65601 inet"
	Addresses   []string     `json:"addresses,omitempty"` // of a group: "tcp 61.139.2.1-61.139.2.9:80"
	Mark        uint32       `json:"fwmark,omitempty"`
	Scheduler   string       `json:"scheduler"`
	Forward     string       `json:"forward"`
	Persistence uint32       `json:"persistence_seconds,omitempty"`
	Engine      string       `json:"persistence_engine,omitempty"`
	Held        string       `json:"held,omitempty"`
	Hold        string       `json:"hold,omitempty"`
	Panic       bool         `json:"panic,omitempty"`
	QuorumLost  bool         `json:"quorum_lost,omitempty"`
	Waiting     []string     `json:"waiting,omitempty"`  // queries never answered
	Warnings    []string     `json:"warnings,omitempty"` // what is wrong with what the catalogs say
	Stale       bool         `json:"stale,omitempty"`    // last-known-good from before the start
	Servers     []PoolServer `json:"servers"`

	Kernel   *KernelService    `json:"kernel,omitempty"`  // nil: not in the table
	Error    string            `json:"error,omitempty"`   // what the kernel refuses of it
	Standby  string            `json:"standby,omitempty"` // why the virtual server is not in the kernel's table, and need not be
	Answers  discovery.Instead `json:"answers"`           // pool; fallback or sorry_server while quorum is lost
	Fallback *Fallback         `json:"fallback,omitempty"`
	Sorry    *PoolServer       `json:"sorry_server,omitempty"`
}

// Everybody lists the real servers of the pool, of its fallback, and the sorry
// server, each address once: the kernel has no address twice in a virtual server.
func (p Pool) Everybody() []PoolServer {
	all := slices.Clone(p.Servers)
	if p.Fallback != nil {
		all = append(all, p.Fallback.Servers...)
	}
	if p.Sorry != nil {
		all = append(all, *p.Sorry)
	}
	seen := make(map[netip.AddrPort]bool, len(all))
	return slices.DeleteFunc(all, func(s PoolServer) bool {
		again := seen[s.Addr]
		seen[s.Addr] = true
		return again
	})
}

// Fallback is the second pool of a virtual server.
type Fallback struct {
	Name    string       `json:"name"`
	Servers []PoolServer `json:"servers"`
}

// PoolServer is one real server: the decision, and what the kernel holds.
type PoolServer struct {
	discovery.ServerStatus
	Kernel *KernelDest `json:"kernel,omitempty"` // nil: not in the table
}

// KernelDest is what was last read from the IPVS table.
type KernelDest struct {
	Weight      uint32 `json:"weight"`
	Active      uint32 `json:"active"`
	Inactive    uint32 `json:"inactive"`
	Connections uint64 `json:"connections"`
	InPackets   uint64 `json:"in_packets"`
	OutPackets  uint64 `json:"out_packets"`
	InBytes     uint64 `json:"in_bytes"`
	OutBytes    uint64 `json:"out_bytes"`
	Rates       Rates  `json:"rates"`
}

// KernelService is what was last read of a virtual server: connections of all its
// real servers now, and its own traffic since it was added, whoever had it.
type KernelService struct {
	Active      uint32 `json:"active"`
	Inactive    uint32 `json:"inactive"`
	Connections uint64 `json:"connections"`
	InPackets   uint64 `json:"in_packets"`
	OutPackets  uint64 `json:"out_packets"`
	InBytes     uint64 `json:"in_bytes"`
	OutBytes    uint64 `json:"out_bytes"`
	Rates       Rates  `json:"rates"`
}

// Rates are the kernel's own averages per second, over the last seconds.
type Rates struct {
	Connections uint32 `json:"connections"`
	InPackets   uint32 `json:"in_packets"`
	OutPackets  uint32 `json:"out_packets"`
	InBytes     uint64 `json:"in_bytes"`
	OutBytes    uint64 `json:"out_bytes"`
}

// IPVS is the state of the reconciler.
type IPVS struct {
	InSync    bool              `json:"in_sync"` // the kernel holds what is wanted
	Error     string            `json:"error,omitempty"`
	Adopted   Adopted           `json:"adopted"`
	Ops       map[string]uint64 `json:"ops"`   // applied since the start, by verb
	Drift     uint64            `json:"drift"` // ops that repaired somebody else's change
	LastDrift string            `json:"last_drift,omitempty"`
	Timeouts  *Timeouts         `json:"timeouts,omitempty"`
	Draining  []Draining        `json:"draining,omitempty"`
	Sync      *Sync             `json:"connection_sync,omitempty"` // nil: not configured
}

// Sync is the connection-synchronization daemon, as the kernel shows it.
type Sync struct {
	State     string     `json:"state"`    // master, backup, off
	Instance  string     `json:"instance"` // the VRRP instance whose role it follows
	Interface string     `json:"interface"`
	ID        uint8      `json:"id"`
	Group     netip.Addr `json:"group"`
	Port      uint16     `json:"port"`
	MaxLength uint16     `json:"max_length,omitempty"` // bytes of a message
	Error     string     `json:"error,omitempty"`
}

// Adopted is what was found in the kernel at start, and what was changed of it.
type Adopted struct {
	Services int `json:"services"`
	Servers  int `json:"servers"`
	Ops      int `json:"ops"` // of the first reconciliation; 0 = the table was right
}

// Timeouts are the kernel's IPVS connection timeouts.
type Timeouts struct {
	TCP    float64 `json:"tcp_seconds"`
	TCPFin float64 `json:"tcp_fin_seconds"`
	UDP    float64 `json:"udp_seconds"`
}

// Draining is a real server that finishes its connections before it goes.
type Draining struct {
	Service string    `json:"service"`
	Server  string    `json:"server"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
	Active  uint32    `json:"active"`
}

// SourceStatus is one watched query.
type SourceStatus struct {
	Source    string     `json:"source"`
	Query     string     `json:"query"`
	Instances int        `json:"instances"`
	Index     uint64     `json:"index"`
	Answered  *time.Time `json:"answered,omitempty"` // the last good answer
	Error     string     `json:"error,omitempty"`
	Warnings  []string   `json:"warnings,omitempty"` // what the catalog holds that had to be left out
	Stale     bool       `json:"stale,omitempty"`
}

// KVStatus is the state of the live settings.
type KVStatus struct {
	Where    string   `json:"where"` // "consul edgekeeper/", or the path of the file
	Keys     int      `json:"keys"`
	Kept     []string `json:"kept,omitempty"` // keys that it has lost, and whose values stand
	Index    uint64   `json:"index"`
	Error    string   `json:"error,omitempty"`
	Rejected []string `json:"rejected,omitempty"`
}

// NotifyTarget is somebody who is told what happens.
type NotifyTarget struct {
	Name      string     `json:"name"`      // exec "firewall"
	Delivered uint64     `json:"delivered"` // events
	Failed    uint64     `json:"failed"`    // events given up
	Coalesced uint64     `json:"coalesced"` // events that a newer one of the same object replaced
	Queued    int        `json:"queued"`    // events that wait, or are being delivered
	Failing   bool       `json:"failing"`   // the last attempt failed
	LastError string     `json:"last_error,omitempty"`
	ErrorAt   *time.Time `json:"last_error_at,omitempty"`
}

// Sysctl is one kernel setting that the director manages.
type Sysctl struct {
	Name  string `json:"name"`
	Value string `json:"value"` // as wanted
	Error string `json:"error,omitempty"`
}

// Event is one line of the event log: a change, and its cause.
type Event struct {
	Seq    uint64    `json:"seq"`
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"`   // vrrp, track, pool, held, server, ipvs, drift, check, catalog, kv, sysctl, notify, config, agent
	Object string    `json:"object"` // the instance, virtual server or real server
	Text   string    `json:"text"`   // one sentence: what, and why
}

// Connection is one entry of the IPVS connection table.
type Connection struct {
	Protocol string         `json:"protocol"`
	Client   netip.AddrPort `json:"client"`
	Virtual  netip.AddrPort `json:"virtual"`
	Mark     uint32         `json:"fwmark,omitempty"` // of a firewall mark's persistence template, which has no address
	Server   netip.AddrPort `json:"server"`
	State    string         `json:"state"`
	Expires  float64        `json:"expires_seconds"`
}
