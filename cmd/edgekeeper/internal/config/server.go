package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

func (c *checker) virtualServers(have sources) []discovery.Spec {
	all := c.root.all("virtual_server")
	out := make([]discovery.Spec, 0, len(all))
	var taken forms
	for _, b := range all {
		s := c.virtualServer(b, have)
		if identified(&s) {
			taken.claim(b, &s)
		}
		out = append(out, s)
	}
	detach(out)
	return out
}

// detach gives virtual servers words of their own. As they were read, each lies
// amid what else the reading made, and a few bytes keep a page of that from being
// given back for as long as the director runs.
func detach(specs []discovery.Spec) {
	for i := range specs {
		s := &specs[i]
		s.Name = strings.Clone(s.Name)
		s.Service.Scheduler = unique.Make(s.Service.Scheduler).Value()
	}
}

func (c *checker) virtualServer(b *block, have sources) discovery.Spec {
	b.keyName("virtual_server", b.label, b.header)
	if b.label == discovery.ReservedName {
		b.addf(b.header, "virtual_server %q: the name is taken, drain/%s/ is the KV folder of node drains", b.label, b.label)
	}
	s := discovery.Spec{
		Name:           b.label,
		Weight:         int(b.num("weight")),
		Drain:          b.dur("drain_timeout"),
		MaxRemoval:     b.share("max_removal"),
		RemovalWindow:  b.dur("removal_window"),
		PanicThreshold: b.share("panic_threshold"),
		Quorum:         int(b.num("quorum")),
		Hysteresis:     int(b.num("hysteresis")),
	}
	s.Forward = forwardOf(b, lvs.DR)
	s.Health, _ = discovery.ParsePolicy(b.str("health"))
	s.OnFailure, _ = discovery.ParseOnFailure(b.str("on_failure"))
	c.service(b, &s)
	s.Servers = c.realServers(b, &s)
	s.Sorry = c.sorryServer(b, &s)
	s.Selectors = append(c.selectors(b, &s, have), c.nomadSelectors(b, &s)...)
	s.Checks = c.checks(b, &s, poolOf(&s))
	c.repeated(b, s.Servers, s.Checks)
	s.Fallback = c.fallback(b, &s, have)
	c.tunnel(b, &s)
	s.SlowStart = c.slowStart(b)
	c.policies(b, &s)
	return s
}

// forwardOf takes a forward argument, or the fallback where there is none.
func forwardOf(b *block, fallback lvs.Forward) lvs.Forward {
	f := fallback
	if b.str("forward") != "" {
		// The table's choices are lvs's own words.
		_ = f.UnmarshalText([]byte(b.str("forward")))
	}
	return f
}

// service takes what the kernel is told about the virtual server.
func (c *checker) service(b *block, s *discovery.Spec) {
	k := &s.Service
	_ = k.Protocol.UnmarshalText([]byte(b.str("protocol")))
	k.Scheduler = b.str("scheduler")
	for _, l := range b.list("scheduler_flags") {
		if !strings.HasPrefix(l.text, k.Scheduler+"-") && !b.bad("scheduler") {
			b.addf(l.at, "scheduler_flags: %q is not for the scheduler %q", l.text, k.Scheduler)
		}
		k.Flags |= schedulerFlags[l.text]
	}
	k.OnePacket = b.flag("one_packet")
	k.Persistence = uint32(b.dur("persistence") / time.Second)
	k.Granularity = uint8(b.num("persistence_granularity"))
	k.Engine = b.str("persistence_engine")
	s.Protocol = k.Protocol
	c.form(b, s)
	datagrams := s.Protocol == lvs.UDP || s.Protocol == 0 // of a mark that others set we do not know
	if k.OnePacket && !datagrams && !b.bad("protocol") {
		b.addf(b.where("one_packet"), "one_packet is for udp, %s is %s", b.name(), s.Protocol)
	}
	c.persistence(b, s, datagrams)
}

