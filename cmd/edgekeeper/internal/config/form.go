package config

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// form takes what names the virtual server: an address and port, a group of
// them, or a firewall mark.
func (c *checker) form(b *block, s *discovery.Spec) {
	k := &s.Service
	given := func(name string) bool { _, ok := b.at[name]; return ok }
	switch {
	case given("address") && given("addresses"):
		b.addf(b.where("addresses"), "address and addresses exclude each other: write all of them in addresses")
	case !given("address") && !given("addresses") && !given("fwmark"):
		b.addf(b.header, "%s needs one of address, addresses and fwmark", b.name())
	}
	spans, whole := c.spans(b)
	grouped := given("addresses") || len(spans) == 1 && !single(spans[0])
	switch {
	case len(spans) > 0 && !grouped:
		ap, _ := spans[0].Single()
		k.Addr, k.Port = ap.Addr(), ap.Port()
		if given("fwmark") {
			b.addf(b.where("fwmark"), "fwmark is for groups and for packets that your own rules mark; one address needs none (write addresses = [%q] for a group of one)", b.str("address"))
		}
	case len(spans) > 0:
		k.Key = lvs.Key{Mark: c.mark(b), Family: lvs.IPv4}
		if spans[0].First.Is6() {
			k.Family = lvs.IPv6
		}
		s.Spans = spans
	case whole && b.written("fwmark"):
		c.bareMark(b, s)
	}
	if given("family") && (given("address") || given("addresses")) {
		b.addf(b.where("family"), "family is for a fwmark without addresses, which have a family of their own")
	}
}

// bareMark is a firewall mark that others set.
func (c *checker) bareMark(b *block, s *discovery.Spec) {
	s.Service.Key = lvs.Key{Mark: uint32(b.num("fwmark")), Family: lvs.IPv4}
	if b.str("family") == "ipv6" {
		s.Service.Family = lvs.IPv6
	}
	if b.written("protocol") {
		b.addf(b.where("protocol"), "protocol has no effect on a fwmark without addresses: the rules that set the mark choose the packets")
	}
	s.Protocol = 0
}

// mark is the firewall mark of a group.
func (c *checker) mark(b *block) uint32 {
	if b.written("fwmark") {
		return uint32(b.num("fwmark"))
	}
	base := uint32(lvs.MarkBase)
	if i := c.root.one("ipvs"); i != nil {
		base = uint32(i.num("fwmark_base"))
	}
	return lvs.MarkOf(base, b.label)
}

func single(s lvs.Span) bool { _, ok := s.Single(); return ok }

// spans takes address or addresses. It reports whether all of them were good.
func (c *checker) spans(b *block) (out []lvs.Span, whole bool) {
	whole = !b.bad("address") && !b.bad("addresses")
	list := b.list("addresses")
	name := "addresses"
	if b.written("address") {
		name, list = "address", []located{{text: b.str("address"), at: b.where("address")}}
	}
	for _, l := range list {
		s, ok := b.span(name, l.text, l.at)
		if !ok {
			whole = false
			continue
		}
		i := slices.IndexFunc(out, s.Overlaps)
		switch {
		case i >= 0:
			b.addf(l.at, "%s: %s is in %s already", name, s, out[i])
		case len(out) > 0 && !sameFamily(s.First, out[0].First):
			b.addf(l.at, "%s: %s is %s, the first is %s; write a virtual_server for each family", name, s, family(s.First), family(out[0].First))
		default:
			out = append(out, s)
		}
	}
	return out, whole
}

// span takes ip:port, or a range of either.
func (b *block) span(what, text string, at hcl.Range) (lvs.Span, bool) {
	if !strings.ContainsAny(text, "-/") {
		ap, ok := b.endpoint(what, text, at, -1)
		return lvs.SpanOf(ap), ok
	}
	s, err := lvs.ParseSpan(text)
	if err != nil {
		b.addf(at, "%s: %v, such as \"192.0.2.1:80\", \"192.0.2.1-10:80\" or \"[2001:db8::1-ff]:8000-8099\"", what, err)
		return lvs.Span{}, false
	}
	return s, b.usable(what, s.First, at) && b.usable(what, s.Last, at)
}

// identified reports whether it is known which virtual server this is.
func identified(s *discovery.Spec) bool { return s.Service.Addr.IsValid() || s.Service.Mark != 0 }

// portless reports whether one of the written servers that are checked has no port.
func portless(s *discovery.Spec) bool {
	none := func(r discovery.Server) bool { return r.Addr.Port() == 0 }
	return slices.ContainsFunc(s.Servers, none) || s.SorryChecked && none(*s.Sorry)
}

// forms are the virtual servers so far, to find those that take each other's
// packets.
type forms struct {
	all    []form
	keys   map[lvs.Key]form
	groups []form
}

type form struct {
	block *block
	spec  *discovery.Spec
}

func (f *forms) claim(b *block, s *discovery.Spec) {
	if first, twice := f.keys[s.Service.Key]; twice {
		sameKey(b, s, first.block)
		return
	}
	rivals := f.groups // only a group takes the packets of others
	if len(s.Spans) > 0 {
		rivals = f.all
	}
	for _, r := range rivals {
		mine, theirs, ok := contested(s, r.spec)
		if !ok {
			continue
		}
		at := b.where("address")
		if b.written("addresses") {
			at = b.where("addresses")
		}
		b.addf(at, "%s %s takes packets of %s, which %s at %s is for", s.Protocol, mine, theirs, r.block.name(), place(r.block.header))
		return
	}
	one := form{b, s}
	f.all = append(f.all, one)
	if len(s.Spans) > 0 {
		f.groups = append(f.groups, one)
	}
	if f.keys == nil {
		f.keys = map[lvs.Key]form{}
	}
	f.keys[s.Service.Key] = one
}

// sameKey refuses a virtual server that is one with another.
func sameKey(b *block, s *discovery.Spec, first *block) {
	switch {
	case s.Service.Mark == 0:
		b.addf(b.where("address"), "%s is already the address of %s at %s", s.Service.Key, first.name(), place(first.header))
	case b.written("fwmark"):
		b.addf(b.where("fwmark"), "%s is already the mark of %s at %s", s.Service.Key, first.name(), place(first.header))
	default:
		b.addf(b.header, "%s gets the mark %d from its name, which %s at %s has, too: write fwmark = … in one of them", b.name(), s.Service.Mark, first.name(), place(first.header))
	}
}

// contested finds addresses and ports of two virtual servers, one of them a
// group, that want the same packets. The kernel asks for the mark first, so a
// group for some ports leaves the rest to a virtual server for every port.
func contested(a, b *discovery.Spec) (mine, theirs lvs.Span, ok bool) {
	if a.Protocol != b.Protocol || len(a.Spans)+len(b.Spans) == 0 {
		return mine, theirs, false
	}
	for _, x := range claims(a) {
		for _, y := range claims(b) {
			more := len(a.Spans) == 0 && x.EveryPort() && !y.EveryPort() || len(b.Spans) == 0 && y.EveryPort() && !x.EveryPort()
			if !more && x.Overlaps(y) {
				return x, y, true
			}
		}
	}
	return mine, theirs, false
}

// claims are the addresses and ports of a virtual server.
func claims(s *discovery.Spec) []lvs.Span {
	if s.Service.Mark == 0 {
		return []lvs.Span{lvs.SpanOf(netip.AddrPortFrom(s.Service.Addr, s.Service.Port))}
	}
	return s.Spans
}
