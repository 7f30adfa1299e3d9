package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// moved remembers the routes and rules of all instances: two that are one to the
// kernel would take each other off.
type moved struct {
	routes map[routeKey]*block
	rules  map[vrrp.Rule]*block
}

// routeKey is what the kernel tells routes apart by.
type routeKey struct {
	destination   netip.Prefix
	table, metric uint32
	tos           uint8
}

// routes takes the routes and rules of an instance.
func (c *checker) routes(b *block, r *vrrp.Config) {
	if c.moved.routes == nil {
		c.moved = moved{map[routeKey]*block{}, map[vrrp.Rule]*block{}}
	}
	for _, v := range b.all("virtual_route") {
		out, ok := c.route(v)
		if !ok {
			continue
		}
		key := routeKey{out.Destination, out.Table, out.Metric, out.TOS}
		if first := c.moved.routes[key]; first != nil {
			v.addf(v.header, "virtual_route %s is already there at %s; the kernel tells routes apart by destination, table, metric and tos", out.Destination, place(first.header))
			continue
		}
		c.moved.routes[key] = v
		r.Routes = append(r.Routes, out)
	}
	for _, v := range b.all("virtual_rule") {
		out, ok := c.rule(v, r)
		if !ok {
			continue
		}
		key := out
		key.NoTrack = false
		if first := c.moved.rules[key]; first != nil {
			v.addf(v.header, "the same virtual_rule is already there at %s", place(first.header))
			continue
		}
		c.moved.rules[key] = v
		r.Rules = append(r.Rules, out)
	}
}

// route takes one route. It reports false when something is wrong.
func (c *checker) route(v *block) (vrrp.Route, bool) {
	before := len(v.report.list)
	var out vrrp.Route
	var err error
	if out.Destination, err = netip.ParsePrefix(v.label); err != nil {
		v.addf(v.header, "virtual_route: %q is not a network, such as \"10.0.0.0/8\"", v.label)
		return out, false
	}
	out.Type = map[string]vrrp.RouteType{
		"local": vrrp.RouteLocal, "blackhole": vrrp.RouteBlackhole, "unreachable": vrrp.RouteUnreachable,
		"prohibit": vrrp.RouteProhibit, "throw": vrrp.RouteThrow,
	}[v.str("type")]
	out.Scope = map[string]vrrp.Scope{"site": vrrp.ScopeSite, "link": vrrp.ScopeLink, "host": vrrp.ScopeHost}[v.str("scope")]
	for _, a := range []struct {
		name string
		to   *netip.Addr
	}{{"via", &out.Via}, {"source", &out.Source}} {
		if v.written(a.name) {
			*a.to, _ = v.address(a.name, v.str(a.name), v.where(a.name))
		}
	}
	out.Device, out.OnLink = v.str("device"), v.flag("onlink")
	v.interfaceName("device", out.Device, v.where("device"))
	out.Table, out.Metric, out.TOS = uint32(v.num("table")), uint32(v.num("metric")), uint8(v.num("tos"))
	out.MTU, out.AdvMSS, out.HopLimit = uint32(v.num("mtu")), uint32(v.num("advmss")), uint32(v.num("hop_limit"))
	out.InitCwnd, out.InitRwnd = uint32(v.num("initcwnd")), uint32(v.num("initrwnd"))
	out.MTULock, out.QuickACK, out.NoTrack = v.flag("mtu_lock"), v.flag("quickack"), !v.flag("track")
	for _, n := range v.all("nexthop") {
		hop := vrrp.NextHop{Device: n.str("device"), Weight: uint16(n.num("weight")), OnLink: n.flag("onlink")}
		if _, err := netip.ParseAddr(n.label); err == nil {
			hop.Via, _ = n.address("nexthop", n.label, n.header)
		} else {
			n.interfaceName("nexthop", n.label, n.header)
			if hop.Device != "" {
				n.addf(n.where("device"), "nexthop %q is an interface, device names another", n.label)
			}
			hop.Device = n.label
		}
		n.interfaceName("device", hop.Device, n.where("device"))
		out.Hops = append(out.Hops, hop)
	}
	if len(v.report.list) > before || v.anyBad() {
		return out, false
	}
	return out, v.fields(out.Validate(), map[string]string{
		"Via": "via", "Device": "device", "OnLink": "onlink", "Source": "source", "Type": "type", "Scope": "scope", "TOS": "tos", "MTULock": "mtu_lock",
	})
}

