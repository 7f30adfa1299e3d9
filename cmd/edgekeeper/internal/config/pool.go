package config

import (
	"slices"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// slowStart takes the slow_start block; without one there is none.
func (c *checker) slowStart(b *block) discovery.SlowStart {
	s := b.one("slow_start")
	if s == nil {
		return discovery.SlowStart{}
	}
	return discovery.SlowStart{Window: s.dur("window"), Aggression: s.factor("aggression"), MinWeight: s.share("min_weight")}
}

// fallback takes the fallback block; nil without one. The virtual server's own
// servers and checks are known already.
func (c *checker) fallback(b *block, s *discovery.Spec, have sources) *discovery.Fallback {
	f := b.one("fallback")
	if f == nil {
		return nil
	}
	own := *s // what the blocks within are compared with
	own.Forward = forwardOf(f, s.Forward)
	own.Servers, own.Sorry, own.SorryChecked = c.realServers(f, &own), nil, false
	if len(f.all("check")) > 0 {
		own.Checks = c.checks(f, &own, poolOf(&own))
	}
	c.repeated(f, own.Servers, own.Checks)
	out := &discovery.Fallback{
		Name: f.label, Forward: own.Forward, Weight: int(f.num("weight")),
		Servers: own.Servers, Selectors: c.selectors(f, &own, have), Checks: own.Checks,
	}
	if len(f.all("service"))+len(f.all("real_server")) == 0 {
		f.addf(f.header, "%s has no real servers: it needs a service or a real_server block", f.name())
	}
	for _, r := range f.all("real_server") {
		if slices.ContainsFunc(s.Servers, func(o discovery.Server) bool {
			return r.label == o.Addr.String() || o.Addr.Port() == s.Service.Port && r.label == o.Addr.Addr().String()
		}) {
			r.addf(r.header, "%s is in the virtual server's own pool already", r.name())
		}
	}
	for i, v := range f.all("service") {
		if slices.ContainsFunc(s.Selectors, func(o discovery.Selector) bool {
			mine := out.Selectors[i]
			return slices.Equal(o.Queries(), mine.Queries()) && o.Port == mine.Port && slices.Equal(o.Tags, mine.Tags)
		}) {
			v.addf(v.header, "%s is in the virtual server's own pool already", v.name())
		}
	}
	return out
}

// tunnels reports whether a real server of the fallback is reached through a tunnel.
func tunnels(f *discovery.Fallback) bool {
	return f != nil && (f.Forward == lvs.TUN || slices.ContainsFunc(f.Servers, func(s discovery.Server) bool { return s.Forward == lvs.TUN }))
}
