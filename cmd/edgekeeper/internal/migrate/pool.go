package migrate

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// poolNotes tells what is different for a virtual server, once for all addresses
// that it has.
func (t *translator) poolNotes(v *virtualServer) {
	t.once(v.at, "repair", "the IPVS table is read back, and what somebody else changes in a virtual server of ours is repaired")
	if v.mark != 0 {
		v.protocol = ""
	} else if v.protocol == "" {
		t.differ(v.at, "%s has no protocol, which is UDP with keepalived; write `protocol` to mean another", v.what)
		v.protocol = "udp"
	}
	if v.ops != nil && v.protocol != "udp" && v.mark == 0 {
		t.differ(v.ops.At, "ops is for UDP; it is off, as with keepalived")
		v.ops = nil
	}
	if v.method == "" {
		v.method = "nat"
	}
	if v.scheduler == "" {
		v.scheduler = "wlc"
	}
	if v.portless() && v.persist == 0 {
		t.differ(v.at, "%s has no port, which needs persistence; it is 360 s, as with keepalived", v.what)
		v.persist, v.persistAt = 360, v.at
	}
	for _, name := range []string{"sh-port", "sh-fallback", "mh-port", "mh-fallback"} {
		if s, ok := v.flags[name]; ok && name[:2] != v.scheduler {
			t.differ(s.At, "%s is not for the scheduler %s; it has no effect", name, v.scheduler)
			delete(v.flags, name)
		}
	}
	t.prune(v)
	total, inhibited := 0, 0
	for _, r := range v.servers {
		if r.weight < 0 {
			r.weight, r.weightAt = v.weight, r.at
		}
		total += r.weight
		if r.inhibit.or(v.inhibit) == yes {
			inhibited++
		}
		if r.alert.or(t.global.alertRS, t.global.alert, yes) == yes && !t.global.noRSMail {
			t.serverMail = true
		} else {
			t.serverQuiet = true
		}
	}
	if v.alert.or(t.global.alertRS, t.global.alert) == yes && !t.global.noRSMail {
		t.serverMail = true
	}
	if inhibited > 0 && inhibited < len(v.servers) {
		t.differ(v.at, "%s: inhibit_on_failure is for some of the real servers only; edgekeeper has it for a virtual server as a whole, and drains them all", v.what)
	}
	v.inhibit = triOf(inhibited > 0)
	if most := max(total, 1); v.quorum > most {
		t.differ(v.quorumAt, "quorum %d is more than all real servers weigh; it is %d, as with keepalived", v.quorum, most)
		v.quorum = most
	}
	if v.band >= v.quorum {
		t.differ(v.bandAt, "hysteresis %d must be less than the quorum; it is %d, as with keepalived", v.band, v.quorum-1)
		v.band = v.quorum - 1
	}
	if most := total - v.quorum; v.band > max(most, 0) {
		t.differ(v.bandAt, "hysteresis %d: quorum and hysteresis together are more than all real servers weigh, so quorum once lost would not come back; it is %d", v.band, max(most, 0))
		v.band = max(most, 0)
	}
}

// prune leaves out real servers that keepalived would, and settles their ports.
func (t *translator) prune(v *virtualServer) {
	var kept []*realServer
	seen := map[netip.AddrPort]bool{}
	keep := func(r *realServer, what string) bool {
		if r.method == "" {
			r.method = v.method
			if r.tunnel == nil {
				r.tunnel = v.tunnel
			}
		}
		if r.addr.Is4() != v.addr.Addr().Is4() && r.method != "tun" {
			t.differ(r.at, "%s %s is %s, the virtual server is %s; it is left out, as by keepalived", what, r.addr, familyName(r.addr), familyName(v.addr.Addr()))
			return false
		}
		switch port := int(v.addr.Port()); {
		case r.port == 0:
		case v.mark != 0 && r.method != "nat":
			t.differ(r.at, "%s %s: a virtual server by firewall mark has no port, and %s does not translate ports; it has none, as with keepalived", what, r.addr, r.method)
			r.port = 0
		case len(v.spans) > 0 && r.method != "nat":
			r.port = 0 // as there are several
		case r.method != "nat" && r.port != port:
			t.differ(r.at, "%s %s: port %d is not the virtual server's, and %s does not translate ports; it is %d, as with keepalived", what, r.addr, r.port, r.method, port)
			r.port = 0
		}
		return true
	}
	for _, r := range v.servers {
		if !keep(r, "real_server") {
			continue
		}
		key := r.endpoint(v)
		if seen[key] {
			t.differ(r.at, "real_server %s is there twice; this one is left out, as by keepalived", key)
			continue
		}
		seen[key] = true
		kept = append(kept, r)
	}
	v.servers = kept
	if v.sorry != nil && !keep(v.sorry, "sorry_server") {
		v.sorry = nil
	}
}

