package vip

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// rule is the part of a master that a virtual rule is.
type rule struct{ vrrp.Rule }

func (r rule) String() string  { return r.Rule.String() }
func (r rule) tracked() bool   { return !r.NoTrack }
func (r rule) essential() bool { return false }

func (r rule) install(h *Host, _ time.Duration) error {
	if err := h.nl.RuleAdd(r.build()); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}

func (r rule) remove(nl *netlink.Handle) error {
	err := nl.RuleDel(r.build())
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return fmt.Errorf("remove %s: %w", r, err)
}

// build is the rule as the library takes it; adding and deleting name the same.
func (r rule) build() *netlink.Rule {
	out := netlink.NewRule()
	out.Family = r.family()
	out.Priority, out.Table, out.Protocol = int(r.Priority), int(r.Table), protocol
	if r.From.IsValid() {
		out.Src = ipNet(r.From)
	}
	if r.To.IsValid() {
		out.Dst = ipNet(r.To)
	}
	switch r.Action {
	case vrrp.RuleLookup:
		out.Type = unix.RTN_UNICAST // FR_ACT_TO_TBL has the same number
	case vrrp.RuleGoto:
		out.Goto = int(r.Goto)
	case vrrp.RuleBlackhole, vrrp.RuleUnreachable, vrrp.RuleProhibit:
		out.Type = uint8(r.Action)
	}
	out.Invert, out.Mark, out.Tos = r.Not, r.Mark, uint(r.TOS)
	if r.Mask != 0 {
		mask := r.Mask
		out.Mask = &mask
	}
	out.IifName, out.OifName = r.In, r.Out
	out.IPProto = int(r.Protocol)
	out.Sport, out.Dport = portsOf(r.SourcePorts), portsOf(r.Ports)
	if r.SuppressPrefix > 0 {
		out.SuppressPrefixlen = int(r.SuppressPrefix) - 1
	}
	return out
}

func (r rule) family() int {
	if r.IPv4() {
		return netlink.FAMILY_V4
	}
	return netlink.FAMILY_V6
}

func (r rule) present(nl *netlink.Handle) (bool, error) {
	list, err := nl.RuleList(r.family())
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return false, fmt.Errorf("look for %s: %w", r, err)
	}
	for i := range list {
		if r.is(&list[i]) {
			return true, nil
		}
	}
	return false, nil
}

// is compares what tells rules of one priority apart in practice.
func (r rule) is(have *netlink.Rule) bool {
	want := r.build()
	if have.Priority != want.Priority || have.Protocol != protocol || have.Invert != want.Invert ||
		have.Mark != want.Mark || have.IifName != want.IifName || have.OifName != want.OifName {
		return false
	}
	if r.Action == vrrp.RuleLookup && have.Table != want.Table {
		return false
	}
	from, hasFrom := prefixOf(have.Src)
	to, hasTo := prefixOf(have.Dst)
	return hasFrom == r.From.IsValid() && hasTo == r.To.IsValid() && (!hasFrom || from == r.From) && (!hasTo || to == r.To)
}

func (r rule) record(s *state) { s.Rules = append(s.Rules, r.Rule) }

func portsOf(p vrrp.PortRange) *netlink.RulePortRange {
	if p == (vrrp.PortRange{}) {
		return nil
	}
	return netlink.NewRulePortRange(p.First, p.Last)
}
