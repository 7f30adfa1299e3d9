package agent

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

// peerMemory is what is known of the unicast peers that a catalog names for one
// VRRP instance. The list only ever grows or is replaced by another that is not
// empty: a router without peers would be a second master.
type peerMemory struct {
	from    savedPeers               // what was asked
	seen    map[netip.Addr]time.Time // when the catalog last held it, or failed to tell
	problem string                   // why the list may be old; empty: it is not
}

// savedPeers is what outlives a restart.
type savedPeers struct {
	Query     discovery.Query `json:"query"`
	Tags      []string        `json:"tags,omitempty"`
	Addresses []netip.Addr    `json:"addresses"`
}

// list gives the peers in order.
func (m *peerMemory) list() []netip.Addr {
	return slices.SortedFunc(maps.Keys(m.seen), netip.Addr.Compare)
}

// peersOf gives the memory of a router whose peers come from a catalog: that of
// this run, or of an earlier one that asked the same.
func (a *agent) peersOf(cfg config.VRRP) *peerMemory {
	name, asked := cfg.Router.Name, savedPeers{Query: cfg.Peers.Query, Tags: cfg.Peers.Tags}
	if m := a.peers[name]; m != nil && reflect.DeepEqual(m.from, asked) {
		return m
	}
	m := &peerMemory{from: asked, seen: map[netip.Addr]time.Time{}, problem: "has not answered yet"}
	if old := a.store.recall.Peers[name]; old.Query == asked.Query && slices.Equal(old.Tags, asked.Tags) {
		for _, p := range old.Addresses {
			if p.IsValid() && p.Is4() == cfg.Router.IPv4() {
				m.seen[p] = time.Now()
			}
		}
	}
	a.peers[name] = m
	return m
}

// findPeers passes on what the catalogs say about unicast peers.
func (r *routers) findPeers() {
	for _, x := range r.list() {
		if x.cfg.Peers != nil {
			r.agent.findPeers(x)
		}
	}
}

func (a *agent) findPeers(x *router) {
	m, q, now := a.peersOf(x.cfg), x.cfg.Peers.Query, time.Now()
	before, was := m.list(), m.problem
	known, ok := a.known[q]
	found, why := a.others(x, known.Instances)
	switch {
	case !ok:
		m.problem = cmp.Or(a.firstError[q], "has not answered yet")
	case known.Err != "":
		m.problem = known.Err
	case len(found) == 0:
		m.problem = why
	default:
		m.problem = ""
	}
	for p := range m.seen {
		switch {
		case m.problem != "": // nothing is known of who has gone
			m.seen[p] = now
		case !slices.Contains(found, p) && now.Sub(m.seen[p]) >= x.cfg.Peers.Linger:
			delete(m.seen, p)
		}
	}
	for _, p := range found {
		m.seen[p] = now
	}

	name, list := x.cfg.Router.Name, m.list()
	if m.problem != "" && m.problem != was {
		a.event("vrrp", name, fmt.Sprintf("unicast peers: %s: %s; the last known peers stand: %s", queryName(q), m.problem, words(list)))
	}
	if !slices.Equal(before, list) {
		a.learned = true
		a.event("vrrp", name, fmt.Sprintf("unicast peers: %s, were %s: %s", words(list), words(before), queryName(q)))
	}
	x.runner.SetPeers(list, fmt.Sprintf("no unicast peer is known: %s: %s", queryName(q), m.problem))
}

// others gives the addresses of instances that are not this host's, or says why
// there are none.
func (a *agent) others(x *router, instances []discovery.Instance) (out []netip.Addr, why string) {
	ours := a.opts.Platform.Addresses()
	ours = append(ours, x.cfg.Source, x.runner.Status().Source)
	for _, list := range [][]vrrp.Address{x.cfg.Router.Addresses, x.cfg.Router.Excluded} {
		for _, v := range list {
			ours = append(ours, v.Prefix.Addr())
		}
	}
	var counts struct{ tags, family, ours int }
	for _, i := range instances {
		addr := i.Addr.Addr().Unmap().WithZone("")
		lacks := func(tag string) bool { return !slices.Contains(i.Tags, tag) }
		switch {
		case slices.ContainsFunc(x.cfg.Peers.Tags, lacks):
			counts.tags++
		case !addr.IsValid() || addr.Is4() != x.cfg.Router.IPv4() || addr.IsMulticast() || addr.IsUnspecified() || addr.IsLoopback():
			counts.family++
		case slices.Contains(ours, addr):
			counts.ours++
		case !slices.Contains(out, addr):
			out = append(out, addr)
		}
	}
	if len(out) > 0 {
		return out, ""
	}
	return nil, fmt.Sprintf("names no other router: of %d instances %d lack a tag, %d have no usable address of the family, %d are this host", len(instances), counts.tags, counts.family, counts.ours)
}

// hostAddresses are all addresses of this host; none when they cannot be read.
func hostAddresses() []netip.Addr {
	var out []netip.Addr
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Addr().Unmap())
		}
	}
	return out
}

// savePeers is what outlives a restart; nil for nothing.
func (a *agent) savePeers() map[string]savedPeers {
	var out map[string]savedPeers
	for _, v := range a.cfg.Instances {
		m := a.peers[v.Router.Name]
		if v.Peers == nil || m == nil || len(m.seen) == 0 {
			continue
		}
		if out == nil {
			out = map[string]savedPeers{}
		}
		saved := m.from
		saved.Addresses = m.list()
		out[v.Router.Name] = saved
	}
	return out
}

// peerStatus renders the unicast peers for status, nil for multicast.
func (a *agent) peerStatus(x *router, s instance.Status) *control.Peers {
	if !x.cfg.Router.Unicast() {
		return nil
	}
	out := &control.Peers{Addresses: s.Peers, From: "config"}
	if x.cfg.Peers != nil {
		out.From, out.Problem = queryName(x.cfg.Peers.Query), a.peersOf(x.cfg).problem
	}
	return out
}

func words(list []netip.Addr) string {
	if len(list) == 0 {
		return "none"
	}
	all := make([]string, len(list))
	for i, p := range list {
		all[i] = p.String()
	}
	return strings.Join(all, ", ")
}
