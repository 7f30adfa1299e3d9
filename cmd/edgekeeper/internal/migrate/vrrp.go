package migrate

import (
	"maps"
	"net/netip"
	"time"
)

// instance is a vrrp_instance on its way.
type instance struct {
	name  string // as keepalived has it
	at    position
	block *node

	iface              string
	master             bool
	state              *statement
	priority           int
	interval           time.Duration
	version            int
	ipv4               bool
	noPreempt, delayed *statement
	preemptDelay       time.Duration
	strict, unicastSrc tri
	noAnswer, plainSum tri
	accept, alert      tri
	priorities         tri
	set                map[string]any // of announcements
	places             map[string]position
	addresses          []*node // virtual_address blocks, in order
	peers              []statement
	auth               *statement
	vmac, transmitBase *statement
	vmacAll            bool
	own                bool   // its interface is tracked
	inGroup            string // vrrp_sync_group
	rest               []func()
}

// instanceKnown are keywords of vrrp_instance without a counterpart.
var instanceKnown = map[string]string{
	"use_ipvlan":                 "edgekeeper puts addresses on the interface itself, or on a macvlan interface (vmac)",
	"old_unicast_checksum":       "checksums of unicast adverts are the ones of keepalived 1.3.7 and later",
	"native_ipv6":                "",
	"linkbeat_use_polling":       "edgekeeper learns of the link from the kernel; it does not poll it",
	"vrf":                        "name an interface of the VRF as interface",
	"track_src_ip":               "a source address that vanishes is an error of sending, in `status`, and no fault",
	"track_bfd":                  "edgekeeper has no BFD; a track_script can ask the router's BFD daemon",
	"no_virtual_ipaddress":       "an instance needs an address",
	"promote_secondaries":        "edgekeeper puts back an address that the kernel removes together with its primary",
	"skip_check_adv_addr":        "an advert that names other addresses is never dropped, only reported",
	"debug":                      "",
	"timer_expired_backup":       "", // always
	"thread_timer_expired":       "",
	"garp_extra_if":              "addresses are announced on their own interface only",
	"vmac_garp_intvl":            "addresses are announced on their own interface only",
	"higher_prio_send_advert":    "a master that hears a higher priority gives way at once, without a last advert",
	"owner_ignore_adverts":       "two owners of one address are told of, and the one with the lower address gives way",
	"kernel_rx_buf_size":         ownNetlink,
	"notify_master_rx_lower_pri": "edgekeeper tells of a master with a lower priority as an event of the kind trouble; the script is not run",
	"notify_deleted":             "an instance that a reload takes away ends with the state STOP; the script is not run",
}

