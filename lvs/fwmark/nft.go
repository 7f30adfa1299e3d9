//go:build linux

package fwmark

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

var table = &nftables.Table{Name: TableName, Family: nftables.TableFamilyINet}

// family is what the two address families differ in.
type family struct {
	id     uint32 // of the map in a transaction; the library counts its own without a lock
	name   string // of the map
	proto  byte   // NFPROTO_*
	offset uint32 // of the destination in the header
	size   uint32 // of an address
	second uint32 // register behind the address
	third  uint32 // register behind that
	key    nftables.SetDatatype
}

// Registers 1 and 2 are 16 bytes wide and the same as 8 to 11 and 12 to 15,
// which are 4 bytes wide: the parts of a key stand behind each other.
var families = []family{
	{id: 1, name: "groups4", proto: unix.NFPROTO_IPV4, offset: 16, size: 4, second: 9, third: 10, key: nftables.TypeIPAddr},
	{id: 2, name: "groups6", proto: unix.NFPROTO_IPV6, offset: 24, size: 16, second: 2, third: 13, key: nftables.TypeIP6Addr},
}

// set is the map of a family: address . protocol . port, as ranges, to mark.
func (f family) set() *nftables.Set {
	return &nftables.Set{
		Table: table, ID: f.id, Name: f.name, IsMap: true, Interval: true, Concatenation: true,
		KeyType:  nftables.MustConcatSetType(f.key, nftables.TypeInetProto, nftables.TypeInetService),
		DataType: nftables.TypeMark,
	}
}

// rule is `meta mark set ip daddr . meta l4proto . th dport map @groups4`. A
// packet without a transport header, or that is in no group, leaves it.
func (f family) rule() []expr.Any {
	const destinationPort = 2 // in the headers of TCP, UDP and SCTP
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{f.proto}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: f.offset, Len: f.size},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: f.second},
		&expr.Payload{DestRegister: f.third, Base: expr.PayloadBaseTransportHeader, Offset: destinationPort, Len: 2},
		&expr.Lookup{SourceRegister: 1, DestRegister: 1, IsDestRegSet: true, SetName: f.name},
		&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: 1},
	}
}

// chains are where packets come from: the network, and this host. IPVS takes
// them at the input and output hooks, later (ip_vs_core.c).
func chains() []*nftables.Chain {
	priority, policy := *nftables.ChainPriorityMangle, nftables.ChainPolicyAccept
	chain := func(name string, hook *nftables.ChainHook) *nftables.Chain {
		return &nftables.Chain{Table: table, Name: name, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: &priority, Policy: &policy}
	}
	return []*nftables.Chain{chain("prerouting", nftables.ChainHookPrerouting), chain("output", nftables.ChainHookOutput)}
}

// element is a marking as the map holds it. The parts of a key are padded to 4
// bytes, numbers are in network order, and the mark is in the host's.
func element(m lvs.Marking) nftables.SetElement {
	key := func(a netip.Addr, port uint16) []byte {
		return append(a.AsSlice(), byte(m.Protocol), 0, 0, 0, byte(port>>8), byte(port), 0, 0)
	}
	first, last := m.Span.Ports()
	return nftables.SetElement{
		Key: key(m.Span.First, first), KeyEnd: key(m.Span.Last, last), Val: binaryutil.NativeEndian.PutUint32(m.Mark),
		// The library cannot tell nft the byte order of a map's values, so nft
		// prints them with their bytes reversed.
		Comment: fmt.Sprintf("fwmark %d", m.Mark),
	}
}

// marking reads an element back; false when it is none of ours.
func (f family) marking(e nftables.SetElement) (lvs.Marking, bool) {
	size := int(f.size)
	end := e.KeyEnd
	if len(end) == 0 {
		end = e.Key // a range of one
	}
	if len(e.Key) != size+8 || len(end) != size+8 || len(e.Val) != 4 || e.Key[size] != end[size] {
		return lvs.Marking{}, false
	}
	m := lvs.Marking{Mark: binaryutil.NativeEndian.Uint32(e.Val), Protocol: lvs.Protocol(e.Key[size])}
	m.Span.First, _ = netip.AddrFromSlice(e.Key[:size])
	m.Span.Last, _ = netip.AddrFromSlice(end[:size])
	m.Span.FirstPort, m.Span.LastPort = binaryutil.BigEndian.Uint16(e.Key[size+4:]), binaryutil.BigEndian.Uint16(end[size+4:])
	if m.Span.FirstPort == 0 && m.Span.LastPort == 1<<16-1 {
		m.Span.LastPort = 0
	}
	return m, true
}

