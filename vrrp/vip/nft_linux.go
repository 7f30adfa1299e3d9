package vip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// FilterTable is the nftables table of family inet that belongs to us. All
// virtual routers of the host share it; it is there while one of them is master
// and has something in it.
const FilterTable = "edgekeeper"

// filterPriority is the place of our chain at the input hook: behind IPVS, which
// takes the packets of virtual servers at NF_IP_PRI_NAT_SRC-2 and -1 (98, 99 in
// ip_vs_core.c), so that a director serves what it does not accept itself.
const filterPriority nftables.ChainPriority = 110

// The objects in the table. The set ids are what a transaction calls its sets
// by; ours are given here because the library counts its own without a lock.
var (
	filterTable = &nftables.Table{Name: FilterTable, Family: nftables.TableFamilyINet}
	filterSet4  = nftables.Set{Table: filterTable, ID: 1, Name: "no_accept4", KeyType: nftables.TypeIPAddr}
	filterSet6  = nftables.Set{Table: filterTable, ID: 2, Name: "no_accept6", KeyType: nftables.TypeIP6Addr}
)

// filterChain gives the chain; a value of its own, as it holds pointers.
func filterChain() *nftables.Chain {
	priority, policy := filterPriority, nftables.ChainPolicyAccept
	return &nftables.Chain{
		Table: filterTable, Name: "input", Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookInput, Priority: &priority, Policy: &policy,
	}
}

// filterRules drop what is addressed to an address of the sets. Neighbour
// solicitations and advertisements pass: RFC 9568 section 6.1 (Accept_Mode)
// forbids to drop them.
func filterRules() [][]expr.Any {
	const solicit, advertise = 135, 136 // RFC 4861
	return [][]expr.Any{
		{
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_ICMPV6}},
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1},
			&expr.Cmp{Op: expr.CmpOpGte, Register: 1, Data: []byte{solicit}},
			&expr.Cmp{Op: expr.CmpOpLte, Register: 1, Data: []byte{advertise}},
			&expr.Verdict{Kind: expr.VerdictAccept},
		},
		filterDrop(&filterSet4, unix.NFPROTO_IPV4, 16, 4),
		filterDrop(&filterSet6, unix.NFPROTO_IPV6, 24, 16),
	}
}

// filterDrop is the rule of one family; the destination is at offset in its header.
func filterDrop(set *nftables.Set, family byte, offset, size uint32) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size},
		&expr.Lookup{SourceRegister: 1, SetName: set.Name},
		&expr.Counter{},
		&expr.Verdict{Kind: expr.VerdictDrop},
	}
}

// filterElements sorts addresses by family.
func filterElements(list []netip.Addr) (v4, v6 []nftables.SetElement) {
	for _, ip := range list {
		e := nftables.SetElement{Key: ip.AsSlice()}
		if ip.Is4() {
			v4 = append(v4, e)
		} else {
			v6 = append(v6, e)
		}
	}
	return v4, v6
}

// filterConn speaks to nftables with a bound on the time it takes. It opens a
// socket for each transaction: changes are rare.
func filterConn() (*nftables.Conn, error) {
	return nftables.New(nftables.WithSockOptions(func(c *netlink.Conn) error {
		return c.SetDeadline(time.Now().Add(kernelTimeout))
	}))
}

// filterAdd makes the table what it has to be, in one transaction, and puts the
// addresses into it. What is there already is no error.
func filterAdd(list []netip.Addr) error {
	c, err := filterConn()
	if err != nil {
		return err
	}
	c.AddTable(filterTable)
	chain := c.AddChain(filterChain())
	c.FlushChain(chain)
	v4, v6 := filterElements(list)
	set4, set6 := filterSet4, filterSet6
	err = errors.Join(c.AddSet(&set4, nil), c.AddSet(&set6, nil))
	if len(v4) > 0 {
		err = errors.Join(err, c.SetAddElements(&set4, v4))
	}
	if len(v6) > 0 {
		err = errors.Join(err, c.SetAddElements(&set6, v6))
	}
	for _, exprs := range filterRules() {
		c.AddRule(&nftables.Rule{Table: filterTable, Chain: chain, Exprs: exprs})
	}
	return errors.Join(err, c.Flush())
}

// filterDelete takes addresses out of the table. A table that is not there is no
// error.
func filterDelete(list []netip.Addr) error {
	v4, v6 := filterElements(list)
	set4, set6 := filterSet4, filterSet6
	return errors.Join(filterDeleteFrom(&set4, v4), filterDeleteFrom(&set6, v6))
}

func filterDeleteFrom(set *nftables.Set, elements []nftables.SetElement) error {
	if len(elements) == 0 {
		return nil
	}
	c, err := filterConn()
	if err != nil {
		return err
	}
	set.ID = 0 // by its name: it is not of this transaction
	// Added first, because the absence of one would undo the whole transaction.
	if err := errors.Join(c.SetAddElements(set, elements), c.SetDeleteElements(set, elements)); err != nil {
		return err
	}
	if err := c.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}

// filterHas reports whether the table drops what is sent to the addresses.
func filterHas(list []netip.Addr) (bool, error) {
	c, err := filterConn()
	if err != nil {
		return false, err
	}
	if there, err := filterThere(c); !there || err != nil {
		return false, err
	}
	rules, err := c.GetRules(filterTable, filterChain())
	if err != nil || len(rules) != len(filterRules()) {
		return false, err
	}
	want := map[netip.Addr]bool{}
	for _, ip := range list {
		want[ip] = true
	}
	have, err := filterContent(c)
	for _, ip := range have {
		delete(want, ip)
	}
	return len(want) == 0, err
}