func (t *translator) vrrpInstance(s statement) {
	name, ok := t.one(s)
	if !ok {
		return
	}
	for _, v := range t.instances {
		if v.name == name {
			t.differ(s.At, "vrrp_instance %s is already defined; this one is left out, as by keepalived", name)
			return
		}
	}
	v := &instance{
		name: name, at: s.At, block: &node{kind: "vrrp", labels: []string{t.clean(s.At, "vrrp_instance", name)}, at: s.At},
		iface: t.global.iface, interval: time.Second, own: true, set: map[string]any{}, places: map[string]position{},
	}
	maps.Copy(v.places, t.global.set)
	for k, val := range t.global.instance {
		if k != "script_user" {
			v.set[k] = val
		}
	}
	for _, l := range s.Block {
		if l.Name() == "interface" { // what comes before it may refer to it
			v.iface, v.places["interface"] = l.Arg(1), l.At
		}
	}
	b := v.block
	keep := func(to **statement) func(statement) { return func(s statement) { *to = &s } }
	flag := func(to *tri) func(statement) {
		return func(s statement) {
			if on, ok := t.flag(s); ok {
				*to, v.places[s.Name()] = triOf(on), s.At
			}
		}
	}
	later := func(f func(*instance, statement)) func(statement) {
		return func(s statement) { v.rest = append(v.rest, func() { f(v, s) }) }
	}
	w := words{
		"state": func(s statement) {
			if s.Arg(1) != "MASTER" && s.Arg(1) != "BACKUP" {
				t.bad(s, 1, "MASTER or BACKUP")
				return
			}
			v.state, v.master = &s, s.Arg(1) == "MASTER"
		},
		"interface": func(statement) {},
		"virtual_router_id": func(s statement) {
			if n, ok := t.integer(s, 1, 1, 255); ok {
				b.set(s.At, "virtual_router_id", n)
			}
		},
		"priority": func(s statement) {
			if n, ok := t.integer(s, 1, 1, 255); ok {
				v.priority, v.places["priority"] = n, s.At
			}
		},
		"advert_int": func(s statement) {
			if d, ok := t.seconds(s, 1); ok && d > 0 {
				v.interval, v.places["advert_int"] = d, s.At
			}
		},
		"version": func(s statement) {
			if n, ok := t.integer(s, 1, 2, 3); ok {
				v.version, v.places["version"] = n, s.At
			}
		},
		"nopreempt": keep(&v.noPreempt),
		"preempt":   func(statement) { v.noPreempt = nil },
		"preempt_delay": func(s statement) {
			if d, ok := t.seconds(s, 1); ok {
				v.preemptDelay, v.delayed = d, &s
			}
		},
		"accept": func(s statement) { v.accept = yes }, "no_accept": func(s statement) { v.accept = no; v.places["accept"] = s.At },
		"strict_mode": flag(&v.strict), "check_unicast_src": flag(&v.unicastSrc),
		"lower_prio_no_advert": flag(&v.noAnswer), "v3_checksum_as_v2": flag(&v.plainSum),
		"smtp_alert": flag(&v.alert), "notify_priority_changes": flag(&v.priorities),
		"dont_track_primary": func(statement) { v.own = false },
		"authentication":     keep(&v.auth),
		"auth_hmac":          later(t.hmac),
		"virtual_ipaddress":  func(s statement) { t.virtualAddresses(v, s, true) },
		"unicast_peer":       func(s statement) { v.peers = append(v.peers, s.Block...) },
		"unicast_fault_no_peer": func(s statement) {
			t.differ(s.At, "unicast_fault_no_peer: an instance has unicast peers, and uses them only, or has none and is multicast")
		},
		"use_vmac": keep(&v.vmac), "vmac_xmit_base": keep(&v.transmitBase), "use_vmac_addr": func(s statement) { v.vmacAll = true; v.vmac = orStatement(v.vmac, s) },
		"mcast_src_ip": t.source(v), "unicast_src_ip": t.source(v),
		"mcast_dst_ip": t.group("224.0.0.18"),
		"unicast_ttl": func(s statement) {
			if n, ok := t.integer(s, 1, 1, 255); ok {
				b.set(s.At, "unicast_ttl", n)
			}
		},
		"virtual_ipaddress_excluded": func(s statement) { t.virtualAddresses(v, s, false) },
		"virtual_routes":             later(t.virtualRoutes), "virtual_rules": later(t.virtualRules),
		"track_interface": later(func(v *instance, s statement) { t.trackInterfaces(v, v.block, s) }),
		"track_script":    later(func(v *instance, s statement) { t.trackScripts(v.block, s, v.priority) }),
		"track_file":      later(func(v *instance, s statement) { t.trackFiles(v.block, s, v.priority) }),
		"track_process":   later(func(v *instance, s statement) { t.trackProcesses(v.block, s, v.priority) }),
		"lvs_sync_daemon_interface": func(s statement) {
			t.differ(s.At, "lvs_sync_daemon_interface is deprecated: `lvs_sync_daemon %s %s` in global_defs says the same", s.Arg(1), name)
			d := s
			d.Words = []string{"lvs_sync_daemon", s.Arg(1), "inst", name}
			if t.global.daemon == nil {
				t.global.daemon = &d
			}
		},
	}
	for _, n := range []string{"notify", "notify_master", "notify_backup", "notify_fault", "notify_stop"} {
		w[n] = later(func(v *instance, s statement) { t.notifyScript(s, "vrrp", v.block.labels[0]) })
	}
	maps.Copy(w, t.announcements("", func(s statement, name string, val any) { v.set[name], v.places[name] = val, s.At }))
	t.each("vrrp_instance "+name, s.Block, w, instanceKnown)
	t.finishInstance(v)
}