func (f family) holds(m lvs.Marking) bool { return m.Span.First.BitLen() == int(f.size)*8 }

// dial speaks to nftables with a bound on the time it takes. room is for a
// transaction of that many bytes, which goes out in one piece.
func dial(room int) (*nftables.Conn, error) {
	return nftables.New(nftables.WithSockOptions(func(c *netlink.Conn) error {
		if room > 0 {
			if err := c.SetWriteBuffer(room); err != nil {
				return err
			}
			if err := c.SetReadBuffer(room); err != nil { // for as many acknowledgements
				return err
			}
		}
		return c.SetDeadline(time.Now().Add(kernelTimeout))
	}))
}

// chunk bounds the elements of one message, whose attribute has a length of 16 bits.
const chunk = 250

// replace makes the table anew, in one transaction.
func replace(want []lvs.Marking) error {
	if err := disjoint(want); err != nil {
		return err
	}
	c, err := dial(1<<18 + 512*len(want))
	if err != nil {
		return err
	}
	wipe(c)
	c.AddTable(table)
	for _, f := range families {
		var elements []nftables.SetElement
		for _, m := range want {
			if f.holds(m) {
				elements = append(elements, element(m))
			}
		}
		set := f.set()
		if err := c.AddSet(set, nil); err != nil {
			return err
		}
		for part := range slices.Chunk(elements, chunk) {
			if err := c.SetAddElements(set, part); err != nil {
				return err
			}
		}
	}
	for _, chain := range chains() {
		c.AddChain(chain)
		for _, f := range families {
			c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: f.rule()})
		}
	}
	return c.Flush()
}

// wipe removes the table, there or not: added first, because the absence of
// one would undo the whole transaction.
func wipe(c *nftables.Conn) {
	c.AddTable(table)
	c.DelTable(table)
}

func remove() error {
	c, err := dial(0)
	if err != nil {
		return err
	}
	wipe(c)
	return c.Flush()
}

// compare says in what the kernel's table differs from what is wanted; "" when
// it does not. A table that changes while it is read may be an error.
func compare(want []lvs.Marking) (string, error) {
	c, err := dial(0)
	if err != nil {
		return "", err
	}
	there, err := c.ListChainsOfTableFamily(table.Family)
	if err != nil {
		return "", err
	}
	for _, chain := range chains() {
		i := slices.IndexFunc(there, func(h *nftables.Chain) bool { return h.Table.Name == table.Name && h.Name == chain.Name })
		switch {
		case i < 0:
			return "the chain " + chain.Name + " is missing", nil
		case !sameChain(there[i], chain):
			return "the chain " + chain.Name + " hangs elsewhere", nil
		}
		rules, err := c.GetRules(table, chain)
		if err != nil {
			return "", err
		}
		if !sameRules(rules) {
			return "the rules of " + chain.Name + " are others", nil
		}
	}
	// The rules go by the maps, so those cannot have been removed.
	var have []lvs.Marking
	var foreign []string
	for _, f := range families {
		elements, err := c.GetSetElements(f.set())
		if err != nil {
			return "", err
		}
		for _, e := range elements {
			m, ok := f.marking(e)
			if !ok {
				foreign = append(foreign, fmt.Sprintf("an element %x", e.Key))
				continue
			}
			have = append(have, m)
		}
	}
	return describe(without(want, have), append(without(have, want), foreign...)), nil
}

// without lists, in words, what is in a and not in b.
func without(a, b []lvs.Marking) []string {
	in := make(map[lvs.Marking]bool, len(b))
	for _, m := range b {
		in[m] = true
	}
	var out []string
	for _, m := range a {
		if !in[m] {
			out = append(out, m.String())
		}
	}
	return out
}

func sameChain(have, want *nftables.Chain) bool {
	return have.Type == want.Type &&
		have.Hooknum != nil && *have.Hooknum == *want.Hooknum &&
		have.Priority != nil && *have.Priority == *want.Priority &&
		have.Policy != nil && *have.Policy == *want.Policy
}

// sameRules reports whether the rules of a chain are one of each family.
func sameRules(have []*nftables.Rule) bool {
	return slices.EqualFunc(have, families, func(r *nftables.Rule, f family) bool {
		return slices.EqualFunc(r.Exprs, f.rule(), sameExpr)
	})
}

// sameExpr compares two expressions; a map's number in its transaction is no
// part of it.
func sameExpr(a, b expr.Any) bool {
	plain := func(e expr.Any) string {
		if l, ok := e.(*expr.Lookup); ok {
			c := *l
			c.SetID = 0
			e = &c
		}
		return fmt.Sprintf("%T %+v", e, e)
	}
	return plain(a) == plain(b)
}
