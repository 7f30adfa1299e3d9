package discovery

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
)

// View is all that is known at one moment: the last good answer of each query,
// the verdicts of the native checks and the KV settings.
type View struct {
	Answers   map[Query]Known // a missing query has never been answered
	Verdicts  *Verdicts       // nil: nothing was said
	Overrides Overrides
	Now       time.Time
}

// verdict gives what a check says.
func (v View) verdict(c Check) Verdict { return v.Verdicts.Of(c) }

// Decision is what Merge says about one virtual server.
type Decision struct {
	Spec    Spec
	Want    lvs.Want
	Servers []Judged // sorted by address

	Held       string // not empty: the guard keeps real servers; why
	Panic      bool   // fewer healthy than panic_threshold: all are used
	QuorumLost bool
	Instead    Instead  // who serves
	Fallback   []Judged // of the fallback pool, sorted by address
	Sorry      *Judged  // nil: there is none
	Waiting    []Query  // queries that have never been answered
	Warnings   []string // what is wrong with what the catalogs say, or what has no effect
	Memory     Memory   // for the next call; it may share Servers

	exceptions lvs.ReasonMap // reasons that are not those of Servers and Fallback
	checks     definitions   // of the pool
	alsoChecks definitions   // of the fallback pool

	Next time.Time // when time alone makes the decision another one; zero: never
}

// Merge decides what one virtual server's pool should be. It is a pure function
// of its arguments; DESIGN rules are at the functions that carry them out:
// health (health.go), weights (weight.go), mass removal (guard.go) and quorum.
func Merge(spec Spec, view View, before Memory) Decision {
	d := Decision{Spec: spec, checks: define(&spec)}
	servers := candidates(spec, view, &d)
	fallback, before := mergeFallback(spec, view, before, servers)
	remembered(spec, view, before, servers, len(d.Waiting) > 0, fallback != nil && len(fallback.Waiting) > 0)
	all := servers.inOrder(before)
	kv := ordersOf(spec.Name, view.Overrides)
	for _, s := range all {
		s.checks = d.checks.of(&spec, s.target, s.config, nil)
		s.judge(&spec, view)
		s.weigh(&spec, view, kv)
	}
	panicMode(spec, all, &d)
	guard(spec, view.Now, before, all, &d)
	failOver(spec, all)
	d.stillHeld(all)
	for _, s := range all {
		s.settle(&spec)
	}
	slowStart(spec, view.Now, all, &d)
	d.assemble(spec, view, before, all, fallback)
	return d
}

// server is one real server on its way through Merge.
type server struct {
	addr     netip.AddrPort // in the kernel's table
	target   netip.AddrPort // what checks connect to; port 0 when nobody knows one
	origin   Origin
	instance *Instance // of a catalog server; never nil, never written to
	query    *Query    // that it was found with; never nil
	from     place     // where in the specification that was asked
	config   *Server   // of a configured server
	past     *Judged   // how it was decided about before; never nil, never written to
	gone     bool      // only remembered: no source lists it any more
	adopted  bool      // and known from the kernel's table only
	lost     bool      // by a catalog that has lost its data
	unusable string    // why it cannot be in this pool at all
	checks   []made    // of it

	catalog opinion // what the catalog thinks
	native  opinion // what the native checks think

	state    ServerState
	reason   string
	explicit bool // somebody ordered this state: never held

	weight     int // configured, for when it serves
	weightFrom string
	fromKV     bool
	in         bool // ends up in the table …
	effective  int  // … with this weight
	atOnce     bool

	panicked bool        // serves because too few are healthy
	full     int         // effective without slow start
	since    time.Time   // since when it takes connections; zero: for long
	slow     *SlowStatus // nil: it has its full weight
}

// What a real server has that no catalog has named, or that is new.
var (
	nobody  Instance
	nowhere Query
	unknown Judged
)