// persistence checks what goes with it.
func (c *checker) persistence(b *block, s *discovery.Spec, datagrams bool) {
	k := &s.Service
	off := k.Persistence == 0 && !b.bad("persistence")
	if b.written("persistence_granularity") {
		at := b.where("persistence_granularity")
		switch {
		case off:
			b.addf(at, "persistence_granularity has no effect without persistence")
		case identified(s) && !k.IPv6() && k.Granularity > 32:
			b.addf(at, "persistence_granularity is %d, must be from 1 to 32 for IPv4", k.Granularity)
		}
	}
	if k.Engine != "" {
		at := b.where("persistence_engine")
		switch {
		case off:
			b.addf(at, "persistence_engine has no effect without persistence")
		case !datagrams && !b.bad("protocol"):
			b.addf(at, "persistence_engine %q is for udp, %s is %s: the kernel would drop its packets", k.Engine, b.name(), s.Protocol)
		}
	}
	if k.Addr.IsValid() && k.Port == 0 && off {
		b.addf(b.where("address"), "address: port 0 means every port, which needs persistence")
	}
}

func (c *checker) realServers(b *block, s *discovery.Spec) []discovery.Server {
	written := b.all("real_server")
	out := slices.Grow[[]discovery.Server](nil, len(written)) // kept for as long as the director runs
	seen := make(map[netip.AddrPort]*block, len(written))
	for _, r := range written {
		server, ok := c.destination(r, s)
		server.Weight = int(r.num("weight"))
		server.Upper, server.Lower = uint32(r.num("upper_threshold")), uint32(r.num("lower_threshold"))
		switch {
		case server.Lower == 0:
		case server.Upper == 0 && !r.bad("upper_threshold"):
			r.addf(r.where("lower_threshold"), "lower_threshold has no effect without upper_threshold")
		case server.Lower >= server.Upper && server.Upper != 0:
			r.addf(r.where("lower_threshold"), "lower_threshold %d must be less than upper_threshold %d", server.Lower, server.Upper)
		}
		server.Checks = c.checks(r, s, checked{[]lvs.Forward{server.Forward}, server.Addr.Port() == 0})
		if !ok {
			continue
		}
		if first := seen[server.Addr]; first != nil {
			r.addf(r.header, "real_server %s is already in this virtual server at %s", server.Addr, place(first.header))
			continue
		}
		seen[server.Addr] = r
		out = append(out, server)
	}
	return out
}

// repeated refuses a check of a real server that all of its pool have.
func (c *checker) repeated(b *block, servers []discovery.Server, pool []discovery.CheckSpec) {
	if !slices.ContainsFunc(servers, func(s discovery.Server) bool { return len(s.Checks) > 0 }) {
		return
	}
	own := map[string][]discovery.CheckSpec{}
	for _, s := range servers {
		own[s.Addr.String()] = s.Checks
		if _, there := own[s.Addr.Addr().String()]; !there {
			own[s.Addr.Addr().String()] = s.Checks
		}
	}
	for _, r := range b.all("real_server") {
		for i, spec := range own[r.label] {
			if k := r.all("check")[i]; slices.Contains(pool, spec) {
				k.addf(k.header, "%s is made of every real server of %s already", k.name(), b.name())
			}
		}
	}
}

func (c *checker) sorryServer(b *block, s *discovery.Spec) *discovery.Server {
	r := b.one("sorry_server")
	if r == nil {
		return nil
	}
	server, _ := c.destination(r, s)
	server.Weight = 1
	s.SorryChecked = r.flag("check")
	if s.SorryChecked && len(b.all("check")) == 0 {
		r.addf(r.where("check"), "check has no effect: the virtual server has no check block")
	}
	return &server
}

// destination takes the address and forwarding method of a real or sorry server.
func (c *checker) destination(r *block, s *discovery.Spec) (discovery.Server, bool) {
	server := discovery.Server{Forward: forwardOf(r, s.Forward)}
	ap, ok := r.endpoint(r.kind.name, r.label, r.header, int(s.Service.Port))
	if !ok {
		return server, false
	}
	server.Addr = ap
	if !identified(s) {
		return server, true // nothing to compare with
	}
	if ap.Addr().Is4() == s.Service.IPv6() && server.Forward != lvs.TUN {
		r.addf(r.header, "%s %s is %s, the virtual server is %s; only tunnels go across", r.kind.name, ap, family(ap.Addr()), familyName(s.Service.IPv6()))
	}
	if ap.Port() != s.Service.Port {
		c.portMismatch(r, r.header, server.Forward, ap.Port(), s.Service.Port)
	}
	return server, true
}