// pool makes the block of a virtual server at one address.
func (t *translator) pool(v *virtualServer) *node {
	b := &node{kind: "virtual_server", labels: []string{t.poolName(v)}, at: v.at}
	switch {
	case v.mark != 0:
		b.set(v.markAt, "fwmark", v.mark)
		if v.addr.Addr().Is6() {
			b.set(v.markAt, "family", "ipv6")
		}
	case len(v.spans) > 0:
		var list []string
		for _, e := range v.spans {
			list = append(list, e.text)
		}
		b.set(v.spans[0].at, "addresses", list)
		t.once(v.at, "groups", "%s: the addresses of a group are one virtual server of the kernel, which nftables and a firewall mark give their packets to; keepalived makes one for each unless it has nftables_ipvs", v.what)
	default:
		b.set(v.at, "address", v.addr.String())
	}
	if v.mark == 0 {
		b.set(v.at, "protocol", v.protocol)
	}
	b.set(v.at, "scheduler", v.scheduler)
	var flags []string
	for _, name := range []string{"sh-fallback", "sh-port", "mh-fallback", "mh-port"} {
		if _, ok := v.flags[name]; ok {
			flags = append(flags, name)
		}
	}
	if len(flags) > 0 {
		b.set(v.flags[flags[0]].At, "scheduler_flags", flags)
	}
	b.set(v.at, "forward", v.method)
	if v.persist > 0 {
		b.set(v.persistAt, "persistence", time.Duration(v.persist)*time.Second)
		t.granularity(v, b)
		t.engine(v, b)
	} else if v.grain != nil {
		t.differ(v.grain.At, "persistence_granularity has no effect without persistence_timeout")
	}
	if v.ops != nil {
		b.set(v.ops.At, "one_packet", true)
	}
	b.set(v.at, "on_failure", map[tri]string{yes: "drain", no: "remove"}[v.inhibit])
	b.set(v.at, "drain_timeout", time.Duration(0))
	b.why("drain_timeout", "as keepalived, which removes at once and as many as fail")
	b.set(v.at, "max_removal", 1)
	if v.quorum != 1 {
		b.set(v.quorumAt, "quorum", v.quorum)
	}
	if v.band != 0 {
		b.set(v.bandAt, "hysteresis", v.band)
	}
	if len(v.servers) == 0 {
		return b
	}
	common, own := t.checksOf(v)
	for i, r := range v.servers {
		n := t.member(v, r)
		n.blocks = append(n.blocks, own[i]...)
		b.blocks = append(b.blocks, n)
	}
	if s := v.sorry; s != nil {
		n := b.add(s.at, "sorry_server", s.label(v))
		if s.method != v.method {
			n.set(s.at, "forward", s.method)
		}
	}
	t.tunnelOf(v, b)
	b.blocks = append(b.blocks, common...)
	return b
}

// portless reports whether a virtual server, or a part of it, is for every port.
func (v *virtualServer) portless() bool {
	if v.mark != 0 {
		return false // whatever has the mark
	}
	return v.addr.Port() == 0 || slices.ContainsFunc(v.spans, func(e entry) bool { return e.first.Port() == 0 })
}

// engine takes persistence_engine.
func (t *translator) engine(v *virtualServer, b *node) {
	switch {
	case v.engine == nil:
	case !slices.Contains(lvs.Engines(), v.engine.Arg(1)):
		t.bad(*v.engine, 1, "a persistence engine of the kernel (%s)", strings.Join(lvs.Engines(), ", "))
	case v.protocol == "tcp" || v.protocol == "sctp":
		t.differ(v.engine.At, "persistence_engine %s is for UDP; clients are told apart by their address", v.engine.Arg(1))
	default:
		b.set(v.engine.At, "persistence_engine", v.engine.Arg(1))
	}
}

