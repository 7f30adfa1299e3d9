package migrate

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// tables are the names that every host has for routing tables (rt_tables).
var tables = map[string]int{"main": 254, "default": 253, "local": 255}

func (t *translator) table(l statement, text string) (int, bool) {
	if n, ok := tables[text]; ok {
		return n, true
	}
	n, err := strconv.ParseUint(text, 0, 32)
	if err != nil || n == 0 {
		t.differ(l.At, "table %s: the names of routing tables differ from host to host; write its number. The line is left out", text)
		return 0, false
	}
	return int(n), true
}

// network reads a network as ip(8) has it.
func network(text string, six bool) (string, bool) {
	if text == "default" || text == "all" || text == "any" {
		return map[bool]string{false: "0.0.0.0/0", true: "::/0"}[six], true
	}
	p, ok := prefix(text)
	return p.Masked().String(), ok
}

var routeTypes = []string{"unicast", "local", "blackhole", "unreachable", "prohibit", "throw"}

// virtualRoutes takes the lines of virtual_routes.
func (t *translator) virtualRoutes(v *instance, s statement) {
	for _, l := range s.Block {
		before := len(t.findings)
		b := &node{kind: "virtual_route", at: l.At}
		if !t.route(v, b, l) {
			if len(t.findings) == before {
				t.differ(l.At, "the route is left out")
			}
			continue
		}
		key := b.labels[0]
		for _, name := range []string{"table", "metric", "tos"} {
			if n, ok := b.has(name).(int); ok && !(name == "table" && n == 254) {
				key += " " + name + strconv.Itoa(n)
			}
		}
		if at, dup := t.routes[key]; dup {
			t.differ(l.At, "the route to %s is already at %s; it is left out", b.labels[0], at)
			continue
		}
		t.routes[key] = l.At
		v.block.blocks = append(v.block.blocks, b)
	}
}

// sixOf reports whether a line's first address is IPv6; the instance's family
// when it has none.
func sixOf(v *instance, words []string) bool {
	for i, w := range words {
		switch w {
		case "inet6":
			return true
		case "inet":
			return false
		}
		if i > 0 && slices.Contains([]string{"table", "metric", "priority", "preference", "order", "fwmark", "dev", "oif", "iif"}, words[i-1]) {
			continue
		}
		if p, ok := prefix(w); ok {
			return p.Addr().Is6()
		}
	}
	return !v.ipv4
}

// route takes the words of a route.
func (t *translator) route(v *instance, b *node, l statement) bool {
	six := sixOf(v, l.Words)
	ok := true
	number := func(i int, name string, lo, hi int64) {
		if n, good := t.integer(l, i, lo, hi); good {
			b.set(l.At, name, n)
		} else {
			ok = false
		}
	}
	numbers := map[string]struct {
		name string
		most int64
	}{
		"metric": {"metric", 1<<31 - 1}, "priority": {"metric", 1<<31 - 1}, "preference": {"metric", 1<<31 - 1},
		"advmss": {"advmss", 65535}, "hoplimit": {"hop_limit", 255}, "ttl": {"hop_limit", 255},
		"initcwnd": {"initcwnd", 65535}, "initrwnd": {"initrwnd", 65535}, "tos": {"tos", 255}, "dsfield": {"tos", 255},
	}
	var hops []*node
	var hop *node // the nexthop that words are for
	var via string
	for i := 0; i < len(l.Words); i++ {
		word := l.Words[i]
		target := b
		if hop != nil {
			target = hop
		}
		n, isNumber := numbers[word]
		switch {
		case slices.Contains(routeTypes, word):
			if word != "unicast" {
				b.set(l.At, "type", word)
			}
		case word == "to":
		case word == "inet" || word == "inet6":
		case word == "via" || word == "gw":
			i++
			if w := l.Arg(i); w == "inet" || w == "inet6" {
				i++
			}
			via = l.Arg(i)
			if hop != nil {
				hop.labels = []string{via}
			} else {
				b.set(l.At, "via", via)
			}
		case word == "or": // the old form of a second gateway
			i++
			hops = append(hops, &node{kind: "nexthop", labels: []string{via}, at: l.At}, &node{kind: "nexthop", labels: []string{l.Arg(i)}, at: l.At})
			b.unset("via")
		case word == "dev" || word == "oif":
			i++
			if hop != nil && len(hop.labels) == 0 {
				hop.labels = []string{l.Arg(i)}
			} else {
				target.set(l.At, "device", l.Arg(i))
			}
		case word == "src" || word == "from" && !six:
			i++
			p, good := prefix(l.Arg(i))
			if ok = ok && good; good {
				b.set(l.At, "source", p.Addr().String())
			}
		case word == "table":
			i++
			n, good := t.table(l, l.Arg(i))
			if ok = ok && good; good {
				b.set(l.At, "table", n)
			}
		case word == "scope":
			i++
			t.scope(b, l, l.Arg(i), "global")
		case isNumber:
			i++
			number(i, n.name, 0, n.most)
		case word == "mtu":
			i++
			if l.Arg(i) == "lock" {
				b.set(l.At, "mtu_lock", true)
				i++
			}
			number(i, "mtu", 0, 65535)
		case word == "quickack":
			i++
			b.set(l.At, "quickack", l.Arg(i) == "1" || l.Arg(i) == "enabled")
		case word == "onlink":
			target.set(l.At, "onlink", true)
		case word == "no_track":
			b.set(l.At, "track", false)
		case word == "protocol" || word == "proto":
			i++
			t.once(l.At, "route protocol", "protocol %s: routes are marked `proto keepalived`, so that they are known again", l.Arg(i))
		case word == "nexthop":
			hop = &node{kind: "nexthop", at: l.At}
			hops = append(hops, hop)
		case word == "weight" && hop != nil:
			i++
			if n, good := t.integer(l, i, 1, 256); good {
				hop.set(l.At, "weight", n)
			}
		case slices.Contains([]string{"cwnd", "window", "rtt", "rttvar", "rto_min", "ssthresh", "realms", "reordering", "features", "congctl", "expires", "pref", "as", "ttl-propagate", "fastopen_no_cookie", "encap"}, word):
			t.differ(l.At, "%s: a virtual_route has no such setting; the route is left out", word)
			return false
		case len(b.labels) == 0:
			dst, good := network(word, six)
			if !good {
				t.errorf(l.At, "%q is not a network", word)
				return false
			}
			b.labels = []string{dst}
		default:
			t.errorf(l.At, "unknown word %q in a route", word)
			return false
		}
	}
	for _, h := range hops {
		if len(h.labels) == 0 {
			t.errorf(l.At, "a nexthop without via and dev")
			return false
		}
	}
	b.blocks = hops
	if len(b.labels) == 0 {
		t.errorf(l.At, "a route without a destination")
		return false
	}
	return ok
}

