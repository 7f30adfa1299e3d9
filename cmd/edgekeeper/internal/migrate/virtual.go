package migrate

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// virtualServer is a virtual_server on its way.
type virtualServer struct {
	at        position
	what      string         // as messages call it
	addr      netip.AddrPort // of the first address
	spans     []entry        // a group; nil: addr
	name      string         // of the group
	mark      int            // a firewall mark; 0: none
	four, six bool           // ip_family
	markAt    position
	engine    *statement
	protocol  string
	scheduler string
	flags     map[string]statement
	method    string
	tunnel    *statement
	weight    int
	inhibit   tri
	alpha     tri
	alert     tri
	host      string
	times     timing
	ops       *statement
	persist   int
	persistAt position
	grain     *statement
	quorum    int
	quorumAt  position
	band      int
	bandAt    position
	sorry     *realServer
	servers   []*realServer
}

// realServer is a real_server or sorry_server on its way.
type realServer struct {
	at       position
	addr     netip.Addr
	port     int // 0: none was written
	weight   int // -1: the virtual server's
	weightAt position
	method   string
	tunnel   *statement
	inhibit  tri
	alpha    tri
	alert    tri
	upper    int
	lower    int
	host     string
	times    timing
	checks   []*checker
}

// Sentences about what pools have no counterpart for.
const (
	noServerScript = "the script is not run; a notify \"exec\" target with events = [\"pool\", \"server\"] is told of all pools"
	noSuspend      = "real servers are checked whatever addresses this host holds"
)

var virtualKnown = map[string]string{
	"hashed": "", "omega": "", "snmp_name": noSNMP, "warmup": "",
	"ha_suspend": noSuspend, "quorum_up": noServerScript, "quorum_down": noServerScript,
	"sorry_server_inhibit": "the sorry server serves while quorum is lost, and is out of the table else; it is never there with weight 0",
	"flag-1":               "write the flag by its name, such as sh-fallback", "flag-2": "write the flag by its name, such as sh-port", "flag-3": "no scheduler gives it a meaning",
}

// virtualServer takes a virtual_server block.
func (t *translator) virtualServer(s statement) {
	v := &virtualServer{
		at: s.At, what: "virtual_server " + strings.Join(s.Args(), " "), flags: map[string]statement{},
		weight: 1, quorum: 1, times: noTimes(),
	}
	var forms []entry
	switch s.Arg(1) {
	case "":
		t.errorf(s.At, "virtual_server needs an address and a port")
		return
	case "fwmark":
		n, ok := t.integer(s, 2, 1, 1<<32-1)
		if !ok {
			return
		}
		forms = []entry{{at: s.At, mark: n}}
	case "group":
		group, ok := t.groups[s.Arg(2)]
		if !ok {
			t.errorf(s.At, "%s: there is no virtual_server_group %q", v.what, s.Arg(2))
			return
		}
		forms, v.name = group, s.Arg(2)
	default:
		addr, port, ok := t.endpoint(s, 1)
		if !ok {
			return
		}
		forms = []entry{{at: s.At, first: netip.AddrPortFrom(addr, uint16(port)), single: true}}
	}
	if len(forms) == 0 {
		t.differ(s.At, "%s has no address; it is left out", v.what)
		return
	}
	t.each(v.what, s.Block, t.virtualWords(v), virtualKnown)
	if len(v.servers) == 0 {
		t.differ(s.At, "%s has no real_server; it is left out, as by keepalived", v.what)
		return
	}
	for _, one := range t.split(v, forms) {
		t.poolNotes(one)
		t.servers = append(t.servers, t.pool(one))
	}
}

