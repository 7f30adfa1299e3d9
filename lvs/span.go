package lvs

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ErrBadSpan is returned, wrapped with what is wrong, when text is no range of
// addresses and ports.
var ErrBadSpan = errors.New("not an address and port, or a range of them")

// Span is a range of addresses of one family, and of ports, both ends included:
// an entry of keepalived's virtual_server_group. Ports 0 to 0 mean every port.
type Span struct {
	First, Last         netip.Addr
	FirstPort, LastPort uint16
}

// SpanOf returns the span of one address and port.
func SpanOf(a netip.AddrPort) Span {
	return Span{First: a.Addr(), Last: a.Addr(), FirstPort: a.Port(), LastPort: a.Port()}
}

// ParseSpan reads host:ports. The host is an address, the first and the last
// address with a hyphen between, the same with only the last part of the second
// (192.0.2.1-10, 2001:db8::1-ff; keepalived's form) or a prefix (192.0.2.0/28);
// IPv6 stands in brackets. The ports are one, or two with a hyphen between; 0 is
// every port.
func ParseSpan(text string) (Span, error) {
	host, ports, ok := cutPort(text)
	if !ok {
		return Span{}, fmt.Errorf("%q: %w", text, ErrBadSpan)
	}
	var s Span
	var err error
	if s.FirstPort, s.LastPort, err = parsePorts(ports); err != nil {
		return Span{}, fmt.Errorf("%q: %w", text, err)
	}
	if s.First, s.Last, err = parseHosts(strings.Trim(host, "[]")); err != nil {
		return Span{}, fmt.Errorf("%q: %w", text, err)
	}
	if bracketed := strings.HasPrefix(host, "["); bracketed != s.First.Is6() {
		return Span{}, fmt.Errorf("%q: %w: IPv6 stands in brackets, IPv4 does not", text, ErrBadSpan)
	}
	return s, nil
}

// cutPort takes text apart at the last colon behind the addresses.
func cutPort(text string) (host, ports string, ok bool) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 || i < strings.LastIndexByte(text, ']') {
		return "", "", false
	}
	host = text[:i]
	if strings.HasPrefix(host, "[") != strings.HasSuffix(host, "]") || !strings.HasPrefix(host, "[") && strings.Contains(host, ":") {
		return "", "", false
	}
	return host, text[i+1:], true
}

func parsePorts(text string) (first, last uint16, err error) {
	a, b, ranged := strings.Cut(text, "-")
	if !ranged {
		b = a
	}
	from, err1 := strconv.ParseUint(a, 10, 16)
	to, err2 := strconv.ParseUint(b, 10, 16)
	switch {
	case err1 != nil || err2 != nil:
		return 0, 0, fmt.Errorf("%w: %q is no port and no range of ports", ErrBadSpan, text)
	case ranged && from == 0:
		return 0, 0, fmt.Errorf("%w: port 0 stands for every port, it begins no range", ErrBadSpan)
	case from > to:
		return 0, 0, fmt.Errorf("%w: port %d comes after %d", ErrBadSpan, from, to)
	}
	return uint16(from), uint16(to), nil
}

func parseHosts(text string) (first, last netip.Addr, err error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		if p.Masked() != p {
			return first, last, fmt.Errorf("%w: %s is not the first address of its prefix, that is %s", ErrBadSpan, p.Addr(), p.Masked().Addr())
		}
		return p.Addr(), lastOf(p), nil
	}
	a, b, ranged := strings.Cut(text, "-")
	if first, err = netip.ParseAddr(a); err != nil {
		return first, last, fmt.Errorf("%w: %q is no IP address", ErrBadSpan, a)
	}
	if !ranged {
		return first, first, nil
	}
	if last, err = netip.ParseAddr(b); err != nil {
		if last, err = netip.ParseAddr(a[:strings.LastIndexAny(a, ".:")+1] + b); err != nil {
			return first, last, fmt.Errorf("%w: %q is neither an IP address nor the last part of one", ErrBadSpan, b)
		}
	}
	switch {
	case first.Is4() != last.Is4():
		return first, last, fmt.Errorf("%w: %s and %s are of two families", ErrBadSpan, first, last)
	case last.Less(first):
		return first, last, fmt.Errorf("%w: %s comes after %s", ErrBadSpan, first, last)
	}
	return first, last, nil
}

// lastOf returns the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b) // 4 or 16 bytes
	return a
}

// String gives the span as ParseSpan takes it, with both addresses whole.
func (s Span) String() string {
	host := s.First.String()
	if s.Last != s.First {
		host += "-" + s.Last.String()
	}
	if s.First.Is6() {
		host = "[" + host + "]"
	}
	ports := strconv.Itoa(int(s.FirstPort))
	if s.LastPort != s.FirstPort {
		ports += "-" + strconv.Itoa(int(s.LastPort))
	}
	return host + ":" + ports
}

// Single returns the one address and port that the span holds, and whether it
// is only one. Every port of one address counts as one, as IPVS has it: port 0.
func (s Span) Single() (netip.AddrPort, bool) {
	return netip.AddrPortFrom(s.First, s.FirstPort), s.First == s.Last && s.FirstPort == s.LastPort
}

// EveryPort reports whether the span is for all ports.
func (s Span) EveryPort() bool { return s.LastPort == 0 }

// Ports returns the first and the last port, 0 and 65535 for every port.
func (s Span) Ports() (first, last uint16) {
	if s.EveryPort() {
		return 0, 1<<16 - 1
	}
	return s.FirstPort, s.LastPort
}

// Contains reports whether the address and port are in the span.
func (s Span) Contains(a netip.AddrPort) bool {
	first, last := s.Ports()
	return s.holds(a.Addr()) && first <= a.Port() && a.Port() <= last
}

func (s Span) holds(a netip.Addr) bool {
	return a.Is4() == s.First.Is4() && !a.Less(s.First) && !s.Last.Less(a)
}

// Overlaps reports whether some address and port is in both.
func (s Span) Overlaps(o Span) bool {
	if s.First.Is4() != o.First.Is4() || s.Last.Less(o.First) || o.Last.Less(s.First) {
		return false
	}
	first, last := s.Ports()
	oFirst, oLast := o.Ports()
	return first <= oLast && oFirst <= last
}

// Compare orders spans by their first address, then by the rest.
func (s Span) Compare(o Span) int {
	return cmp.Or(
		s.First.Compare(o.First), s.Last.Compare(o.Last),
		cmp.Compare(s.FirstPort, o.FirstPort), cmp.Compare(s.LastPort, o.LastPort),
	)
}
