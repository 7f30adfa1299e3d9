// Package plan says what a configuration would change. It is pure: it compares
// configurations, and plans pools with the same functions as the director
// (discovery.Merge, lvs.Drain's rules aside, and lvs.Diff).
package plan

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// The verbs of changes.
const (
	add    = "add"
	change = "change"
	remove = "remove"
)

// Pools plans the virtual servers: the operations that the first pass with these
// specs would apply to the kernel's table. memory is what the director remembers
// of each; of one that it does not know the kernel's table is adopted, as at a
// start. owned are the virtual servers in the kernel that are ours.
func Pools(specs []discovery.Spec, view discovery.View, memory map[string]discovery.Memory, have lvs.Table, owned map[lvs.Key]bool) ([]control.PlanChange, []string) {
	want := lvs.Desired{Pools: map[lvs.Key]lvs.Want{}, Owned: owned}
	var notes []string
	drains := false
	for _, spec := range specs {
		before, known := memory[spec.Name]
		if pool, ok := have[spec.Service.Key]; ok && !known {
			before = discovery.Adopt(pool)
		}
		d := discovery.Merge(spec, view, before)
		want.Pools[spec.Service.Key] = d.Want
		drains = drains || d.Want.Drain > 0
		for _, s := range d.Servers {
			if s.State == discovery.Entering {
				notes = append(notes, fmt.Sprintf("%s: %s enters with its first verdict (%s)", spec.Name, s.Addr, s.Reason))
			}
		}
		if n := len(d.Waiting); n > 0 {
			notes = append(notes, fmt.Sprintf("%s: %d queries to catalogs have no answer yet; until then nothing leaves the pool for them", spec.Name, n))
		}
		if d.Held != "" {
			notes = append(notes, fmt.Sprintf("%s: would be held: %s", spec.Name, d.Held))
		}
	}
	var out []control.PlanChange
	removed := false
	for _, op := range lvs.Diff(have, want) {
		verb := change
		switch op.Verb {
		case lvs.AddService, lvs.AddDest:
			verb = add
		case lvs.RemoveService, lvs.RemoveDest:
			verb, removed = remove, true
		case lvs.SetService, lvs.SetDest:
		}
		out = append(out, control.PlanChange{Kind: "ipvs", Verb: verb, Object: op.ID().String(), Text: op.String()})
	}
	if removed && drains {
		notes = append(notes, "a real server that is removed drains first, as its pool's drain_timeout says")
	}
	return out, notes
}

// Configs compares two configurations; before is nil where no director runs.
// holding tells which instances of before have their addresses on this host.
func Configs(before, after *config.Config, holding map[string]bool) []control.PlanChange {
	if before == nil {
		before = &config.Config{}
		out := routers(before, after, holding)
		return append(out, named("virtual_server", names(before.VirtualServers, specName), names(after.VirtualServers, specName), nil)...)
	}
	out := routers(before, after, holding)
	out = append(out, named("sync_group", names(before.SyncGroups, groupName), names(after.SyncGroups, groupName), func(name string) string {
		return differs(find(before.SyncGroups, name, groupName), find(after.SyncGroups, name, groupName))
	})...)
	out = append(out, named("virtual_server", names(before.VirtualServers, specName), names(after.VirtualServers, specName), func(name string) string {
		return differs(find(before.VirtualServers, name, specName), find(after.VirtualServers, name, specName))
	})...)
	for _, s := range []struct {
		name     string
		old, new any
	}{
		{"router_id", before.RouterID, after.RouterID}, {"state_dir", before.StateDir, after.StateDir}, {"on_stop", before.OnStop, after.OnStop},
		{"guardian", before.Guardian, after.Guardian}, {"log", before.Log, after.Log}, {"consul", before.Consul, after.Consul},
		{"file_catalog", before.FileCatalog, after.FileCatalog}, {"control", before.Control, after.Control}, {"telemetry", before.Telemetry, after.Telemetry},
		{"process", before.Process, after.Process}, {"ipvs", before.IPVS, after.IPVS}, {"trackers", before.Trackers, after.Trackers}, {"notify", before.Notify, after.Notify},
	} {
		if !reflect.DeepEqual(s.old, s.new) {
			out = append(out, control.PlanChange{Kind: "setting", Verb: change, Object: s.name})
		}
	}
	return out
}

func specName(s discovery.Spec) string    { return s.Name }
func groupName(g config.SyncGroup) string { return g.Name }
func routerName(v config.VRRP) string     { return v.Router.Name }

func names[T any](list []T, name func(T) string) []string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = name(x)
	}
	return out
}

func find[T any](list []T, want string, name func(T) string) T {
	return list[slices.IndexFunc(list, func(x T) bool { return name(x) == want })]
}

// differs is a text for two values that are not the same, "" for equal ones.
func differs[T any](a, b T) string {
	if reflect.DeepEqual(a, b) {
		return ""
	}
	return "its settings"
}