// split makes a virtual server of each address family and firewall mark: all
// addresses of one family are one.
func (t *translator) split(v *virtualServer, forms []entry) []*virtualServer {
	var out []*virtualServer
	families := map[bool]*virtualServer{}
	clone := func() *virtualServer {
		one := *v
		one.servers = nil
		for _, r := range v.servers {
			c := *r
			one.servers = append(one.servers, &c)
		}
		if v.sorry != nil {
			c := *v.sorry
			one.sorry = &c
		}
		out = append(out, &one)
		return &one
	}
	for _, e := range forms {
		if e.mark != 0 {
			one := clone()
			one.mark, one.markAt = e.mark, e.at
			one.addr = netip.AddrPortFrom(t.familyOf(v, e), 0)
			continue
		}
		six := e.first.Addr().Is6()
		if families[six] == nil {
			families[six] = clone()
			families[six].addr = e.first
		}
		families[six].spans = append(families[six].spans, e)
	}
	for _, one := range families {
		if len(one.spans) == 1 && one.spans[0].single {
			one.spans = nil
		}
	}
	if len(out) > 1 {
		t.differ(v.at, "%s: it becomes %d virtual servers, one for each address family and firewall mark", v.what, len(out))
	}
	return out
}

// familyOf gives an address of the family of a firewall mark.
func (t *translator) familyOf(v *virtualServer, e entry) netip.Addr {
	six := v.six || e.six
	if !six && !v.four && len(v.servers) > 0 && v.method != "tun" {
		six = v.servers[0].addr.Is6()
	}
	if six {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// endpoint reads an address at word i, and the port behind it.
func (t *translator) endpoint(s statement, i int) (netip.Addr, int, bool) {
	addr, err := netip.ParseAddr(s.Arg(i))
	if err != nil || addr.Zone() != "" || addr.Is4In6() || addr.IsUnspecified() || addr.IsMulticast() {
		t.bad(s, i, "the address of a host")
		return addr, 0, false
	}
	port := 0
	if s.Arg(i+1) != "" {
		var ok bool
		if port, ok = t.integer(s, i+1, 0, 65535); !ok {
			return addr, 0, false
		}
	}
	if s.Arg(i+2) != "" {
		t.errorf(s.At, "%s: unknown word %q", s.Name(), s.Arg(i+2))
		return addr, 0, false
	}
	return addr, port, true
}

func (t *translator) virtualWords(v *virtualServer) words {
	flag := func(to *tri) func(statement) {
		return func(s statement) {
			if on, ok := t.flag(s); ok {
				*to = triOf(on)
			}
		}
	}
	scheduler := func(s statement) {
		if !slices.Contains(lvs.Schedulers(), s.Arg(1)) {
			t.bad(s, 1, "a scheduler of the kernel (%s)", strings.Join(lvs.Schedulers(), ", "))
			return
		}
		v.scheduler = s.Arg(1)
	}
	method := func(s statement) { v.method, v.tunnel = t.method(s) }
	named := func(s statement) { v.flags[s.Name()] = s }
	w := words{
		"lvs_sched": scheduler, "lb_algo": scheduler, "lvs_method": method, "lb_kind": method,
		"sh-port": named, "sh-fallback": named, "mh-port": named, "mh-fallback": named,
		"ops": func(s statement) { v.ops = &s },
		"protocol": func(s statement) {
			switch p := strings.ToLower(s.Arg(1)); p {
			case "tcp", "udp", "sctp":
				v.protocol = p
			default:
				t.bad(s, 1, "TCP, UDP or SCTP")
			}
		},
		"persistence_timeout": func(s statement) {
			v.persist, v.persistAt = 360, s.At
			if s.Arg(1) != "" {
				if n, ok := t.integer(s, 1, 1, 31*24*3600); ok {
					v.persist = n
				}
			}
		},
		"persistence_granularity": func(s statement) { v.grain = &s }, "persistence_engine": func(s statement) { v.engine = &s },
		"weight": func(s statement) {
			if n, ok := t.integer(s, 1, 0, 1<<31-1); ok {
				v.weight = t.weightOf(s, n)
			}
		},
		"inhibit_on_failure": func(statement) { v.inhibit = yes }, "alpha": func(statement) { v.alpha = yes }, "smtp_alert": flag(&v.alert),
		"ip_family": func(s statement) {
			if v.four, v.six = s.Arg(1) == "inet", s.Arg(1) == "inet6"; !v.four && !v.six {
				t.bad(s, 1, "inet or inet6")
			}
		},
		"virtualhost": func(s statement) { v.host = s.Arg(1) },
		"quorum": func(s statement) {
			if n, ok := t.integer(s, 1, 1, 1<<31-1); ok {
				v.quorum, v.quorumAt = n, s.At
			}
		},
		"hysteresis": func(s statement) {
			if n, ok := t.integer(s, 1, 0, 1<<31-1); ok {
				v.band, v.bandAt = n, s.At
			}
		},
		"sorry_server": func(s statement) {
			if addr, port, ok := t.endpoint(s, 1); ok {
				v.sorry = &realServer{at: s.At, addr: addr, port: port}
			}
		},
		"sorry_server_lvs_method": func(s statement) {
			if v.sorry == nil {
				t.errorf(s.At, "sorry_server_lvs_method without a sorry_server before it")
				return
			}
			v.sorry.method, v.sorry.tunnel = t.method(s)
		},
		"real_server": func(s statement) { t.realServer(v, s) },
	}
	t.timeWords(w, &v.times)
	return w
}

// method reads NAT, DR or TUN with its options.
func (t *translator) method(s statement) (string, *statement) {
	switch m := strings.ToLower(s.Arg(1)); m {
	case "nat", "dr":
		return m, nil
	case "tun":
		return m, &s
	}
	t.bad(s, 1, "NAT, DR or TUN")
	return "", nil
}

// weightOf keeps a weight within what edgekeeper takes.
func (t *translator) weightOf(s statement, n int) int {
	if n > 65535 {
		t.differ(s.At, "weight %d: at most 65535; it is that", n)
		return 65535
	}
	return n
}

// realServer takes a real_server block.
func (t *translator) realServer(v *virtualServer, s statement) {
	addr, port, ok := t.endpoint(s, 1)
	if !ok {
		return
	}
	r := &realServer{at: s.At, addr: addr, port: port, weight: -1, times: noTimes()}
	flag := func(to *tri) func(statement) {
		return func(s statement) {
			if on, ok := t.flag(s); ok {
				*to = triOf(on)
			}
		}
	}
	count := func(to *int) func(statement) {
		return func(s statement) {
			if n, ok := t.integer(s, 1, 0, 1<<31-1); ok {
				*to = n
			}
		}
	}
	method := func(s statement) { r.method, r.tunnel = t.method(s) }
	w := words{
		"weight": func(s statement) {
			if n, ok := t.integer(s, 1, 0, 1<<31-1); ok {
				r.weight, r.weightAt = t.weightOf(s, n), s.At
			}
		},
		"lvs_method": method, "lb_kind": method,
		"uthreshold": count(&r.upper), "lthreshold": count(&r.lower),
		"inhibit_on_failure": flag(&r.inhibit), "alpha": flag(&r.alpha), "smtp_alert": flag(&r.alert),
		"virtualhost": func(s statement) { r.host = s.Arg(1) },
	}
	t.timeWords(w, &r.times)
	for _, kind := range checkerKinds {
		w[kind] = func(s statement) { t.checker(v, r, s) }
	}
	t.each("real_server", s.Block, w, map[string]string{
		"warmup": "", "snmp_name": noSNMP, "notify_up": noServerScript, "notify_down": noServerScript,
		"BFD_CHECK": "edgekeeper has no BFD; the real server is not checked by it",
	})
	v.servers = append(v.servers, r)
}

// poolName names a virtual server by its address, as nothing in the file does.
func (t *translator) poolName(v *virtualServer) string {
	name := v.addr.String()
	switch {
	case v.mark != 0:
		name = "fwmark-" + strconv.Itoa(v.mark)
	case v.name != "":
		name = t.clean(v.at, "virtual_server_group", v.name)
	}
	if v.protocol != "tcp" && v.mark == 0 {
		name += "-" + v.protocol
	}
	for n, base := 2, name; t.names[name]; n++ {
		name = base + "-" + strconv.Itoa(n)
	}
	t.names[name] = true
	return name
}
