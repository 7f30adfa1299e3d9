package config

import (
	"log/slog"
	"net/netip"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// maxSocketPath is sun_path of sockaddr_un without its final NUL (unix(7)).
const maxSocketPath = 107

func (c *checker) routerID() string {
	if !c.root.written("router_id") {
		id, _, _ := strings.Cut(c.host, ".")
		return id
	}
	id := c.root.str("router_id")
	c.root.keyName("router_id", id, c.root.where("router_id"))
	return id
}

// keyName checks a name that becomes part of a KV key and an argument of
// commands.
func (b *block) keyName(what, s string, at hcl.Range) {
	for _, r := range s {
		switch {
		case r == '/':
			b.addf(at, "%s: %q holds a slash, which separates parts of KV keys", what, s)
			return
		case r <= ' ' || r == 0x7f:
			b.addf(at, "%s: %q holds a space or control character", what, s)
			return
		}
	}
}

func (c *checker) onStop() OnStop {
	if c.root.str("on_stop") == Keep.String() {
		return Keep
	}
	return Release
}

func (c *checker) log() Log {
	var level slog.Level
	// The table's choices are slog's own words.
	_ = level.UnmarshalText([]byte(c.root.str("log_level")))
	return Log{Level: level, JSON: c.root.flag("log_json")}
}

func (c *checker) fileCatalog() *FileCatalog {
	b := c.root.one("file_catalog")
	if b == nil {
		return nil
	}
	return &FileCatalog{Path: b.str("path")}
}

func (c *checker) control() Control {
	b := c.orEmpty("control")
	socket := b.str("socket")
	if len(socket) > maxSocketPath {
		b.addf(b.where("socket"), "socket: the path has %d bytes, a unix socket's has at most %d", len(socket), maxSocketPath)
	}
	return Control{Socket: socket}
}

// orEmpty gives the only block of a kind, or an empty one with all defaults.
func (c *checker) orEmpty(name string) *block {
	if b := c.root.one(name); b != nil {
		return b
	}
	return &block{report: c.root.report, kind: root.block(name), header: c.root.header}
}

func (c *checker) telemetry() *Telemetry {
	b := c.root.one("telemetry")
	if b == nil {
		return nil
	}
	// Unlike a server's, this address may be the unspecified one.
	at := b.where("address")
	ap, err := netip.ParseAddrPort(b.str("address"))
	switch {
	case err != nil:
		b.addf(at, "address: %q is not ip:port, such as \"127.0.0.1:9777\"", b.str("address"))
	case ap.Port() == 0:
		b.addf(at, "address: port 0 is none that a scraper could ask")
	}
	return &Telemetry{Address: ap}
}

func (c *checker) ipvs() IPVS {
	b := c.orEmpty("ipvs")
	if !b.flag("manage_sysctls") {
		for _, name := range []string{"expire_nodest_conn", "expire_quiescent_template", "conn_reuse_mode", "conntrack"} {
			if b.written(name) {
				b.addf(b.where(name), "%s has no effect with manage_sysctls = false", name)
			}
		}
	}
	out := IPVS{
		ManageSysctls:           b.flag("manage_sysctls"),
		ExpireNodestConn:        b.flag("expire_nodest_conn"),
		ExpireQuiescentTemplate: b.flag("expire_quiescent_template"),
		ConnReuseMode:           int(b.num("conn_reuse_mode")),
		TCPTimeout:              b.dur("tcp_timeout"),
		TCPFinTimeout:           b.dur("tcp_fin_timeout"),
		UDPTimeout:              b.dur("udp_timeout"),
	}
	if b.written("conntrack") {
		out.Conntrack = new(b.flag("conntrack"))
	}
	return out
}

func (c *checker) realServerAgent() *RealServer {
	b := c.root.one("real_server_agent")
	if b == nil {
		return nil
	}
	rs := &RealServer{Interface: b.str("interface"), ManageSysctls: b.flag("manage_sysctls")}
	b.interfaceName("interface", rs.Interface, b.where("interface"))
	if b.written("virtual_addresses") && len(b.list("virtual_addresses")) == 0 {
		b.addf(b.where("virtual_addresses"), "virtual_addresses is empty, at least one address is needed")
	}
	rs.VIPs = b.addresses("virtual_addresses")
	return rs
}

// addresses takes a list of IP addresses without repetition.
func (b *block) addresses(name string) []netip.Addr {
	var out []netip.Addr
	seen := map[netip.Addr]bool{}
	for _, l := range b.list(name) {
		a, ok := b.address(name, l.text, l.at)
		if !ok {
			continue
		}
		if seen[a] {
			b.addf(l.at, "%s: %s is listed twice", name, a)
			continue
		}
		seen[a] = true
		out = append(out, a)
	}
	return out
}

// maxInterfaceName is IFNAMSIZ without its final NUL (linux/if.h).
const maxInterfaceName = 15

// interfaceName checks a name by the kernel's rules (dev_valid_name).
func (b *block) interfaceName(what, s string, at hcl.Range) {
	if s == "" {
		return
	}
	switch {
	case len(s) > maxInterfaceName:
		b.addf(at, "%s: %q has %d bytes, an interface name has at most %d", what, s, len(s), maxInterfaceName)
	case s == "." || s == ".." || strings.ContainsAny(s, "/: \t\r\n\v\f"):
		b.addf(at, "%s: %q is no interface name: it holds a slash, a colon or a space", what, s)
	}
}