// candidates lists the real servers that the configuration and the catalogs
// name, and notes the queries that have not been answered in d.Waiting.
func candidates(spec Spec, view View, d *Decision) *roster {
	all := asks(spec)
	most := len(spec.Servers)
	for _, from := range all {
		most += len(view.Answers[from.query].Instances)
	}
	out := newRoster(most)
	for i := range spec.Servers {
		c := &spec.Servers[i]
		out.add(server{addr: c.Addr, target: c.Addr, origin: FromConfig, config: c, instance: &nobody, query: &nowhere})
	}
	for _, from := range all {
		sel := spec.Selectors[from.selector]
		known, ok := view.Answers[from.query]
		if !ok {
			d.Waiting = append(d.Waiting, from.query)
			continue
		}
		query := &from.query
		for i := range known.Instances {
			inst := &known.Instances[i]
			if !carries(inst.Tags, sel.Tags) {
				continue
			}
			addr := inst.Addr
			if sel.Port != 0 {
				addr = netip.AddrPortFrom(addr.Addr(), sel.Port)
			}
			target := addr
			if spec.EveryPort() && spec.Forward != lvs.NAT {
				// Packets keep the port that the client asked for; the instance's is
				// where it is checked.
				addr = netip.AddrPortFrom(addr.Addr(), 0)
			}
			s := out.at[addr]
			if s == nil {
				s = out.add(server{addr: addr, instance: &nobody, query: &nowhere})
			} else if s.origin == FromCatalog && s.from.tier < from.tier {
				continue // the datacenter that goes before knows it too
			} else if s.origin == FromCatalog {
				// A stale registration must not hide a good one at the same address.
				d.Warnings = append(d.Warnings, fmt.Sprintf("%s and %s are registered at the same address %s; the one in the better state counts", s.instance.ID, inst.ID, addr))
				if inst.State >= s.instance.State {
					continue
				}
			}
			// A configured server that the catalog lists too keeps its configured
			// weight and gains the catalog's state.
			s.origin, s.instance, s.query, s.from, s.target = FromCatalog, inst, query, from.place, target
			s.unusable = unusable(spec, addr)
		}
	}
	return out
}

// unusable says why an address that a catalog gave cannot be a real server of
// this virtual server; empty when it can. The configuration is checked for the
// same contradictions when it is read.
func unusable(spec Spec, addr netip.AddrPort) string {
	vs := spec.Service.Key
	switch {
	case !spec.EveryPort() && spec.Forward != lvs.NAT && addr.Port() != vs.Port:
		return fmt.Sprintf("port %d differs from the virtual server's %d, and %s cannot translate ports (set port = %d in the service block if it listens there too)",
			addr.Port(), vs.Port, spec.Forward, vs.Port)
	case addr.Addr().Is4() == vs.IPv6() && spec.Forward != lvs.TUN:
		return "its address family differs from the virtual server's, which only tunnels can bridge"
	}
	return ""
}

func carries(tags, wanted []string) bool {
	for _, t := range wanted {
		if !slices.Contains(tags, t) {
			return false
		}
	}
	return true
}

// remembered adds the real servers that were in the table and that no source
// lists now. As long as a query that could list one has never been answered,
// nobody can say that it is gone, and it stays as it was.
func remembered(spec Spec, view View, before Memory, servers *roster, waiting, fallbackWaits bool) {
	all := asks(spec)
	for i := range before.Servers {
		past := &before.Servers[i]
		addr := past.Addr
		if !past.In || servers.at[addr] != nil || spec.Sorry != nil && spec.Sorry.Addr == addr {
			continue
		}
		s := servers.add(server{addr: addr, target: *cmp.Or(past.target, &addr), origin: past.Origin, instance: cmp.Or(past.instance, &nobody), query: cmp.Or(past.query, &nowhere), gone: true, adopted: past.Adopted})
		i := slices.IndexFunc(all, func(a ask) bool { return a.query == *s.query })
		if i >= 0 {
			s.from = all[i].place
		}
		switch {
		case past.Adopted && fallbackWaits:
			s.state, s.reason = Kept, "in the kernel's table at start; the fallback's catalog has not answered yet"
		case len(spec.Selectors) == 0, past.Origin == FromConfig && !past.Adopted:
			s.explicit, s.reason = true, "not in the configuration"
		case i >= 0 && !past.Adopted:
			s.reason = "gone from the catalog"
			known := view.Answers[*s.query]
			if s.lost = known.Lost[s.instance.Key()]; s.lost {
				s.reason += ", which has lost its data"
			}
			if _, s.explicit = known.Stopped[s.instance.Key()]; s.explicit {
				s.reason = "gone from the catalog: nomad stops it"
			}
		case waiting && past.Adopted:
			s.state, s.reason = Kept, "in the kernel's table at start; the catalog has not answered yet"
		case waiting:
			s.state, s.reason = Kept, "of a query that was changed; the new one has not been answered yet"
		case past.Adopted:
			s.reason = "gone from the catalog"
		default:
			s.explicit, s.reason = true, "its service was taken out of the configuration"
		}
	}
}

