package lvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
)

// Verb is what an Op does. The order of the values is the order in which Diff
// gives them out.
type Verb uint8

// The verbs.
const (
	AddService    Verb = iota // create a virtual server, without real servers
	SetService                // change a virtual server in place
	AddDest                   // add a real server
	SetDest                   // change a real server in place
	RemoveDest                // remove a real server
	RemoveService             // remove a virtual server and, with it, its real servers
)

var verbs = map[Verb]string{
	AddService: "add-service", SetService: "set-service", AddDest: "add-dest",
	SetDest: "set-dest", RemoveDest: "remove-dest", RemoveService: "remove-service",
}

// Verbs returns every verb, in order.
func Verbs() []Verb {
	return []Verb{AddService, SetService, AddDest, SetDest, RemoveDest, RemoveService}
}

// String gives the name, for logs and metric labels: add-service, set-dest, …
func (v Verb) String() string { return name(verbs, v) }

// MarshalText gives the name.
func (v Verb) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText takes a name.
func (v *Verb) UnmarshalText(b []byte) error { return parse(verbs, v, string(b), "verb") }

// IsDest reports whether the verb is about a real server.
func (v Verb) IsDest() bool { return v == AddDest || v == SetDest || v == RemoveDest }

// IsRemoval reports whether the verb takes something out of the table.
func (v Verb) IsRemoval() bool { return v == RemoveDest || v == RemoveService }

// Op is one change of the kernel's table: one netlink request.
type Op struct {
	Verb Verb
	// Service is the virtual server that the op is about: the new value for
	// AddService and SetService, the wanted one for AddDest and SetDest, the
	// kernel's own for removals. Its Key is always the identity.
	Service Service
	// Dest is the real server of AddDest, SetDest (the new value) and RemoveDest
	// (as the kernel has it). Zero otherwise.
	Dest Dest
	// Was is the old value of SetService or SetDest. Zero otherwise.
	Was Was
	// Reason says why, in words; it may be empty.
	Reason string
}

// Was is what an edit replaces.
type Was struct {
	Service Service // of SetService
	Dest    Dest    // of SetDest
}

// ID names the object that the op changes: a real server, or, with a zero
// address, the virtual server itself.
func (o Op) ID() DestID {
	if o.Verb.IsDest() {
		return DestID{Key: o.Service.Key, Addr: o.Dest.Addr}
	}
	return DestID{Key: o.Service.Key}
}

// Lowers reports whether the op takes capacity away: a removal, or a weight that
// becomes smaller. Diff puts these behind everything else.
func (o Op) Lowers() bool {
	return o.Verb.IsRemoval() || o.Verb == SetDest && o.Dest.Weight < o.Was.Dest.Weight
}

// Same reports whether two ops ask the same of the kernel, whatever their
// reasons.
func (o Op) Same(p Op) bool {
	return o.Verb == p.Verb && o.Service == p.Service && o.Dest == p.Dest
}

// String gives the op in plain words:
//
//	set tcp 61.139.2.1:80 -> 61.139.2.4:80 weight 1 -> 0: critical: connection refused
func (o Op) String() string {
	var b strings.Builder
	switch o.Verb {
	case AddService:
		fmt.Fprintf(&b, "add %s %s", o.Service.Key, o.Service.describe())
	case SetService:
		fmt.Fprintf(&b, "set %s %s", o.Service.Key, changes(serviceFields(o.Was.Service), serviceFields(o.Service)))
	case RemoveService:
		fmt.Fprintf(&b, "remove %s", o.Service.Key)
	case AddDest:
		fmt.Fprintf(&b, "add %s -> %s %s", o.Service.Key, o.Dest.Addr, o.Dest.describe())
	case SetDest:
		fmt.Fprintf(&b, "set %s -> %s %s", o.Service.Key, o.Dest.Addr, changes(destFields(o.Was.Dest), destFields(o.Dest)))
	case RemoveDest:
		fmt.Fprintf(&b, "remove %s -> %s", o.Service.Key, o.Dest.Addr)
	default:
		fmt.Fprintf(&b, "%s %s", o.Verb, o.Service.Key)
	}
	if o.Reason != "" {
		b.WriteString(": " + o.Reason)
	}
	return b.String()
}

