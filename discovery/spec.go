package discovery

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// Spec is one virtual server as the configuration wants it: what the kernel is
// told about the service, where its real servers come from, and the rules for
// judging them. Zero is not a default here; the configuration fills in every
// field, and its reference documents the defaults.
type Spec struct {
	Name    string      // the block's label; what KV keys and commands call it
	Service lvs.Service // address, port, protocol, scheduler, persistence …
	// Spans are the addresses and ports of a group, whose packets get the firewall
	// mark that Service goes by. Empty for one address and port, and for a mark
	// that others set.
	Spans []lvs.Span
	// Protocol of the packets: that of Service, or of Spans; 0 for a mark that
	// others set.
	Protocol lvs.Protocol
	Forward  lvs.Forward // of every real server that does not say otherwise
	Tunnel   lvs.Tunnel  // with TUN

	Selectors []Selector  // real servers from catalogs
	Servers   []Server    // real servers written in the configuration
	Checks    []CheckSpec // native checks; all must be up

	Health    Policy    // how catalog state and native verdict are merged
	OnFailure OnFailure // what happens to a real server that failed
	Weight    int       // of catalog instances when nothing else says one

	Drain         time.Duration // longest time a leaving real server may finish its connections
	MaxRemoval    float64       // share of the pool that may go within RemovalWindow on one source's word
	RemovalWindow time.Duration

	PanicThreshold float64   // below this share of healthy real servers all are used; 0 = never
	Quorum         int       // total weight that makes the pool usable
	Hysteresis     int       // dead band around Quorum
	Fallback       *Fallback // serves while quorum is lost; nil = none
	Sorry          *Server   // serves alone while quorum is lost and no fallback serves; nil = none
	SorryChecked   bool      // Checks are made of Sorry, too, and it serves only when they succeed

	SlowStart SlowStart

	// ActiveOn and Instance are for whoever programs the kernel; Merge does not
	// look at them.
	ActiveOn ActiveOn
	Instance string // the VRRP instance whose role counts; empty with Always
}

// EveryPort reports whether the virtual server is for more than one port, so
// that its real servers have none of their own: a firewall mark, or port 0.
func (s Spec) EveryPort() bool { return s.Service.Mark != 0 || s.Service.Port == 0 }

// Markings are the rules that give the packets of a group its firewall mark.
func (s Spec) Markings() []lvs.Marking {
	var out []lvs.Marking
	for _, span := range s.Spans {
		out = append(out, lvs.Marking{Mark: s.Service.Mark, Protocol: s.Protocol, Span: span})
	}
	return out
}

// Selector picks instances from the answer to a query.
type Selector struct {
	Query Query
	Tags  []string // an instance must carry all of them
	Port  uint16   // replaces the instance's port; 0 keeps it

	// Failover are asked beside Query. The instances of the first of them that
	// has a serving one are used while Query has none.
	Failover []Query
}

// Server is a real server written in the configuration.
type Server struct {
	Addr         netip.AddrPort
	Weight       int
	Forward      lvs.Forward
	Upper, Lower uint32 // connection thresholds; 0 = none

	Checks []CheckSpec // made of it beside those of its pool; all must be up
}

// Policy says how the catalog's state and the native verdict make one health.
type Policy uint8

// The policies of the `health` argument.
const (
	ConsulAndNative Policy = iota // both must be good (the default)
	ConsulOrNative                // one good is enough
	ConsulOnly                    // native checks run, and are only shown
	NativeOnly                    // the catalog lists instances, only checks judge them
)

var policyNames = []string{"consul-and-native", "consul-or-native", "consul", "native"}

// String gives the argument's value.
func (p Policy) String() string { return enumName(policyNames, p) }

// ParsePolicy takes the argument's value; false when it is none.
func ParsePolicy(s string) (Policy, bool) { return enumParse[Policy](policyNames, s) }

// PolicyNames lists the values of the `health` argument.
func PolicyNames() []string { return append([]string(nil), policyNames...) }

// OnFailure says what happens to a real server that failed.
type OnFailure uint8

// The values of the `on_failure` argument.
const (
	DrainOnFailure  OnFailure = iota // weight 0 (keepalived's inhibit_on_failure; the default)
	RemoveOnFailure                  // out of the pool
)

var onFailureNames = []string{"drain", "remove"}

// String gives the argument's value.
func (o OnFailure) String() string { return enumName(onFailureNames, o) }

// ParseOnFailure takes the argument's value; false when it is none.
func ParseOnFailure(s string) (OnFailure, bool) { return enumParse[OnFailure](onFailureNames, s) }

func enumName[E ~uint8](names []string, e E) string {
	if int(e) < len(names) {
		return names[e]
	}
	return "unknown"
}

func enumParse[E ~uint8](names []string, s string) (E, bool) {
	for i, n := range names {
		if n == s {
			return E(i), true
		}
	}
	return 0, false
}

func enumUnmarshal[E ~uint8](names []string, e *E, text []byte) error {
	v, ok := enumParse[E](names, string(text))
	if !ok {
		return fmt.Errorf("%q is none of %s", text, strings.Join(names, ", "))
	}
	*e = v
	return nil
}
