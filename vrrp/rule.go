package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// RuleAction is what a rule does with a packet that it matches (FR_ACT_ in
// linux/fib_rules.h). The zero value looks up a table.
type RuleAction uint8

// The actions a virtual rule can have.
const (
	RuleLookup      RuleAction = 0
	RuleGoto        RuleAction = 2
	RuleBlackhole   RuleAction = 6
	RuleUnreachable RuleAction = 7
	RuleProhibit    RuleAction = 8
)

// String is the word of ip-rule(8).
func (a RuleAction) String() string {
	switch a {
	case RuleLookup:
		return "lookup"
	case RuleGoto:
		return "goto"
	case RuleBlackhole:
		return "blackhole"
	case RuleUnreachable:
		return "unreachable"
	case RuleProhibit:
		return "prohibit"
	}
	return "unknown"
}

// PortRange is a range of ports, both ends included; zero is any port.
type PortRange struct{ First, Last uint16 }

// Rule is a rule of the routing policy that moves with the addresses
// (keepalived's virtual_rules). It is comparable.
type Rule struct {
	// IPv6 is the family of a rule without From and To.
	IPv6 bool
	// Priority is where the rule stands among all; required, for the kernel
	// would choose one that nobody can foresee.
	Priority uint32
	// From and To are networks without host bits; invalid is any.
	From, To netip.Prefix
	Action   RuleAction
	// Table is looked up by RuleLookup.
	Table uint32
	// Goto is the priority of the rule that RuleGoto goes on with.
	Goto uint32
	// Not matches what the rest does not.
	Not bool
	// Mark and Mask match the packet's mark; a zero Mask with a Mark is all bits.
	Mark, Mask uint32
	// In and Out are interfaces; In "lo" is this host's own packets.
	In, Out string
	TOS     uint8
	// Protocol is the IP protocol; zero is any. Ports need one.
	Protocol           uint8
	SourcePorts, Ports PortRange
	// SuppressPrefix drops a result of the table with a prefix of this length or
	// shorter, minus one; zero suppresses nothing. So 1 ignores default routes.
	SuppressPrefix uint8
	// NoTrack leaves the rule alone once it is installed: a loss is not put back.
	NoTrack bool
}

// IPv4 reports the family.
func (r Rule) IPv4() bool {
	switch {
	case r.From.IsValid():
		return r.From.Addr().Is4()
	case r.To.IsValid():
		return r.To.Addr().Is4()
	}
	return !r.IPv6
}

// String is the rule as ip-rule(8) shows it, as far as it tells rules apart.
func (r Rule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rule %d:", r.Priority)
	if r.Not {
		b.WriteString(" not")
	}
	from := "all"
	if r.From.IsValid() {
		from = r.From.String()
	}
	b.WriteString(" from " + from)
	if r.To.IsValid() {
		b.WriteString(" to " + r.To.String())
	}
	if r.Mark != 0 || r.Mask != 0 {
		fmt.Fprintf(&b, " fwmark %#x", r.Mark)
		if r.Mask != 0 {
			fmt.Fprintf(&b, "/%#x", r.Mask)
		}
	}
	if r.In != "" {
		b.WriteString(" iif " + r.In)
	}
	if r.Out != "" {
		b.WriteString(" oif " + r.Out)
	}
	b.WriteString(" " + r.Action.String())
	switch r.Action {
	case RuleLookup:
		fmt.Fprintf(&b, " %d", r.Table)
	case RuleGoto:
		fmt.Fprintf(&b, " %d", r.Goto)
	case RuleBlackhole, RuleUnreachable, RuleProhibit:
	}
	return b.String()
}

// maxSuppressTable is the last table for which the netlink library sends
// FRA_SUPPRESS_PREFIXLEN (ruleHandle in vishvananda/netlink v1.3.1).
const maxSuppressTable = 255

// Validate reports every mistake, each as a *FieldError in an errors.Join.
func (r Rule) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, &FieldError{Field: field, Problem: fmt.Sprintf(format, args...)})
	}
	if r.Priority == 0 {
		bad("Priority", "is required, and 0 is the kernel's own rule")
	}
	network := func(field string, p netip.Prefix) {
		switch {
		case !p.IsValid():
		case p.Addr().Is4In6():
			bad(field, "%s: write plain IPv4 or IPv6", p)
		case p.Bits() == 0:
			bad(field, "%s is any; leave it out", p)
		case p.Masked() != p:
			bad(field, "%s has host bits; the network is %s", p, p.Masked())
		}
	}
	network("From", r.From)
	network("To", r.To)
	if r.From.IsValid() && r.To.IsValid() && r.From.Addr().Is4() != r.To.Addr().Is4() {
		bad("To", "%s is not of the family of %s", r.To, r.From)
	}
	switch r.Action {
	case RuleLookup:
		if r.Table == 0 {
			bad("Table", "is required to look one up")
		}
	case RuleGoto:
		if r.Goto <= r.Priority {
			bad("Goto", "%d does not come after this rule, %d", r.Goto, r.Priority)
		}
	case RuleBlackhole, RuleUnreachable, RuleProhibit:
	default:
		bad("Action", "%d is unknown", r.Action)
	}
	if r.Action != RuleLookup && r.Table != 0 {
		bad("Table", "is not looked up by %s", r.Action)
	}
	if r.SuppressPrefix != 0 && (r.Action != RuleLookup || r.Table > maxSuppressTable) {
		bad("SuppressPrefix", "needs a table from 1 to %d", maxSuppressTable)
	}
	if r.Action != RuleGoto && r.Goto != 0 {
		bad("Goto", "is not for %s", r.Action)
	}
	if (r.SourcePorts != PortRange{} || r.Ports != PortRange{}) && r.Protocol == 0 {
		bad("Protocol", "ports need one")
	}
	for _, p := range []struct {
		field string
		ports PortRange
	}{{"SourcePorts", r.SourcePorts}, {"Ports", r.Ports}} {
		if (p.ports != PortRange{}) && (p.ports.First == 0 || p.ports.Last < p.ports.First) {
			bad(p.field, "%d-%d is not a range of ports", p.ports.First, p.ports.Last)
		}
	}
	return errors.Join(errs...)
}
