// Package discovery turns what is known about services into what the IPVS table
// should hold. It is pure: the sources (discovery/consul, discovery/file) and
// the native checks (discovery/check) hand in values, Merge hands out values,
// and nothing here opens a socket, reads a clock or starts a goroutine.
//
// A source is a `Run(ctx, emit func(Answer)) error` that keeps its own last good
// answer, retries its own errors, and says so in Answer.Err. An error is never
// an empty answer: an Answer with Err set carries no instances, and whoever
// holds the View keeps the instances that came before.
package discovery

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Query names one question to a catalog. It is comparable: equal queries are
// asked once, whoever needs the answer.
type Query struct {
	Source     Source // which catalog
	Service    string // service name as registered
	Datacenter string // Consul: empty is the agent's own
	Namespace  string // Consul Enterprise, or Nomad; empty is the token's own
	Partition  string // Consul Enterprise
	Peer       string // Consul cluster peer
	Filter     string // Consul: go-bexpr expression evaluated by the server
	Near       string // Consul: sort by round trip to this node
	Node       string // Consul, without Service: the checks of this node; each is an Instance with the check's id and its state

	Prepared string        // Consul: name or id of a prepared query for Service, which is executed at intervals
	Poll     time.Duration // of Prepared, between two executions; nothing else is polled
	Gateway  Gateway       // Consul: instances of the mesh gateways that serve Service, not its own
	Tagged   string        // Consul: name of the tagged address that is taken; empty is the ordinary one
	NodeMeta string        // Consul: Lines of key=value that the instance's node must have
	Checks   string        // Consul: Lines of the checks that count; empty is all
	Ignore   string        // Consul: Lines of the checks that do not count
}

// Lines makes one comparable value of a set of words, in no particular order.
func Lines(words []string) string {
	words = slices.Clone(words)
	slices.Sort(words)
	return strings.Join(slices.Compact(words), "\n")
}

// Split gives the words that Lines was given, sorted.
func Split(lines string) []string {
	if lines == "" {
		return nil
	}
	return strings.Split(lines, "\n")
}

// Gateway is a kind of gateway of Consul's service mesh.
type Gateway uint8

// The kinds of gateways.
const (
	NoGateway Gateway = iota
	APIGateway
	IngressGateway
	MeshGateway
	TerminatingGateway
)

var gatewayNames = []string{"", "api", "ingress", "mesh", "terminating"}

// String gives the value of the gateway argument; nothing for NoGateway.
func (g Gateway) String() string { return enumName(gatewayNames, g) }

// ParseGateway takes the argument's value; false when it is none.
func ParseGateway(s string) (Gateway, bool) { return enumParse[Gateway](gatewayNames, s) }

// GatewayNames lists the values of the gateway argument.
func GatewayNames() []string { return slices.Clone(gatewayNames[1:]) }

// Source names a kind of catalog.
type Source uint8

// The catalogs.
const (
	Consul Source = iota // the Consul catalog and its health checks
	File                 // a folder of Consul service-definition files
	Static               // real_server blocks of the configuration
	Nomad                // Nomad's native services
)

var sourceNames = []string{"consul", "file", "static", "nomad"}

// String gives consul, file, static or nomad.
func (s Source) String() string { return enumName(sourceNames, s) }

// State is what a catalog says about an instance. Higher is worse; of several
// checks the worst counts (maintenance > critical > warning > passing), as
// Consul's HealthChecks.AggregatedStatus does.
type State uint8

// The states of an instance.
const (
	Passing State = iota
	Warning
	Critical
	Maintenance
)

var stateNames = []string{"passing", "warning", "critical", "maintenance"}

// String gives Consul's word for the state.
func (s State) String() string { return enumName(stateNames, s) }

// MarshalText gives the same word.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the same word.
func (s *State) UnmarshalText(b []byte) error { return enumUnmarshal(stateNames, s, b) }

// Weights are the weights that a service definition carries for its two usable
// states (`weights { passing = 10 warning = 1 }`). Consul fills in 1 and 1 where
// a definition has none.
type Weights struct {
	Passing, Warning int
}

// Instance is one instance of a service, as a catalog describes it.
type Instance struct {
	Service string         // service name
	ID      string         // service id, unique on its node
	Node    string         // node name
	Addr    netip.AddrPort // service address, or the node's where the service has none
	Tags    []string
	Meta    map[string]string // service meta; edgekeeper_weight is read from it
	Weights Weights
	State   State
	Reason  string // what made the state: check name and the first line of its output
	Unrun   bool   // nothing but a check that has not run yet makes it critical: its agent was just started, or the instance just registered
}

// Answer is what a source emits for one query.
type Answer struct {
	Query     Query
	Instances []Instance // complete; meaningless when Err is set
	Warnings  []string   // a sentence for each instance that had to be left out, and why
	Index     uint64     // Consul's index, or a counter of the source: the cause in events
	Err       string     // not empty: the source fails, and the last answer stands
	Stale     bool       // the answer is a last-known-good one from before a restart
	Anew      bool       // the catalog's index is lower than it was: its data was lost, or put back to an earlier state
	At        time.Time  // when it came

	// Stopped are instances that were listed before and that their scheduler stops:
	// somebody has ordered that they go.
	Stopped []InstanceKey
}

// Pair is one key below the KV prefix, with the prefix taken off.
type Pair struct {
	Value string
	Index uint64 // ModifyIndex: the cause in events
	Kept  bool   `json:",omitempty"` // the KV has lost it, and it stands; see Retain
}

// KVAnswer is what a KV source emits: every pair below the prefix.
type KVAnswer struct {
	Pairs map[string]Pair // meaningless when Err is set
	Index uint64          // of these pairs; it may fall when one is deleted
	Store uint64          // a lower bound of the index of all keys of the store, which never falls; 0: the store has none
	Err   string          // not empty: the last answer stands
	At    time.Time
}
