package scenarios

import (
	"fmt"
	"strings"
)

// vsForm is one virtual server, in words that have a counterpart in the
// configurations of both implementations.
type vsForm struct {
	name      string
	protocol  string // tcp, udp, sctp
	ipv6      bool
	port      int
	group     []string // entries of a group, as edgekeeper writes them: "A:80", "A-10:80", "A/29:80"
	mark      int      // alone: others set it; of a group: the one that keepalived counts to
	scheduler string
	flags     []string
	forward   string // dr, nat, tun
	tunnel    tunnelForm
	sticky    int    // seconds of persistence
	prefix    int    // granularity; 0: none
	engine    string // sip
	ops       bool
	servers   []serverForm
}

type tunnelForm struct {
	kind, checksum string
	port           int
}

type serverForm struct {
	other        bool // of the other address family
	port         int  // 0: none written
	weight       int
	upper, lower int
	forward      string // empty: the virtual server's
}

// formTable makes the forms. What is not said of one is TCP, IPv4, port 80,
// wrr, direct routing, two real servers of weight 1 and 2.
func formTable() []vsForm {
	var list []vsForm
	add := func(name string, edit func(*vsForm)) {
		f := vsForm{name: name, protocol: "tcp", port: 80, scheduler: "wrr", forward: "dr", servers: []serverForm{{weight: 1}, {weight: 2}}}
		edit(&f)
		list = append(list, f)
	}
	forwards := []struct {
		name, forward string
		tunnel        tunnelForm
	}{
		{"dr", "dr", tunnelForm{}}, {"nat", "nat", tunnelForm{}}, {"ipip", "tun", tunnelForm{}},
		{"gue", "tun", tunnelForm{kind: "gue", port: 6080}}, {"gre", "tun", tunnelForm{kind: "gre"}},
	}
	for _, v6 := range []bool{false, true} {
		family := map[bool]string{false: "v4", true: "v6"}[v6]
		for _, p := range []string{"tcp", "udp", "sctp"} {
			for _, fw := range forwards {
				add(p+"-"+family+"-"+fw.name, func(f *vsForm) { f.protocol, f.ipv6, f.forward, f.tunnel = p, v6, fw.forward, fw.tunnel })
			}
		}
		add("every-port-"+family, func(f *vsForm) { f.ipv6, f.port, f.sticky = v6, 0, 120 })
		add("one-packet-"+family, func(f *vsForm) { f.ipv6, f.protocol, f.ops = v6, "udp", true })
		add("persistent-"+family, func(f *vsForm) { f.ipv6, f.sticky = v6, 360 })
		add("granular-"+family, func(f *vsForm) { f.ipv6, f.sticky, f.prefix = v6, 60, map[bool]int{false: 24, true: 64}[v6] })
		add("sip-"+family, func(f *vsForm) { f.ipv6, f.protocol, f.port, f.sticky, f.engine = v6, "udp", 5060, 90, "sip" })
		add("sip-one-packet-"+family, func(f *vsForm) {
			f.ipv6, f.protocol, f.port, f.sticky, f.engine, f.ops = v6, "udp", 5060, 90, "sip", true
		})
		add("nat-port-"+family, func(f *vsForm) {
			f.ipv6, f.forward, f.servers = v6, "nat", []serverForm{{port: 8080, weight: 1}, {port: 8081, weight: 1}}
		})
		add("thresholds-"+family, func(f *vsForm) {
			f.ipv6, f.servers = v6, []serverForm{{weight: 1, upper: 100}, {weight: 1, upper: 100, lower: 40}, {weight: 1, upper: 1, lower: 0}}
		})
		add("weights-"+family, func(f *vsForm) { f.ipv6, f.servers = v6, []serverForm{{weight: 0}, {weight: 1}, {weight: 65535}} })
		add("mixed-forwards-"+family, func(f *vsForm) {
			f.ipv6, f.servers = v6, []serverForm{{weight: 1}, {weight: 1, forward: "nat", port: 8080}, {weight: 1, forward: "tun"}}
		})
		add("other-family-"+family, func(f *vsForm) { f.ipv6, f.forward, f.servers = v6, "tun", []serverForm{{other: true, weight: 1}} })
		for _, c := range []string{"csum", "remcsum"} {
			add("gue-"+c+"-"+family, func(f *vsForm) {
				f.ipv6, f.forward, f.tunnel = v6, "tun", tunnelForm{kind: "gue", port: 6081, checksum: c}
			})
		}
		add("gre-csum-"+family, func(f *vsForm) { f.ipv6, f.forward, f.tunnel = v6, "tun", tunnelForm{kind: "gre", checksum: "csum"} })
	}
	for _, s := range []string{"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "mh", "dh", "fo", "ovf", "sed", "nq"} {
		add("scheduler-"+s, func(f *vsForm) { f.scheduler = s })
	}
	for _, s := range []string{"sh", "mh"} {
		for i, flags := range [][]string{{s + "-fallback"}, {s + "-port"}, {s + "-fallback", s + "-port"}} {
			add(fmt.Sprintf("flags-%s-%d", s, i), func(f *vsForm) { f.scheduler, f.flags = s, flags })
		}
	}
	mark := 0
	marked := func(name string, edit func(*vsForm)) {
		mark++
		n := mark
		add(name, func(f *vsForm) { f.mark = n; edit(f) })
	}
	marked("mark", func(*vsForm) {})
	marked("mark-v6", func(f *vsForm) { f.ipv6 = true })
	marked("mark-nat", func(f *vsForm) { f.forward = "nat" })
	marked("mark-tun", func(f *vsForm) { f.forward = "tun" })
	marked("mark-persistent", func(f *vsForm) { f.sticky, f.prefix = 30, 16 })
	marked("mark-one-packet", func(f *vsForm) { f.ops = true })
	marked("mark-sip", func(f *vsForm) { f.sticky, f.engine = 30, "sip" })
	groups := firstGroupMark
	grouped := func(name string, edit func(*vsForm), entries ...string) {
		n := groups
		groups++
		add(name, func(f *vsForm) { f.mark, f.group = n, entries; edit(f) })
	}
	grouped("group-range", func(*vsForm) {}, "10.97.0.1-10:80")
	grouped("group-long-range", func(f *vsForm) { f.scheduler = "sh" }, "10.97.1.250-10.97.2.10:80")
	grouped("group-prefix", func(f *vsForm) { f.forward = "tun" }, "10.97.3.8/29:443")
	grouped("group-list", func(f *vsForm) { f.sticky, f.prefix = 300, 24 }, "10.97.4.1:80", "10.97.4.1:443", "10.97.4.9-12:8080")
	grouped("group-udp", func(f *vsForm) { f.protocol, f.ops = "udp", true }, "10.97.5.1-3:53")
	grouped("group-sctp", func(f *vsForm) { f.protocol = "sctp" }, "10.97.6.1-3:3868")
	grouped("group-nat", func(f *vsForm) { f.forward = "nat" }, "10.97.7.1-3:80")
	grouped("group-v6", func(f *vsForm) { f.ipv6 = true }, "[2001:db8:97::1-ff]:80", "[2001:db8:97::200]:443")
	return list
}

