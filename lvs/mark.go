package lvs

import (
	"cmp"
	"fmt"
	"hash/fnv"
)

// Marking is one rule that gives packets a firewall mark, and with it to the
// virtual server of that mark: packets of a protocol to a span.
type Marking struct {
	Mark     uint32
	Protocol Protocol
	Span     Span
}

// Compare orders markings by family, protocol and span.
func (m Marking) Compare(o Marking) int {
	return cmp.Or(
		cmp.Compare(m.Span.First.BitLen(), o.Span.First.BitLen()),
		cmp.Compare(m.Protocol, o.Protocol), m.Span.Compare(o.Span), cmp.Compare(m.Mark, o.Mark),
	)
}

// String gives "tcp 192.0.2.1-192.0.2.10:80 fwmark 65601".
func (m Marking) String() string {
	return fmt.Sprintf("%s %s fwmark %d", m.Protocol, m.Span, m.Mark)
}

// Marks is how many firewall marks MarkOf chooses from, beginning at its base.
// They are the 14 lowest bits, so that with the default base no bit is set that
// kube-proxy (0x4000, 0x8000) gives a meaning to.
const Marks = 1 << 14

// MarkBase is the default base of MarkOf.
const MarkBase = 1 << 16

// MarkOf returns the firewall mark of a group of addresses: base, plus a hash of
// the virtual server's name (FNV-1a, 32 bits, folded to 14). So it depends on
// nothing else: two directors agree on it, as the connection-sync daemon needs,
// whatever order their files have, and it stays when others come and go. Two
// names may have the same mark; one of them then has to be given another.
func MarkOf(base uint32, name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // a hash takes all
	n := h.Sum32()
	return base + (n^n>>14^n>>28)%Marks
}
