package migrate

import (
	"maps"
	"slices"
)

// file translates the statements of a file, kind by kind: what others refer to
// comes first.
func (t *translator) file(all []statement) {
	of := func(names []string, f func(statement)) {
		for _, s := range all {
			if slices.Contains(names, s.Name()) {
				f(s)
			}
		}
	}
	ignored := map[string]string{
		"linkbeat_interfaces": "edgekeeper learns of links from the kernel; it does not poll them",
		"bfd_instance":        "edgekeeper has no BFD; a track_script can ask the router's BFD daemon",
		"track_group":         "static addresses and routes are not managed, so nothing depends on them",
		"SSL":                 "checks present no certificate of their own; keepalived verifies none",
	}
	for _, name := range []string{"linkbeat_use_polling", "net_namespace", "net_namespace_ipvs", "namespace_with_ipsets", "use_pid_dir", "instance", "child_wait_time"} {
		ignored[name] = globalKnown[name]
	}
	handled := words{}
	steps := []struct {
		names []string
		f     func(statement)
	}{
		{[]string{"global_defs"}, func(s statement) { t.globalDefs(s.Block) }},
		{[]string{"static_ipaddress", "static_routes", "static_rules"}, t.static},
		{[]string{"interface_up_down_delays"}, func(s statement) { t.interfaceDelays(s.Block) }},
		{[]string{"garp_group"}, t.garpGroup},
		{[]string{"vrrp_script"}, t.vrrpScript},
		{[]string{"track_file", "vrrp_track_file"}, t.trackFile},
		{[]string{"vrrp_track_process"}, t.trackProcess},
		{[]string{"vrrp_instance"}, t.vrrpInstance},
		{[]string{"vrrp_sync_group"}, t.syncGroup},
		{[]string{"virtual_server_group"}, t.serverGroup},
		{[]string{"virtual_server"}, t.virtualServer},
	}
	for _, step := range steps {
		for _, n := range step.names {
			handled[n] = func(statement) {}
		}
		of(step.names, step.f)
	}
	t.each("", all, handled, ignored)
	if d := t.global.daemon; d != nil {
		t.syncDaemon(*d)
	}
	t.mails()
}

// top is the top of the document.
func (t *translator) top() *node { return &t.root }

// process gives the process block.
func (t *translator) process(s statement) *node {
	if t.processBlock == nil {
		t.processBlock = &node{kind: "process", at: s.At}
	}
	return t.processBlock
}

// assemble puts the document together.
func (t *translator) assemble() node {
	root := t.root
	root.at = t.first
	if len(t.servers) > 0 {
		k := t.kernel(t.servers[0].at)
		k.attrs = slices.Insert(k.attrs, 0, attr{name: "manage_sysctls", value: false, at: k.at, comment: "as keepalived, which leaves expire_nodest_conn and the like alone"})
		t.once(t.servers[0].at, "sysctls", "keepalived leaves the kernel's settings alone, and so does manage_sysctls = false; delete that to have expire_nodest_conn, expire_quiescent_template, conn_reuse_mode and send_redirects managed")
	}
	if t.ipvs != nil {
		if len(t.servers) == 0 {
			t.differ(t.ipvs.at, "lvs_timeouts: there is no virtual server; the kernel's timeouts are set all the same")
		}
		root.blocks = append(root.blocks, t.ipvs)
	}
	if t.processBlock != nil {
		root.blocks = append(root.blocks, t.processBlock)
	}
	for _, name := range slices.Sorted(maps.Keys(t.scripts)) {
		s := t.scripts[name]
		t.keep(&root, s.block, s.used, "vrrp_script", name)
	}
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		f := t.files[name]
		if f.checked && !f.used {
			continue
		}
		t.keep(&root, f.block, f.used, "track_file", name)
	}
	for _, name := range slices.Sorted(maps.Keys(t.procs)) {
		t.keep(&root, t.procs[name], t.procsUsed[name], "vrrp_track_process", name)
	}
	for _, v := range t.instances {
		root.blocks = append(root.blocks, v.block)
	}
	root.blocks = append(root.blocks, t.syncGroups...)
	root.blocks = append(root.blocks, t.servers...)
	root.blocks = append(root.blocks, t.targets...)
	for _, name := range slices.Sorted(maps.Keys(t.delays)) {
		if d := t.delays[name]; !d.used {
			t.differ(d.at, "interface_up_down_delays: nothing depends on %s; it has no effect", name)
		}
	}
	return root
}

// keep takes a tracker that is used.
func (t *translator) keep(root *node, b *node, used bool, what, name string) {
	if !used {
		t.differ(b.at, "%s %s is tracked by nobody; it is left out", what, name)
		return
	}
	root.blocks = append(root.blocks, b)
}
