package discovery

import (
	"cmp"
	"net/netip"
)

// ServerStatus is what status, pools and why show of one real server.
type ServerStatus struct {
	Addr       netip.AddrPort `json:"address"`
	Service    string         `json:"service,omitempty"`
	ID         string         `json:"id,omitempty"`
	Node       string         `json:"node,omitempty"`
	Source     string         `json:"source"`
	State      ServerState    `json:"state"`
	Reason     string         `json:"reason"`
	Weight     int            `json:"weight"`      // in the pool now
	Configured int            `json:"full_weight"` // when it serves
	WeightFrom string         `json:"weight_from"`
	SlowStart  *SlowStatus    `json:"slow_start,omitempty"` // nil: it has its full weight
	Catalog    string         `json:"catalog,omitempty"`    // passing, warning, critical, maintenance, gone
	Checks     []CheckStatus  `json:"checks,omitempty"`
}

// CheckStatus is one native check of a real server.
type CheckStatus struct {
	Type    string  `json:"type"`
	Target  string  `json:"target"`
	Health  Health  `json:"health"`
	Reason  string  `json:"reason,omitempty"`
	Warning string  `json:"warning,omitempty"` // of a target that is up
	Blocked string  `json:"blocked,omitempty"` // why attempts cannot be made on this host
	Seconds float64 `json:"seconds"`           // the last attempt took
}

// Status is what there is to show of the real servers of a decision: of the pool,
// of its fallback, and the sorry server, nil where there is none. What the checks
// of them say is in view. It is made when it is asked for: the director keeps no
// words that nobody reads.
func (d *Decision) Status(view View) (servers, fallback []ServerStatus, sorry *ServerStatus) {
	of := func(p judgedPool) []ServerStatus {
		out := make([]ServerStatus, 0, len(p.servers))
		for i := range p.servers {
			out = append(out, p.servers[i].status(p.checksOf(&p.servers[i], nil), view))
		}
		return out
	}
	own, second, last := d.pools()
	if list := of(last); len(list) > 0 {
		sorry = &list[0]
	}
	return of(own), of(second), sorry
}

func (j *Judged) status(checks []made, view View) ServerStatus {
	instance := cmp.Or(j.instance, &nobody)
	out := ServerStatus{
		Addr: j.Addr, Service: instance.Service, ID: instance.ID, Node: instance.Node,
		Source: Static.String(), State: j.State, Reason: j.Reason,
		Weight: int(j.Weight), Configured: int(j.Configured), WeightFrom: j.WeightFrom, SlowStart: j.SlowStart,
	}
	if j.Origin == FromCatalog {
		out.Source, out.Catalog = cmp.Or(j.query, &nowhere).Source.String(), instance.State.String()
		if j.gone {
			out.Catalog = "gone"
		}
	}
	for _, c := range checks {
		v := view.verdict(c.Check)
		out.Checks = append(out.Checks, CheckStatus{
			Type: c.kind.String(), Target: c.Target.String(), Health: v.Health, Reason: v.Reason,
			Warning: v.Warning, Blocked: v.Blocked, Seconds: v.Took.Seconds(),
		})
	}
	return out
}