// firstGroupMark is where keepalived begins to count the marks of groups.
const firstGroupMark = 1000

// address is the one of the form with that number.
func (f vsForm) address(n int) string {
	if f.ipv6 {
		return fmt.Sprintf("2001:db8:99:%x::1", n)
	}
	return fmt.Sprintf("10.99.%d.1", n)
}

// real is the address of real server i of the form.
func (f vsForm) real(n, i int) string {
	if f.ipv6 != f.servers[i].other {
		return fmt.Sprintf("2001:db8:98:%x::%x", n, i+1)
	}
	return fmt.Sprintf("10.98.%d.%d", n, i+1)
}

// portless reports whether the real servers are written without a port.
func (f vsForm) portless() bool { return f.mark != 0 || f.port == 0 }

// hcl writes the form for edgekeeper.
func (f vsForm) hcl(n int) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("virtual_server %q {", f.name)
	switch {
	case f.group != nil:
		line("  addresses = [%s]\n  fwmark = %d", `"`+strings.Join(f.group, `", "`)+`"`, f.mark)
	case f.mark != 0:
		line("  fwmark = %d", f.mark)
		if f.ipv6 {
			line("  family = \"ipv6\"")
		}
	default:
		line("  address = %q", hostPort(f.address(n), f.port))
	}
	if f.mark == 0 || f.group != nil {
		line("  protocol = %q", f.protocol)
	}
	line("  scheduler = %q\n  forward = %q", f.scheduler, f.forward)
	if f.flags != nil {
		line("  scheduler_flags = [%s]", `"`+strings.Join(f.flags, `", "`)+`"`)
	}
	if f.sticky > 0 {
		line("  persistence = \"%ds\"", f.sticky)
	}
	if f.prefix > 0 {
		line("  persistence_granularity = %d", f.prefix)
	}
	if f.engine != "" {
		line("  persistence_engine = %q", f.engine)
	}
	if f.ops {
		line("  one_packet = true")
	}
	if f.tunnel.kind != "" {
		line("  tunnel {\n    type = %q", f.tunnel.kind)
		if f.tunnel.port > 0 {
			line("    port = %d", f.tunnel.port)
		}
		if f.tunnel.checksum != "" {
			line("    checksum = %q", f.tunnel.checksum)
		}
		line("  }")
	}
	for i, s := range f.servers {
		label := f.real(n, i)
		if s.port > 0 {
			label = hostPort(label, s.port)
		}
		line("  real_server %q {\n    weight = %d", label, s.weight)
		if s.forward != "" {
			line("    forward = %q", s.forward)
		}
		if s.upper > 0 {
			line("    upper_threshold = %d", s.upper)
		}
		if s.lower > 0 {
			line("    lower_threshold = %d", s.lower)
		}
		line("  }")
	}
	line("}")
	return b.String()
}