// filterThere reports whether the table, its chain and its sets exist.
func filterThere(c *nftables.Conn) (bool, error) {
	chains, err := c.ListChainsOfTableFamily(filterTable.Family)
	if err != nil {
		return false, err
	}
	for _, chain := range chains {
		if chain.Table.Name == filterTable.Name && chain.Name == filterChain().Name {
			return true, nil // its rules need the sets, so they cannot have been removed
		}
	}
	return false, nil
}

// filterContent lists the addresses in both sets.
func filterContent(c *nftables.Conn) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, set := range []nftables.Set{filterSet4, filterSet6} {
		elements, err := c.GetSetElements(&set)
		if err != nil {
			return nil, err
		}
		for _, e := range elements {
			if ip, ok := netip.AddrFromSlice(e.Key); ok {
				out = append(out, ip)
			}
		}
	}
	return out, nil
}

// filterTries bounds the attempts to look at a ruleset that others change.
const filterTries = 10

// filterLook looks at the ruleset and gives its generation of before, so that a
// change since shows in the next. A look fails when what it reads is removed
// meanwhile, by another virtual router say: then it is repeated.
func filterLook(look func() (bool, error)) (ok bool, generation uint32, err error) {
	for range filterTries {
		if generation, err = filterGeneration(); err != nil {
			return false, 0, err
		}
		if ok, err = look(); err == nil {
			return ok, generation, nil
		}
		after, failure := filterGeneration()
		if failure != nil || after == generation {
			return false, 0, errors.Join(err, failure)
		}
	}
	return false, 0, err
}

// filterTidy removes the table when no address and nothing of anybody else is in
// it. The removal holds for the ruleset that was looked at; when it has changed
// since, the look is repeated.
func filterTidy() error {
	for range filterTries {
		empty, generation, err := filterLook(filterEmpty)
		if !empty || err != nil {
			return err
		}
		switch err := filterRemove(generation); {
		case errors.Is(err, unix.ERESTART):
		case errors.Is(err, unix.ENOENT):
			return nil
		default:
			return err
		}
	}
	return nil // somebody is busy there; the next removal tries again
}

// filterEmpty reports whether the table is there, and holds nothing but our
// chain and our two sets, both empty.
func filterEmpty() (bool, error) {
	c, err := filterConn()
	if err != nil {
		return false, err
	}
	if there, err := filterThere(c); !there || err != nil {
		return false, err
	}
	chains, err := c.ListChainsOfTableFamily(filterTable.Family)
	if err != nil {
		return false, err
	}
	for _, chain := range chains {
		if chain.Table.Name == filterTable.Name && chain.Name != filterChain().Name {
			return false, nil
		}
	}
	sets, err := c.GetSets(filterTable)
	if err != nil || len(sets) != 2 {
		return false, err
	}
	have, err := filterContent(c)
	return err == nil && len(have) == 0, err
}

// The library has no transaction that is bound to a generation, and does not
// read the generation: both are single messages.

// nft gives the header of a message and its body.
func nft(kind int, flags netlink.HeaderFlags, family byte, resource uint16, attrs func(*netlink.AttributeEncoder)) (netlink.Message, error) {
	e := netlink.NewAttributeEncoder()
	e.ByteOrder = binary.BigEndian
	if attrs != nil {
		attrs(e)
	}
	b, err := e.Encode()
	head := binary.BigEndian.AppendUint16([]byte{family, unix.NFNETLINK_V0}, resource) // struct nfgenmsg
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | flags},
		Data:   append(head, b...),
	}, err
}

const nftSubsystem = unix.NFNL_SUBSYS_NFTABLES << 8

// nftDial opens a socket for one exchange.
func nftDial() (*netlink.Conn, error) {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(kernelTimeout)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// filterGeneration is a number that every change of the host's ruleset alters.
func filterGeneration() (uint32, error) {
	c, err := nftDial()
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }()
	ask, err := nft(nftSubsystem|unix.NFT_MSG_GETGEN, 0, unix.NFPROTO_UNSPEC, 0, nil)
	if err != nil {
		return 0, err
	}
	answer, err := c.Execute(ask)
	if err != nil {
		return 0, fmt.Errorf("read generation of nftables: %w", err)
	}
	for _, m := range answer {
		if len(m.Data) < 4 {
			continue
		}
		d, err := netlink.NewAttributeDecoder(m.Data[4:])
		if err != nil {
			return 0, fmt.Errorf("read generation of nftables: %w", err)
		}
		d.ByteOrder = binary.BigEndian
		for d.Next() {
			if d.Type() == unix.NFTA_GEN_ID {
				return d.Uint32(), d.Err()
			}
		}
	}
	return 0, errNoGeneration
}

var errNoGeneration = errors.New("nftables tells no generation")

// filterRemove removes the table if the ruleset is still of the generation; else
// the error is ERESTART.
func filterRemove(generation uint32) error {
	c, err := nftDial()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	begin, err1 := nft(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.NFPROTO_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, func(e *netlink.AttributeEncoder) {
		e.Uint32(unix.NFNL_BATCH_GENID, generation)
	})
	drop, err2 := nft(nftSubsystem|unix.NFT_MSG_DELTABLE, netlink.Acknowledge, byte(filterTable.Family), 0, func(e *netlink.AttributeEncoder) {
		e.String(unix.NFTA_TABLE_NAME, filterTable.Name)
	})
	end, err3 := nft(unix.NFNL_MSG_BATCH_END, 0, unix.NFPROTO_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	if _, err := c.SendMessages([]netlink.Message{begin, drop, end}); err != nil {
		return err
	}
	_, err = c.Receive() // the acknowledgement, or the refusal of the whole
	return err
}