// rule takes one rule of the instance r. It reports false when something is wrong.
func (c *checker) rule(v *block, r *vrrp.Config) (vrrp.Rule, bool) {
	before := len(v.report.list)
	out := vrrp.Rule{
		Priority: uint32(v.num("priority")), Table: uint32(v.num("table")), Goto: uint32(v.num("goto")),
		Not: v.flag("not"), In: v.str("iif"), Out: v.str("oif"), TOS: uint8(v.num("tos")),
		SuppressPrefix: uint8(v.num("suppress_prefixlength") + 1), NoTrack: !v.flag("track"),
	}
	out.From, out.To = v.network("from"), v.network("to")
	switch family := v.str("family"); {
	case out.From.IsValid() || out.To.IsValid():
		if v.written("family") && (family == "ipv4") != out.IPv4() {
			v.addf(v.where("family"), "family is %q, the networks are not", family)
		}
	case family != "":
		out.IPv6 = family == "ipv6"
	default:
		out.IPv6 = !r.IPv4()
	}
	out.Action = map[string]vrrp.RuleAction{
		"goto": vrrp.RuleGoto, "blackhole": vrrp.RuleBlackhole, "unreachable": vrrp.RuleUnreachable, "prohibit": vrrp.RuleProhibit,
	}[v.str("action")]
	v.interfaceName("iif", out.In, v.where("iif"))
	v.interfaceName("oif", out.Out, v.where("oif"))
	v.mark(&out)
	if s := v.str("ip_protocol"); s != "" {
		n, err := strconv.ParseUint(s, 10, 8)
		if number, ok := ipProtocols[s]; ok {
			out.Protocol = number
		} else if err != nil || n == 0 {
			v.addf(v.where("ip_protocol"), "ip_protocol: %q is neither a protocol we know by name nor a number from 1 to 255", s)
		} else {
			out.Protocol = uint8(n)
		}
	}
	out.SourcePorts, out.Ports = v.ports("source_port"), v.ports("destination_port")
	if len(v.report.list) > before || v.anyBad() || out.Priority == 0 {
		return out, false
	}
	return out, v.fields(out.Validate(), map[string]string{
		"Priority": "priority", "From": "from", "To": "to", "Table": "table", "Goto": "goto", "Action": "action",
		"SuppressPrefix": "suppress_prefixlength", "Protocol": "ip_protocol", "SourcePorts": "source_port", "Ports": "destination_port",
	})
}

// network takes a network, invalid when it is not written.
func (b *block) network(name string) netip.Prefix {
	if !b.written(name) {
		return netip.Prefix{}
	}
	s := b.str(name)
	p, err := netip.ParsePrefix(s)
	if err != nil {
		a, ipErr := netip.ParseAddr(s)
		if ipErr != nil {
			b.addf(b.where(name), "%s: %q is not a network, such as \"10.0.0.0/8\"", name, s)
			return netip.Prefix{}
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	return p
}

// mark takes "0x1" or "0x1/0xf", as ip-rule(8).
func (b *block) mark(out *vrrp.Rule) {
	if !b.written("fwmark") {
		return
	}
	s := b.str("fwmark")
	mark, mask, masked := strings.Cut(s, "/")
	m, err := strconv.ParseUint(mark, 0, 32)
	k := uint64(0)
	if masked {
		var maskErr error
		k, maskErr = strconv.ParseUint(mask, 0, 32)
		err = errors.Join(err, maskErr)
	}
	switch {
	case err != nil:
		b.addf(b.where("fwmark"), "fwmark: %q is not a mark such as \"0x1\" or \"0x1/0xf\"", s)
	case m == 0 && k == 0:
		b.addf(b.where("fwmark"), "fwmark: %q matches any mark; leave it out, or give a mask", s)
	case masked && m&^k != 0:
		b.addf(b.where("fwmark"), "fwmark: %q can match nothing: the mark has bits outside the mask", s)
	}
	out.Mark, out.Mask = uint32(m), uint32(k)
}

// ports takes "80" or "8000-8999".
func (b *block) ports(name string) vrrp.PortRange {
	if !b.written(name) {
		return vrrp.PortRange{}
	}
	s := b.str(name)
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	lo, err := strconv.ParseUint(first, 10, 16)
	hi, err2 := strconv.ParseUint(last, 10, 16)
	if err != nil || err2 != nil || lo == 0 || hi < lo {
		b.addf(b.where(name), "%s: %q is not a port or a range such as \"8000-8999\"", name, s)
		return vrrp.PortRange{}
	}
	return vrrp.PortRange{First: uint16(lo), Last: uint16(hi)}
}

// fields reports what the protocol's own package finds wrong, at the argument
// that the field was made of, and whether that was nothing.
func (b *block) fields(err error, names map[string]string) bool {
	if err == nil {
		return true
	}
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, e := range list {
		var field *vrrp.FieldError
		if !errors.As(e, &field) {
			continue
		}
		name, known := names[field.Field]
		at, what := b.where(name), name
		if !known {
			what = fmt.Sprintf("%s %q", b.kind.name, b.label)
		}
		b.addf(at, "%s: %s", what, field.Problem)
	}
	return false
}
