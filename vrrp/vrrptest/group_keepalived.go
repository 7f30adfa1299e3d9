package vrrptest

import (
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// keepalivedGroup behaves as a vrrp_sync_group of keepalived 2.2 does
// (vrrp_sync_can_goto_master, vrrp_sync_master, vrrp_sync_backup and
// vrrp_sync_fault in keepalived/vrrp/vrrp_sync.c). What sets it apart from
// vrrp.Group, besides what sets keepalived apart from vrrp.Machine: the others
// follow a member that yields without priority 0, and there is no handover.
type keepalivedGroup struct {
	members []*keepalived
	sources []vrrp.Event // Start or Recovered of the members that can run
	wants   []bool       // its timer has run out
	actions []vrrp.MemberAction
}

func newKeepalivedGroup(cfgs []vrrp.Config) *keepalivedGroup {
	g := &keepalivedGroup{sources: make([]vrrp.Event, len(cfgs)), wants: make([]bool, len(cfgs))}
	for _, cfg := range cfgs {
		g.members = append(g.members, newKeepalived(cfg))
	}
	return g
}

func (g *keepalivedGroup) machine(i int) Machine { return g.members[i] }

func (g *keepalivedGroup) Step(now time.Time, member int, event vrrp.Event) []vrrp.MemberAction {
	g.actions = g.actions[:0]
	switch event.(type) {
	case vrrp.Start, vrrp.Recovered:
		g.sources[member] = event
		g.begin(now)
	case vrrp.Failed:
		g.sources[member] = nil
		g.all(now, event)
	case vrrp.Stop:
		g.all(now, event)
	default:
		g.one(now, member, event)
	}
	return g.actions
}

// begin starts the members when all can run.
func (g *keepalivedGroup) begin(now time.Time) {
	for _, ev := range g.sources {
		if ev == nil {
			return
		}
	}
	for i, k := range g.members {
		if k.state != vrrp.Init && k.state != vrrp.Fault {
			continue
		}
		if up, ok := g.sources[i].(vrrp.Recovered); ok {
			k.source = up.Source
		}
		g.wants[i] = false
		g.do(i, k.Step(now, g.sources[i]))
	}
}

// all is an event of one member that is everybody's.
func (g *keepalivedGroup) all(now time.Time, event vrrp.Event) {
	for i, k := range g.members {
		g.wants[i] = false
		g.do(i, k.Step(now, event))
	}
}

// one is an event of one member, and what follows for the others.
func (g *keepalivedGroup) one(now time.Time, member int, event vrrp.Event) {
	k := g.members[member]
	was, timer := k.state, k.timer
	if _, ok := event.(vrrp.Timeout); ok && was == vrrp.Backup && !now.Before(k.timer) {
		if g.wants[member] = true; !g.agreed() { // VRRP_TIMER_SKEW_MIN
			k.timer = now.Add(k.interval + k.cfg.Version.Skew(k.interval, vrrp.PriorityMax))
			return
		}
		for i, other := range g.members { // vrrp_sync_master
			other.timer = now
			g.wants[i] = false
			g.do(i, other.Step(now, event))
		}
		return
	}
	g.do(member, k.Step(now, event))
	switch _, heard := event.(vrrp.Received); {
	case was == vrrp.Master && k.state == vrrp.Backup: // vrrp_sync_backup
		for i, other := range g.members {
			if g.wants[i] = false; other.state == vrrp.Master {
				other.actions = other.actions[:0]
				other.becomeBackup(now, vrrp.Reason{Cause: vrrp.CauseGroup, Why: "with " + k.cfg.Name})
				g.do(i, other.actions)
			}
		}
	case heard && k.state == vrrp.Backup && !k.timer.Equal(timer) && k.why.Cause == vrrp.CauseNone: // and accepted
		g.wants[member] = false
	}
}

func (g *keepalivedGroup) agreed() bool {
	for _, yes := range g.wants {
		if !yes {
			return false
		}
	}
	return true
}

func (g *keepalivedGroup) do(member int, acts []vrrp.Action) {
	for _, a := range acts {
		g.actions = append(g.actions, vrrp.MemberAction{Member: member, Action: a})
	}
}