func orStatement(p *statement, s statement) *statement {
	if p != nil {
		return p
	}
	return &s
}

// source takes the source address of adverts.
func (t *translator) source(v *instance) func(statement) {
	return func(s statement) {
		a, err := netip.ParseAddr(s.Arg(1))
		if err != nil {
			t.bad(s, 1, "an address")
			return
		}
		v.block.set(s.At, "source_address", a.Unmap().String())
	}
}

// finishInstance settles what depends on several settings, in keepalived's order.
func (t *translator) finishInstance(v *instance) {
	b := v.block
	switch {
	case len(v.addresses) == 0:
		t.differ(v.at, "vrrp_instance %s has no virtual address that is advertised; edgekeeper needs one, and leaves the instance out", v.name)
		return
	case v.iface == "":
		t.differ(v.at, "vrrp_instance %s has no interface; edgekeeper needs one, and leaves the instance out", v.name)
		return
	case b.has("virtual_router_id") == nil:
		t.errorf(v.at, "vrrp_instance %s has no virtual_router_id", v.name)
		return
	}
	at := func(name string) position {
		if p, ok := v.places[name]; ok {
			return p
		}
		return v.at
	}
	vrid := b.has("virtual_router_id")
	vridAt := b.attrs[indexOf(b, "virtual_router_id")].at
	rest := b.attrs
	b.attrs = nil
	b.set(at("interface"), "interface", v.iface)
	b.set(vridAt, "virtual_router_id", vrid)
	strict := v.strict.or(t.global.strict) == yes
	t.versionOf(v, at, strict)
	t.stateOf(v, at, strict)
	t.intervalOf(v, at)
	t.preemption(v, strict)
	for _, a := range rest {
		if a.name != "virtual_router_id" {
			b.set(a.at, a.name, a.value)
		}
	}
	t.unicast(v)
	if v.noAnswer.or(t.global.noAnswer) == yes {
		b.set(at("lower_prio_no_advert"), "answer_lower", false)
	}
	if v.plainSum.or(t.global.plainSum) == yes && v.version == 3 && v.ipv4 {
		b.set(at("v3_checksum_as_v2"), "checksum", "plain")
	}
	if v.accept == no || v.accept == unset && strict {
		if v.priority == 255 {
			if v.accept == no {
				t.differ(at("accept"), "no_accept has no effect: priority 255 owns the addresses and always accepts")
			}
		} else {
			b.set(at("accept"), "accept", false)
		}
	}
	if !v.own {
		b.set(v.at, "track_own_interface", false)
	}
	t.announcing(v, at)
	b.set(v.at, "on_address_loss", "step-down")
	b.why("on_address_loss", `as keepalived; "restore" would put a lost address back without an election`)
	if strict {
		t.once(at("vrrp_strict"), "strict", "strict mode: what it makes of authentication, unicast, accept and the timers is written out; an owner hears other owners' adverts all the same, and bursts of gratuitous ARPs stay")
	}
	t.authentication(v, strict)
	t.virtualMAC(v)
	b.blocks = append(b.blocks, v.addresses...)
	t.once(v.at, "lease", "addresses have a kernel lifetime that each advert renews (ip address shows valid_lft), so that a director that dies loses them; lease = \"off\" with guardian = false is keepalived's way")
	t.instances = append(t.instances, v)
	for _, f := range v.rest {
		f()
	}
	if v.priorities.or(t.global.priorities) == yes {
		t.once(at("vrrp_notify_priority_changes"), "priorities", "notify_priority_changes: fifo targets are told of changes of priority, other scripts are not")
	}
	t.alert(v)
}

