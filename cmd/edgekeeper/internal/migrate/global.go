package migrate

import (
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// tri is a setting that may not have been made.
type tri int8

const (
	unset tri = iota
	yes
	no
)

func triOf(on bool) tri {
	if on {
		return yes
	}
	return no
}

// or gives the first setting that was made.
func (t tri) or(others ...tri) tri {
	for _, o := range append([]tri{t}, others...) {
		if o != unset {
			return o
		}
	}
	return unset
}

// globals are the settings of global_defs that others take their defaults from.
type globals struct {
	mail     mailSettings
	alert    tri // smtp_alert
	alertIn  tri // smtp_alert_vrrp
	alertRS  tri // smtp_alert_checker
	noRSMail bool

	version    int
	iface      string // default_interface
	unicastSrc tri    // vrrp_check_unicast_src
	noAnswer   tri    // vrrp_lower_prio_no_advert
	plainSum   tri    // v3_checksum_as_v2
	strict     tri
	priorities tri            // vrrp_notify_priority_changes
	instance   map[string]any // defaults of arguments of vrrp blocks
	set        map[string]position
	daemon     *statement // lvs_sync_daemon
	fifos      map[string]statement
	noFaults   bool // no_email_faults
}

type mailSettings struct {
	to     []string
	from   string
	server string
	helo   string
	wait   time.Duration
	at     position // of smtp_server
}

func newGlobals() globals {
	return globals{version: 2, instance: map[string]any{}, set: map[string]position{}, fifos: map[string]statement{}}
}

// Sentences that several keywords share.
const (
	oneProcess  = "edgekeeper is one process, and has no counterpart; the process block has what keeps its VRRP loops on time"
	noSNMP      = "edgekeeper has no SNMP agent; /metrics (the telemetry block) has the counters"
	noDBus      = "edgekeeper has no D-Bus interface; `edgekeeper status -json` and the control socket tell the same"
	ownNetlink  = "edgekeeper sizes its sockets itself"
	ownFirewall = "edgekeeper has a table of its own, inet edgekeeper, and removes it on stop"
	noScripts   = "it is not run; a systemd unit's ExecStartPre and ExecStopPost, or a Nomad task of its own, can do that"
	ownNames    = "edgekeeper's process, files and log have their own names"
	ownReload   = "edgekeeper checks a configuration before it takes it, keeps the old one when it is wrong, and reloads on SIGHUP only"
	ownNetns    = "edgekeeper works in the network namespace that it is started in; start it with `ip netns exec`"
)

// globalKnown are keywords of global_defs, and those that may also stand outside.
var globalKnown = map[string]string{
	"net_namespace": ownNetns, "net_namespace_ipvs": ownNetns, "namespace_with_ipsets": ownNetns,
	"use_pid_dir": ownNames, "instance": ownNames, "process_names": ownNames, "process_name": ownNames, "vrrp_process_name": ownNames,
	"checker_process_name": ownNames, "lvs_process_name": ownNames, "bfd_process_name": ownNames, "child_wait_time": oneProcess,
	"linkbeat_use_polling": "edgekeeper learns of the link from the kernel; it does not poll it",
	"use_symlink_paths":    "scripts are run by the path that is written", "set_supplementary_groups": "scripts run with the groups of their user",
	"startup_script": noScripts, "startup_script_timeout": "", "shutdown_script": noScripts, "shutdown_script_timeout": "",
	"max_auto_priority": oneProcess, "min_auto_priority_delay": oneProcess,
	"vrrp_priority": oneProcess, "vrrp_cpu_affinity": oneProcess, "vrrp_rlimit_rttime": oneProcess, "vrrp_rlimit_rtime": oneProcess,
	"checker_priority": oneProcess, "checker_no_swap": oneProcess, "checker_rt_priority": oneProcess, "checker_cpu_affinity": oneProcess,
	"checker_rlimit_rttime": oneProcess, "checker_rlimit_rtime": oneProcess,
	"bfd_priority": oneProcess, "bfd_no_swap": oneProcess, "bfd_rt_priority": oneProcess, "bfd_cpu_affinity": oneProcess,
	"bfd_rlimit_rttime": oneProcess, "bfd_rlimit_rtime": oneProcess,
	"checker_log_all_failures": "each failure that changes something is logged; `edgekeeper pools` shows the last reason",
	"dynamic_interfaces":       "", // always
	"disable_local_igmp":       "edgekeeper leaves IGMP to the kernel",
	"lvs_flush":                "edgekeeper touches no virtual servers but its own, and adopts those that it finds",
	"lvs_flush_on_stop":        "", "lvs_flush_onstop": "", // its own are removed on stop anyway
	"vrrp_min_garp":                "the bursts of gratuitous ARPs stay as garp_repeat says",
	"vrrp_garp_extra_if":           "addresses are announced on their own interface only",
	"vrrp_vmac_garp_intvl":         "addresses are announced on their own interface only",
	"vrrp_higher_prio_send_advert": "a master that hears a higher priority gives way at once, without a last advert",
	"vrrp_iptables":                ownFirewall, "vrrp_ipsets": ownFirewall, "nftables": ownFirewall, "nftables_priority": ownFirewall, "nftables_ifindex": ownFirewall, "nftables_counters": ownFirewall,
	"nftables_ipvs": "", "nftables_ipvs_priority": "", "nftables_ipvs_start_fwmark": "", // a group is always one
	"vrrp_skip_check_adv_addr":         "an advert that names other addresses is never dropped, only reported",
	"notify_fifo_script":               noScripts,
	"vrrp_notify_fifo_script":          noScripts,
	"lvs_notify_fifo_script":           noScripts,
	"fifo_write_vrrp_states_on_reload": "the state is not written again at a reload; `edgekeeper status` has it",
	"snmp_socket":                      noSNMP, "enable_traps": noSNMP, "enable_snmp_vrrp": noSNMP, "enable_snmp_keepalived": noSNMP, "enable_snmp_rfc": noSNMP,
	"enable_snmp_rfcv2": noSNMP, "enable_snmp_rfcv3": noSNMP, "enable_snmp_checker": noSNMP,
	"snmp_vs_stats_update_interval": noSNMP, "snmp_rs_stats_update_interval": noSNMP,
	"enable_dbus": noDBus, "dbus_service_name": noDBus, "dbus_no_interface_name": noDBus,
	"enable_script_security":          "scripts run as who track_script and notify blocks say, whoever may write to them",
	"vrrp_netlink_cmd_rcv_bufs":       ownNetlink,
	"vrrp_netlink_cmd_rcv_bufs_force": ownNetlink, "vrrp_netlink_monitor_rcv_bufs": ownNetlink, "vrrp_netlink_monitor_rcv_bufs_force": ownNetlink,
	"process_monitor_rcv_bufs": ownNetlink, "process_monitor_rcv_bufs_force": ownNetlink,
	"lvs_netlink_cmd_rcv_bufs": ownNetlink, "lvs_netlink_cmd_rcv_bufs_force": ownNetlink, "lvs_netlink_monitor_rcv_bufs": ownNetlink, "lvs_netlink_monitor_rcv_bufs_force": ownNetlink,
	"vrrp_rx_bufs_policy": ownNetlink, "vrrp_rx_bufs_multiplier": ownNetlink,
	"rs_init_notifies":          "a real server's first verdict is told when it is other than before the start",
	"log_unknown_vrids":         "adverts of virtual routers that are not configured here are not logged",
	"vrrp_owner_ignore_adverts": "two owners of one address are told of, and the one with the lower address gives way",
	"vmac_prefix":               "a macvlan interface is called vrrp.VRID (vrrp6.VRID) unless its vmac block says otherwise",
	"vmac_addr_prefix":          "a macvlan interface is called vrrp.VRID (vrrp6.VRID) unless its vmac block says otherwise",
	"umask":                     "files that edgekeeper writes are for its user only",
	"random_seed":               "", "data_use_instance": ownNames, "json_version": "", "iproute_usr_dir": "", "iproute_etc_dir": "",
	"reload_check_config": ownReload, "reload_time_file": ownReload, "reload_repeat": ownReload, "reload_file": ownReload,
	"include_check":   "", // a file that is not there is always an error
	"config_save_dir": ownReload, "tmp_config_directory": "",
	"state_dump_file": ownNames, "stats_dump_file": ownNames, "json_dump_file": ownNames,
	"smtp_connect_timeout": "", // taken with the mail settings
}

// globalDefs takes a global_defs block.
func (t *translator) globalDefs(list []statement) {
	g := &t.global
	text := func(to *string) func(statement) {
		return func(s statement) {
			if v, ok := t.one(s); ok {
				*to, g.set[s.Name()] = v, s.At
			}
		}
	}
	flag := func(to *tri) func(statement) {
		return func(s statement) {
			if on, ok := t.flag(s); ok {
				*to, g.set[s.Name()] = triOf(on), s.At
			}
		}
	}
	w := words{
		"router_id":               func(s statement) { t.routerID(s) },
		"notification_email":      func(s statement) { g.mail.to = append(g.mail.to, values(s)...) },
		"notification_email_from": text(&g.mail.from),
		"smtp_helo_name":          text(&g.mail.helo),
		"smtp_server":             t.smtpServer,
		"smtp_connect_timeout": func(s statement) {
			if d, ok := t.seconds(s, 1); ok {
				g.mail.wait = d
			}
		},
		"smtp_alert": flag(&g.alert), "smtp_alert_vrrp": flag(&g.alertIn), "smtp_alert_checker": flag(&g.alertRS),
		"no_checker_emails": func(s statement) { g.noRSMail = true },
		"no_email_faults": func(s statement) {
			g.noFaults = true
		},
		"default_interface":      text(&g.iface),
		"vrrp_check_unicast_src": flag(&g.unicastSrc), "vrrp_lower_prio_no_advert": flag(&g.noAnswer), "v3_checksum_as_v2": flag(&g.plainSum),
		"vrrp_strict": flag(&g.strict), "vrrp_notify_priority_changes": flag(&g.priorities),
		"vrrp_version": func(s statement) {
			if n, ok := t.integer(s, 1, 2, 3); ok {
				g.version = n
			}
		},
		"vrrp_mcast_group4": t.group("224.0.0.18"), "vrrp_mcast_group6": t.group("ff02::12"),
		"lvs_timeouts":    t.timeouts,
		"lvs_sync_daemon": func(s statement) { g.daemon = &s },
		"notify_fifo":     t.fifo, "vrrp_notify_fifo": t.fifo, "lvs_notify_fifo": t.fifo,
		"vrrp_rt_priority": t.realtime, "vrrp_no_swap": func(s statement) { t.process(s).set(s.At, "lock_memory", true) },
		"script_user": func(s statement) {
			g.set["script_user"] = s.At
			g.instance["script_user"] = strings.Join(s.Args(), ":")
		},
		"vrrp_startup_delay": t.startDelay, "vrrp_delay_after_boot": t.startDelay,
	}
	maps.Copy(w, t.announcements("vrrp_", func(s statement, name string, v any) { g.instance[name], g.set[name] = v, s.At }))
	t.each("global_defs", list, w, globalKnown)
}

func (t *translator) routerID(s statement) {
	if v, ok := t.one(s); ok {
		t.top().set(s.At, "router_id", t.clean(s.At, "router_id", v))
	}
}

func (t *translator) startDelay(s statement) {
	if d, ok := t.seconds(s, 1); ok && d > 0 {
		t.differ(s.At, "%s: the instances take part in elections as soon as edgekeeper runs", s.Name())
	}
}

// group takes a multicast group, which must be the standard's.
func (t *translator) group(standard string) func(statement) {
	return func(s statement) {
		a, err := netip.ParseAddr(s.Arg(1))
		switch {
		case err != nil:
			t.bad(s, 1, "an address")
		case a.String() != standard:
			t.differ(s.At, "%s: adverts go to %s, which RFC 9568 has, and not to %s; routers that do not are not heard", s.Name(), standard, a)
		}
	}
}

// announcements takes the settings of gratuitous ARPs, which are the same for
// all instances and for one but for a prefix, and what else is like that.
func (t *translator) announcements(prefix string, set func(s statement, name string, v any)) words {
	count := func(name string, lo int) func(statement) {
		return func(s statement) {
			n, ok := t.integer(s, 1, 0, 1<<31-1)
			if !ok {
				return
			}
			if n < lo || n > 60 {
				m := min(max(n, lo), 60)
				t.differ(s.At, "%s: %d is out of range; it is %d", s.Name(), n, m)
				n = m
			}
			set(s, name, n)
		}
	}
	wait := func(name string) func(statement) {
		return func(s statement) {
			if d, ok := t.seconds(s, 1); ok {
				set(s, name, t.clock(s, d))
			}
		}
	}
	w := words{
		prefix + "garp_master_repeat": count("garp_repeat", 1), prefix + "garp_master_delay": wait("garp_delay"),
		prefix + "garp_master_refresh": func(s statement) {
			if d, ok := t.seconds(s, 1); ok {
				if d > 0 && d < time.Second {
					t.differ(s.At, "%s: %s is less than a second; it is a second", s.Name(), d)
					d = time.Second
				}
				set(s, "garp_refresh", t.clock(s, d))
			}
		},
		prefix + "garp_master_refresh_repeat": count("garp_refresh_repeat", 1),
		prefix + "garp_lower_prio_repeat":     count("garp_lower_repeat", 1), prefix + "garp_lower_prio_delay": wait("garp_lower_delay"),
		prefix + "down_timer_adverts": func(s statement) {
			if n, ok := t.integer(s, 1, 1, 100); ok {
				set(s, "down_multiplier", n)
			}
		},
	}
	if prefix != "" { // of a single interface a garp_group says it
		w[prefix+"garp_interval"], w[prefix+"gna_interval"] = wait("garp_interval"), wait("gna_interval")
	}
	return w
}

// timeouts takes `lvs_timeouts tcp 7200 tcpfin 30 udp 300`.
func (t *translator) timeouts(s statement) {
	names := map[string]string{"tcp": "tcp_timeout", "tcpfin": "tcp_fin_timeout", "udp": "udp_timeout"}
	for i := 1; i < len(s.Words); i += 2 {
		name, ok := names[s.Arg(i)]
		if !ok {
			t.bad(s, i, "tcp, tcpfin or udp")
			return
		}
		if n, ok := t.integer(s, i+1, 0, 31*24*3600); ok && n > 0 {
			t.kernel(s.At).set(s.At, name, time.Duration(n)*time.Second)
		}
	}
}

// realtime takes vrrp_rt_priority.
func (t *translator) realtime(s statement) {
	if n, ok := t.integer(s, 1, 1, 99); ok {
		t.process(s).set(s.At, "realtime_priority", n)
	}
}

// kernel gives the ipvs block.
func (t *translator) kernel(at position) *node {
	if t.ipvs == nil {
		t.ipvs = &node{kind: "ipvs", at: at}
	}
	return t.ipvs
}

// syncDaemon takes `lvs_sync_daemon IF [inst] VI [id] [maxlen …] [port …] [ttl …] [group …]`.
func (t *translator) syncDaemon(s statement) {
	if _, ok := t.one(s); !ok {
		return
	}
	b := &node{kind: "connection_sync", at: s.At}
	b.set(s.At, "interface", s.Arg(1))
	ranges := map[string]struct {
		name   string
		lo, hi int64
	}{"id": {"id", 0, 255}, "maxlen": {"max_length", 1, 65535}, "port": {"port", 1, 65535}, "ttl": {"ttl", 1, 255}}
	vi := ""
	for i := 2; i < len(s.Words); i++ {
		word := s.Arg(i)
		r, ok := ranges[word]
		_, err := strconv.Atoi(word)
		switch {
		case ok:
			i++
			if n, ok := t.integer(s, i, r.lo, r.hi); ok {
				b.set(s.At, r.name, n)
			}
		case word == "inst":
			i++
			vi = s.Arg(i)
		case word == "group":
			i++
			b.set(s.At, "group", s.Arg(i))
		case err == nil && i > 2: // the old form has the id by itself
			if n, ok := t.integer(s, i, 0, 255); ok {
				b.set(s.At, "id", n)
			}
		case vi == "":
			vi = word
		default:
			t.bad(s, i, "inst, id, maxlen, port, ttl or group")
		}
	}
	t.follow(s.At, b, vi)
}

// follow lets connection synchronization follow an instance.
func (t *translator) follow(at position, b *node, vi string) {
	if len(t.servers) == 0 {
		t.differ(at, "lvs_sync_daemon: there is no virtual server, so there are no connections; it is left out")
		return
	}
	var names []string
	for _, v := range t.instances {
		names = append(names, v.block.labels[0])
	}
	switch {
	case len(names) == 0:
		t.differ(at, "lvs_sync_daemon: there is no vrrp_instance whose role it could follow; it is left out")
		return
	case vi == "":
		vi = names[0]
		t.differ(at, "lvs_sync_daemon: keepalived runs a sending and a receiving daemon at once; edgekeeper's follows the role of %s", vi)
	default:
		for _, v := range t.instances {
			if v.name == vi {
				vi = v.block.labels[0]
			}
		}
	}
	b.set(at, "vrrp", vi)
	if k := t.kernel(at); len(k.blocks) == 0 {
		k.blocks = append(k.blocks, b)
	}
}