// Undoes gives in words what somebody else must have done that the op repairs:
//
//	added real server 61.139.2.9:80 (weight 5, forward nat)
func (o Op) Undoes() string {
	switch o.Verb {
	case AddService:
		return "removed virtual server " + o.Service.Key.String()
	case SetService:
		return fmt.Sprintf("changed virtual server %s: %s", o.Service.Key, changes(serviceFields(o.Service), serviceFields(o.Was.Service)))
	case RemoveService:
		return fmt.Sprintf("added virtual server %s (%s)", o.Service.Key, o.Service.describe())
	case AddDest:
		return fmt.Sprintf("removed real server %s", o.Dest.Addr)
	case SetDest:
		return fmt.Sprintf("changed real server %s: %s", o.Dest.Addr, changes(destFields(o.Dest), destFields(o.Was.Dest)))
	case RemoveDest:
		return fmt.Sprintf("added real server %s (%s)", o.Dest.Addr, o.Dest.describe())
	}
	return o.Verb.String()
}

// String gives "tcp 61.139.2.1:80 -> 61.139.2.4:80", or the virtual server alone.
func (id DestID) String() string {
	if id.Addr == (netip.AddrPort{}) {
		return id.Key.String()
	}
	return id.Key.String() + " -> " + id.Addr.String()
}

// Compare orders by virtual server, then by address.
func (id DestID) Compare(o DestID) int {
	if c := id.Key.Compare(o.Key); c != 0 {
		return c
	}
	return id.Addr.Compare(o.Addr)
}

// field is one attribute in words; always says whether it is worth a word when
// the whole object is described.
type field struct {
	name, value string
	always      bool
}

func serviceFields(s Service) []field {
	return []field{
		{"scheduler", s.Scheduler, true},
		{"flags", s.Flags.String(), s.Flags != 0},
		{"one-packet", onOff(s.OnePacket), s.OnePacket},
		{"persistence", fmt.Sprintf("%d s", s.Persistence), s.Persistence != 0},
		{"granularity", granularity(s), s.Granularity != 0},
		{"persistence engine", cmp.Or(s.Engine, "none"), s.Engine != ""},
	}
}

func destFields(d Dest) []field {
	return []field{
		{"weight", fmt.Sprint(d.Weight), true},
		{"forward", d.Forward.String(), true},
		{"tunnel", d.Tunnel.String(), d.Tunnel != Tunnel{}},
		{"upper threshold", fmt.Sprint(d.Upper), d.Upper != 0},
		{"lower threshold", fmt.Sprint(d.Lower), d.Lower != 0},
	}
}

func (s Service) describe() string { return words(serviceFields(s)) }
func (d Dest) describe() string    { return words(destFields(d)) }

// words lists what is worth saying: "weight 1, forward dr".
func words(fs []field) string {
	var out []string
	for _, f := range fs {
		if f.always {
			out = append(out, f.name+" "+f.value)
		}
	}
	return strings.Join(out, ", ")
}

// changes lists what differs: "weight 1 -> 0, forward dr -> nat".
func changes(was, is []field) string {
	var out []string
	for i := range is {
		if was[i].value != is[i].value {
			out = append(out, fmt.Sprintf("%s %s -> %s", is[i].name, was[i].value, is[i].value))
		}
	}
	return strings.Join(out, ", ")
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

func granularity(s Service) string {
	switch {
	case s.Granularity != 0:
		return fmt.Sprintf("/%d", s.Granularity)
	case s.IPv6():
		return "/128"
	default:
		return "/32"
	}
}