// named compares sets of names; what is in both is changed when text says how.
func named(kind string, before, after []string, text func(string) string) []control.PlanChange {
	var out []control.PlanChange
	for _, n := range after {
		if !slices.Contains(before, n) {
			out = append(out, control.PlanChange{Kind: kind, Verb: add, Object: n})
		} else if t := text(n); t != "" {
			out = append(out, control.PlanChange{Kind: kind, Verb: change, Object: n, Text: t})
		}
	}
	for _, n := range before {
		if !slices.Contains(after, n) {
			out = append(out, control.PlanChange{Kind: kind, Verb: remove, Object: n})
		}
	}
	return out
}

// routers compares VRRP instances, and the addresses that they hold.
func routers(before, after *config.Config, holding map[string]bool) []control.PlanChange {
	out := named("vrrp", names(before.Instances, routerName), names(after.Instances, routerName), func(name string) string {
		return fields(find(before.Instances, name, routerName), find(after.Instances, name, routerName))
	})
	had, has := addresses(before), addresses(after)
	for _, a := range slices.SortedFunc(maps.Keys(has), netip.Addr.Compare) {
		was, ok := had[a]
		now := has[a]
		switch {
		case !ok:
			out = append(out, control.PlanChange{Kind: "address", Verb: add, Object: now.prefix.String(), Text: fmt.Sprintf("on %s, while this host is master of %s", now.device, now.by)})
		case was != now:
			out = append(out, control.PlanChange{Kind: "address", Verb: change, Object: now.prefix.String(), Text: fmt.Sprintf("was %s on %s of %s, is on %s of %s", was.prefix, was.device, was.by, now.device, now.by)})
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(had), netip.Addr.Compare) {
		if _, ok := has[a]; !ok {
			text := "this host does not hold it now"
			if holding[had[a].by] {
				text = "is taken off " + had[a].device
			}
			out = append(out, control.PlanChange{Kind: "address", Verb: remove, Object: had[a].prefix.String(), Text: text})
		}
	}
	return out
}

// held is where an address belongs.
type held struct {
	prefix netip.Prefix
	device string
	by     string
}

func addresses(c *config.Config) map[netip.Addr]held {
	out := map[netip.Addr]held{}
	for _, v := range c.Instances {
		for _, a := range slices.Concat(v.Router.Addresses, v.Router.Excluded) {
			device := a.Device
			if device == "" {
				device = v.Interface
			}
			out[a.Prefix.Addr()] = held{a.Prefix, device, v.Router.Name}
		}
	}
	return out
}

// fields says in words what differs between two versions of an instance. Secrets
// are compared and not shown.
func fields(a, b config.VRRP) string {
	var out []string
	rest := a
	put := func(name string, old, new any, same func()) {
		if !reflect.DeepEqual(old, new) {
			out = append(out, fmt.Sprintf("%s %v -> %v", name, old, new))
		}
		same()
	}
	put("interface", a.Interface, b.Interface, func() { rest.Interface = b.Interface })
	put("virtual_router_id", a.Router.VRID, b.Router.VRID, func() { rest.Router.VRID = b.Router.VRID })
	put("version", a.Router.Version, b.Router.Version, func() { rest.Router.Version = b.Router.Version })
	put("priority", a.Router.Priority, b.Router.Priority, func() { rest.Router.Priority = b.Router.Priority })
	put("advert_interval", a.Router.Interval, b.Router.Interval, func() { rest.Router.Interval = b.Router.Interval })
	put("preempt", !a.Router.NoPreempt, !b.Router.NoPreempt, func() { rest.Router.NoPreempt = b.Router.NoPreempt })
	put("preempt_delay", a.Router.PreemptDelay, b.Router.PreemptDelay, func() { rest.Router.PreemptDelay = b.Router.PreemptDelay })
	put("unicast_peers", a.Router.Peers, b.Router.Peers, func() { rest.Router.Peers = b.Router.Peers })
	put("source_address", a.Source, b.Source, func() { rest.Source = b.Source })
	put("accept", !a.NoAccept, !b.NoAccept, func() { rest.NoAccept = b.NoAccept })
	put("sync_group", a.Group, b.Group, func() { rest.Group = b.Group })
	if !reflect.DeepEqual(a.Router.Auth, b.Router.Auth) || !reflect.DeepEqual(a.Router.HMAC, b.Router.HMAC) {
		out = append(out, "authentication")
		rest.Router.Auth, rest.Router.HMAC = b.Router.Auth, b.Router.HMAC
	}
	if !reflect.DeepEqual(a.Router.Addresses, b.Router.Addresses) || !reflect.DeepEqual(a.Router.Excluded, b.Router.Excluded) {
		out = append(out, "addresses")
		rest.Router.Addresses, rest.Router.Excluded = b.Router.Addresses, b.Router.Excluded
	}
	if !reflect.DeepEqual(a.Tracks, b.Tracks) {
		out = append(out, "what it tracks")
		rest.Tracks = b.Tracks
	}
	if !reflect.DeepEqual(rest, b) {
		out = append(out, "other settings")
	}
	return strings.Join(out, ", ")
}
