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

// orders are the KV settings about real servers of one virtual server.
type orders struct {
	weights named[int]
	drains  named[string]
}

func ordersOf(virtualServer string, o Overrides) orders {
	return orders{namedOf(virtualServer, o.Weights), namedOf(virtualServer, o.Drains)}
}

// named are settings by what an operator may call the real server. Addresses are
// read once, and not the names made of ten thousand real servers.
type named[T any] struct {
	words   map[string]Setting[T] // as they are written: service id, node
	address map[netip.AddrPort]Setting[T]
	host    map[netip.Addr]Setting[T]
}

func namedOf[T any](virtualServer string, settings map[Target]Setting[T]) (n named[T]) {
	for t, s := range settings {
		if t.VirtualServer != virtualServer {
			continue
		}
		if n.words == nil {
			n = named[T]{map[string]Setting[T]{}, map[netip.AddrPort]Setting[T]{}, map[netip.Addr]Setting[T]{}}
		}
		n.words[t.Name] = s
		if a, err := netip.ParseAddrPort(t.Name); err == nil && a.String() == t.Name {
			n.address[a] = s
		}
		if a, err := netip.ParseAddr(t.Name); err == nil && a.String() == t.Name {
			n.host[a] = s
		}
	}
	return n
}

// find finds the setting of a real server: that of its most exact name.
func (n named[T]) find(s *server) (found Setting[T], ok bool) {
	if n.words == nil {
		return found, false
	}
	if found, ok = n.address[s.addr]; ok {
		return found, ok
	}
	for _, name := range [...]string{s.instance.ID, s.instance.Node} {
		if found, ok = n.words[name]; ok && name != "" {
			return found, ok
		}
	}
	found, ok = n.host[s.addr.Addr()]
	return found, ok
}

// weigh finds the weight that the server has when it serves (KV > what a check
// says > service meta > the service's own weights > the configuration) and applies the operator's drains.
func (s *server) weigh(spec *Spec, view View, kv orders) {
	s.weight, s.weightFrom = s.catalogWeight(spec)
	if w, ok := kv.weights.find(s); ok {
		s.weight, s.weightFrom, s.fromKV = w.Value, "kv "+w.Key, true
	}
	if !s.fromKV {
		s.heed(spec, view)
	}
	if s.state == Unusable || s.state == Leaving && s.explicit {
		return
	}
	if key, why, ok := s.drained(kv, view.Overrides); ok {
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

func (s *server) drained(kv orders, o Overrides) (key, why string, ok bool) {
	if d, found := kv.drains.find(s); found {
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
func (s *server) catalogWeight(spec *Spec) (int, string) {
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

func (s *server) serviceWeight(spec *Spec) (int, string) {
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