func indexOf(n *node, name string) int {
	for i, a := range n.attrs {
		if a.name == name {
			return i
		}
	}
	return -1
}

func (t *translator) versionOf(v *instance, at func(string) position, strict bool) {
	switch {
	case v.version == 0 && v.ipv4:
		v.version = t.global.version
	case v.version == 0:
		v.version = 3
	case v.version == 2 && !v.ipv4:
		t.differ(at("version"), "version 2 exists for IPv4 only (RFC 3768); it is 3, on every router of %s", v.name)
		v.version = 3
	}
	v.block.set(at("version"), "version", v.version)
}

// stateOf settles priority and state, each of which is the other's default.
func (t *translator) stateOf(v *instance, at func(string) position, strict bool) {
	if v.priority == 0 {
		v.priority = 100
		if v.master {
			v.priority = 255
			t.differ(v.at, "vrrp_instance %s: state MASTER without priority is priority 255, the owner of the addresses", v.name)
		}
	}
	if v.state == nil || v.priority == 255 && !v.master {
		if v.state != nil && v.priority == 255 {
			t.differ(v.state.At, "state BACKUP contradicts priority 255, the owner of the addresses, who begins as master")
		}
		v.master = v.priority == 255
	} else if strict && v.master != (v.priority == 255) {
		t.differ(v.state.At, "state MASTER without priority 255 is BACKUP in strict mode")
		v.master = v.priority == 255
	}
	if v.master && v.priority != 255 && v.authType() == "AH" && v.version == 2 && v.ipv4 && !strict {
		t.differ(v.state.At, "state MASTER does not go with authentication AH; it is BACKUP, as with keepalived")
		v.master = false
	}
	if v.state != nil {
		v.block.set(v.state.At, "state", map[bool]string{true: "master", false: "backup"}[v.master])
	}
	v.block.set(at("priority"), "priority", v.priority)
}

// intervalOf rounds the interval as keepalived does.
func (t *translator) intervalOf(v *instance, at func(string) position) {
	unit, most := time.Second, 255*time.Second
	if v.version == 3 {
		unit, most = 10*time.Millisecond, 40950*time.Millisecond
	}
	d := min(max(v.interval.Round(unit), unit), most)
	if d != v.interval {
		t.differ(at("advert_int"), "advert_int %s: version %d has steps of %s, up to %s; it is %s, as with keepalived", v.interval, v.version, unit, most, d)
		v.interval = d
	}
	v.block.set(at("advert_int"), "advert_interval", d)
}

func (t *translator) preemption(v *instance, strict bool) {
	if s := v.noPreempt; s != nil {
		switch {
		case v.priority == 255:
			t.differ(s.At, "nopreempt has no effect: priority 255 owns the addresses and always takes them")
			v.noPreempt = nil
		case v.master:
			t.differ(s.At, "nopreempt has no effect with state MASTER, as with keepalived; write state BACKUP on all routers")
			v.noPreempt = nil
		default:
			v.block.set(s.At, "preempt", false)
		}
	}
	if s := v.delayed; s != nil && v.preemptDelay > 0 {
		switch {
		case v.master:
			t.differ(s.At, "preempt_delay has no effect with state MASTER, as with keepalived")
		case strict:
			t.differ(s.At, "preempt_delay has no effect in strict mode")
		case v.noPreempt != nil:
			t.differ(s.At, "preempt_delay has no effect with nopreempt")
		case v.preemptDelay > 1000*time.Second:
			t.differ(s.At, "preempt_delay: at most 1000 s")
			v.block.set(s.At, "preempt_delay", 1000*time.Second)
		default:
			v.block.set(s.At, "preempt_delay", v.preemptDelay)
		}
	}
}
