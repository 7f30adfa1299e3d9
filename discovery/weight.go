package discovery

import (
	"fmt"
	"net/netip"
	"strconv"
)

// WeightMeta is the service meta key that carries a real server's weight.
const WeightMeta = "edgekeeper_weight"

// maxWeight is the largest weight that a KV key or service meta may carry.
const maxWeight = 65535

// names are what an operator may call the server in KV, the most exact first.
func (s *server) names() []string {
	out := []string{s.addr.String()}
	if s.instance.ID != "" {
		out = append(out, s.instance.ID)
	}
	if s.instance.Node != "" {
		out = append(out, s.instance.Node)
	}
	return append(out, s.addr.Addr().String())
}

// named finds the setting of a real server. Most have none, and making names of
// ten thousand addresses takes longer than all the rest.
func named[T any](s *server, spec Spec, settings map[Target]Setting[T]) (found Setting[T], ok bool) {
	if len(settings) == 0 {
		return found, false
	}
	for _, n := range s.names() {
		if found, ok = settings[Target{spec.Name, n}]; ok {
			break
		}
	}
	return found, ok
}

// weigh finds the weight that the server has when it serves (KV > what a check
// says > service meta > the service's own weights > the configuration) and applies the operator's drains.
func (s *server) weigh(spec Spec, view View) {
	o := view.Overrides
	s.weight, s.weightFrom = s.catalogWeight(spec)
	if w, ok := named(s, spec, o.Weights); ok {
		s.weight, s.weightFrom, s.fromKV = w.Value, "kv "+w.Key, true
	}
	if !s.fromKV {
		s.heed(spec, view)
	}
	if s.state == Unusable || s.state == Leaving && s.explicit {
		return
	}
	if key, why, ok := s.drained(spec, o); ok {
		s.explicit = true
		if s.state != Leaving { // one that leaves anyway does so by order now
			s.state = Drained
		}
		s.reason = "drained by " + key
		if why != "" {
			s.reason += ": " + why
		}
	} else if s.weight == 0 && (s.state == Serving || s.fromKV) {
		s.explicit = true
		if s.state == Serving || s.state == Failed {
			s.state, s.reason = Drained, "weight 0 from "+s.weightFrom
		}
	}
}

func (s *server) drained(spec Spec, o Overrides) (key, why string, ok bool) {
	if d, found := named(s, spec, o.Drains); found {
		return d.Key, d.Value, true
	}
	if len(o.NodeDrains) == 0 {
		return "", "", false
	}
	for _, n := range []string{s.instance.Node, s.addr.Addr().String()} {
		if d, found := o.NodeDrains[n]; found && n != "" {
			return d.Key, d.Value, true
		}
	}
	return "", "", false
}

// catalogWeight is the weight without KV, and where it is from.
func (s *server) catalogWeight(spec Spec) (int, string) {
	if s.origin == FromConfig {
		if s.config == nil {
			return 0, "config"
		}
		return s.config.Weight, "config"
	}
	if text, ok := s.instance.Meta[WeightMeta]; ok {
		if w, err := strconv.ParseUint(text, 10, 16); err == nil {
			return int(w), "service meta " + WeightMeta
		}
		// A value that does not parse changes nothing; status says so.
		w, from := s.serviceWeight(spec)
		return w, fmt.Sprintf("%s (service meta %s = %q is no weight)", from, WeightMeta, cut(text, 64))
	}
	return s.serviceWeight(spec)
}

func (s *server) serviceWeight(spec Spec) (int, string) {
	w := s.instance.Weights
	switch {
	case s.config != nil:
		return s.config.Weight, "config"
	case w.Passing <= 0, w == Weights{Passing: 1, Warning: 1} && spec.Weight != 0:
		// Consul writes 1 and 1 into every definition that has no weights, so
		// these two do not count as somebody's wish.
		return spec.Weight, "config"
	case s.instance.State == Warning:
		return min(w.Warning, maxWeight), "service weights (warning)"
	}
	return min(w.Passing, maxWeight), "service weights"
}

// ServerStatus is what status, pools and why show of one real server.
type ServerStatus struct {
	Addr       netip.AddrPort `json:"address"`
	Service    string         `json:"service,omitempty"`
	ID         string         `json:"id,omitempty"`
	Node       string         `json:"node,omitempty"`
	Source     string         `json:"source"`
	State      ServerState    `json:"state"`
	Reason     string         `json:"reason"`
	Weight     int            `json:"weight"`      // in the pool now
	Configured int            `json:"full_weight"` // when it serves
	WeightFrom string         `json:"weight_from"`
	SlowStart  *SlowStatus    `json:"slow_start,omitempty"` // nil: it has its full weight
	Catalog    string         `json:"catalog,omitempty"`    // passing, warning, critical, maintenance, gone
	Checks     []CheckStatus  `json:"checks,omitempty"`
}

// CheckStatus is one native check of a real server.
type CheckStatus struct {
	Type    string  `json:"type"`
	Target  string  `json:"target"`
	Health  Health  `json:"health"`
	Reason  string  `json:"reason,omitempty"`
	Warning string  `json:"warning,omitempty"` // of a target that is up
	Blocked string  `json:"blocked,omitempty"` // why attempts cannot be made on this host
	Seconds float64 `json:"seconds"`           // the last attempt took
}

func (s *server) status(view View) ServerStatus {
	out := ServerStatus{
		Addr: s.addr, Service: s.instance.Service, ID: s.instance.ID, Node: s.instance.Node,
		Source: Static.String(), State: s.state, Reason: s.reason,
		Weight: s.effective, Configured: s.weight, WeightFrom: s.weightFrom, SlowStart: s.slow,
	}
	if s.origin == FromCatalog {
		out.Source, out.Catalog = s.query.Source.String(), s.instance.State.String()
		if s.gone {
			out.Catalog = "gone"
		}
	}
	for _, c := range s.checks {
		v := view.verdict(c.Check)
		out.Checks = append(out.Checks, CheckStatus{
			Type: c.kind.String(), Target: c.Target.String(), Health: v.Health, Reason: v.Reason,
			Warning: v.Warning, Blocked: v.Blocked, Seconds: v.Took.Seconds(),
		})
	}
	return out
}
