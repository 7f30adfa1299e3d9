package migrate

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// prefix reads an address, perhaps with a prefix length.
func prefix(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, p.Addr().Zone() == ""
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// virtualAddresses takes virtual_ipaddress and virtual_ipaddress_excluded.
func (t *translator) virtualAddresses(v *instance, s statement, advertised bool) {
	for _, l := range s.Block {
		p, ok := prefix(l.Words[0])
		a := p.Addr()
		switch {
		case !ok || p.Bits() == 0 || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a.Is4In6():
			t.errorf(l.At, "%s: %q is not an address that a host can have", s.Name(), l.Words[0])
			continue
		case t.addresses[a.String()] != position{}:
			t.differ(l.At, "%s is already at %s; it is held once", a, t.addresses[a.String()])
			continue
		}
		excluded := !advertised
		first := !slices.ContainsFunc(v.addresses, func(n *node) bool { return n.has("advertise") == nil })
		switch {
		case advertised && first:
			v.ipv4 = a.Is4()
		case advertised && a.Is4() != v.ipv4:
			// keepalived skips it.
			t.differ(l.At, "%s is of the other address family; keepalived leaves it out, edgekeeper moves it along without naming it in adverts", a)
			excluded = true
		}
		t.addresses[a.String()] = l.At
		b := &node{kind: "virtual_address", labels: []string{p.String()}, at: l.At}
		t.addressWords(v, b, p, l)
		if excluded {
			b.set(l.At, "advertise", false)
		}
		v.addresses = append(v.addresses, b)
	}
	if !slices.ContainsFunc(v.addresses, func(n *node) bool { return n.has("advertise") == nil }) && advertised {
		v.addresses = nil
	}
}

// addressWords takes the words behind an address.
func (t *translator) addressWords(v *instance, b *node, p netip.Prefix, l statement) {
	four := p.Addr().Is4()
	label, labelled := "", false
	for i := 1; i < len(l.Words); i++ {
		word := l.Words[i]
		next := func() string { i++; return l.Arg(i) }
		switch word {
		case "dev":
			if d := next(); d != v.iface {
				b.set(l.At, "device", d)
			}
		case "scope":
			t.scope(b, l, next(), "")
		case "brd", "broadcast":
			t.broadcast(b, l, p, next())
		case "label":
			label, labelled = next(), true
		case "peer":
			text := next()
			peer, ok := prefix(text)
			if !ok || peer.Addr().Is4() != four {
				t.errorf(l.At, "peer: %q is not an address of the same family", text)
				continue
			}
			b.set(l.At, "peer", peer.Addr().String())
			b.labels[0] = netip.PrefixFrom(p.Addr(), peer.Bits()).String()
		case "-nodad":
			if !four {
				b.set(l.At, "detect_duplicates", true)
			}
		case "noprefixroute":
			b.set(l.At, "prefix_route", false)
		case "preferred_lft":
			switch n := next(); n {
			case "0":
				b.set(l.At, "deprecated", true)
			case "forever":
			default:
				t.differ(l.At, "preferred_lft %s: an address is preferred as long as it is there, or never (0); it is preferred", n)
			}
		case "no_track":
			t.differ(l.At, "no_track: an address that somebody else removes is always noticed")
		case "home", "mngtmpaddr", "autojoin":
			t.differ(l.At, "%s: the address has no such flag", word)
		case "use_vmac":
			t.differ(l.At, "use_vmac on one address: a macvlan interface is for all addresses of an instance (use_vmac); it stays on its interface")
		default:
			t.errorf(l.At, "unknown word %q after an address", word)
			return
		}
	}
	if !labelled {
		return
	}
	device := v.iface
	if d, ok := b.has("device").(string); ok {
		device = d
	}
	switch {
	case !four:
		t.differ(l.At, "label %s: an IPv6 address has none", label)
	case len(label) > 15 || label != device && !strings.HasPrefix(label, device+":"):
		t.differ(l.At, "label %s: the kernel wants the device's name (%s), a colon and more, at most 15 bytes; there is no label", label, device)
	default:
		b.set(l.At, "label", label)
	}
}

func (t *translator) broadcast(b *node, l statement, p netip.Prefix, text string) {
	if !p.Addr().Is4() || p.Bits() > 30 && (text == "+" || text == "-") {
		t.differ(l.At, "brd %s: the address has no broadcast address", text)
		return
	}
	switch text {
	case "+", "-":
		octets := p.Masked().Addr().As4()
		if text == "+" {
			for i := p.Bits(); i < 32; i++ {
				octets[i/8] |= 0x80 >> (i % 8)
			}
		}
		b.set(l.At, "broadcast", netip.AddrFrom4(octets).String())
	default:
		a, err := netip.ParseAddr(text)
		if err != nil || !a.Is4() {
			t.errorf(l.At, "brd: %q is not an IPv4 address", text)
			return
		}
		b.set(l.At, "broadcast", a.String())
	}
}

// scopes are the names and numbers of rt_scopes.
var scopes = map[string]string{"global": "global", "0": "global", "universe": "global", "site": "site", "200": "site", "link": "link", "253": "link", "host": "host", "254": "host"}

func (t *translator) scope(b *node, l statement, text, standard string) {
	s, ok := scopes[text]
	switch {
	case !ok:
		t.differ(l.At, "scope %s: edgekeeper knows global, site, link and host; it is left to the default", text)
	case s != standard:
		b.set(l.At, "scope", s)
	}
}

// unicast takes the peers.
func (t *translator) unicast(v *instance) {
	b := v.block
	var list []string
	var blocks []*node
	for _, l := range v.peers {
		a, err := netip.ParseAddr(l.Words[0])
		switch {
		case err != nil || a.Zone() != "":
			t.errorf(l.At, "unicast_peer: %q is not an address", l.Words[0])
			continue
		case a.Is4() != v.ipv4:
			t.errorf(l.At, "unicast_peer: %s is not of the family of the virtual addresses", a)
			continue
		case a.String() == b.has("source_address"):
			t.differ(l.At, "unicast_peer: %s is our own address; it is left out", a)
			continue
		case slices.Contains(list, a.String()) || slices.ContainsFunc(blocks, func(n *node) bool { return n.labels[0] == a.String() }):
			t.differ(l.At, "unicast_peer: %s is already there", a)
			continue
		}
		if len(l.Words) == 1 {
			list = append(list, a.String())
			continue
		}
		p := &node{kind: "unicast_peer", labels: []string{a.String()}, at: l.At}
		for i := 1; i+1 < len(l.Words); i += 2 {
			if name := l.Words[i]; name == "min_ttl" || name == "max_ttl" {
				if n, ok := t.integer(l, i+1, 0, 255); ok && n > 0 {
					p.set(l.At, name, n)
				}
				continue
			}
			t.errorf(l.At, "unknown word %q after a unicast peer", l.Words[i])
		}
		blocks = append(blocks, p)
	}
	if len(list)+len(blocks) == 0 {
		if b.unset("unicast_ttl") {
			t.differ(v.at, "vrrp_instance %s: unicast_ttl has no effect without unicast_peer", v.name)
		}
		return
	}
	if len(list) > 0 {
		b.set(v.peers[0].At, "unicast_peers", list)
	}
	if !v.ipv4 && b.has("unicast_ttl") == nil {
		b.set(v.at, "unicast_ttl", 64)
		b.why("unicast_ttl", "the kernel's default, which keepalived leaves for IPv6")
	}
	b.blocks = append(b.blocks, blocks...)
	if v.unicastSrc.or(t.global.unicastSrc) != yes {
		t.once(v.peers[0].At, "unicast source", "unicast_peer: adverts of others than the peers are dropped, as with check_unicast_src")
	}
}

// authType gives PASS, AH or nothing.
func (v *instance) authType() string {
	if v.auth == nil {
		return ""
	}
	for _, s := range v.auth.Block {
		if s.Name() == "auth_type" {
			return s.Arg(1)
		}
	}
	return ""
}

// authentication takes what exists in version 2 over IPv4.
func (t *translator) authentication(v *instance, strict bool) {
	if v.auth == nil {
		return
	}
	kind, pass := "", ""
	var at position
	t.each("authentication", v.auth.Block, words{
		"auth_type": func(s statement) {
			switch s.Arg(1) {
			case "PASS":
				kind = "pass"
			case "AH":
				kind = "ah"
			default:
				t.bad(s, 1, "PASS or AH")
			}
		},
		"auth_pass": func(s statement) { pass, at = s.Arg(1), s.At },
	})
	switch {
	case len(t.hmacs(v)) > 0:
		t.differ(v.auth.At, "authentication does not go with auth_hmac, which counts")
	case strict:
		t.differ(v.auth.At, "authentication does not exist in strict mode; there is none")
	case v.version == 3:
		t.differ(v.auth.At, "authentication does not exist in version 3; there is none, as with keepalived. auth_hmac is for every version")
	case kind == "":
	case pass == "":
		t.differ(v.auth.At, "authentication without auth_pass is none, as with keepalived")
	default:
		if len(pass) > 8 {
			t.differ(at, "auth_pass has %d bytes, VRRP has room for 8; the first 8 are taken, as by keepalived", len(pass))
			pass = pass[:8]
		}
		b := v.block.add(v.auth.At, "authentication")
		b.set(v.auth.At, "type", kind)
		b.set(at, "secret", pass)
	}
}

// hmacs finds the authentication that auth_hmac made.
func (t *translator) hmacs(v *instance) []*node { return v.block.all("authentication") }

// hmac takes auth_hmac.
func (t *translator) hmac(v *instance, s statement) {
	for i, old := range v.block.blocks {
		if old.kind == "authentication" {
			t.differ(s.At, "auth_hmac replaces the other authentication")
			v.block.blocks = slices.Delete(v.block.blocks, i, i+1)
			break
		}
	}
	b := v.block.add(s.At, "authentication")
	b.set(s.At, "type", "hmac")
	keys := 0
	t.each("auth_hmac", s.Block, words{
		"key": func(s statement) {
			id, ok := t.integer(s, 1, 1, 255)
			if !ok {
				return
			}
			k := &node{kind: "key", labels: []string{strconv.Itoa(id)}, at: s.At}
			switch how, value, _ := strings.Cut(s.Arg(2), ":"); how {
			case "hex":
				k.set(s.At, "hex", value)
			case "ascii":
				k.set(s.At, "secret", value)
			case "file":
				k.set(s.At, "secret_file", value)
			default:
				t.bad(s, 2, "hex:…, ascii:… or file:…")
				return
			}
			keys++
			b.blocks = append(b.blocks, k)
		},
		"active_key": func(s statement) {
			if n, ok := t.integer(s, 1, 1, 255); ok {
				b.set(s.At, "active_key", n)
			}
		},
		"time_window": func(s statement) {
			if d, ok := t.seconds(s, 1); ok {
				b.set(s.At, "time_window", d)
			}
		},
		"anti_replay": func(s statement) { b.set(s.At, "anti_replay", s.Arg(1)) },
		"mode":        func(s statement) { b.set(s.At, "mode", s.Arg(1)) },
	})
	if b.has("anti_replay") == "monotonic" && b.unset("time_window") {
		t.differ(s.At, "time_window has no effect with anti_replay monotonic")
	}
	if keys == 0 {
		t.errorf(s.At, "auth_hmac has no key")
	}
}

// virtualMAC takes use_vmac and what belongs to it.
func (t *translator) virtualMAC(v *instance) {
	if v.vmac == nil {
		if v.transmitBase != nil {
			t.differ(v.transmitBase.At, "vmac_xmit_base has no effect without use_vmac")
		}
		return
	}
	b := v.block.add(v.vmac.At, "vmac")
	for _, word := range v.vmac.Args() {
		switch _, err := vrrp.ParseMAC(word); {
		case err == nil && strings.Contains(word, ":"):
			b.set(v.vmac.At, "mac", word)
		case v.vmac.Name() == "use_vmac_addr":
		case word == "name" || word == "netlink_notify":
		case b.has("name") == nil:
			b.set(v.vmac.At, "name", word)
		default:
			t.differ(v.vmac.At, "use_vmac: %q has no counterpart", word)
		}
	}
	unicast := v.block.has("unicast_peers") != nil || len(v.block.all("unicast_peer")) > 0
	if v.transmitBase != nil && !unicast {
		b.set(v.transmitBase.At, "transmit_base", true)
	}
	if v.vmacAll {
		b.set(v.vmac.At, "all_addresses", true)
	}
	for _, a := range v.addresses {
		if a.has("device") == nil && a.unset("label") {
			t.differ(a.at, "label: on a macvlan interface a label begins with that interface's name; there is no label")
		}
	}
}