// panicMode applies spec.PanicThreshold: when too few of the real servers that
// anybody would use are healthy, the checks are believed to be wrong and all are used.
func panicMode(spec Spec, servers []*server, d *Decision) {
	var healthy, failed int
	active := activeTiers(spec, servers)
	for _, s := range servers {
		if s.idle(active) {
			continue
		}
		switch s.state {
		case Serving, HeldBack:
			healthy++
		case Failed:
			failed++
		case Entering, Drained, Leaving, Kept, Unusable, Standby:
		}
	}
	if failed == 0 || float64(healthy) >= spec.PanicThreshold*float64(healthy+failed) {
		return
	}
	d.Panic = true
	for _, s := range servers {
		if s.state == Failed && !s.idle(active) {
			s.panicked = true
			s.state, s.reason = Serving, fmt.Sprintf("panic: %d of %d healthy is below the threshold, so all are used; %s", healthy, healthy+failed, s.reason)
		}
	}
}

// assemble makes the pool, the status and the memory of the decision.
func (d *Decision) assemble(spec Spec, view View, before Memory, servers []*server, fallback *Decision) {
	service := spec.Service
	if o, ok := view.Overrides.Schedulers[spec.Name]; ok {
		service.Scheduler = o.Value
	}
	d.Want = lvs.Want{Drain: spec.Drain}
	if spec.Protocol == lvs.UDP {
		d.Want.Drain = 0 // as lvs.Drain has it; of a firewall mark it does not know the protocol
	}
	if o, ok := view.Overrides.Holds[spec.Name]; ok {
		d.Want.Hold = fmt.Sprintf("hold/%s in KV: %s", spec.Name, o.Value)
	}

	live := 0
	d.Servers = make([]Judged, 0, len(servers))
	dests := make([]lvs.Dest, 0, len(servers))
	last := "" // most real servers of a pool are as they are for one reason: one copy of it does
	for _, s := range servers {
		if s.reason == last {
			s.reason = last
		}
		last = s.reason
		d.Servers = append(d.Servers, s.judged())
		if s.atOnce {
			d.goesAtOnce(s.addr)
		}
		if !s.in {
			continue
		}
		live += s.full
		dests = append(dests, s.dest(&spec))
	}

	d.Memory.Servers = d.Servers
	if forgotten := func(j Judged) bool { return j.gone && !j.In }; slices.ContainsFunc(d.Servers, forgotten) {
		// One that has gone is forgotten with the decision that says so.
		d.Memory.Servers = slices.DeleteFunc(slices.Clone(d.Servers), forgotten)
	}
	d.QuorumLost = quorumLost(spec, before.QuorumLost, live)
	d.Memory.QuorumLost = d.QuorumLost
	dests = d.substitute(spec, view, fallback, live, dests)
	d.Want.Pool = lvs.PoolOf(service, dests)
	d.Want.Reasons = reasons{d.Servers, d.Fallback, d.exceptions}
}

// goesAtOnce has a real server removed without draining. Few are, so most decisions
// have no map for them.
func (d *Decision) goesAtOnce(addr netip.AddrPort) {
	if d.Want.AtOnce == nil {
		d.Want.AtOnce = map[netip.AddrPort]bool{}
	}
	d.Want.AtOnce[addr] = true
}

// judged is what there is to keep of the server.
func (s *server) judged() Judged {
	j := Judged{
		Addr: s.addr, State: s.state, Origin: s.origin, In: s.in, Adopted: s.adopted, Live: s.in && s.effective > 0, gone: s.gone,
		Weight: int32(s.effective), Full: int32(s.full), Configured: int32(s.weight), Since: s.since,
		Reason: s.reason, WeightFrom: s.weightFrom, SlowStart: s.slow,
		instance: s.instance, query: s.query, config: s.config,
	}
	if s.target != s.addr {
		target := s.target
		j.target = &target
	}
	return j
}

func (s *server) dest(spec *Spec) lvs.Dest {
	d := lvs.Dest{Addr: s.addr, Weight: uint32(s.effective), Forward: s.forward(spec)}
	if s.config != nil {
		d.Upper, d.Lower = s.config.Upper, s.config.Lower
	}
	if d.Forward == lvs.TUN {
		d.Tunnel = spec.Tunnel
	}
	return d
}

// forward is the server's own forwarding method, or the pool's.
func (s *server) forward(spec *Spec) lvs.Forward { return forwardOf(s.config, spec) }

func forwardOf(config *Server, spec *Spec) lvs.Forward {
	if config != nil {
		return config.Forward
	}
	return spec.Forward
}