// virtualRules takes the lines of virtual_rules.
func (t *translator) virtualRules(v *instance, s statement) {
	for _, l := range s.Block {
		b := &node{kind: "virtual_rule", at: l.At}
		if !t.rule(v, b, l) {
			continue
		}
		key := strings.Join(l.Words, " ")
		if at, dup := t.rules[key]; dup {
			t.differ(l.At, "the same rule is already at %s; it is left out", at)
			continue
		}
		t.rules[key] = l.At
		v.block.blocks = append(v.block.blocks, b)
	}
}

// rule takes the words of a rule.
func (t *translator) rule(v *instance, b *node, l statement) bool {
	six := sixOf(v, l.Words)
	ok := true
	for i := 0; i < len(l.Words); i++ {
		word := l.Words[i]
		next := func() string { i++; return l.Arg(i) }
		switch word {
		case "from", "to":
			text := next()
			if text == "all" || text == "any" {
				continue
			}
			n, good := network(text, six)
			if !good {
				t.errorf(l.At, "%s: %q is not a network", word, text)
				return false
			}
			b.set(l.At, word, n)
		case "priority", "preference", "pref", "order":
			i++
			if n, good := t.integer(l, i, 1, 1<<32-1); good {
				b.set(l.At, "priority", n)
			} else {
				ok = false
			}
		case "table", "lookup":
			n, good := t.table(l, next())
			if ok = ok && good; good {
				b.set(l.At, "table", n)
			}
		case "goto":
			i++
			if n, good := t.integer(l, i, 1, 1<<32-1); good {
				b.set(l.At, "action", "goto")
				b.set(l.At, "goto", n)
			}
		case "blackhole", "unreachable", "prohibit":
			b.set(l.At, "action", word)
		case "type", "not", "inet", "inet6":
			if word == "not" {
				b.set(l.At, "not", true)
			}
		case "fwmark", "iif", "oif":
			b.set(l.At, word, next())
		case "dev":
			b.set(l.At, "iif", next())
		case "tos", "dsfield":
			i++
			if n, good := t.integer(l, i, 0, 255); good {
				b.set(l.At, "tos", n)
			}
		case "ipproto":
			b.set(l.At, "ip_protocol", next())
		case "sport":
			b.set(l.At, "source_port", next())
		case "dport":
			b.set(l.At, "destination_port", next())
		case "suppress_prefixlength", "sup_pl":
			i++
			if n, good := t.integer(l, i, 0, 127); good {
				b.set(l.At, "suppress_prefixlength", n)
			}
		case "no_track":
			b.set(l.At, "track", false)
		case "protocol":
			next()
			t.once(l.At, "rule protocol", "protocol: rules are marked `proto keepalived`, so that they are known again")
		case "uidrange", "tunnel-id", "realms", "suppress_ifgroup", "sup_group", "nop", "l3mdev":
			t.differ(l.At, "%s: a virtual_rule has no such setting; the rule is left out", word)
			return false
		default:
			t.errorf(l.At, "unknown word %q in a rule", word)
			return false
		}
	}
	if b.has("priority") == nil {
		t.differ(l.At, "a rule without priority has 16384, as with keepalived, which is probably not what you want")
		b.set(l.At, "priority", 16384)
	}
	if six != !v.ipv4 && b.has("from") == nil && b.has("to") == nil {
		b.set(l.At, "family", map[bool]string{false: "ipv4", true: "ipv6"}[six])
	}
	return ok
}

// static takes static_ipaddress, static_routes and static_rules, which do not
// move and are no business of edgekeeper's.
func (t *translator) static(s statement) {
	for _, l := range s.Block {
		t.differ(l.At, "%s: `%s` does not move with an instance; edgekeeper does not manage it. Put it into the host's network configuration", s.Name(), l.Raw)
	}
}

// familyName names an address family.
func familyName(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}