func hostPort(host string, port int) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s:%d", host, port)
}

// conf writes the form for keepalived.
func (f vsForm) conf(n int) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if f.group != nil {
		line("virtual_server_group %s {", f.name)
		for _, e := range f.group {
			i := strings.LastIndexByte(e, ':')
			line("  %s %s", strings.Trim(e[:i], "[]"), e[i+1:])
		}
		line("}")
	}
	switch {
	case f.group != nil:
		line("virtual_server group %s {", f.name)
	case f.mark != 0:
		line("virtual_server fwmark %d {", f.mark)
	case f.port == 0:
		line("virtual_server %s {", f.address(n))
	default:
		line("virtual_server %s %d {", f.address(n), f.port)
	}
	line("  lvs_sched %s", f.scheduler)
	for _, flag := range f.flags {
		line("  %s", flag)
	}
	line("  lvs_method %s\n  protocol %s", f.method(f.forward), strings.ToUpper(f.protocol))
	if f.sticky > 0 {
		line("  persistence_timeout %d", f.sticky)
	}
	if f.prefix > 0 {
		line("  persistence_granularity %s", f.mask())
	}
	if f.engine != "" {
		line("  persistence_engine %s", f.engine)
	}
	if f.ops {
		line("  ops")
	}
	for i, s := range f.servers {
		port := ""
		switch {
		case s.port > 0:
			port = fmt.Sprint(s.port)
		case !f.portless():
			port = fmt.Sprint(f.port)
		}
		line("  real_server %s %s {\n    weight %d", f.real(n, i), port, s.weight)
		if s.forward != "" {
			line("    lvs_method %s", f.method(s.forward))
		}
		if s.upper > 0 {
			line("    uthreshold %d", s.upper)
		}
		if s.lower > 0 {
			line("    lthreshold %d", s.lower)
		}
		line("  }")
	}
	line("}")
	return b.String()
}

// method is keepalived's lvs_method.
func (f vsForm) method(forward string) string {
	out := strings.ToUpper(forward)
	if forward != "tun" || f.tunnel.kind == "" {
		return out
	}
	out += " type " + f.tunnel.kind
	if f.tunnel.port > 0 {
		out += fmt.Sprintf(" port %d", f.tunnel.port)
	}
	return strings.TrimSpace(out + " " + f.tunnel.checksum)
}

// mask is keepalived's persistence_granularity: a netmask, of IPv6 a prefix length.
func (f vsForm) mask() string {
	if f.ipv6 {
		return fmt.Sprint(f.prefix)
	}
	m := uint32(0xffffffff) << (32 - f.prefix)
	return fmt.Sprintf("%d.%d.%d.%d", m>>24, m>>16&255, m>>8&255, m&255)
}
