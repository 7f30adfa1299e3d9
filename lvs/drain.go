package lvs

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Drains says since when each departing real server drains. It is the only
// state of draining, and it may be lost: after a restart the kernel still shows
// the departing real servers at weight 0, and their time starts again.
type Drains map[DestID]time.Time

// Drain keeps departing real servers in the desired table until their
// connections have ended. A real server departs when the kernel has it, its
// pool is wanted and not held, and the pool does not name it.
//
// A departing real server of a pool with Drain > 0 stays as the kernel has it,
// at weight 0, so it gets no new connections and those it has go on. It goes
//
//   - when it was seen with weight 0 and no active connection, or
//   - when the pool's Drain has passed since it began.
//
// Inactive connections do not count. They are entries in FIN_WAIT, TIME_WAIT
// and the like, which the director keeps for up to two minutes after both ends
// are done; waiting for them would make every drain last that long. A real
// server without an entry in have.Dests is one whose connections are unknown:
// it stays until the deadline.
//
// UDP is removed at once. Its entries are only timers, refreshed by every
// packet: a busy client would keep it until the deadline although any other
// real server could answer its next packet.
//
// So is what the pool's AtOnce names.
//
// With persistence, a client's template sends its new connections to a real
// server at weight 0, too, unless net.ipv4.vs.expire_quiescent_template is 1.
//
// Drain returns the desired table to give to Diff, the drains going on, and
// when the first deadline passes (zero when nothing drains). Connections end
// without notice, so the caller should look again before that. A real server
// that is wanted again, or that is gone from the kernel, no longer drains. The
// arguments are not changed.
func Drain(have Observed, want Desired, since Drains, now time.Time) (Desired, Drains, time.Time) {
	var next time.Time
	drains := Drains{}
	out := want
	copied := false
	for k, w := range want.Pools {
		h, found := have.Table[k]
		if !found {
			continue
		}
		if w.Hold != "" {
			// Nothing is judged, so nothing begins or ends; what drains remembers it.
			for _, d := range h.Dests {
				id := DestID{Key: k, Addr: d.Addr}
				if t, ok := since[id]; ok {
					drains[id] = t
				}
			}
			continue
		}
		pool, changed := departing{k, w, have, since, now}.stay(h, drains, &next)
		if !changed {
			continue
		}
		if !copied {
			out.Pools = maps.Clone(want.Pools)
			copied = true
		}
		out.Pools[k] = pool
	}
	return out, drains, next
}

// departing holds what decides about one pool's departing real servers.
type departing struct {
	key   Key
	want  Want
	have  Observed
	since Drains
	now   time.Time
}

// stay returns the pool with those departing real servers that stay, at weight
// 0, and with a reason for each that stays or goes.
func (dp departing) stay(h Pool, drains Drains, next *time.Time) (Want, bool) {
	if dp.want.Drain <= 0 || dp.key.Protocol == UDP || slices.Equal(h.Dests, dp.want.Pool.Dests) {
		return dp.want, false
	}
	wanted := dp.want.Pool.normalDests()
	var stay []Dest
	var reasons ReasonMap
	rest := wanted // both are sorted: walk them side by side
	for _, d := range h.normalDests() {
		for len(rest) > 0 && rest[0].Addr.Compare(d.Addr) < 0 {
			rest = rest[1:]
		}
		if len(rest) > 0 && rest[0].Addr == d.Addr || dp.want.AtOnce[d.Addr] {
			continue
		}
		if reasons == nil {
			reasons = ReasonMap{}
		}
		id := DestID{Key: dp.key, Addr: d.Addr}
		began, draining := dp.since[id]
		if !draining {
			began = dp.now
		}
		deadline := began.Add(dp.want.Drain)
		stats, known := dp.have.Dest(id)
		switch {
		case known && stats.Active == 0 && d.Weight == 0:
			reasons[d.Addr] = "drained, no active connections"
			continue
		case !dp.now.Before(deadline):
			reasons[d.Addr] = fmt.Sprintf("drain deadline of %s passed with %s", dp.want.Drain, connections(stats, known))
			continue
		}
		reasons[d.Addr] = fmt.Sprintf("draining for at most %s", dp.want.Drain)
		drains[id] = began
		if next.IsZero() || deadline.Before(*next) {
			*next = deadline
		}
		d.Weight = 0
		stay = append(stay, d)
	}
	if len(reasons) == 0 {
		return dp.want, false
	}
	w := dp.want
	w.Pool = NewPool(w.Pool.Service, append(stay, wanted...)...)
	w.Reasons = departure{dp.want, reasons}
	return w, true
}

// departure are the reasons of a pool with real servers that leave it.
type departure struct {
	want  Want
	leave ReasonMap
}

func (d departure) Of(addr netip.AddrPort) string {
	why, leaves := d.want.reason(addr), d.leave.Of(addr)
	if why != "" && leaves != "" {
		why += "; "
	}
	return why + leaves
}

func connections(s Stats, known bool) string {
	if !known {
		return "connections unknown"
	}
	return fmt.Sprintf("%d active connections", s.Active)
}