// portMismatch refuses a port that the forwarding method cannot translate: with
// direct routing and tunnels the packet reaches the real server as the client
// sent it.
func (c *checker) portMismatch(b *block, at hcl.Range, f lvs.Forward, got, want uint16) {
	if want == 0 && f != lvs.NAT {
		b.addf(at, "%s has port %d, the virtual server is for more than one: its packets keep theirs, so leave the port out; a check has a port of its own", b.name(), got)
		return
	}
	switch f {
	case lvs.DR:
		b.addf(at, "%s has port %d, the virtual server has %d: direct routing does not translate ports; use the same port, or forward = \"nat\"", b.name(), got, want)
	case lvs.TUN:
		b.addf(at, "%s has port %d, the virtual server has %d: tunnelling does not translate ports; use the same port, or forward = \"nat\"", b.name(), got, want)
	case lvs.NAT:
	}
}

func (c *checker) tunnel(b *block, s *discovery.Spec) {
	t := b.one("tunnel")
	if t == nil {
		return
	}
	_ = s.Tunnel.Type.UnmarshalText([]byte(t.str("type")))
	_ = s.Tunnel.Checksum.UnmarshalText([]byte(t.str("checksum")))
	s.Tunnel.Port = uint16(t.num("port"))
	used := s.Forward == lvs.TUN || s.Sorry != nil && s.Sorry.Forward == lvs.TUN || tunnels(s.Fallback)
	for _, r := range s.Servers {
		used = used || r.Forward == lvs.TUN
	}
	if !used && !b.anyBad() {
		t.addf(t.header, "tunnel has no effect: nothing in %s has forward = \"tun\"", b.name())
	}
	if t.bad("type") {
		return
	}
	switch {
	case s.Tunnel.Type == lvs.GUE && !t.written("port") && !t.bad("port"):
		t.addf(t.header, "tunnel of type gue needs port")
	case s.Tunnel.Type != lvs.GUE && t.written("port"):
		t.addf(t.where("port"), "port is for type gue, this tunnel is %s", s.Tunnel.Type)
	}
	switch {
	case s.Tunnel.Type == lvs.IPIP && s.Tunnel.Checksum != lvs.NoChecksum,
		s.Tunnel.Type == lvs.GRE && s.Tunnel.Checksum == lvs.RemoteChecksum:
		t.addf(t.where("checksum"), "checksum %q does not exist for tunnel type %s", s.Tunnel.Checksum, s.Tunnel.Type)
	}
}

// policies checks the rules of a pool against each other.
func (c *checker) policies(b *block, s *discovery.Spec) {
	if s.Hysteresis >= s.Quorum && !b.bad("quorum") {
		b.addf(b.where("hysteresis"), "hysteresis %d must be less than quorum %d", s.Hysteresis, s.Quorum)
	}
	services, servers, checks := append(b.all("service"), b.all("nomad_service")...), b.all("real_server"), b.all("check")
	for _, r := range servers {
		checks = append(checks, r.all("check")...)
	}
	if len(services)+len(servers) == 0 {
		b.addf(b.header, "%s has no real servers: it needs a service, a nomad_service or a real_server block", b.name())
	}
	if len(services) == 0 && len(servers) > 0 && !b.anyBad() {
		total := 0
		for _, r := range s.Servers {
			total += r.Weight
		}
		if need := s.Quorum + s.Hysteresis; b.written("quorum") && need > total {
			b.addf(b.where("quorum"), "quorum can never be reached: it takes a weight of %d, all real servers together have %d", need, total)
		}
	}
	if !b.written("health") {
		return
	}
	at := b.where("health")
	switch s.Health {
	case discovery.NativeOnly, discovery.ConsulOrNative:
		if len(checks) == 0 {
			b.addf(at, "health = %q needs a check block", s.Health)
		}
	case discovery.ConsulOnly:
		if len(services) == 0 {
			b.addf(at, "health = %q needs a service block: no catalog knows the real servers written here", s.Health)
		}
	case discovery.ConsulAndNative:
	}
}