// endpoint is a real server's address and port: only NAT translates ports.
func (r *realServer) endpoint(v *virtualServer) netip.AddrPort {
	switch {
	case r.port == 0 && (v.mark != 0 || len(v.spans) > 0):
		return netip.AddrPortFrom(r.addr, 0)
	case r.port == 0 || r.method != "nat":
		return netip.AddrPortFrom(r.addr, v.addr.Port())
	}
	return netip.AddrPortFrom(r.addr, uint16(r.port))
}

// label is the endpoint as a block has it: without a port where there is none.
func (r *realServer) label(v *virtualServer) string {
	if e := r.endpoint(v); e.Port() != 0 {
		return e.String()
	}
	return r.addr.String()
}

// member makes the block of a real server.
func (t *translator) member(v *virtualServer, r *realServer) *node {
	n := &node{kind: "real_server", labels: []string{r.label(v)}, at: r.at}
	n.set(r.weightAt, "weight", r.weight)
	if r.method != v.method {
		n.set(r.at, "forward", r.method)
	}
	if r.upper > 0 {
		n.set(r.at, "upper_threshold", r.upper)
	}
	switch {
	case r.lower == 0:
	case r.upper == 0 || r.lower >= r.upper:
		t.differ(r.at, "lthreshold %d has an effect only below a uthreshold; it is left out", r.lower)
	default:
		n.set(r.at, "lower_threshold", r.lower)
	}
	return n
}

// granularity takes a netmask, or for IPv6 a prefix length.
func (t *translator) granularity(v *virtualServer, b *node) {
	if v.grain == nil {
		return
	}
	text := v.grain.Arg(1)
	bits := 0
	if a, err := netip.ParseAddr(text); err == nil && a.Is4() && v.addr.Addr().Is4() {
		mask := uint32(0)
		for _, o := range a.As4() {
			mask = mask<<8 | uint32(o)
		}
		for mask&0x80000000 != 0 {
			bits, mask = bits+1, mask<<1
		}
		if mask != 0 || bits == 0 {
			t.errorf(v.grain.At, "persistence_granularity: %s is not a netmask", text)
			return
		}
	} else if n, err := strconv.Atoi(text); err == nil && n > 0 && n <= v.addr.Addr().BitLen() {
		bits = n
	} else {
		t.errorf(v.grain.At, "persistence_granularity: %q is neither a netmask nor a prefix length", text)
		return
	}
	b.set(v.grain.At, "persistence_granularity", bits)
}

// tunnelOf makes the tunnel block: one for the pool.
func (t *translator) tunnelOf(v *virtualServer, b *node) {
	var s *statement
	all := v.servers
	if v.sorry != nil {
		all = append(slices.Clone(all), v.sorry)
	}
	for _, r := range all {
		if r.method != "tun" || r.tunnel == nil {
			continue
		}
		if s != nil && !slices.Equal(s.Words[2:], r.tunnel.Words[2:]) {
			t.differ(r.tunnel.At, "a virtual server has one kind of tunnel for all; it is that of %s", s.At)
			continue
		}
		s = r.tunnel
	}
	if s == nil || len(s.Words) == 2 {
		return
	}
	n := &node{kind: "tunnel", at: s.At}
	for i := 2; i < len(s.Words); i++ {
		switch word := s.Words[i]; word {
		case "type":
			i++
			switch s.Arg(i) {
			case "ipip", "gue", "gre":
				n.set(s.At, "type", s.Arg(i))
			default:
				t.bad(*s, i, "ipip, gue or gre")
				return
			}
		case "port":
			i++
			if p, ok := t.integer(*s, i, 1, 65535); ok {
				n.set(s.At, "port", p)
			}
		case "nocsum", "csum", "remcsum":
			n.set(s.At, "checksum", word)
		default:
			t.errorf(s.At, "TUN: unknown word %q", word)
			return
		}
	}
	b.blocks = append(b.blocks, n)
}
