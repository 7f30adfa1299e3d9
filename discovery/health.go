package discovery

import "fmt"

// opinion is what one source thinks of a real server.
type opinion struct {
	kind   opinionKind
	reason string
	assume Health // of pending: what the check is taken to say meanwhile; Pending: nothing
}

type opinionKind uint8

const (
	silent  opinionKind = iota // the source does not exist for this server
	pending                    // it has not said anything yet
	good
	bad
)

// ServerState is what Merge decided about a real server.
type ServerState uint8

// The states of a real server.
const (
	Serving  ServerState = iota // in the pool with its weight
	Entering                    // not in the pool: waits for its first verdict
	Failed                      // weight 0 or out, as on_failure says
	Drained                     // weight 0 by an operator's word
	Leaving                     // maintenance, or gone: drains, then is removed
	HeldBack                    // should have gone; the mass-removal guard keeps it
	Kept                        // found in the kernel at start; no source can judge it yet
	Unusable                    // can never be in this pool as it is registered
	Standby                     // of a failover datacenter that is not needed now
)

var serverStateNames = []string{"serving", "entering", "failed", "drained", "leaving", "held", "kept", "unusable", "standby"}

// String gives a lower-case word.
func (s ServerState) String() string { return enumName(serverStateNames, s) }

// MarshalText gives the same word.
func (s ServerState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the same word.
func (s *ServerState) UnmarshalText(b []byte) error { return enumUnmarshal(serverStateNames, s, b) }

// judge merges the catalog's state, the native verdicts and the operator's
// orders into one state.
func (s *server) judge(spec *Spec, view View) {
	s.native = nativeOpinion(s.checks, view)
	switch {
	case s.gone && (s.explicit || s.state == Kept):
		if s.explicit {
			s.state = Leaving
		}
		return
	case s.gone:
		s.catalog = opinion{kind: bad, reason: s.reason}
		s.state = Leaving
		return
	case s.unusable != "":
		s.state, s.reason, s.explicit = Unusable, s.unusable, true
		return
	}
	s.catalog = catalogOpinion(s)
	if s.origin == FromCatalog && s.instance.State == Maintenance {
		s.state, s.reason, s.explicit = Leaving, s.catalog.reason, true
		return
	}
	s.state, s.reason = verdict(spec.Health, s.catalog, s.native, s.past)
}

// servedAs reports whether the real server takes connections as that instance,
// or as one that nobody remembers.
func (s *server) servedAs(in *Instance) bool {
	p := s.past
	return p.In && p.Weight > 0 && (p.instance == nil || p.instance.Key() == in.Key())
}

func catalogOpinion(s *server) opinion {
	if s.origin != FromCatalog {
		return opinion{kind: silent}
	}
	text := s.instance.State.String()
	if s.instance.Reason != "" {
		text += ": " + s.instance.Reason
	}
	if s.instance.State == Critical && s.instance.Unrun && s.servedAs(s.instance) {
		return opinion{kind: good, reason: "serving as before; " + s.instance.Reason}
	}
	if s.instance.State >= Critical {
		return opinion{kind: bad, reason: text}
	}
	return opinion{kind: good, reason: text}
}

// passes are the reasons of nearly all real servers: one of each does for all pools.
var passes = func() (out []string) {
	for _, name := range checkTypeNames {
		out = append(out, name+" check: ok")
	}
	return out
}()

// says is what a check of that kind says, in words.
func says(kind CheckType, reason string) string {
	if reason == "ok" && int(kind) < len(passes) {
		return passes[kind]
	}
	return fmt.Sprintf("%s check: %s", kind, reason)
}

// nativeOpinion takes the worst of a real server's native checks.
func nativeOpinion(checks []made, view View) opinion {
	out := opinion{kind: silent}
	waiting := 0
	for _, c := range checks {
		v := view.verdict(c.Check)
		text := says(c.kind, v.Reason)
		switch v.Health {
		case Down:
			return opinion{kind: bad, reason: text}
		case Pending:
			reason := fmt.Sprintf("%s check has not answered yet", c.kind)
			if v.Blocked != "" {
				reason = fmt.Sprintf("%s check cannot be made: %s", c.kind, v.Blocked)
			}
			assume := c.initial
			if waiting > 0 {
				assume = together(out.assume, assume)
			}
			out = opinion{pending, reason, assume}
			waiting++
		case Up:
			if out.kind == silent {
				out = opinion{kind: good, reason: text}
			}
			for _, also := range []string{v.Warning, v.Blocked} {
				if also != "" && out.kind == good {
					out.reason += "; " + also
				}
			}
		}
	}
	return out
}

// together is what two checks are taken to say at the start: up when both are.
func together(a, b Health) Health {
	switch {
	case a == Down || b == Down:
		return Down
	case a == Up && b == Up:
		return Up
	}
	return Pending
}

// verdict merges the two opinions. A native check that has not answered yet is
// seeded by what is known: a server that was found down before stays down until
// it answers; else the check's Initial is taken, or the catalog's word; one that nobody vouches for
// stays as it is in the kernel's table, or enters the pool only with its first
// verdict (keepalived's alpha).
func verdict(policy Policy, catalog, native opinion, past *Judged) (ServerState, string) {
	if native.kind == pending {
		wasDown := past.State == Failed || past.Adopted && past.In && past.Weight == 0
		switch {
		case wasDown && policy != ConsulOnly:
			native = opinion{kind: bad, reason: "down as before; " + native.reason}
		case native.assume == Up:
			native = opinion{kind: good, reason: "taken as up; " + native.reason}
		case native.assume == Down && !(past.In && past.Weight > 0):
			native = opinion{kind: bad, reason: "taken as down; " + native.reason}
		case catalog.kind != silent:
			native = opinion{kind: catalog.kind, reason: catalog.reason}
		case past.In && past.Weight > 0:
			return Serving, "serving as before; " + native.reason
		default:
			return Entering, native.reason
		}
	}
	switch {
	case native.kind == silent && catalog.kind == silent:
		return Serving, "no check is configured"
	case native.kind == silent:
		native = catalog
	case catalog.kind == silent:
		catalog = native
	}
	switch policy {
	case ConsulOnly:
		return stateOf(catalog)
	case NativeOnly:
		return stateOf(native)
	case ConsulOrNative:
		if catalog.kind == good {
			return stateOf(catalog)
		}
		if native.kind == good {
			return stateOf(native)
		}
		return Failed, both(catalog, native)
	case ConsulAndNative:
		switch {
		case catalog.kind == bad && native.kind == bad:
			return Failed, both(catalog, native)
		case catalog.kind == bad:
			return Failed, catalog.reason
		}
		return stateOf(native)
	}
	return stateOf(native)
}

func stateOf(o opinion) (ServerState, string) {
	if o.kind == good {
		return Serving, o.reason
	}
	return Failed, o.reason
}

func both(a, b opinion) string {
	if a == b {
		return a.reason
	}
	return a.reason + "; " + b.reason
}

// settle turns the state into a place in the table.
func (s *server) settle(spec *Spec) {
	switch s.state {
	case Serving:
		s.in, s.effective = true, s.weight
	case HeldBack, Kept:
		s.in = true // guard and remembered have set the weight of before
	case Drained:
		s.in, s.effective = true, 0
	case Failed:
		s.in, s.effective = spec.OnFailure == DrainOnFailure, 0
		s.atOnce = spec.OnFailure == RemoveOnFailure
	case Entering, Leaving, Unusable, Standby:
	}
}
