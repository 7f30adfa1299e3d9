package migrate

import (
	"strings"
)

// weight reads `weight N [reverse]` from word i of a line of a track block.
func (t *translator) weight(l statement, weight int, reverse bool) (int, bool, bool) {
	for i := 1; i < len(l.Words); i++ {
		switch l.Words[i] {
		case "weight":
			i++
			if l.Arg(i) == "reverse" || l.Arg(i) == "noreverse" {
				i--
				continue
			}
			n, ok := t.integer(l, i, -254, 254)
			if !ok {
				return 0, false, false
			}
			weight = n
		case "reverse":
			reverse = true
		case "noreverse":
			reverse = false
		default:
			t.errorf(l.At, "unknown word %q after %s", l.Words[i], l.Words[0])
			return 0, false, false
		}
	}
	if weight > 253 || weight < -253 {
		weight = max(min(weight, 253), -253)
		t.differ(l.At, "weight: at most 253; it is %d", weight)
	}
	return weight, reverse, true
}

// use writes what a tracker does to a router.
func (t *translator) use(b *node, l statement, priority, weight int, reverse bool) {
	if priority == 255 && weight != 0 {
		t.differ(l.At, "weight %d has no effect: priority 255 owns the addresses; the tracker does nothing, as with keepalived", weight)
		return
	}
	if weight != 0 {
		b.set(l.At, "weight", weight)
	}
	if reverse {
		b.set(l.At, "reverse", true)
	}
}

// effective reports whether a use of a tracker is worth a block.
func effective(priority, weight int) bool { return priority != 255 || weight == 0 }

// tracked finds the block that uses a tracker, so that it is used once.
func tracked(b *node, kind, label string) *node {
	for _, c := range b.all(kind) {
		if c.labels[0] == label {
			return c
		}
	}
	return nil
}

func (t *translator) trackScripts(b *node, s statement, priority int) {
	for _, l := range s.Block {
		sc := t.scripts[l.Words[0]]
		if sc == nil {
			t.errorf(l.At, "track_script: there is no vrrp_script %q", l.Words[0])
			continue
		}
		if w, rev, ok := t.weight(l, sc.weight, sc.reverse); ok {
			if !effective(priority, w) {
				t.use(b, l, priority, w, rev)
				continue
			}
			if tracked(b, "track", sc.block.labels[0]) != nil {
				t.differ(l.At, "track_script: %s is already tracked; it is tracked once", l.Words[0])
				continue
			}
			sc.used = true
			t.use(b.add(l.At, "track", sc.block.labels[0]), l, priority, w, rev)
		}
	}
}

func (t *translator) trackFiles(b *node, s statement, priority int) {
	for _, l := range s.Block {
		f := t.files[l.Words[0]]
		if f == nil {
			t.errorf(l.At, "track_file: there is no track_file %q", l.Words[0])
			continue
		}
		if w, rev, ok := t.weight(l, f.weight, f.reverse); ok {
			if !effective(priority, w) {
				t.use(b, l, priority, w, rev)
				continue
			}
			if tracked(b, "track", f.block.labels[0]) != nil {
				t.differ(l.At, "track_file: %s is already tracked; it is tracked once", l.Words[0])
				continue
			}
			f.used = true
			t.use(b.add(l.At, "track", f.block.labels[0]), l, priority, w, rev)
		}
	}
}

// procUse is the weight that a vrrp_track_process has of its own.
type procUse struct {
	weight  int
	reverse bool
}

func (t *translator) procWeight(name string, weight int, reverse bool) {
	if t.procWeights == nil {
		t.procWeights = map[string]procUse{}
	}
	t.procWeights[name] = procUse{weight, reverse}
}

func (t *translator) trackProcesses(b *node, s statement, priority int) {
	for _, l := range s.Block {
		p := t.procs[l.Words[0]]
		if p == nil {
			t.errorf(l.At, "track_process: there is no vrrp_track_process %q", l.Words[0])
			continue
		}
		own := t.procWeights[l.Words[0]]
		if w, rev, ok := t.weight(l, own.weight, own.reverse); ok {
			if !effective(priority, w) {
				t.use(b, l, priority, w, rev)
				continue
			}
			if tracked(b, "track", p.labels[0]) != nil {
				t.differ(l.At, "track_process: %s is already tracked; it is tracked once", l.Words[0])
				continue
			}
			if t.procsUsed == nil {
				t.procsUsed = map[string]bool{}
			}
			t.procsUsed[l.Words[0]] = true
			t.use(b.add(l.At, "track", p.labels[0]), l, priority, w, rev)
		}
	}
}

