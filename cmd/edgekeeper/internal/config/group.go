package config

import (
	"fmt"
	"slices"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// SyncGroup is a set of VRRP instances that move together.
type SyncGroup struct {
	Name      string
	Instances []string // names; never empty
	// Notes are sentences on what the members' settings make of the group, where
	// that may surprise.
	Notes []string
}

// syncGroups reads the groups, and gives their members what they have from them.
func (c *checker) syncGroups(instances []VRRP) []SyncGroup {
	var out []SyncGroup
	taken := map[string]*block{}
	var names []string
	for _, v := range instances {
		names = append(names, v.Router.Name)
	}
	for _, b := range c.root.all("sync_group") {
		b.keyName("sync_group", b.label, b.header)
		if i := slices.IndexFunc(c.root.all("vrrp"), func(v *block) bool { return v.label == b.label }); i >= 0 {
			v := c.root.all("vrrp")[i]
			b.addf(b.header, "sync_group %q has the name of %s at %s; KV keys and commands take both", b.label, v.name(), place(v.header))
		}
		g := SyncGroup{Name: b.label}
		if b.written("instances") && len(b.list("instances")) == 0 {
			b.addf(b.where("instances"), "instances is empty; a group has at least one member")
		}
		var members []*VRRP
		for _, l := range b.list("instances") {
			i := slices.Index(names, l.text)
			first := taken[l.text]
			switch {
			case i < 0:
				b.addf(l.at, "instances: there is no vrrp %q%s", l.text, suggest(l.text, names))
			case first == b:
				b.addf(l.at, "instances: %q is there twice", l.text)
			case first != nil:
				b.addf(l.at, "instances: %q is already in %s at %s", l.text, first.name(), place(first.header))
			default:
				taken[l.text] = b
				owner := instances[i].Router.Priority == vrrp.PriorityOwner
				if len(members) > 0 && owner != (members[0].Router.Priority == vrrp.PriorityOwner) && !c.badPriority(l.text) {
					b.addf(l.at, "instances: %q has priority %d, %q has %d: in a group all members own their addresses (255) or none",
						l.text, instances[i].Router.Priority, members[0].Router.Name, members[0].Router.Priority)
					continue
				}
				members = append(members, &instances[i])
				g.Instances = append(g.Instances, l.text)
			}
		}
		priority := uint8(0)
		if len(members) > 0 {
			priority = members[0].Router.Priority
		}
		tracks := c.tracks(b, priority, "")
		for _, v := range members {
			v.Group = g.Name
			v.Tracks = inherit(v.Tracks, tracks)
		}
		g.Notes = groupNotes(members)
		out = append(out, g)
	}
	return out
}

// badPriority reports whether the priority of an instance is not known.
func (c *checker) badPriority(name string) bool {
	return slices.ContainsFunc(c.root.all("vrrp"), func(v *block) bool { return v.label == name && v.bad("priority") })
}

// groupNotes tells of members that differ where it matters to all. keepalived
// takes such a group without a word.
func groupNotes(members []*VRRP) []string {
	var out []string
	note := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if len(members) == 1 {
		note("it has one member only")
	}
	for _, v := range members {
		first := &members[0].Router
		r := &v.Router
		switch {
		case r.NoPreempt && slices.ContainsFunc(members, func(o *VRRP) bool { return !o.Router.NoPreempt }):
			note("%s has preempt = false, so the group never takes over from a working master", r.Name)
		case r.PreemptDelay != first.PreemptDelay:
			note("%s has another preempt_delay (%s) than %s (%s); the longest counts", r.Name, short(r.PreemptDelay), first.Name, short(first.PreemptDelay))
		}
		if r.Priority != first.Priority {
			note("%s has another priority (%d) than %s (%d); the group takes over from a working master only where it is higher for every member", r.Name, r.Priority, first.Name, first.Priority)
		}
	}
	return out
}
