package migrate

import (
	"net/netip"
	"strings"
)

// entry is one address and port of a virtual_server_group.
type entry struct {
	at   position
	addr netip.AddrPort
}

// maxRange bounds the addresses of one range.
const maxRange = 4096

// serverGroup takes a virtual_server_group.
func (t *translator) serverGroup(s statement) {
	name, ok := t.one(s)
	if !ok {
		return
	}
	out := []entry{}
	for _, l := range s.Block {
		if l.Words[0] == "fwmark" {
			t.differ(l.At, "virtual_server_group %s: fwmark %s: a virtual server by firewall mark has no counterpart; it is left out", name, l.Arg(1))
			continue
		}
		port := 0
		if l.Arg(1) != "" {
			if port, ok = t.integer(l, 1, 0, 65535); !ok {
				continue
			}
		}
		list, ok := addressRange(l.Words[0])
		if !ok {
			t.errorf(l.At, "virtual_server_group %s: %q is not an address or a range of at most %d", name, l.Words[0], maxRange)
			continue
		}
		for _, a := range list {
			out = append(out, entry{l.At, netip.AddrPortFrom(a, uint16(port))})
		}
	}
	t.groups[name] = out
}

// addressRange reads an address, a.b.c.d-e, ae00::2-9 (the last part), a prefix,
// or two addresses with a hyphen between.
func addressRange(text string) ([]netip.Addr, bool) {
	first, last := text, text
	if p, err := netip.ParsePrefix(text); err == nil {
		if size := p.Addr().BitLen() - p.Bits(); size > 12 {
			return nil, false
		}
		var out []netip.Addr
		for a := p.Masked().Addr(); p.Contains(a); a = a.Next() {
			out = append(out, a)
		}
		return out, true
	}
	if a, b, ranged := strings.Cut(text, "-"); ranged {
		first, last = a, b
		if _, err := netip.ParseAddr(b); err != nil {
			last = a[:strings.LastIndexAny(a, ".:")+1] + b
		}
	}
	from, err := netip.ParseAddr(first)
	to, err2 := netip.ParseAddr(last)
	if err != nil || err2 != nil || from.Zone() != "" || from.Is4() != to.Is4() || to.Less(from) {
		return nil, false
	}
	var out []netip.Addr
	for a := from; ; a = a.Next() {
		if len(out) == maxRange {
			return nil, false
		}
		out = append(out, a)
		if a == to {
			return out, true
		}
	}
}