// trackInterfaces takes the interfaces that an instance depends on; its own is
// tracked anyway. v is nil for a group.
func (t *translator) trackInterfaces(v *instance, b *node, s statement) {
	priority := 0
	if v != nil {
		priority = v.priority
	}
	for _, l := range s.Block {
		name := l.Words[0]
		w, rev, ok := t.weight(l, 0, false)
		if !ok {
			continue
		}
		if v != nil && name == v.iface {
			if w == 0 && !rev && v.own {
				continue // the same
			}
			if v.own {
				// keepalived's own tracking of it gives way to the weight.
				b.set(l.At, "track_own_interface", false)
				v.own = false
			}
		}
		if !effective(priority, w) {
			t.use(b, l, priority, w, rev)
			continue
		}
		if tracked(b, "track_interface", name) != nil {
			t.differ(l.At, "track_interface: %s is already tracked; it is tracked once", name)
			continue
		}
		u := b.add(l.At, "track_interface", name)
		t.use(u, l, priority, w, rev)
		if d, ok := t.delays[name]; ok {
			d.used = true
			t.delays[name] = d
			if d.up > 0 {
				u.set(d.at, "up_delay", d.up)
			}
			if d.down > 0 {
				u.set(d.at, "down_delay", d.down)
			}
		}
	}
}

// syncGroup takes a vrrp_sync_group.
func (t *translator) syncGroup(s statement) {
	name, ok := t.one(s)
	if !ok {
		return
	}
	for _, g := range t.syncGroups {
		if g.labels[0] == name {
			t.differ(s.At, "vrrp_sync_group %s is already defined; this one is left out, as by keepalived", name)
			return
		}
	}
	b := &node{kind: "sync_group", labels: []string{t.clean(s.At, "vrrp_sync_group", name)}, at: s.At}
	members, at := []string{}, s.At
	alert := unset
	var rest []statement
	w := words{
		"group": func(s statement) { members, at = append(members, values(s)...), s.At },
		"smtp_alert": func(s statement) {
			if on, ok := t.flag(s); ok {
				alert = triOf(on)
			}
		},
		"notify_priority_changes": func(statement) {},
		"track_interface":         func(s statement) { rest = append(rest, s) }, "track_script": func(s statement) { rest = append(rest, s) },
		"track_file": func(s statement) { rest = append(rest, s) }, "track_process": func(s statement) { rest = append(rest, s) },
	}
	for _, n := range []string{"notify", "notify_master", "notify_backup", "notify_fault", "notify_stop"} {
		w[n] = func(s statement) { t.notifyScript(s, "group", b.labels[0]) }
	}
	list := s.Block
	// The members without group{} are what keepalived had first.
	for i, l := range list {
		if len(l.Words) == 1 && !l.Open && w[l.Name()] == nil && t.instanceNamed(l.Name()) != nil {
			t.differ(l.At, "%s: the members of a vrrp_sync_group belong in group { }", l.Name())
			members, at = append(members, l.Name()), s.At
			list[i].Words = nil
		}
	}
	var lines []statement
	for _, l := range list {
		if l.Words != nil {
			lines = append(lines, l)
		}
	}
	before := len(t.targets)
	t.each("vrrp_sync_group "+name, lines, w, map[string]string{
		"global_tracking": "", "sync_group_tracking_weight": "",
		"track_bfd": instanceKnown["track_bfd"],
	})
	var names []string
	priority := 0
	for _, m := range members {
		v := t.instanceNamed(m)
		switch {
		case v == nil:
			t.differ(at, "vrrp_sync_group %s: there is no vrrp_instance %q that edgekeeper has; it is left out", name, m)
		case v.inGroup != "":
			t.differ(at, "vrrp_sync_group %s: %s is already in %s; it is left out", name, m, v.inGroup)
		case len(names) > 0 && (priority == 255) != (v.priority == 255):
			t.differ(at, "vrrp_sync_group %s: owners of addresses (priority 255) are in a group all or none; %s is left out", name, m)
		default:
			v.inGroup, priority = name, v.priority
			names = append(names, v.block.labels[0])
		}
	}
	if len(names) == 0 {
		t.differ(s.At, "vrrp_sync_group %s has no members; it is left out, as by keepalived", name)
		t.targets = t.targets[:before]
		return
	}
	b.set(at, "instances", names)
	for _, s := range rest {
		switch strings.TrimPrefix(s.Name(), "track_") {
		case "interface":
			t.trackInterfaces(nil, b, s)
		case "script":
			t.trackScripts(b, s, priority)
		case "file":
			t.trackFiles(b, s, priority)
		case "process":
			t.trackProcesses(b, s, priority)
		}
	}
	if alert.or(t.global.alertIn, t.global.alert) == yes {
		t.mailGroups = append(t.mailGroups, b.labels[0])
	}
	t.syncGroups = append(t.syncGroups, b)
}

func (t *translator) instanceNamed(name string) *instance {
	for _, v := range t.instances {
		if v.name == name {
			return v
		}
	}
	return nil
}
